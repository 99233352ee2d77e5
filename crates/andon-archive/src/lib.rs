//! Archives of releases: scanned and packed by the controller, unpacked on hosts.
//!
//! Every archive counts as hostile. What may be in one is decided by pure code (`policy`), the same for
//! scanning and unpacking, so that an archive which passed the controller is not refused by a host. Nothing
//! here fetches, names or activates a release.

mod archive_error;
mod contents;
#[cfg(any(test, feature = "fuzz"))]
#[doc(hidden)]
pub mod fuzz;
mod legible;
mod member;
mod pack;
mod packed;
mod policy;
mod scan;
mod unpack;

pub use archive_error::ArchiveError;
pub use contents::{Entry, contents};
pub use pack::pack;
pub use packed::packing_of;
pub use policy::{Limits, Refusal};
pub use scan::{Scanned, scan};
pub use unpack::{Unpacked, unpack};
