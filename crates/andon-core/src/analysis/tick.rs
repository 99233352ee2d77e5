//! What an analysis hears: one entry after another, each with its time.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::name::MemberName;
use crate::time::Time;

/// Which release a member runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arm {
    /// The new one.
    Canary,
    /// The old one.
    Control,
}

/// Something that an analysis hears.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// A stage begins: its window begins anew, the evidence is carried on.
    Stage {
        /// When.
        at: Time,
    },
    /// What was seen since the entry before.
    Tick(Tick),
}

/// What all members were seen to do in one stretch of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tick {
    /// The end of the stretch.
    pub at: Time,
    /// How long it was.
    #[serde(with = "crate::time::millis")]
    pub over: Duration,
    /// Every member that serves, and those that should and do not.
    pub members: BTreeMap<MemberName, Seen>,
    /// What the sources that failed said: sentences for people, in no order that counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub silent: Vec<String>,
}

/// What one member was seen to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// Which release it runs.
    pub arm: Arm,
    /// How long it has served on it; `None` for longer than anybody knows.
    #[serde(default, with = "crate::time::optional_millis", skip_serializing_if = "Option::is_none")]
    pub age: Option<Duration>,
    /// One for each metric, in the order of the spec; fewer means missing.
    pub readings: Vec<Reading>,
    /// Facts that need no statistics.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<Alarm>,
}

/// What was seen of one metric on one member.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// Nothing was heard: that is not nought.
    Missing,
    /// So many `events` out of `of` opportunities, since the tick before.
    Count {
        /// What happened.
        events: u64,
        /// How often it could have.
        of: u64,
    },
    /// A level; what is not finite counts as missing.
    Level(f64),
}

/// A fact about a member that needs no statistics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alarm {
    /// It ended and was started again, so many times since the tick before.
    Restarted {
        /// How often.
        times: u32,
        /// How it ended last, in words.
        how: String,
    },
    /// Its health check failed three times in a row, or more.
    Unhealthy {
        /// The last answer.
        why: String,
    },
    /// The kernel ended it for its memory.
    OutOfMemory,
    /// Its host has not been heard for so long.
    Silent {
        /// How long.
        #[serde(with = "crate::time::millis")]
        span: Duration,
    },
    /// At its present growth, memory or open files reach their limit in so long.
    Exhausting {
        /// What: `memory`, `open files`.
        what: String,
        /// How long.
        #[serde(with = "crate::time::millis")]
        within: Duration,
    },
    /// Its disk is nearly full.
    DiskLow {
        /// Hundredths that are free.
        free_percent: u8,
    },
    /// An exception that history does not know.
    NewException {
        /// Stable over its occurrences.
        fingerprint: String,
        /// One occurrence, for people.
        sample: String,
        /// How often since the tick before.
        times: u32,
    },
}
