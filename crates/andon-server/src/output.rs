//! What steps print, kept beside the ledger: one file for each host of a deployment, bounded.

use std::path::Path;

use andon_core::host::Token;
use andon_core::masking::{Mask, MaskedStream};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

/// The most that is kept of one step, in bytes. The host bounds its own copy as well.
const MAX_KEPT: u64 = 16 << 20;

/// The output of one step, on its way to a file. Losing it never fails a step: it is for people.
#[derive(Debug)]
pub(crate) struct OutputFile {
    file: Option<File>,
    known: u64,
    written: u64,
    masked: MaskedStream,
}

impl OutputFile {
    /// Appends to `path`, below a line that names the step. What `mask` hides is not written.
    pub(crate) async fn open(path: Option<&Path>, token: &Token, mask: Mask) -> Self {
        let mut file = None;
        if let Some(path) = path {
            if let Some(dir) = path.parent() {
                let _ = tokio::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).await;
            }
            let mut options = tokio::fs::OpenOptions::new();
            file = options.create(true).append(true).mode(0o600).open(path).await.ok();
        }
        if let Some(file) = &mut file {
            let _ = file.write_all(format!("── {token}\n").as_bytes()).await;
        }
        Self { file, known: 0, written: 0, masked: MaskedStream::new(mask) }
    }

    /// Bytes that need not be sent again.
    pub(crate) fn known(&self) -> u64 {
        self.known
    }

    /// Adds a piece that begins at `offset` of the whole output.
    pub(crate) async fn add(&mut self, offset: u64, bytes: &[u8]) {
        let end = offset.saturating_add(bytes.len() as u64);
        // A host may claim any offset: what is known already is not written again, and the sum is bounded.
        let repeated = usize::try_from(self.known.saturating_sub(offset)).unwrap_or(usize::MAX);
        let fresh = bytes.get(repeated..).unwrap_or_default();
        let fresh = self.masked.push(fresh);
        self.write(&fresh).await;
        self.known = self.known.max(end);
    }

    async fn write(&mut self, bytes: &[u8]) {
        let room = usize::try_from(MAX_KEPT.saturating_sub(self.written)).unwrap_or(usize::MAX);
        let kept = bytes.get(..room).unwrap_or(bytes);
        if let Some(file) = self.file.as_mut().filter(|_| !kept.is_empty()) {
            let _ = file.write_all(kept).await;
            self.written += kept.len() as u64;
        }
    }

    /// Ends the last line, so that the next step begins on its own.
    pub(crate) async fn finish(mut self) {
        let rest = self.masked.finish();
        self.write(&rest).await;
        if let Some(file) = &mut self.file {
            let _ = file.flush().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_host_that_lies_about_offsets_does_not_fill_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("output/web1.log");
        let token = Token::try_from("d1.f1.web1.verify.1".to_owned()).unwrap();
        let mut output = OutputFile::open(Some(&path), &token, Mask::default()).await;
        let piece = vec![b'x'; 256 << 10];
        // Each claims to bring one new byte, then each claims to be far behind the last.
        for round in 0..100 {
            output.add(round, &piece).await;
        }
        for round in 0..100 {
            output.add(round << 40, &piece).await;
        }
        output.add(u64::MAX, &piece).await;
        output.finish().await;
        let length = std::fs::metadata(&path).unwrap().len();
        assert!(length > MAX_KEPT && length < MAX_KEPT + 100, "{length}");
    }
}
