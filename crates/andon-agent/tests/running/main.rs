//! Real processes under our own supervisor: how they start, end, end again and again, and are verified.

// Clippy takes only the functions with `#[test]` for tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bench;
mod ends;
mod looks;
mod plugins;
mod starts;
mod verdicts;
mod vitals;
