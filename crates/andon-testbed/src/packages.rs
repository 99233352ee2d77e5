//! Programs of PyPI and npm that tests use, each in one pinned version, kept below `target/`.
//!
//! Whoever needs one first installs it, through the ordinary client of its registry; everybody else waits for that, and
//! finds it. Nothing of it is ever shipped.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{FlockOperation, flock};

use crate::program::{MissingPrograms, find, require};

const NPM_PACKAGES: &str = include_str!("../npm/package.json");
const NPM_LOCK: &str = include_str!("../npm/package-lock.json");

/// Why packages are not there.
#[derive(thiserror::Error)]
pub enum PackagesError {
    /// The client of the registry is not installed.
    #[error(transparent)]
    Missing(#[from] MissingPrograms),
    /// A file could not be written, or a program could not be started.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was tried.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
    /// The client of the registry failed.
    #[error("{client} could not install what tests need: {said}")]
    Client {
        /// Its name.
        client: &'static str,
        /// What it said.
        said: String,
    },
}

// A failed `unwrap` prints the debug form, and the person who reads it wants the sentence.
impl fmt::Debug for PackagesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PackagesError {
    fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}

/// A tool of PyPI that tests use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PythonTool {
    /// Asks an API for everything that its description allows, and much that it does not.
    Schemathesis,
    /// Writes a client in Python from a description of an API.
    OpenapiPythonClient,
}

impl PythonTool {
    /// Every one.
    pub const ALL: [Self; 2] = [Self::Schemathesis, Self::OpenapiPythonClient];

    fn name(self) -> &'static str {
        match self {
            Self::Schemathesis => "schemathesis",
            Self::OpenapiPythonClient => "openapi-python-client",
        }
    }

    /// All of its packages, each with its version.
    fn packages(self) -> &'static str {
        match self {
            Self::Schemathesis => include_str!("../python/schemathesis.txt"),
            Self::OpenapiPythonClient => include_str!("../python/openapi-python-client.txt"),
        }
    }

    /// The directory with its packages, for `PYTHONPATH`. The first time needs PyPI.
    ///
    /// # Errors
    /// [`PackagesError`].
    pub fn directory(self) -> Result<PathBuf, PackagesError> {
        kept(self.name(), self.packages(), |place| {
            require(&["python3", "pip3"])?;
            let list = place.join("packages.txt");
            fs::write(&list, self.packages()).map_err(PackagesError::io("write packages.txt"))?;
            let mut pip = Command::new("pip3");
            pip.args(["install", "--quiet", "--no-deps", "--no-compile", "--disable-pip-version-check"]);
            pip.arg("--target").arg(place).arg("--requirement").arg(&list);
            succeed("pip3", pip)
        })
    }

    /// The tool as a command without words yet. Its packages are found by it and by no other.
    ///
    /// # Errors
    /// [`PackagesError`].
    pub fn command(self) -> Result<Command, PackagesError> {
        let directory = self.directory()?;
        let programs = directory.join("bin");
        let mut command = Command::new("python3");
        command.arg(programs.join(self.name()));
        command.env("PYTHONPATH", &directory).env("PYTHONDONTWRITEBYTECODE", "1");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let all = std::iter::once(programs).chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(all).unwrap_or_else(|_| OsString::from("/usr/bin:/bin")));
        Ok(command)
    }
}

/// The directory `node_modules` with what `npm/package.json` names. The first time needs npm's registry.
///
/// # Errors
/// [`PackagesError`].
pub fn node_modules() -> Result<PathBuf, PackagesError> {
    let directory = kept("npm", &format!("{NPM_PACKAGES}{NPM_LOCK}"), |place| {
        require(&["node", "npm"])?;
        for (name, text) in [("package.json", NPM_PACKAGES), ("package-lock.json", NPM_LOCK)] {
            fs::write(place.join(name), text).map_err(PackagesError::io(format!("write {name}")))?;
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
        npm.current_dir(place);
        succeed("npm", npm)
    })?;
    Ok(directory.join("node_modules"))
}

/// Where tests keep what outlives them: cargo's `target/`.
pub fn target() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.ancestors().nth(2).unwrap_or(here);
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |target| root.join(target))
}

/// The directory that `make` fills when there is none yet for exactly this `content`.
fn kept(
    name: &str,
    content: &str,
    make: impl FnOnce(&Path) -> Result<(), PackagesError>,
) -> Result<PathBuf, PackagesError> {
    let above = target().join("packages");
    fs::create_dir_all(&above).map_err(PackagesError::io(format!("make {}", above.display())))?;
    let digest = blake3::hash(content.as_bytes()).to_hex();
    let place = above.join(format!("{name}-{}", digest.get(..16).unwrap_or_default()));
    let lock = File::create(above.join(format!("{name}.lock"))).map_err(PackagesError::io("make a lock"))?;
    flock(&lock, FlockOperation::LockExclusive)
        .map_err(|error| PackagesError::io("take the lock of packages")(error.into()))?;
    if place.is_dir() {
        return Ok(place);
    }
    // A name without a digest is never taken for a finished one.
    let unfinished = above.join(format!("{name}-unfinished"));
    let _ = fs::remove_dir_all(&unfinished);
    fs::create_dir_all(&unfinished).map_err(PackagesError::io(format!("make {}", unfinished.display())))?;
    make(&unfinished)?;
    fs::rename(&unfinished, &place).map_err(PackagesError::io(format!("make {}", place.display())))?;
    Ok(place)
}

fn succeed(client: &'static str, mut command: Command) -> Result<(), PackagesError> {
    let program = find(client).unwrap_or_else(|| PathBuf::from(client));
    let output = command.output().map_err(PackagesError::io(format!("start {}", program.display())))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(PackagesError::Client { client, said: String::from_utf8_lossy(&said).trim().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_is_pinned() {
        for tool in PythonTool::ALL {
            assert!(tool.packages().lines().all(|line| line.contains("==")), "{tool:?}");
            assert!(tool.packages().lines().any(|line| line.starts_with(&format!("{}==", tool.name()))));
        }
    }

    #[test]
    fn tools_of_pypi_say_their_versions() {
        for tool in PythonTool::ALL {
            let output = tool.command().unwrap().arg("--version").output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }
}
