//! Fleets and their traffic from a seed, and how well releases are judged on them: the table of `cargo xtask calibrate`.

pub mod fault;
pub mod fleet;
pub mod normal;
pub mod past;
pub mod peer;
pub mod proportion;
pub mod row;
pub mod runner;
pub mod table;
pub mod trial;
