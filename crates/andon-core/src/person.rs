//! People: who asked for something, and who wrote it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Who asked for something: a login name, and the machine that it was asked from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The login name, for example `ana`.
    pub name: String,
    /// The machine that the request came from, for example `anas-laptop`.
    pub at: String,
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
