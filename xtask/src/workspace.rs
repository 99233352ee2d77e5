//! Where things lie in the checkout.

use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::program::{program, text};

/// The project's root directory.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |target| root().join(target))
}

/// The files of the project, relative to its root: those that git knows, and new ones that it does not ignore.
pub(crate) fn files() -> Result<Vec<PathBuf>, Failure> {
    let list = text(program("git").args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]))?;
    let files = list.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from);
    // A file that was just removed or renamed is still in git's list.
    Ok(files.filter(|file| root().join(file).is_file()).collect())
}
