//! The files of two releases, compared by what they hold, where the bytes of both are still kept. Reading two archives is
//! costly: one comparison at a time, and the last ones are remembered, for a release never changes.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use andon_archive::{Entry, Limits, contents};
use andon_core::digest::Digest;
use andon_core::quantity::ByteSize;
use andon_core::release::Release;
use andon_page::release_diff::Files;
use tokio::sync::Semaphore;

use crate::artifacts::Artifacts;

/// Files that are named; more are counted.
const MOST_NAMED: usize = 1_000;
/// Releases that unpack to more than this are not compared.
const LARGEST: ByteSize = ByteSize(4 << 30);
/// Comparisons that are remembered.
const REMEMBERED: usize = 16;

/// Two releases, and what differs.
type Known = ((Digest, Digest), Files);

/// What was compared last, and the right to compare.
#[derive(Debug, Clone)]
pub(crate) struct Comparisons {
    one: Arc<Semaphore>,
    known: Arc<Mutex<VecDeque<Known>>>,
}

impl Default for Comparisons {
    fn default() -> Self {
        Self { one: Arc::new(Semaphore::new(1)), known: Arc::default() }
    }
}

impl Comparisons {
    /// How the files of two releases differ.
    ///
    /// # Errors
    /// Why they cannot be compared: a sentence without its end.
    pub(crate) async fn of(
        &self,
        artifacts: &Artifacts,
        from: &Release,
        to: &Release,
    ) -> Result<Files, String> {
        let pair = (from.digest, to.digest);
        if let Some(files) = self.remembered(&pair) {
            return Ok(files);
        }
        for release in [from, to] {
            if release.unpacked > LARGEST {
                return Err(format!(
                    "{} unpacks to {}, more than is compared here",
                    release.id, release.unpacked
                ));
            }
            if !artifacts.path(release).is_file() {
                return Err(format!("the bytes of {} are not kept here any more", release.id));
            }
        }
        let alone = Arc::clone(&self.one).acquire_owned().await;
        let Ok(alone) = alone else { return Err("the server is stopping".to_owned()) };
        if let Some(files) = self.remembered(&pair) {
            return Ok(files);
        }
        let (first, second) = (artifacts.path(from), artifacts.path(to));
        // It is alone until its end, also where nobody waits for it any more.
        let compared = tokio::task::spawn_blocking(move || {
            let _alone = alone;
            compare(&first, &second)
        });
        let compared = compared.await;
        let files = compared.map_err(|_| "the comparison stumbled".to_owned())??;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.truncate(REMEMBERED - 1);
        known.push_front((pair, files.clone()));
        Ok(files)
    }

    fn remembered(&self, pair: &(Digest, Digest)) -> Option<Files> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|(of, _)| of == pair).map(|(_, files)| files.clone())
    }
}

fn compare(first: &Path, second: &Path) -> Result<Files, String> {
    let read = |path: &Path| {
        let entries = contents(path, &Limits::default()).map_err(|error| error.to_string())?;
        Ok::<BTreeMap<Vec<u8>, Entry>, String>(
            entries.into_iter().map(|entry| (entry.path.clone(), entry)).collect(),
        )
    };
    let (before, after) = (read(first)?, read(second)?);
    Ok(difference(&before, &after))
}

fn difference(before: &BTreeMap<Vec<u8>, Entry>, after: &BTreeMap<Vec<u8>, Entry>) -> Files {
    let mut files = Files::default();
    let mut named = 0;
    let mut name = |list: &mut Vec<String>, more: &mut usize, entry: &Entry| {
        named += 1;
        if named <= MOST_NAMED { list.push(entry.shown()) } else { *more += 1 }
    };
    for (path, entry) in after {
        match before.get(path) {
            None => name(&mut files.added, &mut files.more, entry),
            Some(was) if was.digest != entry.digest => name(&mut files.changed, &mut files.more, entry),
            Some(_) => files.same += 1,
        }
    }
    for (path, entry) in before {
        if !after.contains_key(path) {
            name(&mut files.removed, &mut files.more, entry);
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use andon_core::line::ReleaseSource;

    use super::*;

    #[tokio::test]
    async fn files_are_compared_by_what_they_hold_and_hostile_names_are_made_visible() {
        let dir = tempfile::tempdir().unwrap();
        let artifacts = Artifacts::new(dir.path().join("releases"));
        let keep = |files: &[(&str, &str)]| {
            let build = dir.path().join("build");
            let _ = std::fs::remove_dir_all(&build);
            std::fs::create_dir(&build).unwrap();
            files.iter().for_each(|(name, content)| std::fs::write(build.join(name), content).unwrap());
            artifacts.keep(&ReleaseSource::Directory("build".into()), dir.path(), None).unwrap()
        };
        let one = keep(&[("page", "hello"), ("gone", "x"), ("same", "y")]);
        let two = keep(&[("page", "hallo"), ("same", "y"), ("new\u{1b}[2J", "z")]);
        let comparisons = Comparisons::default();
        let files = comparisons.of(&artifacts, &one, &two).await.unwrap();
        assert_eq!((files.changed, files.removed, files.same), (vec!["page".into()], vec!["gone".into()], 1));
        assert_eq!(files.added, ["new\\u{1b}[2J"]);
        // What was compared is known although the bytes are gone; what was not cannot be any more.
        std::fs::remove_file(artifacts.path(&one)).unwrap();
        assert!(comparisons.of(&artifacts, &one, &two).await.is_ok());
        let gone = comparisons.of(&artifacts, &two, &one).await.unwrap_err();
        assert!(gone.contains("not kept here"), "{gone}");
    }
}
