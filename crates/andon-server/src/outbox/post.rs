//! One try to bring one message to one address. Blocking: it runs on a thread of its own.

use std::time::Duration;

use andon_core::digest::Digest;
use andon_core::telling::{Outcome, Route, Telling};
use andon_core::time::Time;

use super::{hook, mail};
use crate::secrets::{SecretError, Secrets};

/// Everything that a try needs.
pub(super) struct Post {
    /// The same for every try of this message on this way.
    pub(super) id: String,
    pub(super) telling: Telling,
    pub(super) route: Route,
    pub(super) now: Time,
    pub(super) patience: Duration,
    pub(super) secrets: Secrets,
}

/// Why a try came to nothing before anything was sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostError {
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("{0}")]
    Unable(String),
}

impl Post {
    /// Tries. Whatever comes of it is an outcome.
    pub(super) fn send(&self) -> Outcome {
        let sent = match &self.route {
            Route::Mail { server, to } => mail::send(self, server, to),
            Route::Hook(it) => hook::send(self, it),
        };
        sent.unwrap_or_else(|error| Outcome::NotNow(error.to_string()))
    }
}

/// The name of a message on one of its ways: the same whenever it is tried, and in no other ledger.
pub(super) fn identity(ledger: &str, key: &str, letter: usize) -> String {
    Digest::of(format!("{ledger}\0{key}\0{letter}").as_bytes()).to_string()[..32].to_owned()
}
