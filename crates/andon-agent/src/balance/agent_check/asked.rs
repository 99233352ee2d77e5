//! Who has asked for which server, when, and how often since its last answer: kept by the responder, told to the
//! agent over a socket of the records' directory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::balance::socket;

/// The longest time for the responder's words, and the most of them in bytes.
const PATIENCE: Duration = Duration::from_secs(2);
const MAX_WORDS: u64 = 4 << 20;

/// The questions of one HAProxy for one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Questions {
    /// The number of the answer that was given.
    pub(super) number: u64,
    /// How often it was given.
    pub(super) count: u64,
    /// How long ago that was the last time, in milliseconds.
    pub(super) ago: u64,
}

/// All questions so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Asked {
    /// By the name of the server, then by who asked.
    pub(super) servers: BTreeMap<String, BTreeMap<IpAddr, Questions>>,
    /// The last name that somebody asked for and that is none of a server here.
    pub(super) stranger: Option<String>,
}

impl Asked {
    /// What the responder says; an error when there is none.
    pub(super) fn of(records: &Path) -> io::Result<Self> {
        let (_open, path) = address(records)?;
        let deadline = Instant::now() + PATIENCE;
        let stream = socket::reach(&path, deadline)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut words = Vec::new();
        stream.take(MAX_WORDS).read_to_end(&mut words)?;
        serde_json::from_slice(&words).map_err(io::Error::from)
    }

    /// Whether anybody has asked for a server within the last `silence`.
    pub(super) fn is_asked(&self, name: &str, silence: Duration) -> bool {
        self.of_server(name).any(|questions| questions.within(silence))
    }

    /// Whether everybody who has asked within the last `absence` got answer `number` at least `times` times.
    pub(super) fn is_told(&self, name: &str, number: u64, times: u64, absence: Duration) -> bool {
        let mut present = self.of_server(name).filter(|questions| questions.within(absence));
        present.all(|questions| questions.number == number && questions.count >= times)
    }

    fn of_server(&self, name: &str) -> impl Iterator<Item = &Questions> {
        self.servers.get(name).into_iter().flat_map(BTreeMap::values)
    }
}

impl Questions {
    fn within(&self, time: Duration) -> bool {
        u128::from(self.ago) <= time.as_millis()
    }
}

/// The socket's path by way of the open directory, for as long as that is open: paths of sockets are short.
pub(super) fn address(records: &Path) -> io::Result<(File, PathBuf)> {
    let directory = File::open(records)?;
    let path = format!("/proc/self/fd/{}/asked.sock", directory.as_raw_fd());
    Ok((directory, path.into()))
}

/// Questions for one server: how often each of some HAProxys got answer `number`, and how many seconds ago.
#[cfg(test)]
pub(super) fn told(name: &str, number: u64, each: &[(u64, u64)]) -> Asked {
    let questions = |(index, (count, ago)): (usize, &(u64, u64))| {
        let address = IpAddr::from([127, 0, 0, u8::try_from(index).unwrap()]);
        (address, Questions { number, count: *count, ago: ago * 1000 })
    };
    let of_server = each.iter().enumerate().map(questions).collect();
    Asked { servers: [(name.to_owned(), of_server)].into(), stranger: None }
}
