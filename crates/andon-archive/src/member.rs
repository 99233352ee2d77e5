//! Reads a tar stream member by member: POSIX, GNU and the old format, with long names and PAX records.
//!
//! It reads strictly and in bounded memory. It does not judge paths: that is the policy's part. What tools
//! are known to read differently is refused here, since nobody could say what such an archive holds.

mod extension;

use std::io::{self, Read};

use crate::archive_error::ArchiveError;
use crate::policy::{Limits, Member, MemberKind, Refusal};
use extension::Extensions;

const BLOCK: usize = 512;
/// The most zero bytes behind the end: tar pads to records, which are 10 KiB and seldom up to 1 MiB.
const MAX_PADDING: u64 = 2 << 20;

/// The members of a tar stream. After each [`Members::next`], [`Members::read_data`] gives its content.
pub(crate) struct Members<R> {
    stream: R,
    limits: Limits,
    /// Bytes of the current member's content that have not been read.
    remaining: u64,
    /// Zero bytes that follow its content up to the next block.
    padding: usize,
    /// Headers read so far, extensions included: they cost time even when they describe nothing.
    headers: u64,
}

impl<R: Read> Members<R> {
    pub(crate) fn new(stream: R, limits: Limits) -> Self {
        Self { stream, limits, remaining: 0, padding: 0, headers: 0 }
    }

    /// The stream, wherever it stands.
    pub(crate) fn into_inner(self) -> R {
        self.stream
    }

    /// The next member, or `None` when the archive ended as it should and nothing follows.
    pub(crate) fn next(&mut self) -> Result<Option<Member>, ArchiveError> {
        self.skip_data()?;
        let mut extensions = Extensions::default();
        loop {
            let Some(header) = self.header()? else {
                return if extensions.is_empty() { Ok(None) } else { Err(ArchiveError::Truncated) };
            };
            let size = header.entry_size().map_err(ArchiveError::reading)?;
            let kind = header.entry_type().as_byte();
            match kind {
                b'L' | b'K' | b'x' | b'g' => {
                    self.headers += 1;
                    let over = Refusal::TooManyEntries(self.limits.entries);
                    if self.headers > self.limits.entries.saturating_mul(4) {
                        return Err(ArchiveError::refused(&header.path_bytes(), over));
                    }
                    let data = self.extension_data(&header, size)?;
                    extensions
                        .add(kind, data)
                        .map_err(|refusal| ArchiveError::refused(&header.path_bytes(), refusal))?;
                }
                _ => return self.member(&header, kind, size, extensions).map(Some),
            }
        }
    }

    /// Reads content of the current member; 0 at its end.
    pub(crate) fn read_data(&mut self, into: &mut [u8]) -> Result<usize, ArchiveError> {
        let want = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(into.len());
        if want == 0 {
            return Ok(0);
        }
        let n = self.read(&mut into[..want])?;
        if n == 0 {
            return Err(ArchiveError::Truncated);
        }
        self.remaining -= n as u64;
        Ok(n)
    }

    fn skip_data(&mut self) -> Result<(), ArchiveError> {
        let mut buffer = [0; 32 << 10];
        while self.read_data(&mut buffer)? > 0 {}
        let padding = std::mem::take(&mut self.padding);
        self.fill(&mut buffer[..padding])
    }

    /// The next header, or `None` at the end: two blocks of zeros, then nothing but zeros.
    fn header(&mut self) -> Result<Option<tar::Header>, ArchiveError> {
        let mut header = tar::Header::new_old();
        self.fill(header.as_mut_bytes())?;
        if is_zero(header.as_bytes()) {
            self.end()?;
            return Ok(None);
        }
        let stated = header.cksum().map_err(ArchiveError::reading)?;
        let bytes = header.as_bytes();
        let actual: u32 = bytes[..148].iter().chain(&bytes[156..]).map(|b| u32::from(*b)).sum::<u32>()
            + 8 * u32::from(b' ');
        if stated != actual {
            return Err(ArchiveError::Corrupt("a header's checksum is wrong".to_owned()));
        }
        Ok(Some(header))
    }

