//! Builds archives block by block, as no well-behaved tool would, and directories to compare with.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use andon_archive::{ArchiveError, Limits, Scanned, Unpacked, scan, unpack};
use andon_core::digest::Digest;
use andon_core::release::Packing;

/// The bytes of a tar archive under construction.
#[derive(Default, Clone)]
pub(crate) struct Tar(pub(crate) Vec<u8>);

impl Tar {
    /// Appends a member with every field as given; the checksum is right.
    pub(crate) fn raw(
        mut self,
        kind: u8,
        path: &[u8],
        target: &[u8],
        mode: u32,
        size: u64,
        data: &[u8],
    ) -> Self {
        let mut header = tar::Header::new_gnu();
        header.set_mode(mode);
        header.set_size(size);
        header.set_entry_type(tar::EntryType::new(kind));
        let old = header.as_old_mut();
        old.name[..path.len()].copy_from_slice(path);
        old.linkname[..target.len()].copy_from_slice(target);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn file(self, path: &str, data: &str) -> Self {
        self.raw(b'0', path.as_bytes(), b"", 0o644, data.len() as u64, data.as_bytes())
    }

    pub(crate) fn dir(self, path: &str) -> Self {
        self.raw(b'5', path.as_bytes(), b"", 0o755, 0, b"")
    }

    pub(crate) fn link(self, path: &str, target: &str) -> Self {
        self.raw(b'2', path.as_bytes(), target.as_bytes(), 0o777, 0, b"")
    }

    pub(crate) fn hard(self, path: &str, original: &str) -> Self {
        self.raw(b'1', path.as_bytes(), original.as_bytes(), 0o644, 0, b"")
    }

    /// Appends an extension header: `L`, `K`, `x` or `g`.
    pub(crate) fn extension(self, kind: u8, data: &[u8]) -> Self {
        self.raw(kind, b"extension", b"", 0o644, data.len() as u64, data)
    }

    /// Ends the archive as tar does.
    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0; 1024]);
        self.0
    }
}

/// A PAX record with its own length in front.
pub(crate) fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut len = rest + 1;
    while len.to_string().len() + rest != len {
        len = len.to_string().len() + rest;
    }
    [format!("{len} {key}=").as_bytes(), value, b"\n"].concat()
}

/// `tar` packed in each way, with the file name's ending.
pub(crate) fn packed_each_way(tar: &[u8]) -> Vec<(&'static str, Packing, Vec<u8>)> {
    vec![
        ("tar", Packing::Tar, tar.to_vec()),
        ("tar.gz", Packing::TarGz, gzip(tar)),
        ("tar.zst", Packing::TarZst, zstd::encode_all(tar, 3).unwrap()),
    ]
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A directory of its own for one test, with a place to unpack to that nothing may leave.
pub(crate) struct Bench {
    pub(crate) dir: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn target(&self) -> PathBuf {
        self.path("host/release")
    }

    /// Scans and unpacks the bytes, and insists that both say the same and that a failure leaves nothing behind.
    pub(crate) fn judge(&self, bytes: &[u8], limits: &Limits) -> Result<(Scanned, Unpacked), ArchiveError> {
        self.judge_packed("tar", Packing::Tar, bytes, limits)
    }

    pub(crate) fn judge_packed(
        &self,
        ending: &str,
        packing: Packing,
        bytes: &[u8],
        limits: &Limits,
    ) -> Result<(Scanned, Unpacked), ArchiveError> {
        let path = self.path(&format!("archive.{ending}"));
        std::fs::write(&path, bytes).unwrap();
        let _ = std::fs::remove_dir_all(self.path("host"));
        std::fs::create_dir(self.path("host")).unwrap();
        let scanned = scan(&path, limits);
        let unpacked = unpack(&path, packing, &Digest::of(bytes), &self.target(), limits);
        if unpacked.is_err() {
            let left: Vec<_> = std::fs::read_dir(self.path("host")).unwrap().collect();
            assert!(left.is_empty(), "left behind: {left:?}");
        }
        match (scanned, unpacked) {
            (Ok(scanned), Ok(unpacked)) => {
                assert_eq!(scanned.digest, Digest::of(bytes));
                assert_eq!(scanned.packed.0, bytes.len() as u64);
                assert_eq!(scanned.unpacked, unpacked.unpacked);
                assert_eq!(scanned.entries, unpacked.entries);
                Ok((scanned, unpacked))
            }
            (Err(scanned), Err(unpacked)) => {
                assert_eq!(scanned.to_string(), unpacked.to_string());
                Err(unpacked)
            }
            (scanned, unpacked) => panic!("the two disagree: {scanned:?}, {unpacked:?}"),
        }
    }

    /// Why the bytes are refused, as a person reads it.
    pub(crate) fn refusal(&self, bytes: &[u8]) -> String {
        match self.judge(bytes, &Limits::default()) {
            Ok(_) => panic!("it was taken: {:?}", contents(&self.target())),
            Err(error) => error.to_string(),
        }
    }
}

/// What is below a directory: path to `mode kind content`.
pub(crate) fn contents(dir: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut ahead = vec![dir.to_path_buf()];
    while let Some(path) = ahead.pop() {
        let meta = path.symlink_metadata().unwrap();
        let mode = meta.mode() & 0o7777;
        let described = if meta.is_dir() {
            ahead.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            format!("{mode:o} dir")
        } else if meta.is_symlink() {
            format!("-> {}", std::fs::read_link(&path).unwrap().as_os_str().as_bytes().escape_ascii())
        } else {
            format!("{mode:o} {}", std::fs::read(&path).unwrap().escape_ascii())
        };
        let name = path.strip_prefix(dir).unwrap().as_os_str().as_bytes().escape_ascii().to_string();
        found.insert(name, described);
    }
    found
}
