//! What the line says of an environment beyond its hosts: what must not happen to it by a slip of the hand. Only data;
//! what follows from it is [`crate::guard`]'s.

use serde::{Deserialize, Serialize};

use crate::name::EnvironmentName;
use crate::quantity::Share;

/// An environment that the line guards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Its name.
    pub name: EnvironmentName,
    /// Whoever changes it says its name once more.
    pub protected: bool,
    /// The most hosts of it that change before something looks at them; `None` for any number.
    pub max_changed: Option<Share>,
    /// A release goes there once so many others agree; 0 where nobody is asked.
    #[serde(default)]
    pub approvals: u32,
    /// The environment that a release passes before: what runs there, bit for bit, is what this one gets.
    #[serde(default)]
    pub after: Option<EnvironmentName>,
}

impl Environment {
    /// An environment that nothing guards.
    pub fn open(name: EnvironmentName) -> Self {
        Self { name, protected: false, max_changed: None, approvals: 0, after: None }
    }

    /// The most hosts out of `total` that may change at one go, at least one; `None` for any number.
    pub fn most(&self, total: u32) -> Option<u32> {
        self.max_changed.map(|share| share.floor_of(total).max(1))
    }
}
