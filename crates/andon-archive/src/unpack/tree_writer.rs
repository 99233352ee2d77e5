//! Writes files, directories and links below one directory.
//!
//! Every path is walked from that directory, name by name, and never through a symbolic link: should the policy
//! ever err, the kernel still refuses to leave the release.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags};

use crate::archive_error::ArchiveError;

/// Up to so many files are flushed one by one. Beyond, one flush of the whole file system is faster, although it
/// waits for what others have written there.
const MAX_SINGLE_FLUSHES: usize = 256;
/// Bytes that are written at once.
const BUFFER: usize = 128 << 10;

/// Writes below one directory.
pub(super) struct TreeWriter {
    root: OwnedFd,
    target: PathBuf,
    /// The directory that was written to last: archives keep a directory's files together.
    latest: Option<(Vec<u8>, OwnedFd)>,
    files: usize,
    directories: Vec<Vec<u8>>,
    buffer: Vec<u8>,
}

impl TreeWriter {
    /// Opens `target`, an existing empty directory.
    pub(super) fn open(target: &Path) -> Result<Self, ArchiveError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let root = rustix::fs::open(target, flags, Mode::empty())
            .map_err(|error| ArchiveError::io("open", target, error))?;
        // The mode of `./` in an archive is that of somebody's build directory, so it is not applied.
        rustix::fs::fchmod(&root, Mode::from_raw_mode(0o755))
            .map_err(|error| ArchiveError::io("set the mode of", target, error))?;
        Ok(Self {
            root,
            target: target.to_path_buf(),
            latest: None,
            files: 0,
            directories: Vec::new(),
            buffer: vec![0; BUFFER],
        })
    }

    pub(super) fn directory(&mut self, path: &[u8], mode: u32) -> Result<(), ArchiveError> {
        let dir = self.enter(path)?;
        let set = rustix::fs::fchmod(&dir, Mode::from_raw_mode(mode));
        set.map_err(|error| self.failed("set the mode of", path, error))
    }

    /// Creates a file and fills it with what `read` gives until it gives nothing.
    pub(super) fn file(
        &mut self,
        path: &[u8],
        mode: u32,
        mut read: impl FnMut(&mut [u8]) -> Result<usize, ArchiveError>,
    ) -> Result<(), ArchiveError> {
        let mut file = self.create(path).map_err(|error| self.failed("create", path, error))?;
        let mut buffer = std::mem::take(&mut self.buffer);
        loop {
            let n = read(&mut buffer)?;
            if n == 0 {
                break;
            }
            file.write_all(&buffer[..n]).map_err(|error| self.failed("write", path, error))?;
        }
        self.buffer = buffer;
        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))
            .map_err(|error| self.failed("set the mode of", path, error))?;
        self.files += 1;
        if self.files <= MAX_SINGLE_FLUSHES {
            file.sync_all().map_err(|error| self.failed("flush to disk", path, error))?;
        }
        Ok(())
    }

    pub(super) fn symlink(&mut self, path: &[u8], target: &[u8]) -> Result<(), ArchiveError> {
        let (dir, name) = self.parent(path)?;
        rustix::fs::symlinkat(target, dir.as_fd(), name).map_err(|error| self.failed("create", path, error))
    }

    pub(super) fn hard_link(&mut self, path: &[u8], original: &[u8]) -> Result<(), ArchiveError> {
        let (from, old) = self.parent(original)?;
        let (to, new) = self.parent(path)?;
        rustix::fs::linkat(from, old, to, new, AtFlags::empty())
            .map_err(|error| self.failed("create", path, error))
    }

    /// Returns when everything that was written is on disk.
    pub(super) fn sync(mut self) -> Result<(), ArchiveError> {
        let directories = std::mem::take(&mut self.directories);
        let result = if self.files > MAX_SINGLE_FLUSHES || directories.len() > MAX_SINGLE_FLUSHES {
            rustix::fs::syncfs(&self.root)
        } else {
            for path in &directories {
                let dir = self.enter(path)?;
                rustix::fs::fsync(dir).map_err(|error| self.failed("flush to disk", path, error))?;
            }
            rustix::fs::fsync(&self.root)
        };
        result.map_err(|error| self.failed("flush to disk", b"", error))
    }

    fn create(&mut self, path: &[u8]) -> io::Result<File> {
        let (dir, name) = self.parent(path).map_err(io::Error::other)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(dir, name, flags, Mode::RUSR | Mode::WUSR)?;
        Ok(File::from(fd))
    }

    /// The directory that `path` lies in, and its name there.
    fn parent<'a>(&mut self, path: &'a [u8]) -> Result<(OwnedFd, &'a [u8]), ArchiveError> {
        let (dir, name) = match path.iter().rposition(|b| *b == b'/') {
            Some(slash) => (&path[..slash], &path[slash + 1..]),
            None => (&path[..0], path),
        };
        Ok((self.enter(dir)?, name))
    }

    /// Opens the directory at `path`, creating what is missing of it.
    fn enter(&mut self, path: &[u8]) -> Result<OwnedFd, ArchiveError> {
        if let Some((latest, dir)) = &self.latest
            && latest == path
        {
            return dir.try_clone().map_err(|error| self.failed("open", path, error));
        }
        let mut dir = self.root.try_clone().map_err(|error| self.failed("open", path, error))?;
        let mut end = 0;
        for name in path.split(|b| *b == b'/').filter(|name| !name.is_empty()) {
            end += usize::from(end > 0) + name.len();
            dir = self
                .enter_child(&dir, name, &path[..end])
                .map_err(|error| self.failed("open", &path[..end], error))?;
        }
        let kept = dir.try_clone().map_err(|error| self.failed("open", path, error))?;
        self.latest = Some((path.to_vec(), kept));
        Ok(dir)
    }

    fn enter_child(&mut self, dir: &OwnedFd, name: &[u8], path: &[u8]) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(dir, name, flags, Mode::empty()) {
            Err(rustix::io::Errno::NOENT) => {
                rustix::fs::mkdirat(dir, name, Mode::RWXU)?;
                let child = rustix::fs::openat(dir, name, flags, Mode::empty())?;
                rustix::fs::fchmod(&child, Mode::from_raw_mode(0o755))?;
                self.directories.push(path.to_vec());
                Ok(child)
            }
            other => Ok(other?),
        }
    }

    fn failed(&self, action: &'static str, path: &[u8], error: impl Into<io::Error>) -> ArchiveError {
        use std::os::unix::ffi::OsStrExt;
        let path = self.target.join(std::ffi::OsStr::from_bytes(path));
        ArchiveError::io(action, &path, error)
    }
}
