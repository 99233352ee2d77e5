//! A release that is made where its commit lies, brought to the server: in parts, and only what is not there yet.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use andon_core::line::ReleaseSource;
use andon_core::release::Release;
use andon_core::scope::ScopeName;
use andon_server::artifacts::{ArtifactError, Artifacts};
use andon_server::http::bodies;
use andon_server::lines::LineOnDisk;
use serde::Deserialize;

use super::Remote;
use super::wire::Patience;
use crate::context::not_ready;
use crate::failure::Failure;

/// The bytes of one part.
const PART: usize = 2 << 20;
/// The longest signature that is read, in bytes.
const SIGNATURE: u64 = 64 << 10;
/// A part that is refused as out of turn is looked up so often.
const TURNS: usize = 20;

#[derive(Debug, Deserialize)]
struct Kept {
    release: Release,
}

#[derive(Debug, Deserialize)]
struct Have {
    have: u64,
    #[serde(default)]
    whole: bool,
}

/// Where a release came from.
#[derive(Debug)]
pub(crate) enum Made {
    /// It was packed here, and brought.
    Here(Release),
    /// The server made the one that its line describes.
    There(Release),
}

impl Remote {
    /// The release of a scope, kept at the server: the one that the line `here` describes, where that has one; else the
    /// one of the server's line.
    pub(crate) async fn release(
        &self,
        here: Option<&LineOnDisk>,
        scope: &ScopeName,
    ) -> Result<Made, Failure> {
        if let Some((line, service)) = here.and_then(|line| Some((line, line.parts(scope)?.0))) {
            let cache = Artifacts::new(cache());
            match line.release(&cache, service).await {
                Ok(release) => {
                    let signature = signature(&service.release, &line.dir);
                    let brought = self.bring(&cache, &release, scope, signature).await;
                    cache.prune(&std::collections::BTreeSet::new());
                    return brought.map(Made::Here);
                }
                // Nothing was built here: the server has one of its own.
                Err(ArtifactError::Missing { .. }) => {}
                Err(error) => return Err(not_ready(error)),
            }
        }
        let body = bodies::Release {
            service: scope.service.clone(),
            environment: Some(scope.environment.clone()),
            digest: None,
            packing: None,
            revision: None,
            signature: None,
        };
        let kept: Kept = self.wire.post("/v1/releases", &body, Patience::Long).await?;
        Ok(Made::There(kept.release))
    }

    async fn bring(
        &self,
        cache: &Artifacts,
        release: &Release,
        scope: &ScopeName,
        signature: Option<String>,
    ) -> Result<Release, Failure> {
        let packing = serde_json::to_value(release.packing).ok();
        let packing = packing.as_ref().and_then(|value| value.as_str()).unwrap_or_default().to_owned();
        let path = format!("/v1/releases/{}/bytes?packing={packing}", release.digest);
        let mut have: Have = self.wire.get(&path, Patience::Short).await?;
        let unread = |error: std::io::Error| Failure::broken(format!("the release cannot be read: {error}"));
        let mut file = File::open(cache.path(release)).map_err(unread)?;
        let mut turns = 0;
        while !have.whole && have.have < release.packed.0 {
            file.seek(SeekFrom::Start(have.have)).map_err(unread)?;
            let mut part = Vec::with_capacity(PART);
            (&mut file).take(PART as u64).read_to_end(&mut part).map_err(unread)?;
            let (status, answer) = self.wire.put(&format!("{path}&offset={}", have.have), part).await?;
            // Somebody else brings the same release: both go on behind what is there.
            turns = if status.is_success() { 0 } else { turns + 1 };
            if turns > TURNS {
                return Err(Failure::broken(format!("{} cannot be brought: others are faster", release.id)));
            }
            have = serde_json::from_value(answer).map_err(|error| {
                Failure::broken(format!("the server's answer cannot be understood: {error}"))
            })?;
        }
        let body = bodies::Release {
            service: scope.service.clone(),
            environment: Some(scope.environment.clone()),
            digest: Some(release.digest),
            packing: Some(release.packing),
            revision: release.revision.clone(),
            signature,
        };
        let kept: Kept = self.wire.post("/v1/releases", &body, Patience::Long).await?;
        Ok(kept.release)
    }
}

/// The text of the signature beside an archive; the server judges it by the keys of its own line.
fn signature(source: &ReleaseSource, dir: &Path) -> Option<String> {
    let archive = match source {
        ReleaseSource::Archive(archive) | ReleaseSource::Signed { archive, .. } => dir.join(archive),
        ReleaseSource::Directory(_) => return None,
    };
    let path = PathBuf::from(format!("{}.minisig", archive.display()));
    let mut text = String::new();
    File::open(path).ok()?.take(SIGNATURE).read_to_string(&mut text).ok()?;
    Some(text)
}

/// Where releases are packed that are kept elsewhere.
fn cache() -> PathBuf {
    let of = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = of("XDG_CACHE_HOME").or_else(|| of("HOME").map(|home| home.join(".cache")));
    cache.unwrap_or_else(std::env::temp_dir).join("andon/releases")
}
