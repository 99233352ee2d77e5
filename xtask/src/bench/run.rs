//! `andon run` on many hosts, cold and warm.
//!
//! Cold: no connection is open before a run. Warm: those who can share connections find them open.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use andon_testbed::deadline::wait_until;
use andon_testbed::{Sshd, SshdHost, process};

use super::contest::{self, Contestant, Score};
use super::peers::{self, Reach};
use super::table::Row;
use crate::failure::Failure;

/// How many hosts.
const HOSTS: usize = 20;

/// The wall of `andon run`, at most, compared with plain ssh in parallel: without and with shared connections.
const COLD_TARGET: f64 = 1.2;
/// See [`COLD_TARGET`].
const WARM_TARGET: f64 = 1.5;
/// Its processor time, at most, compared with clustershell's.
const PROCESSOR_TARGET: f64 = 1.0;

/// How long the keepers of severed connections may take to notice.
const END_LIMIT: Duration = Duration::from_secs(10);

/// Marks the processes of the clients.
const MARK: &str = "ANDON_BENCH";

/// Measures both, and returns a row for each peer and figure.
pub(super) fn measure() -> Result<Vec<Row>, Failure> {
    let sshd = Sshd::start(HOSTS).map_err(|error| Failure::Found(error.to_string()))?;
    let home = tempfile::Builder::new()
        .prefix("ab-")
        .tempdir()
        .map_err(|source| Failure::Io { doing: "make a temporary directory".to_owned(), source })?;
    // Everybody gets an empty home: no configuration, and a short path for the sockets of shared connections.
    let environment = [("HOME", home.path()), ("XDG_RUNTIME_DIR", home.path()), (MARK, home.path())];
    let log = home.path().join("log");
    let sever = || {
        sshd.hosts().iter().for_each(SshdHost::sever);
        end_clients(&format!("{MARK}={}", home.path().display()));
    };
    let (config, known_hosts) = (sshd.ssh_config(), sshd.known_hosts());
    let shared = share_connections(&config, home.path())?;
    let hosts: Vec<&str> = sshd.hosts().iter().map(SshdHost::name).collect();
    let alone = Reach { config: &config, known_hosts: &known_hosts, hosts: hosts.clone() };
    let together = Reach { config: &shared, known_hosts: &known_hosts, hosts };
    let cold = contest::hold(&cold_contestants(&alone), &environment, &log, sever)?;
    let warm = contest::hold(&warm_contestants(&alone, &together), &environment, &log, || {})?;
    sever();
    let mut rows = rows("run, cold", &cold, COLD_TARGET);
    rows.extend(self::rows("run, warm", &warm, WARM_TARGET));
    Ok(rows)
}

fn cold_contestants(reach: &Reach<'_>) -> Vec<Contestant> {
    vec![
        peers::andon(reach),
        peers::xargs(reach, "xargs ssh"),
        peers::clush(reach),
        peers::pssh(reach),
        peers::ansible(reach, "ansible raw", "raw"),
        peers::ansible(reach, "ansible command", "command"),
        peers::pyinfra(reach),
    ]
}

/// Andon shares connections by itself; the others find it in `reach`.
fn warm_contestants(alone: &Reach<'_>, reach: &Reach<'_>) -> Vec<Contestant> {
    vec![
        peers::andon(alone),
        peers::xargs(reach, "xargs ssh, shared"),
        peers::clush(reach),
        peers::pssh(reach),
        peers::ansible(reach, "ansible raw", "raw"),
        peers::ansible(reach, "ansible command", "command"),
    ]
}

/// A copy of the client configuration `config` in `home` that keeps connections open for the next command.
fn share_connections(config: &Path, home: &Path) -> Result<PathBuf, Failure> {
    let alone = fs::read_to_string(config).map_err(Failure::io("read", config))?;
    let shared = home.join("ssh_config");
    // The first value that ssh finds is the one that counts.
    let sharing =
        format!("Host *\n  ControlMaster auto\n  ControlPersist 60s\n  ControlPath {}/%C\n", home.display());
    fs::write(&shared, sharing + &alone).map_err(Failure::io("write", &shared))?;
    Ok(shared)
}

/// Waits until the processes that kept connections open have noticed that these are gone, and ends stubborn ones.
fn end_clients(mark: &str) {
    if !wait_until(END_LIMIT, || process::with_environment(mark).is_empty()) {
        process::with_environment(mark).into_iter().for_each(process::kill);
    }
}

/// The first score is ours; each other one gets a row for the wall and one for the processor. Plain ssh sets the
/// pace for the wall and clustershell for the processor; the others are for information.
fn rows(name: &str, scores: &[Score], wall_target: f64) -> Vec<Row> {
    let Some((ours, others)) = scores.split_first() else { return Vec::new() };
    let wall = others.iter().map(|other| Row {
        name: format!("{name}: wall, s"),
        ours: ours.wall.clone(),
        peer: other.name.to_owned(),
        theirs: other.wall.clone(),
        target: other.name.starts_with("xargs").then_some(wall_target),
    });
    let processor = others.iter().map(|other| Row {
        name: format!("{name}: client CPU, s"),
        ours: ours.processor.clone(),
        peer: other.name.to_owned(),
        theirs: other.processor.clone(),
        target: (other.name == "clush").then_some(PROCESSOR_TARGET),
    });
    wall.chain(processor).collect()
}
