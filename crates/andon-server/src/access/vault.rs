//! Secret material beside the ledger: digests of passwords and tokens, each in a file of its own that only the server's user
//! can read. The ledger names a file by a fingerprint, so that nobody can put another one in its place.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use andon_core::access::Fingerprint;

use crate::private;

/// The most that is read, in bytes.
const MOST: u64 = 4096;

/// A directory of secret material.
#[derive(Debug)]
pub(super) struct Vault {
    directory: PathBuf,
}

impl Vault {
    /// Below `directory`, which is made when something is kept.
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Where it is.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    fn path(&self, fingerprint: &Fingerprint) -> PathBuf {
        self.directory.join("secrets").join(fingerprint.as_str())
    }

    /// Keeps material; it is on the disk when this returns.
    pub(super) fn keep(&self, fingerprint: &Fingerprint, material: &[u8]) -> io::Result<()> {
        let directory = self.directory.join("secrets");
        private::directory(&directory)?;
        write_private(&self.path(fingerprint), material)?;
        File::open(&directory)?.sync_all()
    }

    /// The material; `None` when it is gone, or is not what the fingerprint says.
    pub(super) fn read(&self, fingerprint: &Fingerprint) -> Option<String> {
        let mut text = String::new();
        File::open(self.path(fingerprint)).ok()?.take(MOST).read_to_string(&mut text).ok()?;
        (Fingerprint::of(text.as_bytes()) == *fingerprint).then_some(text)
    }

    /// Deletes material.
    pub(super) fn forget(&self, fingerprint: &Fingerprint) {
        let _ = fs::remove_file(self.path(fingerprint));
    }
}

/// Writes a file for its owner alone, whole or not at all.
pub(super) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension(format!("new-{}", std::process::id()));
    let _ = fs::remove_file(&new);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)
}
