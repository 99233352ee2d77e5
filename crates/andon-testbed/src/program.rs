//! The programs that tests need, and the Debian package that brings each.
//!
//! A test whose real component is missing fails here with the name of what to install. It never passes silently.

use std::fmt;
use std::path::{Path, PathBuf};

/// Programs whose Debian package has another name than the program.
const PACKAGES: &[(&str, &str)] = &[
    ("aiosmtpd", "python3-aiosmtpd"),
    ("c++", "g++"),
    ("cc", "gcc libc6-dev"),
    ("check_http", "monitoring-plugins-basic"),
    ("chromedriver", "chromium-driver"),
    // Signs such as the tick are in no other font that Debian would bring along.
    ("chromium", "chromium fonts-dejavu-core"),
    ("clush", "clustershell"),
    ("ip", "iproute2"),
    ("losetup", "mount"),
    ("mkfs.ext4", "e2fsprogs"),
    ("mount", "mount"),
    ("nginx", "nginx-light"),
    ("node", "nodejs"),
    ("nsenter", "util-linux"),
    ("parallel-ssh", "pssh"),
    ("pip3", "python3-pip"),
    ("ps", "procps"),
    ("script", "bsdutils"),
    ("ssh", "openssh-client"),
    ("ssh-keygen", "openssh-client"),
    ("sshd", "openssh-server"),
    ("systemd-analyze", "systemd"),
    ("systemd-nspawn", "systemd-container"),
    ("tc", "iproute2"),
    ("unshare", "util-linux"),
    ("xargs", "findutils"),
    ("xmllint", "libxml2-utils"),
];

/// Where a program may live besides `PATH`: the administrator's directories are often missing from it.
const MORE_DIRECTORIES: &[&str] =
    &["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/lib/nagios/plugins"];

/// Programs that are not on this machine.
#[derive(Clone, PartialEq, Eq)]
pub struct MissingPrograms(Vec<String>);

impl MissingPrograms {
    /// The Debian packages to install, sorted, each once.
    pub fn packages(&self) -> Vec<&str> {
        let mut packages: Vec<&str> =
            self.0.iter().flat_map(|program| package_of(program).split(' ')).collect();
        packages.sort_unstable();
        packages.dedup();
        packages
    }
}

impl fmt::Display for MissingPrograms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "this machine lacks {}. Install with: apt install {}",
            self.0.join(", "),
            self.packages().join(" ")
        )
    }
}

// A failed `unwrap` prints the debug form, and the person who reads it wants the sentence.
impl fmt::Debug for MissingPrograms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for MissingPrograms {}

/// Checks that every one of `programs` is installed.
///
/// # Errors
/// [`MissingPrograms`] names all that are missing at once, with the packages that bring them.
pub fn require(programs: &[&str]) -> Result<(), MissingPrograms> {
    let missing: Vec<String> =
        programs.iter().filter(|program| find(program).is_none()).map(|p| (*p).to_owned()).collect();
    if missing.is_empty() { Ok(()) } else { Err(MissingPrograms(missing)) }
}

/// The path of `program`, from `PATH` or the administrator's directories.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(MORE_DIRECTORIES.iter().map(PathBuf::from))
        .map(|directory| directory.join(program))
        .find(|candidate| is_executable(candidate))
}

/// The Debian packages, separated by spaces, that bring `program`.
fn package_of(program: &str) -> &str {
    PACKAGES.iter().find(|(name, _)| *name == program).map_or(program, |(_, package)| package)
}

fn is_executable(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_installed_is_found() {
        require(&["sh", "cat"]).unwrap();
    }

    #[test]
    fn what_is_missing_is_named_with_its_package() {
        let missing = MissingPrograms(vec!["sshd".into(), "ssh".into(), "ssh-keygen".into()]);
        assert_eq!(
            missing.to_string(),
            "this machine lacks sshd, ssh, ssh-keygen. Install with: apt install openssh-client openssh-server"
        );
    }

    #[test]
    fn a_program_that_nobody_has_is_missing() {
        let missing = require(&["sh", "andon-no-such-program"]).unwrap_err();
        assert_eq!(missing.packages(), ["andon-no-such-program"]);
    }
}
