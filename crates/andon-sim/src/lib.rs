//! Simulations from a seed: how well releases are judged, and whether deployments survive what befalls them. Development
//! only.
//!
//! Nothing here is part of what users run. Everything follows from one seed: no clock, no other source of chance.

pub mod generator;
pub mod judging;
#[cfg(feature = "survival")]
pub mod survival;
