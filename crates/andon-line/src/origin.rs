//! Where each part of a line was written, so that `andon explain` can say it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::source::{Place, Source};

/// Where something was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The file, as the user would name it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// The origins of a line.
///
/// Keys are `host web1`, `group web`, `service www`, and for what a service says `www.run`,
/// `www.rollout.bake` and so on.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    places: BTreeMap<String, Place>,
    sources: Vec<Arc<Source>>,
}

impl Origins {
    pub(crate) fn new(places: BTreeMap<String, Place>, sources: Vec<Arc<Source>>) -> Self {
        Self { places, sources }
    }

    /// Where `key` was written.
    pub fn get(&self, key: &str) -> Option<Origin> {
        let place = self.places.get(key)?;
        let source = self.sources.get(place.source)?;
        let (line, column) = source.position(place.begin);
        Some(Origin { file: source.name.clone(), line, column })
    }

    /// All keys, in alphabetical order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }
}
