//! What is known about a running nginx besides its servers: its master, the form of its access log, and the addresses
//! behind the names of servers. Read once for every configuration that was loaded.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::dump::{self, Dump};
use super::include::Include;
use super::log::Format;
use super::program::{Program, ProgramError};
use crate::run::process::ProcessId;

/// The most addresses that a server may have.
const MAX_ADDRESSES: usize = 16;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Question {
    /// The words that run nginx.
    pub(super) program: Vec<String>,
    /// The access log to count from.
    pub(super) access_log: Option<PathBuf>,
    /// Its format, where a person has given it.
    pub(super) log_format: Option<String>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Survey {
    /// The question.
    pub(super) question: Question,
    /// Holds the number of the master.
    pub(super) pid_file: PathBuf,
    /// How the access log is written; `None` without one from which servers can be told.
    pub(super) format: Option<Format>,
    /// The addresses of the servers, by their places in the include.
    addresses: BTreeMap<String, BTreeSet<SocketAddr>>,
    /// The workers that were found: others have other addresses, and perhaps another configuration.
    pub(super) generation: Option<ProcessId>,
    /// Whether those workers are known to serve the include that is remembered as loaded.
    pub(super) has_loaded: bool,
}

impl Survey {
    /// Asks nginx, which must be able to load its configuration, and looks names up.
    pub(super) fn take(question: Question, include: &Include) -> Result<Self, ProgramError> {
        let program = Program(&question.program);
        let dump = Dump::parse(&program.dump()?);
        let built = program.built_with()?;
        let built_prefix = dump::built_option(&built, "--prefix");
        let prefix = program.prefix().or(built_prefix).unwrap_or_else(|| PathBuf::from("/usr/local/nginx"));
        let pid_file = dump.pid().map(PathBuf::from).or_else(|| dump::built_option(&built, "--pid-path"));
        let pid_file = prefix.join(pid_file.unwrap_or_else(|| PathBuf::from("logs/nginx.pid")));
        let format = question
            .access_log
            .as_deref()
            .and_then(|path| format_of(path, question.log_format.as_deref(), &dump, &prefix));
        let addresses =
            include.lines.iter().map(|line| (line.place.clone(), addresses_of(&line.place))).collect();
        Ok(Self { pid_file, format, addresses, generation: None, has_loaded: false, question })
    }

    /// The addresses of a place in the include, which may be newer than the survey.
    pub(super) fn addresses(&self, place: &str) -> BTreeSet<SocketAddr> {
        self.addresses.get(place).cloned().unwrap_or_else(|| addresses_of(place))
    }
}

/// The addresses behind a place in the include.
fn addresses_of(place: &str) -> BTreeSet<SocketAddr> {
    // A name that is unknown has no connections either.
    place.to_socket_addrs().into_iter().flatten().take(MAX_ADDRESSES).collect()
}

/// How the log at `path` is written: as `given`, which is a format or the name of one, or as nginx says.
fn format_of(path: &Path, given: Option<&str>, dump: &Dump, prefix: &Path) -> Option<Format> {
    let named = |name: &str| {
        let (escape, text) = dump.format(name)?;
        Format::new(&text, escape.unwrap_or("default"))
    };
    match given {
        Some(text) if text.contains('$') => {
            Format::new(text, if text.trim_start().starts_with('{') { "json" } else { "default" })
        }
        Some(name) => named(name),
        None => dump.formats_of(path, prefix).into_iter().find_map(named),
    }
}
