//! Secrets on their way to a host: beside an order, never within it.
//!
//! These types live here and not in the core so that nothing that is recorded can hold them.

use std::collections::BTreeMap;
use std::fmt;

use andon_core::masking::Mask;
use andon_core::name::SecretName;
use serde::{Deserialize, Serialize};

/// A secret's value. Has no text but for who asks for it by name.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretValue(String);

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(…)")
    }
}

impl SecretValue {
    /// Takes what was found.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// What nobody else may see.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Secrets by name. Its debug form shows the names alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secrets(BTreeMap<SecretName, SecretValue>);

impl Secrets {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds one, or puts another value in the place of one.
    pub fn insert(&mut self, name: SecretName, value: SecretValue) {
        self.0.insert(name, value);
    }

    /// The value of `name`.
    pub fn get(&self, name: &SecretName) -> Option<&SecretValue> {
        self.0.get(name)
    }

    /// Hides all of them in output.
    pub fn mask(&self) -> Mask {
        Mask::new(self.0.values().map(SecretValue::reveal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_debug_form_of_a_message_shows_no_secret() {
        let mut secrets = Secrets::default();
        secrets.insert(SecretName::new("shop-token").unwrap(), SecretValue::new("s3cr3t-word!"));
        let shown = format!("{secrets:?}");
        assert!(shown.contains("shop-token") && !shown.contains("s3cr3t"), "{shown}");
        assert_eq!(secrets.mask().hide_text("x s3cr3t-word! y"), "x *** y");
    }
}
