//! Fleets and their traffic from a seed, and how well releases are judged on them. Development only.
//!
//! Nothing here is part of what users run. Everything follows from one seed: no clock, no other source of chance.

pub mod fault;
pub mod fleet;
pub mod generator;
pub mod normal;
pub mod past;
pub mod peer;
pub mod proportion;
pub mod row;
pub mod runner;
pub mod table;
pub mod trial;
