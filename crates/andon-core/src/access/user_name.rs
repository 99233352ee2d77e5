//! The name that a person signs in with, and that stands in the ledger for what they do.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest name of a user, in bytes.
const LONGEST: usize = 100;

/// A user's name: letters, digits, `-`, `_`, `.`, `+` and `@`, so that an address of mail is one, and nothing that a page,
/// a path or a terminal would take for more than text. Upper and lower case are different.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserName(String);

/// A text that is no name of a user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a user's name has 1 to {LONGEST} letters, digits, `-`, `_`, `.`, `+` or `@`, and begins with a letter or digit"
)]
pub struct UserNameError;

impl UserName {
    /// Checks `text` against the alphabet.
    ///
    /// # Errors
    /// [`UserNameError`].
    pub fn new(text: impl Into<String>) -> Result<Self, UserNameError> {
        let text = text.into();
        let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        let alphabet = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '@');
        let good = begins && text.len() <= LONGEST && text.chars().all(alphabet);
        if good { Ok(Self(text)) } else { Err(UserNameError) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for UserName {
    type Error = UserNameError;
    fn try_from(text: String) -> Result<Self, UserNameError> {
        Self::new(text)
    }
}

impl std::str::FromStr for UserName {
    type Err = UserNameError;
    fn from_str(text: &str) -> Result<Self, UserNameError> {
        Self::new(text)
    }
}

impl From<UserName> for String {
    fn from(name: UserName) -> String {
        name.0
    }
}

impl std::borrow::Borrow<str> for UserName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
