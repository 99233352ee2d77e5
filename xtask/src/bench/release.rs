//! What goes over the wire: a release of 50 MB to 20 hosts, and again when they have it.
//!
//! Counted in bytes on the loopback interface, so everything is in it: ssh, the protocol, and whatever else this
//! machine does meanwhile.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use andon_testbed::Sshd;

use super::table::{Peer, Row};
use crate::failure::Failure;
use crate::program::{output, program};
use crate::workspace;

/// How many hosts.
const HOSTS: usize = 20;
/// The size of the release, in bytes. Its content does not compress.
const SIZE: usize = 50 << 20;
/// What a deployment may send in all when every host has the release: less than a tenth of one copy.
const MOST_RESENT: f64 = 5.0;

/// Deploys the release, another one, and the first again.
pub(super) fn measure() -> Result<Vec<Row>, Failure> {
    let sshd = Sshd::start(HOSTS).map_err(|error| Failure::Found(error.to_string()))?;
    let io = |doing: &str| {
        let doing = doing.to_owned();
        move |source| Failure::Io { doing, source }
    };
    let home = tempfile::Builder::new().prefix("ab-").tempdir().map_err(io("make a temporary directory"))?;
    let dir = home.path();
    let hosts: Vec<String> = sshd.hosts().iter().map(|host| format!("{:?}", host.name())).collect();
    fs::create_dir_all(dir.join("build")).map_err(io("make the release"))?;
    fs::write(dir.join("line.star"), line(&hosts)).map_err(io("write the line"))?;
    let blob = dir.join("build/blob");
    let large = noise(SIZE);

    let config = sshd.ssh_config();
    fs::write(&blob, &large).map_err(io("write the release"))?;
    let first = deploy(dir, &config)?;
    fs::write(&blob, b"small").map_err(io("write the release"))?;
    deploy(dir, &config)?;
    fs::write(&blob, &large).map_err(io("write the release"))?;
    let again = deploy(dir, &config)?;
    stop_services(&sshd);

    let total = (HOSTS * SIZE) as f64 / f64::from(1 << 20);
    let row = |name: &str, ours: f64, peer: &str, theirs: f64, target: Option<f64>| Row {
        name: name.to_owned(),
        ours: Peer::Measured(ours),
        peer: peer.to_owned(),
        theirs: Peer::Measured(theirs),
        target,
    };
    Ok(vec![
        row("50 MiB release to 20 hosts, sent, MiB", first.sent, "one copy for each host", total, Some(1.1)),
        row(
            "the same when all hosts have it, sent, MiB",
            again.sent,
            "a tenth of one copy",
            MOST_RESENT,
            Some(1.0),
        ),
        row(
            "50 MiB release to 20 hosts, wall, s",
            first.seconds,
            "when all hosts have it",
            again.seconds,
            None,
        ),
    ])
}

struct Cost {
    /// MiB over loopback.
    sent: f64,
    seconds: f64,
}

fn line(hosts: &[String]) -> String {
    format!(
        r#"web = group("web", [{}])
service("blob", hosts = {{"production": web}}, release = directory("build"), root = "~/blob",
    run = process(exec = "sleep 300"),
    rollout = rollout(waves = ["100%"], max_parallel = "100%", min_available = 0, min_healthy_time = "100ms", bake = "0s"))
"#,
        hosts.join(", "),
    )
}

fn deploy(dir: &Path, config: &Path) -> Result<Cost, Failure> {
    let andon = workspace::root().join("target/release/andon");
    let mut command = Command::new(andon);
    command.current_dir(dir).args(["deploy", "blob", "--ssh-config"]).arg(config);
    command.env("HOME", dir).env("XDG_RUNTIME_DIR", dir);
    let (before, began) = (loopback_bytes()?, Instant::now());
    let said = output(&mut command)?;
    let seconds = began.elapsed().as_secs_f64();
    if !said.status.success() {
        let text =
            String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
        return Err(Failure::Found(format!("the deployment of the bench did not succeed:\n{text}")));
    }
    Ok(Cost { sent: (loopback_bytes()? - before) / f64::from(1 << 20), seconds })
}

fn loopback_bytes() -> Result<f64, Failure> {
    let path = "/sys/class/net/lo/statistics/tx_bytes";
    let text =
        fs::read_to_string(path).map_err(|source| Failure::Io { doing: format!("read {path}"), source })?;
    text.trim().parse().map_err(|_| Failure::Found(format!("{path} holds no number")))
}

/// Bytes without a pattern, from a small generator of pseudo-random numbers (xorshift64).
fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// Ends the services that the deployments left running: their supervisors know no connection, and outlive the daemons.
fn stop_services(sshd: &Sshd) {
    for host in sshd.hosts() {
        // None to be found is as good.
        let _ = output(
            program("pkill").args(["-TERM", "-f"]).arg(format!("supervise {}", host.home().display())),
        );
    }
}
