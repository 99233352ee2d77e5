//! The agent as it travels to hosts: one static binary, compressed, beside the `andon` that sends it.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};

use crate::failure::Failure;
use crate::program::{cargo, program, run, text};
use crate::workspace;

/// The most bytes that the compressed agent may have: it crosses every slow line once.
const SIZE_LIMIT: u64 = 4 << 20;

/// How the agent is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Build {
    /// As it is handed out.
    Small,
    /// As quickly as possible.
    Debug,
}

impl Build {
    /// The cargo profile, and the directory that cargo names after it.
    fn profile(self) -> (&'static str, &'static str) {
        match self {
            Self::Small => ("agent", "agent"),
            Self::Debug => ("dev", "debug"),
        }
    }
}

/// The compressed agent's file name on this kind of machine, such as `andon-agent-x86_64.gz`.
pub(crate) fn file_name() -> String {
    format!("andon-agent-{}.gz", rustix::system::uname().machine().to_string_lossy())
}

/// Builds the agent and puts the compressed copy into `target/agent` and beside every built `andon`.
///
/// Returns the compressed copy.
pub(crate) fn build(build: Build) -> Result<PathBuf, Failure> {
    let triple = host_triple()?;
    let (profile, directory) = build.profile();
    // Only with an explicit target are build scripts and procedural macros spared the static flag.
    run(cargo()
        .args(["build", "--package", "andon-agent", "--target", &triple, "--profile", profile])
        .env("RUSTFLAGS", "-C target-feature=+crt-static"))?;
    let place = workspace::target().join(&triple).join(directory);
    let (binary, copy) = (place.join("andon-agent"), place.join(file_name()));
    if !is_newer(&copy, &binary) {
        compress(&binary, &copy)?;
    }
    report(&binary, &copy, build)?;
    for profile in ["agent", "debug", "release"] {
        let beside = workspace::target().join(profile);
        if profile == "agent" || beside.join("andon").is_file() {
            place_if_new(&copy, &beside.join(file_name()))?;
        }
    }
    Ok(copy)
}

/// The triple of the machine that the compiler runs on.
fn host_triple() -> Result<String, Failure> {
    let version = text(program("rustc").arg("-vV"))?;
    let triple = version.lines().find_map(|line| line.strip_prefix("host: "));
    triple.map(str::to_owned).ok_or_else(|| Failure::Found("`rustc -vV` names no host".to_owned()))
}

/// Whether `copy` exists and is newer than `original`.
fn is_newer(copy: &Path, original: &Path) -> bool {
    let time = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified());
    match (time(copy), time(original)) {
        (Ok(copy), Ok(original)) => copy > original,
        _ => false,
    }
}

/// Writes a gzip copy without a name or a time in it: the same binary gives the same bytes.
fn compress(binary: &Path, copy: &Path) -> Result<(), Failure> {
    let mut from = File::open(binary).map_err(Failure::io("open", binary))?;
    replace(copy, |to| {
        let mut gzip = GzBuilder::new().mtime(0).write(to, Compression::best());
        io::copy(&mut from, &mut gzip)?;
        gzip.finish().map(drop)
    })
}

/// Copies `from` to `to` unless it is there already: a file that is not touched wakes nobody.
fn place_if_new(from: &Path, to: &Path) -> Result<(), Failure> {
    let new = fs::read(from).map_err(Failure::io("read", from))?;
    if fs::read(to).is_ok_and(|old| old == new) { Ok(()) } else { place(from, to) }
}

/// Copies `from` to `to`, which others may be reading.
pub(crate) fn place(from: &Path, to: &Path) -> Result<(), Failure> {
    let mut source = File::open(from).map_err(Failure::io("open", from))?;
    replace(to, |target| io::copy(&mut source, target).map(drop))
}

/// Replaces `path` in one step with what `write` writes.
fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory).map_err(Failure::io("make", directory))?;
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(Failure::io("write in", directory))?;
    write(file.as_file_mut()).map_err(Failure::io("write", path))?;
    // A temporary file is its owner's alone; this one is for everybody.
    file.as_file().set_permissions(Permissions::from_mode(0o644)).map_err(Failure::io("open up", path))?;
    file.persist(path).map(drop).map_err(|error| Failure::io("write", path)(error.error))
}

fn report(binary: &Path, copy: &Path, build: Build) -> Result<(), Failure> {
    let size =
        |path: &Path| fs::metadata(path).map(|metadata| metadata.len()).map_err(Failure::io("look at", path));
    let (plain, compressed) = (size(binary)?, size(copy)?);
    println!("{}: {compressed} bytes, {plain} before compression", copy.display());
    if build == Build::Small && compressed > SIZE_LIMIT {
        return Err(Failure::Found(format!(
            "the compressed agent has {compressed} bytes; at most {SIZE_LIMIT} may travel to a host"
        )));
    }
    Ok(())
}
