//! The driver and the controller against a fleet in memory and a ledger that fails as told, in simulated time.

mod charge;
mod fleet;
mod killed;
mod ledger;
mod world;
