//! The Debian packages that tests need, installed when missing and when this process may.

use andon_testbed::require;

use crate::failure::Failure;
use crate::program::{program, run};

/// The programs that some test runs.
const FOR_TESTS: &[&str] = &[
    "sshd",
    "ssh",
    "ssh-keygen",
    "debootstrap",
    "systemd-nspawn",
    "check_http",
    "git",
    "haproxy",
    "nginx",
    "prometheus",
    "cc",
    "python3",
    "pip3",
    "ip",
    "ps",
    "tar",
    "zstd",
    "mount",
    "strace",
    "xargs",
    "aiosmtpd",
];

/// Makes sure that every program of the tests is here.
pub(crate) fn install_for_tests() -> Result<(), Failure> {
    let Err(missing) = require(FOR_TESTS) else { return Ok(()) };
    if !rustix::process::geteuid().is_root() {
        return Err(Failure::Found(missing.to_string()));
    }
    install(&missing.packages())?;
    require(FOR_TESTS).map_err(|missing| Failure::Found(missing.to_string()))
}

/// Installs Debian packages. Root only.
pub(crate) fn install(packages: &[&str]) -> Result<(), Failure> {
    println!("installing {}", packages.join(" "));
    // A fresh machine has no list of packages yet, and an old list names files that are gone.
    run(program("apt-get").args(["update", "--quiet"]))?;
    run(program("apt-get")
        .args(["install", "--yes", "--quiet", "--no-install-recommends"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive"))
}
