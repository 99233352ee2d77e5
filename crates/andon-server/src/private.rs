//! Directories of the controller's data: for the person who runs Andon alone, whatever the umask says.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Makes `path`, and what is missing above it, for its owner alone. One that is there already stays as it is.
pub(crate) fn directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}
