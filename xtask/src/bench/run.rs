//! `andon run` on many hosts, cold and warm.
//!
//! Cold: no connection is open before a run. Warm: those who can share connections find them open.

use std::time::Duration;

use andon_testbed::deadline::wait_until;
use andon_testbed::{Sshd, SshdHost, process};

use super::contest::{self, Contestant, Score};
use super::peers::{self, Reach};
use super::table::Row;
use crate::failure::Failure;

/// How many hosts.
const HOSTS: usize = 20;

/// How slow `andon run` may be, compared with each peer.
const TARGET: f64 = 1.0;

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
    let reach = |sharing| Reach {
        config: &config,
        known_hosts: &known_hosts,
        hosts: sshd.hosts().iter().map(SshdHost::name).collect(),
        sharing,
    };
    let cold = contest::hold(&cold_contestants(&reach(None)), &environment, &log, sever)?;
    let sharing =
        format!("-o ControlMaster=auto -o ControlPersist=60s -o ControlPath={}/%C", home.path().display());
    let warm = contest::hold(&warm_contestants(&reach(Some(sharing))), &environment, &log, || {})?;
    sever();
    let mut rows = rows("run, cold", &cold);
    rows.extend(self::rows("run, warm", &warm));
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

fn warm_contestants(reach: &Reach<'_>) -> Vec<Contestant> {
    vec![
        peers::andon(reach),
        peers::xargs(reach, "xargs ssh, shared"),
        peers::clush(reach),
        peers::pssh(reach),
        peers::ansible(reach, "ansible raw", "raw"),
        peers::ansible(reach, "ansible command", "command"),
    ]
}

/// Waits until the processes that kept connections open have noticed that these are gone, and ends stubborn ones.
fn end_clients(mark: &str) {
    if !wait_until(END_LIMIT, || process::with_environment(mark).is_empty()) {
        process::with_environment(mark).into_iter().for_each(process::kill);
    }
}

/// The first score is ours; each other one gets a row for the wall and one for the processor.
fn rows(name: &str, scores: &[Score]) -> Vec<Row> {
    let Some((ours, others)) = scores.split_first() else { return Vec::new() };
    let wall = others.iter().map(|other| Row {
        name: format!("{name}: wall, s"),
        ours: ours.wall.clone(),
        peer: other.name.to_owned(),
        theirs: other.wall.clone(),
        target: Some(TARGET),
    });
    let processor = others.iter().map(|other| Row {
        name: format!("{name}: client CPU, s"),
        ours: ours.processor.clone(),
        peer: other.name.to_owned(),
        theirs: other.processor.clone(),
        target: None,
    });
    wall.chain(processor).collect()
}
