//! Archives of every kind, well-meant and hostile, through the crate's public functions and real files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod builder;
mod cut_off;
mod hostile;
mod outside;
mod packing;
mod unpacking;
