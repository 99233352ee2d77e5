//! A release: an immutable, content-addressed artifact of a service.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::quantity::ByteSize;
use crate::signature::Signed;
use crate::time::Time;

/// The short name of a release: `r-` and the first twelve hexadecimal characters of its digest.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReleaseId(String);

/// A text that is not `r-` and twelve lower-case hexadecimal characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a release is written as r- and twelve hexadecimal characters, for example r-51bc07e2a944")]
pub struct ReleaseIdError;

impl ReleaseId {
    /// The name of the release with this content.
    pub fn of(digest: &Digest) -> Self {
        Self(format!("r-{}", &digest.to_string()[..12]))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The twelve hexadecimal characters as a number, for whoever keeps very many names.
    pub(crate) fn number(&self) -> u64 {
        self.0.get(2..).and_then(|hex| u64::from_str_radix(hex, 16).ok()).unwrap_or_default()
    }

    /// The name with this number; only its lower 48 bits count.
    pub(crate) fn of_number(number: u64) -> Self {
        Self(format!("r-{:012x}", number & 0xffff_ffff_ffff))
    }
}

impl std::str::FromStr for ReleaseId {
    type Err = ReleaseIdError;
    fn from_str(text: &str) -> Result<Self, ReleaseIdError> {
        let hex = text.strip_prefix("r-").ok_or(ReleaseIdError)?;
        let good = hex.len() == 12 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if good { Ok(Self(text.to_owned())) } else { Err(ReleaseIdError) }
    }
}

impl TryFrom<String> for ReleaseId {
    type Error = ReleaseIdError;
    fn try_from(text: String) -> Result<Self, ReleaseIdError> {
        text.parse()
    }
}

impl From<ReleaseId> for String {
    fn from(id: ReleaseId) -> String {
        id.0
    }
}

impl fmt::Display for ReleaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for ReleaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How the bytes of an artifact are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Packing {
    /// `.tar`
    Tar,
    /// `.tar.gz`
    TarGz,
    /// `.tar.zst`
    TarZst,
}

/// The commit that a release was made from, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// The commit, abbreviated, for example `4c1d9e2`.
    pub commit: String,
    /// The first line of its message.
    pub subject: String,
    /// Who wrote it.
    pub author: String,
    /// The author's address, as the commit has it.
    #[serde(default)]
    pub email: Option<String>,
    /// When it was committed.
    pub at: Time,
}

/// An artifact: what is sent to hosts, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Its short name.
    pub id: ReleaseId,
    /// BLAKE3 of the packed bytes.
    pub digest: Digest,
    /// How the bytes are packed.
    pub packing: Packing,
    /// Size of the packed bytes.
    pub packed: ByteSize,
    /// Space that it takes on a host once unpacked.
    pub unpacked: ByteSize,
    /// The commit that it was made from.
    pub revision: Option<Revision>,
    /// Who signed it, where the line asks for that. Verified when it was taken in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<Signed>,
}

/// What is known of a release in one scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseStatus {
    /// It served in the whole scope and nothing was seen against it.
    Good,
    /// It was put back, or a person said so. Never deployed again without a recorded reason.
    Bad,
}
