//! The access log: how it is written, what is new in it, and what that means for each server.

pub(super) use count::{Tally, add};
pub(super) use format::Format;
pub(super) use reader::Reader;

mod count;
mod format;
mod reader;
#[cfg(test)]
mod written;
