//! Releases that come over the network: in parts, each behind the last, so that a transfer that broke off goes on where it
//! was. What has come whole is judged as a file of this machine would be; only then it is a release.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use andon_core::digest::Digest;
use andon_core::line::ReleaseSource;
use andon_core::release::{Packing, Release, ReleaseId, Revision};
use andon_core::signature::PublicKey;

use super::{ArtifactError, Artifacts};

/// The largest packed release that is taken, in bytes: 16 GiB.
const MOST: u64 = 16 << 30;
/// Transfers that are under way at once, or were given up a short while ago.
const TRANSFERS: usize = 32;
/// A transfer that has not moved for so long was given up.
const GIVEN_UP: Duration = Duration::from_secs(24 * 3600);

/// Why a part was not taken.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// Another part is due. Nothing was written.
    #[error("{have} bytes are here, and this part begins at {offset}")]
    Elsewhere {
        /// So many bytes have come.
        have: u64,
        /// Where the part begins.
        offset: u64,
    },
    /// The release is larger than one may be.
    #[error("a release has at most {MOST} bytes")]
    TooLarge,
    /// Too many transfers are under way.
    #[error("{TRANSFERS} other releases are being brought here; wait for one of them")]
    TooMany,
    /// The disk says no.
    #[error("the part cannot be written: {0}")]
    Disk(#[from] io::Error),
}

/// A release as somebody brought it: its bytes are here, and this is what they say of it.
#[derive(Debug, Clone)]
pub struct Brought {
    /// BLAKE3 of the packed bytes.
    pub digest: Digest,
    /// How they are packed.
    pub packing: Packing,
    /// The commit that it was made from.
    pub revision: Option<Revision>,
    /// The text of its signature, in minisign's format.
    pub signature: Option<String>,
}

impl Artifacts {
    /// How many bytes of a release have come; all of them where it is kept already.
    pub fn have(&self, digest: Digest, packing: Packing) -> u64 {
        let kept = std::fs::metadata(self.kept(digest, packing));
        let coming = || std::fs::metadata(self.coming(digest, packing));
        kept.or_else(|_| coming()).map(|about| about.len()).unwrap_or(0)
    }

    /// Whether a release is kept whole.
    pub fn has(&self, digest: Digest, packing: Packing) -> bool {
        self.kept(digest, packing).is_file()
    }

