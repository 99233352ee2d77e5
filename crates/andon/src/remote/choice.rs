//! Which server is meant: what the command says, then the environment, then the line. Nothing is asked over a network here.

use std::path::Path;

use andon_core::line::ServerUrl;

use crate::args::Common;
use crate::context::{find_line, load};
use crate::failure::Failure;

/// The longest line that is looked through for the word, in bytes.
const LONGEST: u64 = 16 << 20;

/// A server, and who named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// Where it is.
    pub(crate) url: ServerUrl,
    /// For errors: `--server`, or the line.
    pub(crate) named_by: String,
}

/// The server that a command speaks with; `None` when it works in its own process.
///
/// `--local` counts for more than anything else, and a ledger that is named with `--data` for more than the line.
pub(crate) fn chosen(common: &Common) -> Result<Option<Chosen>, Failure> {
    if common.local {
        return Ok(None);
    }
    if let Some(text) = &common.server {
        if text.trim().is_empty() {
            return Ok(None);
        }
        let url = parse(text)?;
        return Ok(Some(Chosen { url, named_by: "--server or ANDON_SERVER".to_owned() }));
    }
    if common.data.is_some() {
        return Ok(None);
    }
    // Most lines name no server, and most commands of those need not read them.
    let Ok(path) = find_line(common) else { return Ok(None) };
    if !mentions_a_server(&path) {
        return Ok(None);
    }
    let url = load(&path)
        .map_err(|failure| failure.next("mend it; or say where to work: --server URL, or --local"))?
        .line
        .server;
    Ok(url.map(|url| Chosen { url, named_by: path.display().to_string() }))
}

/// An address that a person gave.
pub(crate) fn parse(text: &str) -> Result<ServerUrl, Failure> {
    ServerUrl::new(text).map_err(|error| {
        Failure::usage(format!("{text:?} cannot be a server: {error}"))
            .next("for example --server https://andon.example.com; or work without one: --local")
    })
}

fn mentions_a_server(path: &Path) -> bool {
    let short = std::fs::metadata(path).is_ok_and(|about| about.len() <= LONGEST);
    // What cannot be read here is complained about by whoever reads it.
    short && std::fs::read(path).is_ok_and(|text| text.windows(6).any(|window| window == b"server"))
        || std::fs::read(path).is_ok_and(|text| text.windows(5).any(|window| window == b"load("))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common(dir: &Path) -> Common {
        Common { line: Some(dir.join("line.star")), ..Common::default() }
    }

    #[test]
    fn the_command_counts_for_more_than_the_line_and_a_named_ledger_as_well() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("line.star"), "server(\"https://line.example.com\")\n").unwrap();
        let of = |common: Common| chosen(&common).unwrap().map(|chosen| chosen.url.to_string());
        let line = || common(dir.path());
        assert_eq!(of(line()).as_deref(), Some("https://line.example.com"));
        assert_eq!(of(Common { local: true, ..line() }), None);
        assert_eq!(of(Common { server: Some(String::new()), ..line() }), None);
        assert_eq!(of(Common { data: Some(dir.path().to_owned()), ..line() }), None);
        let said = Common { server: Some("https://said.example.com/".to_owned()), ..line() };
        assert_eq!(of(said).as_deref(), Some("https://said.example.com"));
        let clear = Common { server: Some("http://said.example.com".to_owned()), ..line() };
        assert_eq!(chosen(&clear).unwrap_err().code, crate::exit::USAGE);
    }
}
