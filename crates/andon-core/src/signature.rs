//! Who signed a release: keys and what is remembered of a signature, in the format of minisign. Verifying one needs the
//! bytes, and is the controller's work.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What begins the decoded form of a key: Ed25519.
const ALGORITHM: &[u8] = b"Ed";
/// Bytes of a decoded key: algorithm, key id, key.
const LENGTH: usize = 2 + 8 + 32;

/// A public key as `minisign -G` prints it: 56 characters of base64, beginning with `RW`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey(String);

/// A text that is no public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no public key of minisign: 56 characters that begin with RW, the last line of minisign.pub")]
pub struct PublicKeyError;

impl PublicKey {
    /// Checks `text`.
    pub fn new(text: impl Into<String>) -> Result<Self, PublicKeyError> {
        let text = text.into();
        match decoded(&text) {
            Some(bytes) if bytes.len() == LENGTH && bytes.starts_with(ALGORITHM) => Ok(Self(text)),
            _ => Err(PublicKeyError),
        }
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its id.
    pub fn id(&self) -> KeyId {
        let bytes = decoded(&self.0).unwrap_or_default();
        // As minisign writes it: a little-endian number.
        KeyId(bytes.get(2..10).unwrap_or_default().iter().rev().map(|byte| format!("{byte:02X}")).collect())
    }
}

impl TryFrom<String> for PublicKey {
    type Error = PublicKeyError;
    fn try_from(text: String) -> Result<Self, PublicKeyError> {
        Self::new(text)
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> String {
        key.0
    }
}

/// The id of a key: sixteen hexadecimal digits. Tells keys apart, and proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(String);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A signature that was verified when the release was taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// The key.
    pub key: KeyId,
    /// The comment that is part of what was signed; one harmless line of at most 200 characters.
    pub comment: String,
}

/// Base64 without padding (RFC 4648); `None` for anything else.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| {
        Some(match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        })
    };
    if text.len() != LENGTH / 3 * 4 {
        return None;
    }
    let mut bytes = Vec::with_capacity(LENGTH);
    for four in text.as_bytes().chunks_exact(4) {
        let mut bits = 0_u32;
        for byte in four {
            bits = bits << 6 | u32::from(digit(*byte)?);
        }
        bytes.extend_from_slice(&bits.to_be_bytes()[1..]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_the_id_that_minisign_prints() {
        // The key of minisign's own releases, as its manual shows it.
        let key = PublicKey::new("RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3").unwrap();
        assert_eq!(key.id().to_string(), "E7620F1842B4E81F");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for wrong in [
            "",
            "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO",
            "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GF==",
            "AAQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3",
            "untrusted comment: minisign public key E7620F1842B4E81F",
            "ééééééééééééééééééééééééééée",
        ] {
            assert_eq!(PublicKey::new(wrong), Err(PublicKeyError), "{wrong}");
        }
    }
}
