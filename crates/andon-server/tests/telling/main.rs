//! Messages to people, through a real SMTP server and a web server of the tests' own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod desk;
mod hooks;
mod mails;
mod subscribers;
