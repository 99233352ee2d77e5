//! Questions to Git, bounded in time and in what it may answer. A hook's environment is passed on: in `pre-receive` the
//! pushed objects are in quarantine, and only that environment leads there.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The most bytes of an answer.
const LONGEST: u64 = 32 << 20;
/// The most bytes of one line of an answer.
const LONGEST_LINE: u64 = 64 << 10;
/// The most bytes of a complaint.
const COMPLAINT: u64 = 4 << 10;

/// Why Git did not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum GitError {
    /// It said no.
    #[error("git {0}")]
    Failed(String),
    /// It took too long.
    #[error("git did not answer within {} s", PATIENCE.as_secs())]
    Late,
    /// It said too much.
    #[error("git answered with more than {} MiB", LONGEST >> 20)]
    TooMuch,
}

/// `git` with `words`, not yet started.
fn git(repository: Option<&Path>, words: &[&str]) -> Command {
    let mut command = Command::new("git");
    if let Some(repository) = repository {
        command.arg("-C").arg(repository);
    }
    command.args(words).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What `git` answers in `repository`, or in the one that this hook runs in.
pub(super) async fn ask(repository: Option<&Path>, words: &[&str], input: &str) -> Result<Vec<u8>, GitError> {
    let verb = words.iter().find(|word| !word.starts_with('-')).copied().unwrap_or("git");
    let unable = |error: std::io::Error| GitError::Failed(format!("{verb} cannot be run: {error}"));
    let mut child = git(repository, words).spawn().map_err(unable)?;
    feed(&mut child, input.to_owned());
    let mut output = Vec::new();
    let mut complaint = Vec::new();
    let mut streams = (child.stdout.take(), child.stderr.take());
    let work = async {
        let out = async {
            if let Some(stdout) = &mut streams.0 {
                stdout.take(LONGEST + 1).read_to_end(&mut output).await?;
            }
            Ok(())
        };
        let err = async {
            if let Some(stderr) = &mut streams.1 {
                stderr.take(COMPLAINT).read_to_end(&mut complaint).await?;
            }
            Ok::<_, std::io::Error>(())
        };
        tokio::try_join!(out, err)
    };
    tokio::time::timeout(PATIENCE, work).await.map_err(|_| GitError::Late)?.map_err(unable)?;
    if output.len() as u64 > LONGEST {
        return Err(GitError::TooMuch);
    }
    let ended = tokio::time::timeout(PATIENCE, child.wait()).await.map_err(|_| GitError::Late)?;
    if ended.map_err(unable)?.success() {
        return Ok(output);
    }
    let complaint = andon_core::legible::neutral(&complaint);
    Err(GitError::Failed(format!("{verb} says: {}", complaint.trim())))
}

/// What is larger than `most` among all that `revisions` bring: sizes and paths, at most `shown` of them.
pub(super) async fn larger_than(
    most: u64,
    revisions: &str,
    shown: usize,
) -> Result<Vec<(u64, String)>, GitError> {
    let unable = |error: std::io::Error| GitError::Failed(format!("rev-list cannot be run: {error}"));
    let listing = ["rev-list", "--objects", "--stdin"];
    let mut list = git(None, &listing);
    let mut list = list.stderr(Stdio::null()).spawn().map_err(unable)?;
    feed(&mut list, revisions.to_owned());
    let objects: Stdio = match list.stdout.take().map(TryInto::try_into) {
        Some(Ok(stdout)) => stdout,
        _ => return Err(GitError::Failed("rev-list says nothing".to_owned())),
    };
    let sizing = ["cat-file", "--batch-check=%(objecttype) %(objectsize) %(rest)", "--buffer"];
    let mut sizes = git(None, &sizing);
    let mut sizes = sizes.stdin(objects).stderr(Stdio::null()).spawn().map_err(unable)?;
    let Some(stdout) = sizes.stdout.take() else { return Ok(Vec::new()) };
    let work = async {
        let mut found = Vec::new();
        let mut lines = BufReader::new(stdout);
        loop {
            let mut line = Vec::new();
            let read = (&mut lines).take(LONGEST_LINE).read_until(b'\n', &mut line).await.map_err(unable)?;
            if read == 0 {
                break;
            }
            if found.len() < shown {
                found.extend(large_blob(&line, most));
            }
        }
        let (listed, sized) = (list.wait().await.map_err(unable)?, sizes.wait().await.map_err(unable)?);
        match listed.success() && sized.success() {
            true => Ok(found),
            false => Err(GitError::Failed("could not tell the sizes of what was pushed".to_owned())),
        }
    };
    tokio::time::timeout(PATIENCE, work).await.map_err(|_| GitError::Late)?
}

/// The size and the path of a file that is larger than `most`.
fn large_blob(line: &[u8], most: u64) -> Option<(u64, String)> {
    let text = String::from_utf8_lossy(line);
    let (size, path) = text.strip_prefix("blob ")?.split_once(' ')?;
    let size: u64 = size.parse().ok()?;
    (size > most).then(|| (size, path.trim_end().to_owned()))
}

/// Writes `input` beside whatever else happens: a full pipe must not stop both.
fn feed(child: &mut Child, input: String) {
    if let Some(mut stdin) = child.stdin.take() {
        tokio::spawn(async move {
            // One that reads no further has said why.
            let _ = stdin.write_all(input.as_bytes()).await;
        });
    }
}
