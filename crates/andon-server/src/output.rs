//! What steps print, kept beside the ledger: one file for each host of a deployment, bounded.

use std::path::Path;

use andon_core::host::Token;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

/// The most that is kept of one step, in bytes. The host bounds its own copy as well.
const MAX_KEPT: u64 = 16 << 20;

/// The output of one step, on its way to a file. Losing it never fails a step: it is for people.
#[derive(Debug)]
pub(crate) struct OutputFile {
    file: Option<File>,
    known: u64,
}

impl OutputFile {
    /// Appends to `path`, below a line that names the step.
    pub(crate) async fn open(path: Option<&Path>, token: &Token) -> Self {
        let Some(path) = path else { return Self { file: None, known: 0 } };
        if let Some(dir) = path.parent() {
            let _ = tokio::fs::create_dir_all(dir).await;
        }
        let mut file = tokio::fs::OpenOptions::new().create(true).append(true).open(path).await.ok();
        if let Some(file) = &mut file {
            let _ = file.write_all(format!("── {token}\n").as_bytes()).await;
        }
        Self { file, known: 0 }
    }

    /// Bytes that need not be sent again.
    pub(crate) fn known(&self) -> u64 {
        self.known
    }

    /// Adds a piece that begins at `offset` of the whole output.
    pub(crate) async fn add(&mut self, offset: u64, bytes: &[u8]) {
        let end = offset.saturating_add(bytes.len() as u64);
        if let Some(file) = &mut self.file
            && offset < MAX_KEPT
            && end > self.known
        {
            let _ = file.write_all(bytes).await;
        }
        self.known = self.known.max(end);
    }

    /// Ends the last line, so that the next step begins on its own.
    pub(crate) async fn finish(mut self) {
        if let Some(file) = &mut self.file {
            let _ = file.flush().await;
        }
    }
}
