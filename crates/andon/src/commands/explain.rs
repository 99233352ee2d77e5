//! `andon explain`: where a value of the line was written.

use super::{Done, say, say_json};
use crate::args::Common;
use crate::context::{find_line, load, unknown};
use crate::exit;

pub(crate) fn explain(common: &Common, key: &str) -> Done {
    let loaded = load(&find_line(common)?)?;
    let origin = loaded
        .origins
        .get(key)
        .ok_or_else(|| unknown("value", key, loaded.origins.keys().collect::<Vec<_>>().into_iter()))?;
    if common.json {
        say_json(&serde_json::json!({ "key": key, "origin": origin.to_string() }));
    } else {
        say(&origin.to_string());
    }
    Ok(exit::OK)
}
