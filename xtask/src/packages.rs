//! The packages that tests need, installed when missing and when this process may: Debian's, npm's and PyPI's.

use andon_testbed::{PackagesError, PythonTool, require};

use crate::failure::Failure;
use crate::program::{program, run};

/// The programs that some test runs.
const FOR_TESTS: &[&str] = &[
    "sshd",
    "ssh",
    "ssh-keygen",
    "debootstrap",
    "systemd-analyze",
    "systemd-nspawn",
    "check_http",
    "git",
    "minisign",
    "openssl",
    "haproxy",
    "nginx",
    "prometheus",
    "cc",
    "python3",
    "pip3",
    "ip",
    "ps",
    "script",
    "tar",
    "zstd",
    "mount",
    "strace",
    "losetup",
    "mkfs.ext4",
    "unshare",
    "xargs",
    "xmllint",
    "aiosmtpd",
    "faketime",
    "chromium",
    "chromedriver",
    "node",
    "npm",
];

/// Makes sure that every program of the tests is here, and what they use of npm and PyPI, which tests would wait for.
pub(crate) fn install_for_tests() -> Result<(), Failure> {
    ensure(FOR_TESTS)?;
    let found = |error: PackagesError| Failure::Found(error.to_string());
    andon_testbed::packages::node_modules().map_err(found)?;
    PythonTool::ALL.into_iter().try_for_each(|tool| tool.directory().map(drop).map_err(found))
}

/// Makes sure that these programs are here.
pub(crate) fn ensure(programs: &[&str]) -> Result<(), Failure> {
    let Err(missing) = require(programs) else { return Ok(()) };
    if !rustix::process::geteuid().is_root() {
        return Err(Failure::Found(missing.to_string()));
    }
    install(&missing.packages())?;
    require(programs).map_err(|missing| Failure::Found(missing.to_string()))
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
