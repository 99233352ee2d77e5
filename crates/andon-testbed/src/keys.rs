//! Throw-away key pairs, made by the real `ssh-keygen`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// An ed25519 key pair without a passphrase, in a directory that somebody else removes.
#[derive(Debug, Clone)]
pub(crate) struct KeyPair {
    /// The file with the private half.
    pub(crate) private: PathBuf,
    /// The public half as one line without a comment: `ssh-ed25519 AAAA…`.
    pub(crate) public: String,
}

impl KeyPair {
    /// Makes a key pair in the files `name` and `name.pub` of `directory`.
    pub(crate) fn generate(directory: &Path, name: &str) -> io::Result<Self> {
        let private = directory.join(name);
        let output = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"])
            .arg(&private)
            .stdin(Stdio::null())
            .output()?;
        if !output.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        let public = fs::read_to_string(directory.join(format!("{name}.pub")))?;
        Ok(Self { private, public: public.trim().to_owned() })
    }
}
