//! A comparison that a caller tells: four old instances, two new ones, and how the new ones fare.

use serde_json::{Value, json};

/// The time between two ticks, in milliseconds.
pub(crate) const TICK: i64 = 5_000;
/// The first tick, in milliseconds since 1970.
const BEGIN: i64 = 1_800_000_000_000;

/// A request whose caller tells the numbers, with rules that a test need not wait for.
pub(crate) fn request(id: &str) -> Value {
    json!({
        "id": id,
        "metrics": [{ "name": "errors", "kind": "errors" }],
        "rules": { "tick": "5s", "warmup": "0s", "observe": "30s", "window": "30m" },
    })
}

/// The tick with this number, counted from 1: each old instance answers 400 requests, one of them with an error; each
/// new one fails `failed` of 400.
pub(crate) fn tick(number: i64, failed: u64) -> Value {
    let seen = |arm: &str, events: u64| json!({ "arm": arm, "readings": [{ "count": { "events": events, "of": 400 } }] });
    json!({ "tick": {
        "at": BEGIN + number * TICK,
        "over": TICK,
        "members": {
            "new1": seen("canary", failed),
            "new2": seen("canary", failed),
            "old1": seen("control", 1),
            "old2": seen("control", 1),
            "old3": seen("control", 1),
            "old4": seen("control", 1),
        },
    } })
}
