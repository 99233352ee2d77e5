//! What happens to users and tokens. No fact holds a secret, nor a digest that one could be tried against: everybody who is
//! let in may read the ledger.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Grant, UserName};
use crate::time::Time;

/// The name of the stream of users and tokens in the ledger.
pub const STREAM: &str = "access";

/// Names secret material that is kept beside the ledger, without saying anything about it: 32 hexadecimal characters of a
/// digest over material that holds at least 128 random bits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint(String);

/// A text that is no fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is 32 hexadecimal characters")]
pub struct FingerprintError;

impl Fingerprint {
    /// The fingerprint of `material`.
    pub fn of(material: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("andon 2026 access: fingerprint of secret material");
        hasher.update(material);
        Self(hasher.finalize().to_hex().as_str()[..32].to_owned())
    }

    /// As text: safe as a name of a file.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = FingerprintError;
    fn try_from(text: String) -> Result<Self, FingerprintError> {
        let good = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if good { Ok(Self(text)) } else { Err(FingerprintError) }
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> String {
        fingerprint.0
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A token's number, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenId(pub u32);

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Who a person is for another system that signs them in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Identity {
    /// The provider.
    pub issuer: String,
    /// The person's unchanging name there.
    pub subject: String,
}

/// How somebody showed who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// With a password of this server.
    Password,
    /// Another system said so, over OpenID Connect.
    Oidc,
}

/// Something that happened to a user or a token. Who did it stands beside it in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessFact {
    /// There is one user more.
    UserAdded {
        /// The name.
        user: UserName,
        /// What they may do beyond reading.
        grants: Vec<Grant>,
        /// Who they are elsewhere, when another system signs them in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        identity: Option<Identity>,
    },
    /// A password was set. Its argon2id digest is kept beside the ledger.
    PasswordSet {
        /// Whose.
        user: UserName,
        /// Of the digest.
        fingerprint: Fingerprint,
    },
    /// They may do this now, and nothing else.
    GrantsSet {
        /// Whose.
        user: UserName,
        /// All of them.
        grants: Vec<Grant>,
    },
    /// They are let in no more; their tokens and sessions end with this.
    UserRemoved {
        /// Who.
        user: UserName,
    },
    /// A token was made. Its digest is kept beside the ledger.
    TokenMade {
        /// Its number.
        token: TokenId,
        /// For whom it speaks.
        user: UserName,
        /// What it is for.
        name: String,
        /// What it may do of what its user may.
        grants: Vec<Grant>,
        /// From when on it is worth nothing.
        expires: Time,
        /// Of the digest.
        fingerprint: Fingerprint,
    },
    /// A token is worth nothing any more.
    TokenRevoked {
        /// Which.
        token: TokenId,
    },
    /// Somebody signed in.
    SignedIn {
        /// Who.
        user: UserName,
        /// How.
        with: Way,
        /// The address that they came from.
        from: String,
    },
}
