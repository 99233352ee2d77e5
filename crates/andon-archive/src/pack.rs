//! Packs a directory as `.tar.zst` so that equal content gives equal bytes.
//!
//! Entries are sorted by name and carry no times and no owners; of a mode only "may be executed" is kept.
//! What the policy would refuse on a host is not packed either.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use andon_core::digest::Digest;
use andon_core::quantity::ByteSize;
use andon_core::release::Packing;

use crate::archive_error::ArchiveError;
use crate::legible::legible;
use crate::policy::{Limits, Member, MemberKind, Policy, Refusal};
use crate::scan::Scanned;

/// Releases are packed once and sent to many hosts, so some time is worth it. Part of what makes the digest.
const ZSTD_LEVEL: i32 = 9;

/// Packs the directory `dir` into the file `target`, which appears only when it is complete and on disk. A file
/// that was there is replaced.
pub fn pack(dir: &Path, target: &Path, limits: &Limits) -> Result<Scanned, ArchiveError> {
    refuse_target_inside(dir, target)?;
    let unfinished = Unfinished::new(target);
    let file = File::create(&unfinished.path)
        .map_err(|error| ArchiveError::io("create", &unfinished.path, error))?;
    let cannot_write = |error| ArchiveError::io("write", &unfinished.path, error);
    let hashing = Hashing { file: BufWriter::new(file), hasher: blake3::Hasher::new(), len: 0 };
    let mut encoder = zstd::stream::write::Encoder::new(hashing, ZSTD_LEVEL).map_err(cannot_write)?;
    encoder.include_checksum(true).map_err(cannot_write)?;

    let mut packer = Packer {
        tar: tar::Builder::new(encoder),
        policy: Policy::new(*limits),
        dir: dir.to_path_buf(),
        archive: unfinished.path.clone(),
    };
    packer.directory(b"")?;
    let totals = packer.policy.finish().map_err(|(path, refusal)| ArchiveError::refused(&path, refusal))?;
    if totals.files == 0 {
        return Err(ArchiveError::Empty);
    }

    let encoder = packer.tar.into_inner().map_err(cannot_write)?;
    let hashing = encoder.finish().map_err(cannot_write)?;
    let digest = Digest::from_bytes(*hashing.hasher.finalize().as_bytes());
    let packed = ByteSize(hashing.len);
    let file = hashing.file.into_inner().map_err(|error| cannot_write(error.into_error()))?;
    file.sync_all().map_err(cannot_write)?;
    unfinished.rename_to(target)?;
    Ok(Scanned {
        digest,
        packing: Packing::TarZst,
        packed,
        unpacked: totals.unpacked,
        entries: totals.entries,
    })
}

fn refuse_target_inside(dir: &Path, target: &Path) -> Result<(), ArchiveError> {
    let real_dir = dir.canonicalize().map_err(|error| ArchiveError::io("open", dir, error))?;
    let parent = parent_of(target);
    let real_parent = parent.canonicalize().map_err(|error| ArchiveError::io("open", parent, error))?;
    if real_parent.starts_with(&real_dir) {
        return Err(ArchiveError::TargetInside { target: target.to_path_buf(), dir: dir.to_path_buf() });
    }
    Ok(())
}

fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Walks a directory in order and writes what the policy admits.
struct Packer<W: Write> {
    tar: tar::Builder<W>,
    policy: Policy,
    dir: PathBuf,
    archive: PathBuf,
}

