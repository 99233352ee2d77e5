//! The tools that Andon is measured against, as command lines that run `true` on hosts.

use std::path::{Path, PathBuf};

use super::contest::Contestant;
use crate::failure::Failure;
use crate::program::{program, run};
use crate::{packages, workspace};

/// The Debian packages of the peers, and what the virtual environment for the others needs.
const PACKAGES: &[&str] =
    &["ansible", "clustershell", "pssh", "python3-venv", "nginx-light", "haproxy", "wrk", "util-linux"];

/// What an ssh client needs to reach the hosts of a bench.
pub(super) struct Reach<'a> {
    /// The file for `ssh -F`.
    pub(super) config: &'a Path,
    /// The file with the hosts' keys.
    pub(super) known_hosts: &'a Path,
    /// The names of the hosts.
    pub(super) hosts: Vec<&'a str>,
}

impl Reach<'_> {
    fn options(&self) -> String {
        format!("-F {}", self.config.display())
    }

    fn width(&self) -> String {
        self.hosts.len().to_string()
    }

    fn joined(&self, separator: &str) -> String {
        self.hosts.join(separator)
    }
}

/// Installs all peers: Debian packages, and pyinfra in a virtual environment below `target/`.
pub(super) fn install() -> Result<(), Failure> {
    packages::install(PACKAGES)?;
    let place = environment();
    if !place.join("bin/pip").is_file() {
        run(program("python3").args(["-m", "venv"]).arg(&place))?;
    }
    run(program(place.join("bin/pip")).args(["install", "--quiet", "pyinfra"]))
}

fn environment() -> PathBuf {
    workspace::target().join("peers")
}

/// `andon run` itself.
pub(super) fn andon(reach: &Reach<'_>) -> Contestant {
    contestant(
        "andon run",
        workspace::target().join("release/andon"),
        "cargo build --release",
        [
            "run".to_owned(),
            "--ssh-config".to_owned(),
            reach.config.display().to_string(),
            reach.joined(","),
            "--".to_owned(),
            "true".to_owned(),
        ],
    )
}

/// Plain `ssh`, as many at once as there are hosts.
pub(super) fn xargs(reach: &Reach<'_>, name: &'static str) -> Contestant {
    let script = format!(
        "printf '%s\\n' {} | xargs -P{} -I{{}} ssh {} {{}} true",
        reach.joined(" "),
        reach.width(),
        reach.options()
    );
    contestant(name, "sh".into(), "apt install openssh-client", ["-c".to_owned(), script])
}

/// Clustershell.
pub(super) fn clush(reach: &Reach<'_>) -> Contestant {
    contestant(
        "clush",
        "clush".into(),
        "apt install clustershell",
        [
            "-S".to_owned(),
            "-f".to_owned(),
            reach.width(),
            "-o".to_owned(),
            reach.options(),
            "-w".to_owned(),
            reach.joined(","),
            "true".to_owned(),
        ],
    )
}

/// Parallel ssh.
pub(super) fn pssh(reach: &Reach<'_>) -> Contestant {
    contestant(
        "pssh",
        "parallel-ssh".into(),
        "apt install pssh",
        [
            "-p".to_owned(),
            reach.width(),
            "-x".to_owned(),
            reach.options(),
            "-H".to_owned(),
            reach.joined(" "),
            "true".to_owned(),
        ],
    )
}

/// Ansible with the module `module`: `raw`, which is a shell line, or `command`, which brings its own Python.
pub(super) fn ansible(reach: &Reach<'_>, name: &'static str, module: &str) -> Contestant {
    let mut contestant = contestant(
        name,
        "ansible".into(),
        "apt install ansible",
        [
            "all".to_owned(),
            "-i".to_owned(),
            format!("{},", reach.joined(",")),
            "-f".to_owned(),
            reach.width(),
            "-m".to_owned(),
            module.to_owned(),
            "-a".to_owned(),
            "true".to_owned(),
        ],
    );
    // Ansible's own default shares connections; here the configuration decides, as for everybody.
    contestant.environment.push(("ANSIBLE_SSH_ARGS", reach.options()));
    contestant.environment.push(("ANSIBLE_PYTHON_INTERPRETER", "/usr/bin/python3".to_owned()));
    contestant
}

/// Pyinfra.
pub(super) fn pyinfra(reach: &Reach<'_>) -> Contestant {
    contestant(
        "pyinfra",
        environment().join("bin/pyinfra"),
        "cargo xtask bench --install-peers",
        [
            "-y".to_owned(),
            "--data".to_owned(),
            format!("ssh_config_file={}", reach.config.display()),
            "--data".to_owned(),
            format!("ssh_known_hosts_file={}", reach.known_hosts.display()),
            reach.joined(","),
            "exec".to_owned(),
            "--".to_owned(),
            "true".to_owned(),
        ],
    )
}

fn contestant<const N: usize>(
    name: &'static str,
    program: PathBuf,
    install: &'static str,
    arguments: [String; N],
) -> Contestant {
    Contestant { name, program, install, arguments: arguments.into(), environment: Vec::new() }
}
