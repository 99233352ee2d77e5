//! Deployments that survive: the real core and the real controller over simulated hosts, network, disks and clocks.
//!
//! Everything follows from one seed. What must hold is in [`invariant`], and is checked on what truly happens.

pub mod balancer;
pub mod campaign;
pub mod clock;
pub mod disk;
pub mod host;
pub mod invariant;
pub mod ledger;
pub mod log;
pub mod minimise;
pub mod network;
pub mod observer;
pub mod patience;
pub mod people;
pub mod play;
pub mod process;
pub mod sabotage;
pub mod story;
pub mod trouble;
pub mod world;
