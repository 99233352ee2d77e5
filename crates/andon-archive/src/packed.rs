//! The packed bytes of an archive: which packing it is, its digest, and the tar stream inside.
//!
//! The digest covers every byte of the file, also those behind the end of the tar stream.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;

use andon_core::digest::Digest;
use andon_core::quantity::ByteSize;
use andon_core::release::Packing;

use crate::archive_error::ArchiveError;

/// Bytes that are read from the file at once.
const BUFFER: usize = 128 << 10;
/// The largest zstd window that is accepted, as a power of two: 128 MiB of memory.
const MAX_ZSTD_WINDOW_LOG: u32 = 27;

/// How the file at `path` is packed, by its name (`.tar`, `.tar.gz`, `.tgz`, `.tar.zst`).
///
/// `None` when the name says nothing, when the first bytes contradict it, or when the file cannot be read.
pub fn packing_of(path: &Path) -> Option<Packing> {
    let packing = named_packing(path)?;
    let mut start = [0; 512];
    let mut file = open(path).ok()?;
    let mut len = 0;
    while len < start.len() {
        match file.read(&mut start[len..]).ok()? {
            0 => break,
            n => len += n,
        }
    }
    matches_packing(&start[..len], packing).then_some(packing)
}

fn named_packing(path: &Path) -> Option<Packing> {
    let name = path.file_name()?.as_bytes();
    let ends = |suffix: &str| name.ends_with(suffix.as_bytes());
    if ends(".tar") {
        Some(Packing::Tar)
    } else if ends(".tar.gz") || ends(".tgz") {
        Some(Packing::TarGz)
    } else if ends(".tar.zst") {
        Some(Packing::TarZst)
    } else {
        None
    }
}

fn matches_packing(start: &[u8], packing: Packing) -> bool {
    let gzip = start.starts_with(&[0x1f, 0x8b]);
    // Either a frame, or a skippable frame as some parallel compressors put first.
    let zstd = match start {
        [0x28, 0xb5, 0x2f, 0xfd, ..] => true,
        [low, 0x2a, 0x4d, 0x18, ..] => low & 0xf0 == 0x50,
        _ => false,
    };
    match packing {
        Packing::TarGz => gzip,
        Packing::TarZst => zstd,
        // The oldest tar format has no magic number, so that only the contrary can be known.
        Packing::Tar => !gzip && !zstd,
    }
}

fn open(path: &Path) -> Result<File, ArchiveError> {
    let open = |path: &Path| -> io::Result<File> {
        use rustix::fs::{Mode, OFlags};
        // A fifo must not block the caller.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not a file")) }
    };
    open(path).map_err(|source| ArchiveError::io("open", path, source))
}

/// What is known of the packed bytes once all of them were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    pub(crate) digest: Digest,
    pub(crate) packed: ByteSize,
}

/// An archive that is being read: the tar stream comes out, the packed bytes are hashed on the way.
pub(crate) struct Packed {
    stream: Box<dyn Read>,
    source: Rc<RefCell<Hashing>>,
}

impl Packed {
    pub(crate) fn open(path: &Path, packing: Packing) -> Result<Self, ArchiveError> {
        let file = open(path)?;
        let source = Rc::new(RefCell::new(Hashing { file, hasher: blake3::Hasher::new(), len: 0 }));
        let bytes = BufReader::with_capacity(BUFFER, Shared(Rc::clone(&source)));
        let stream: Box<dyn Read> = match packing {
            Packing::Tar => Box::new(bytes),
            Packing::TarGz => Box::new(flate2::bufread::MultiGzDecoder::new(bytes)),
            Packing::TarZst => {
                let mut decoder =
                    zstd::stream::read::Decoder::with_buffer(bytes).map_err(ArchiveError::reading)?;
                decoder.window_log_max(MAX_ZSTD_WINDOW_LOG).map_err(ArchiveError::reading)?;
                Box::new(BufReader::with_capacity(BUFFER, decoder))
            }
        };
        Ok(Self { stream, source })
    }

    /// Reads what is left of the file, so that the digest covers all of it.
    pub(crate) fn fingerprint(self) -> Result<Fingerprint, ArchiveError> {
        let mut source = self.source.borrow_mut();
        let mut buffer = vec![0; BUFFER];
        while source.read(&mut buffer).map_err(ArchiveError::reading)? > 0 {}
        Ok(Fingerprint {
            digest: Digest::from_bytes(*source.hasher.finalize().as_bytes()),
            packed: ByteSize(source.len),
        })
    }
}

impl Read for Packed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.stream.read(into)
    }
}

struct Hashing {
    file: File,
    hasher: blake3::Hasher,
    len: u64,
}

impl Hashing {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.file.read(into) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(n) => {
                    self.hasher.update(&into[..n]);
                    self.len += n as u64;
                    return Ok(n);
                }
            }
        }
    }
}

/// The decompressor owns one end of the source, and [`Packed`] the other.
struct Shared(Rc<RefCell<Hashing>>);

impl Read for Shared {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.borrow_mut().read(into)
    }
}
