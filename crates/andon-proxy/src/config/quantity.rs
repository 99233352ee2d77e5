//! Spans of time in the configuration file, as people write them.

use std::time::Duration;

use andon_core::quantity::parse_duration;
use serde::{Deserialize, Deserializer};

/// Reads `"30s"`, `"5m"`, `"1h30m"`.
pub(super) fn span<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    parse_duration(&text).map_err(serde::de::Error::custom)
}
