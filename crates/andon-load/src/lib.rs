//! Constant load that counts every lost request, and the small web application that it is put on.
//!
//! The demo and the tests use both. The load is an open loop: it sends at its rate whatever comes back, and measures
//! from the instant at which a request was due. Every answer can be checked to the last byte, because both sides make
//! the expected text from the number of the request. Nothing here knows what is being deployed.

mod content;
pub mod load;
mod message;
mod mix;
pub mod site;
mod tally;

pub use load::Load;
pub use mix::{Kind, Mix, Request};
pub use site::{Behaviour, Site};
pub use tally::{Failure, Fault, Heard, KEPT, Tally};
