//! The output of an instance on disk, in three files of bounded size. Must never stop the instance: what cannot
//! be written is lost.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The size at which a new file begins: 10 MiB.
pub(crate) const MAX_SIZE: u64 = 10 << 20;

/// `log`, `log.1` and `log.2`; the oldest is given up.
const OLDEST: u32 = 2;

/// An output that moves its file away when it has grown too large.
#[derive(Debug)]
pub(crate) struct RotatingLog {
    path: PathBuf,
    max_size: u64,
    file: File,
    size: u64,
}

impl RotatingLog {
    /// Goes on at the end of the file at `path`.
    pub(crate) fn open(path: &Path, max_size: u64) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        let size = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), max_size, file, size })
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        if number > 0 {
            name.push(format!(".{number}"));
        }
        name.into()
    }

    fn rotate(&mut self) -> io::Result<()> {
        for number in (0..OLDEST).rev() {
            match fs::rename(self.numbered(number), self.numbered(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        *self = Self::open(&self.path, self.max_size)?;
        Ok(())
    }
}

impl Write for RotatingLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.size >= self.max_size {
            self.rotate()?;
        }
        let room = usize::try_from(self.max_size - self.size).unwrap_or(usize::MAX);
        let written = self.file.write(&bytes[..bytes.len().min(room)])?;
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_files_of_bounded_size_hold_the_newest_output() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut log = RotatingLog::open(&path, 10).unwrap();
        for _ in 0..3 {
            log.write_all(b"0123456789abcdefghij").unwrap();
        }
        drop(log);
        let mut log = RotatingLog::open(&path, 10).unwrap();
        log.write_all(b"end").unwrap();
        let read = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
        assert_eq!(
            (read("log"), read("log.1"), read("log.2")),
            ("end".into(), "abcdefghij".into(), "0123456789".into())
        );
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3);
    }
}