    /// Takes in a part of a release that begins at `offset`. Gives how many bytes have come. Blocking.
    ///
    /// # Errors
    /// See [`PartError`].
    pub fn take_part(
        &self,
        digest: Digest,
        packing: Packing,
        offset: u64,
        part: &[u8],
    ) -> Result<u64, PartError> {
        crate::private::directory(&self.dir)?;
        let directory = self.dir.join("incoming");
        crate::private::directory(&directory)?;
        let path = self.coming(digest, packing);
        if offset == 0 {
            self.make_room(&path)?;
        }
        // Only a first part makes a file: what was never begun takes no place among the transfers.
        let first = offset == 0;
        let opened = OpenOptions::new().create(first).write(true).truncate(false).mode(0o600).open(&path);
        let mut file = match opened {
            Err(error) if !first && error.kind() == io::ErrorKind::NotFound => {
                return Err(PartError::Elsewhere { have: self.have(digest, packing), offset });
            }
            opened => opened?,
        };
        // Two clients that bring the same release do not write into each other's parts.
        rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive).map_err(io::Error::from)?;
        let have = file.metadata()?.len();
        if have != offset {
            return Err(PartError::Elsewhere { have, offset });
        }
        let end = have.saturating_add(part.len() as u64);
        if end > MOST {
            return Err(PartError::TooLarge);
        }
        file.seek(SeekFrom::Start(have))?;
        if let Err(error) = file.write_all(part) {
            let _ = file.set_len(have);
            return Err(error.into());
        }
        Ok(end)
    }

    /// Judges a release that has come whole, and keeps it. `keys` are those that may sign it, where it has to be signed.
    /// Blocking: reads all of it.
    ///
    /// # Errors
    /// What [`Artifacts::keep`] says; what has come is thrown away then.
    pub fn finish(&self, brought: &Brought, keys: Option<&[PublicKey]>) -> Result<Release, ArtifactError> {
        let path = self.coming(brought.digest, brought.packing);
        let kept = self.kept(brought.digest, brought.packing);
        let source = if path.is_file() { path.clone() } else { kept };
        let beside = PathBuf::from(format!("{}.minisig", source.display()));
        let not_kept = |error| ArtifactError::NotKept { path: self.dir.clone(), error };
        let source = match keys {
            Some(keys) => {
                let text = brought.signature.clone().unwrap_or_default();
                std::fs::write(&beside, text).map_err(not_kept)?;
                ReleaseSource::Signed { archive: source, by: keys.to_vec() }
            }
            None => ReleaseSource::Archive(source),
        };
        let release = self.keep(&source, &self.dir, brought.revision.clone());
        let _ = std::fs::remove_file(&beside);
        let _ = std::fs::remove_file(&path);
        let release = release?;
        if release.digest != brought.digest {
            // It is a release, but not the one that was named.
            let error = io::Error::other(format!("it has the digest {}", release.digest));
            return Err(ArtifactError::Missing { path: PathBuf::from(brought.digest.to_string()), error });
        }
        self.remember(&release).map_err(not_kept)?;
        Ok(release)
    }

    /// Writes down what is known of a release beside its bytes, so that it is found by its name. Blocking.
    ///
    /// # Errors
    /// What the system says.
    pub fn remember(&self, release: &Release) -> io::Result<()> {
        let text = serde_json::to_vec(release).map_err(io::Error::other)?;
        let path = self.dir.join(format!("{}.json", release.digest));
        let temporary = self.dir.join(format!(".{}.json", release.digest));
        let mut file = File::create(&temporary)?;
        file.write_all(&text)?;
        std::fs::rename(&temporary, &path)
    }

    /// A release that was brought here, by its name. Blocking.
    pub fn known(&self, id: &ReleaseId) -> Option<Release> {
        let entries = std::fs::read_dir(&self.dir).ok()?.flatten();
        let is_meant = |name: &str| {
            let digest = name.strip_suffix(".json").and_then(|digest| digest.parse::<Digest>().ok());
            digest.is_some_and(|digest| ReleaseId::of(&digest) == *id)
        };
        let mut notes = entries.filter(|entry| is_meant(&entry.file_name().to_string_lossy()));
        let text = std::fs::read(notes.next()?.path()).ok()?;
        let release: Release = serde_json::from_slice(&text).ok()?;
        (release.id == *id && self.path(&release).is_file()).then_some(release)
    }

    fn make_room(&self, mine: &std::path::Path) -> Result<(), PartError> {
        let entries = std::fs::read_dir(self.dir.join("incoming"))?.flatten();
        let mut others = 0;
        for entry in entries.filter(|entry| entry.path() != mine) {
            let moved = entry.metadata().and_then(|about| about.modified());
            let still = moved.map(|at| SystemTime::now().duration_since(at).unwrap_or_default());
            if still.is_ok_and(|still| still > GIVEN_UP) {
                let _ = std::fs::remove_file(entry.path());
            } else {
                others += 1;
            }
        }
        if others >= TRANSFERS { Err(PartError::TooMany) } else { Ok(()) }
    }

    fn kept(&self, digest: Digest, packing: Packing) -> PathBuf {
        self.dir.join(format!("{digest}.{}", super::ending_of(packing)))
    }

    fn coming(&self, digest: Digest, packing: Packing) -> PathBuf {
        self.dir.join("incoming").join(format!("{digest}.{}", super::ending_of(packing)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(dir: &std::path::Path) -> (Artifacts, Release, Vec<u8>) {
        std::fs::create_dir_all(dir.join("build")).unwrap();
        std::fs::write(dir.join("build/page"), "hello").unwrap();
        let there = Artifacts::new(dir.join("there"));
        let release = there.keep(&ReleaseSource::Directory("build".into()), dir, None).unwrap();
        let bytes = std::fs::read(there.path(&release)).unwrap();
        (Artifacts::new(dir.join("here")), release, bytes)
    }

    #[test]
    fn a_release_comes_in_parts_and_is_what_it_was_named() {
        let dir = tempfile::tempdir().unwrap();
        let (here, release, bytes) = packed(dir.path());
        let (digest, packing) = (release.digest, release.packing);
        let (first, second) = bytes.split_at(bytes.len() / 2);
        assert_eq!(here.take_part(digest, packing, 0, first).unwrap(), first.len() as u64);
        assert_eq!(here.have(digest, packing), first.len() as u64);
        let again = here.take_part(digest, packing, 0, first);
        assert!(matches!(again, Err(PartError::Elsewhere { have, .. }) if have == first.len() as u64));
        here.take_part(digest, packing, first.len() as u64, second).unwrap();
        let brought = Brought { digest, packing, revision: None, signature: None };
        assert_eq!(here.finish(&brought, None).unwrap(), release);
        assert_eq!(here.known(&release.id), Some(release.clone()));
        assert!(here.has(digest, packing));
    }

    #[test]
    fn a_part_of_what_was_never_begun_takes_no_place() {
        let dir = tempfile::tempdir().unwrap();
        let (here, release, bytes) = packed(dir.path());
        for number in 0..=u8::try_from(TRANSFERS).unwrap() {
            let refused = here.take_part(Digest::from_bytes([number; 32]), release.packing, 5, &bytes);
            assert!(matches!(refused, Err(PartError::Elsewhere { have: 0, offset: 5 })), "{refused:?}");
        }
        assert_eq!(std::fs::read_dir(dir.path().join("here/incoming")).unwrap().count(), 0);
        here.take_part(release.digest, release.packing, 0, &bytes).unwrap();
    }

    #[test]
    fn bytes_under_a_false_name_are_no_release() {
        let dir = tempfile::tempdir().unwrap();
        let (here, release, bytes) = packed(dir.path());
        let digest = Digest::from_bytes([7; 32]);
        here.take_part(digest, release.packing, 0, &bytes).unwrap();
        let brought = Brought { digest, packing: release.packing, revision: None, signature: None };
        assert!(matches!(here.finish(&brought, None), Err(ArtifactError::Missing { .. })));
        assert_eq!(here.have(digest, release.packing), 0);
    }
}
