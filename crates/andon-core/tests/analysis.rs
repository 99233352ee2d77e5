//! The judge in small worlds of made-up traffic: every pitfall of judging releases, one by one.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test may fail, and its numbers are small"
)]

mod analysis {
    pub(crate) mod gross;
    pub(crate) mod harm;
    pub(crate) mod hostile;
    pub(crate) mod levels;
    pub(crate) mod pitfalls;
    pub(crate) mod replay;
    pub(crate) mod world;
}
