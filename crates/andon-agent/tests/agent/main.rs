//! The agent's program as a controller meets it: over pipes, with real services, cut and killed at will.

mod conversation;
mod driver;
mod exactly_once;
mod releases;
mod service;
mod uploads;