    fn end(&mut self) -> Result<(), ArchiveError> {
        let mut block = [0; BLOCK];
        self.fill(&mut block)?;
        let mut trailing: u64 = 0;
        let mut buffer = [0; 32 << 10];
        let mut all_zero = is_zero(&block);
        while all_zero {
            let n = self.read(&mut buffer)?;
            if n == 0 {
                return Ok(());
            }
            trailing += n as u64;
            all_zero = is_zero(&buffer[..n]) && trailing <= MAX_PADDING;
        }
        Err(ArchiveError::Corrupt("something follows its end".to_owned()))
    }

    fn extension_data(&mut self, header: &tar::Header, size: u64) -> Result<Vec<u8>, ArchiveError> {
        if size > extension::MAX_LEN {
            let refusal = Refusal::PathTooLong(self.limits.path_len);
            return Err(ArchiveError::refused(&header.path_bytes(), refusal));
        }
        self.begin_data(size);
        let mut data = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            match self.read_data(&mut buffer)? {
                0 => break,
                n => data.extend_from_slice(&buffer[..n]),
            }
        }
        self.skip_data()?;
        Ok(data)
    }

    fn begin_data(&mut self, size: u64) {
        self.remaining = size;
        self.padding = usize::try_from(size.wrapping_neg() % BLOCK as u64).unwrap_or(0);
    }

    fn member(
        &mut self,
        header: &tar::Header,
        kind: u8,
        size: u64,
        extensions: Extensions,
    ) -> Result<Member, ArchiveError> {
        let size = extensions.size.unwrap_or(size);
        let path = extensions.path.unwrap_or_else(|| header.path_bytes().into_owned());
        let target = extensions
            .link_path
            .or_else(|| header.link_name_bytes().map(|name| name.into_owned()))
            .unwrap_or_default();
        let refused = |refusal| ArchiveError::refused(&path, refusal);
        if extensions.sparse {
            return Err(refused(Refusal::Sparse));
        }
        let mode = header.mode().map_err(ArchiveError::reading)?;
        let kind = member_kind(kind, size, &path, target).map_err(refused)?;
        if size != 0 && !matches!(kind, MemberKind::File { .. }) {
            return Err(refused(Refusal::UnexpectedData));
        }
        self.begin_data(size);
        Ok(Member { path, mode, kind })
    }

    /// Reads exactly as many bytes as `into` takes.
    fn fill(&mut self, mut into: &mut [u8]) -> Result<(), ArchiveError> {
        while !into.is_empty() {
            let n = self.read(into)?;
            if n == 0 {
                return Err(ArchiveError::Truncated);
            }
            into = &mut into[n..];
        }
        Ok(())
    }

    fn read(&mut self, into: &mut [u8]) -> Result<usize, ArchiveError> {
        loop {
            match self.stream.read(into) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other.map_err(ArchiveError::reading),
            }
        }
    }
}

fn member_kind(kind: u8, size: u64, path: &[u8], target: Vec<u8>) -> Result<MemberKind, Refusal> {
    Ok(match kind {
        // The oldest format has no directories of their own: a slash at the end of the name makes one.
        b'0' | b'\0' if path.ends_with(b"/") => MemberKind::Directory,
        b'0' | b'\0' | b'7' => MemberKind::File { size },
        b'1' => MemberKind::HardLink { original: target },
        b'2' => MemberKind::Symlink { target },
        b'3' | b'4' => return Err(Refusal::Special("a device node")),
        b'5' => MemberKind::Directory,
        b'6' => return Err(Refusal::Special("a fifo")),
        b'S' => return Err(Refusal::Sparse),
        b'M' => return Err(Refusal::Special("the rest of a file from another volume")),
        _ => return Err(Refusal::Special("of a kind that is not known")),
    })
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|b| *b == 0)
}