impl<W: Write> Packer<W> {
    /// Packs what is in the directory at `path`, which is relative to the root. Its depth is bounded by the policy.
    fn directory(&mut self, path: &[u8]) -> Result<(), ArchiveError> {
        let real = self.real(path);
        let cannot_read = |error| ArchiveError::io("read", &real, error);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&real).map_err(cannot_read)? {
            names.push(entry.map_err(cannot_read)?.file_name().into_vec());
        }
        names.sort_unstable();
        for name in names {
            let child = if path.is_empty() { name } else { [path, b"/".as_slice(), &name].concat() };
            self.entry(child)?;
        }
        Ok(())
    }

    fn entry(&mut self, path: Vec<u8>) -> Result<(), ArchiveError> {
        let real = self.real(&path);
        let meta = real.symlink_metadata().map_err(|error| ArchiveError::io("read", &real, error))?;
        let kind = meta.file_type();
        if kind.is_dir() {
            let member = self.admit(Member { path, mode: 0o755, kind: MemberKind::Directory })?;
            self.append(b'5', &member, 0, &[], &mut io::empty())?;
            self.directory(&member.path)
        } else if kind.is_file() {
            self.file(path, &real)
        } else if kind.is_symlink() {
            let target = std::fs::read_link(&real)
                .map_err(|error| ArchiveError::io("read", &real, error))?
                .into_os_string()
                .into_vec();
            let member = Member { path, mode: 0o777, kind: MemberKind::Symlink { target: target.clone() } };
            let member = self.admit(member)?;
            self.append(b'2', &member, 0, &target, &mut io::empty())
        } else {
            Err(ArchiveError::refused(&path, Refusal::Special("a device node, fifo or socket")))
        }
    }

    fn file(&mut self, path: Vec<u8>, real: &Path) -> Result<(), ArchiveError> {
        use rustix::fs::{Mode, OFlags};
        let cannot_read = |error: io::Error| ArchiveError::io("read", real, error);
        // It was a file a moment ago. Should it have become a link or a fifo, neither is followed or waited for.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened =
            rustix::fs::open(real, flags, Mode::empty()).map_err(|error| cannot_read(error.into()))?;
        let mut file = File::from(opened);
        let meta = file.metadata().map_err(cannot_read)?;
        let changed = || ArchiveError::Changed { path: legible(real.as_os_str().as_bytes()) };
        if !meta.is_file() {
            return Err(changed());
        }
        let executable = if meta.mode() & 0o111 == 0 { 0o644 } else { 0o755 };
        let set_id = meta.mode() & 0o6000;
        let size = meta.len();
        let member =
            self.admit(Member { path, mode: executable | set_id, kind: MemberKind::File { size } })?;
        let mut content = Exactly { file: &mut file, left: size, changed: false, failure: None };
        let appended = self.append(b'0', &member, size, &[], &mut content);
        if let Some(error) = content.failure {
            return Err(cannot_read(error));
        }
        if content.changed {
            return Err(changed());
        }
        appended
    }

    fn admit(&mut self, member: Member) -> Result<Member, ArchiveError> {
        self.policy.admit(&member).map_err(|refusal| ArchiveError::refused(&member.path, refusal))?;
        Ok(member)
    }

    fn append(
        &mut self,
        kind: u8,
        member: &Member,
        size: u64,
        target: &[u8],
        content: &mut dyn Read,
    ) -> Result<(), ArchiveError> {
        let mut header = tar::Header::new_gnu();
        header.set_mode(member.mode);
        header.set_size(size);
        header.set_entry_type(tar::EntryType::new(kind));
        let old = header.as_old_mut();
        fill_name(&mut old.linkname, target);
        fill_name(&mut old.name, &member.path);
        header.set_cksum();
        let archive = &self.archive;
        let cannot_write = |error| ArchiveError::io("write", archive, error);
        append_long(&mut self.tar, b'K', target).map_err(cannot_write)?;
        append_long(&mut self.tar, b'L', &member.path).map_err(cannot_write)?;
        self.tar.append(&header, content).map_err(cannot_write)
    }

    fn real(&self, path: &[u8]) -> PathBuf {
        self.dir.join(std::ffi::OsStr::from_bytes(path))
    }
}

/// Writes a name into a header's field, as far as it fits; [`append_long`] carries the rest.
fn fill_name(field: &mut [u8; 100], name: &[u8]) {
    let len = name.len().min(field.len());
    field.fill(0);
    field[..len].copy_from_slice(&name[..len]);
}

/// Writes a GNU header for a name, if it is too long for the header which follows.
fn append_long<W: Write>(tar: &mut tar::Builder<W>, kind: u8, name: &[u8]) -> io::Result<()> {
    if name.len() <= 100 {
        return Ok(());
    }
    let mut header = tar::Header::new_gnu();
    fill_name(&mut header.as_old_mut().name, b"././@LongLink");
    header.set_mode(0o644);
    header.set_size(name.len() as u64 + 1);
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_cksum();
    tar.append(&header, name.chain(&b"\0"[..]))
}

/// Gives exactly as many bytes of a file as it had when it was opened, and notes when it has fewer or more.
struct Exactly<'a> {
    file: &'a mut File,
    left: u64,
    changed: bool,
    failure: Option<io::Error>,
}

impl Read for Exactly<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = if self.left == 0 {
            self.file.read(&mut [0]).map(|more| {
                self.changed |= more > 0;
                0
            })
        } else {
            let want = usize::try_from(self.left).unwrap_or(usize::MAX).min(into.len());
            self.file.read(&mut into[..want]).inspect(|n| {
                self.left -= *n as u64;
                self.changed |= *n == 0;
            })
        };
        read.map_err(|error| {
            let copy = io::Error::from(error.kind());
            self.failure = Some(error);
            copy
        })
    }
}

/// Hashes what is written to the archive.
struct Hashing<W> {
    file: W,
    hasher: blake3::Hasher,
    len: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.hasher.update(&bytes[..n]);
        self.len += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The archive under a temporary name beside its target. Removed unless it is renamed.
struct Unfinished {
    path: PathBuf,
}

impl Unfinished {
    fn new(target: &Path) -> Self {
        let mut name = std::ffi::OsString::from(".");
        name.push(target.file_name().unwrap_or_default());
        name.push(format!(".{}.part", std::process::id()));
        Self { path: target.with_file_name(name) }
    }

    fn rename_to(self, target: &Path) -> Result<(), ArchiveError> {
        let rename = || {
            std::fs::rename(&self.path, target)?;
            File::open(parent_of(target))?.sync_all()
        };
        rename().map_err(|error| ArchiveError::io("write", target, error))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Gone already when the archive was renamed.
        let _ = std::fs::remove_file(&self.path);
    }
}
