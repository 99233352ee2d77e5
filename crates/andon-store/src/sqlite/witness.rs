//! What was last acknowledged, kept in a small file beside the ledger. When the end of a ledger is lost without a
//! trace (its write-ahead log was cut off or removed, an old copy was put in its place), this file still knows.
//!
//! It is written after the commit, without waiting for the disk: it may lag behind the ledger and is never ahead of
//! it. A file that is missing or makes no sense says nothing, and is no fault.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;

use andon_core::digest::Digest;

use super::place::Place;
use crate::chain::ChainEnd;

/// A line: the ledger's id, a number, a hash, a check over these three; blanks between, a newline at the end.
const LINE: usize = 32 + 1 + 20 + 1 + 64 + 1 + 16 + 1;
/// Where the lines begin: that of the head, then that of the fence.
const HEAD: u64 = 0;
const FENCE: u64 = LINE as u64;

/// The file beside one ledger.
#[derive(Debug, Clone)]
pub(super) struct Witness {
    path: PathBuf,
    id: String,
}

/// What was acknowledged, as far as it is known.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Acknowledged {
    /// A head that the ledger had.
    pub(super) head: Option<ChainEnd>,
    /// A fence that the ledger has granted.
    pub(super) fence: u64,
}

impl Witness {
    /// The witness of the ledger `id` at `place`.
    pub(super) fn new(place: &Place, id: &str) -> Self {
        Self { path: place.beside("-head"), id: id.to_owned() }
    }

    /// The ledger had this head, and that was acknowledged.
    pub(super) fn note_head(&self, head: ChainEnd) {
        self.note(HEAD, head.position, &head.hash);
    }

    /// The ledger has granted this fence.
    pub(super) fn note_fence(&self, fence: u64) {
        self.note(FENCE, fence, &Digest::of(b""));
    }

    /// A witness that cannot be written must not stop anybody from working: it only knows less then.
    fn note(&self, place: u64, number: u64, hash: &Digest) {
        let line = line(&self.id, number, hash);
        let _ = self.open().and_then(|file| file.write_all_at(line.as_bytes(), place));
    }

    fn open(&self) -> io::Result<File> {
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&self.path)
    }

    /// What this file knows of its ledger. Another ledger's file says nothing of this one.
    pub(super) fn read(&self) -> Acknowledged {
        self.read_of(Some(&self.id)).1
    }

    /// What this file knows of whichever ledger lies here, and the id of that ledger.
    pub(super) fn read_any(place: &Place) -> (Option<String>, Acknowledged) {
        Self::new(place, "").read_of(None)
    }

    fn read_of(&self, id: Option<&str>) -> (Option<String>, Acknowledged) {
        let mut bytes = Vec::new();
        if let Ok(file) = File::open(&self.path) {
            let bounded = io::Read::take(file, 2 * LINE as u64);
            let _ = io::Read::read_to_end(&mut { bounded }, &mut bytes);
        }
        let mut lines =
            bytes.chunks(LINE).map(|bytes| parse(bytes).filter(|it| id.is_none_or(|id| it.0 == id)));
        let (head, fence) = (lines.next().flatten(), lines.next().flatten());
        let known = head.as_ref().or(fence.as_ref()).map(|(id, ..)| id.clone());
        let head = head.map(|(_, position, hash)| ChainEnd { position, hash });
        (known, Acknowledged { head, fence: fence.map_or(0, |(_, fence, _)| fence) })
    }

    /// Knows nothing from now on.
    pub(super) fn forget(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn line(id: &str, number: u64, hash: &Digest) -> String {
    let said = format!("{id:<32.32} {number:020} {hash}");
    format!("{said} {:.16}\n", Digest::of(said.as_bytes()).to_string())
}

fn parse(bytes: &[u8]) -> Option<(String, u64, Digest)> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut words = text.split_ascii_whitespace();
    let (id, number, hash) = (words.next()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    (line(id, number, &hash) == text).then(|| (id.to_owned(), number, hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    fn witness(dir: &tempfile::TempDir) -> Witness {
        Witness::new(&Place::new(&dir.path().join("ledger.db")).unwrap(), ID)
    }

    #[test]
    fn what_was_noted_is_read_and_only_by_its_own_ledger() {
        let dir = tempfile::tempdir().unwrap();
        let witness = witness(&dir);
        assert_eq!(witness.read(), Acknowledged::default());
        witness.note_fence(7);
        let head = ChainEnd { position: 12, hash: Digest::of(b"12") };
        assert_eq!(witness.read(), Acknowledged { head: None, fence: 7 });
        witness.note_head(head);
        assert_eq!(witness.read(), Acknowledged { head: Some(head), fence: 7 });
        let other = Witness { id: "f".repeat(32), ..witness };
        assert_eq!(other.read(), Acknowledged::default());
    }

    #[test]
    fn a_damaged_witness_says_nothing_rather_than_something_wrong() {
        let dir = tempfile::tempdir().unwrap();
        let witness = witness(&dir);
        let head = ChainEnd { position: 12, hash: Digest::of(b"12") };
        witness.note_head(head);
        let sound = fs::read(&witness.path).unwrap();
        assert_eq!(sound.len(), LINE);
        for place in 0..sound.len() {
            let mut bytes = sound.clone();
            bytes[place] ^= 1;
            fs::write(&witness.path, bytes).unwrap();
            assert_eq!(witness.read(), Acknowledged::default(), "byte {place}");
            fs::write(&witness.path, &sound[..place]).unwrap();
            assert_eq!(witness.read(), Acknowledged::default(), "cut at {place}");
        }
    }
}
