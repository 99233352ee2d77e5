//! Styles and scripts. Their names hold a digest of what is in them, so that a browser may keep them for ever.

use std::sync::LazyLock;

/// A file that pages name.
#[derive(Debug)]
pub struct Asset {
    /// Its name as it was written, for example `andon.css`.
    plain: &'static str,
    /// Its name with the digest.
    name: String,
    /// Its media type.
    pub kind: &'static str,
    /// What is in it.
    pub bytes: &'static [u8],
}

const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

static ALL: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    vec![
        asset("andon.css", CSS, include_bytes!("../assets/andon.css")),
        asset("andon.js", SCRIPT, include_bytes!("../assets/andon.js")),
        asset("live.js", SCRIPT, include_bytes!("../assets/live.js")),
        asset("chart.css", CSS, include_bytes!("../assets/chart.css")),
        asset("timeline.css", CSS, include_bytes!("../assets/timeline.css")),
        asset("timeline.js", SCRIPT, include_bytes!("../assets/timeline.js")),
        asset("registers.css", CSS, include_bytes!("../assets/registers.css")),
        asset("insight.css", CSS, include_bytes!("../assets/insight.css")),
        asset("hosts.js", SCRIPT, include_bytes!("../assets/hosts.js")),
        asset("icon.svg", SVG, include_bytes!("../assets/icon.svg")),
    ]
});

fn asset(plain: &'static str, kind: &'static str, bytes: &'static [u8]) -> Asset {
    let digest = blake3::hash(bytes).to_hex();
    let (stem, end) = plain.rsplit_once('.').unwrap_or((plain, ""));
    Asset {
        plain,
        name: format!("{stem}-{}.{end}", digest.as_str().get(..12).unwrap_or_default()),
        kind,
        bytes,
    }
}

/// The path of a file by its plain name; of an unknown one, a path that nothing is at.
pub fn path(plain: &str) -> String {
    let found = ALL.iter().find(|asset| asset.plain == plain);
    format!("/assets/{}", found.map_or(plain, |asset| asset.name.as_str()))
}

/// The file with this name, digest included.
pub fn find(name: &str) -> Option<&'static Asset> {
    ALL.iter().find(|asset| asset.name == name)
}
