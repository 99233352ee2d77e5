//! The commits between two revisions, asked of `git` where the line lies in a repository. Bounded in number, size and time;
//! what commits say is text.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use andon_core::release::Revision;
use andon_page::release_diff::Commits;
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use crate::revision;

/// Commits that are named in each direction.
const MOST: usize = 200;
/// What is read of what `git` says, in bytes.
const MOST_READ: u64 = 1 << 20;
/// A repository on a slow disk holds nobody up.
const PATIENCE: Duration = Duration::from_secs(5);

/// The commits of `to` that `from` has not, and the other way round, in the repository around `dir`.
///
/// # Errors
/// Why they are not known: a sentence without its end.
pub(crate) async fn between(
    dir: &Path,
    from: Option<&Revision>,
    to: Option<&Revision>,
) -> Result<Commits, String> {
    let unmade = "it is not known which commit one of the releases was made from";
    let (Some(from), Some(to)) = (from, to) else { return Err(unmade.to_owned()) };
    for revision in [from, to] {
        let commit = &revision.commit;
        if !(4..=64).contains(&commit.len()) || !commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err("one of the releases names no commit of git".to_owned());
        }
    }
    let ahead = log(dir, &from.commit, &to.commit).await?;
    let behind = log(dir, &to.commit, &from.commit).await?;
    let more = ahead.len() > MOST || behind.len() > MOST;
    let some = |commits: Vec<Revision>| commits.into_iter().take(MOST).collect();
    Ok(Commits { ahead: some(ahead), behind: some(behind), more })
}

/// The commits of `to` that `from` has not, the newest first.
async fn log(dir: &Path, from: &str, to: &str) -> Result<Vec<Revision>, String> {
    let mut git = Command::new("git");
    crate::secrets::withhold(&mut git);
    git.arg("-C").arg(dir).args(["log", "--no-show-signature", revision::FORMAT]);
    git.arg(format!("--max-count={}", MOST + 1)).arg(format!("{from}..{to}")).arg("--");
    git.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let absent = |error: std::io::Error| format!("git could not be asked: {error}");
    let asked = async {
        let mut child = git.spawn().map_err(absent)?;
        let (mut said, mut complained) = (Vec::new(), Vec::new());
        if let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) {
            let (mut out, mut err) = (out.take(MOST_READ), err.take(4096));
            let (out, err) = tokio::join!(out.read_to_end(&mut said), err.read_to_end(&mut complained));
            out.and(err).map_err(absent)?;
        }
        let status = child.wait().await.map_err(absent)?;
        Ok::<_, String>((status.success(), said, complained))
    };
    let slow = |_| format!("git did not answer within {} s", PATIENCE.as_secs());
    let (well, said, complained) = tokio::time::timeout(PATIENCE, asked).await.map_err(slow)??;
    if !well {
        return Err(why(&String::from_utf8_lossy(&complained), dir));
    }
    Ok(String::from_utf8_lossy(&said).lines().filter_map(revision::parse).collect())
}

/// What `git` complains of, in words.
fn why(complaint: &str, dir: &Path) -> String {
    let complaint = complaint.to_lowercase();
    if complaint.contains("not a git repository") {
        return format!("the line lies in no repository of git ({})", dir.display());
    }
    if complaint.contains("unknown revision") || complaint.contains("bad revision") {
        return "the repository of the line does not have both commits; a shallow copy, or another branch?".to_owned();
    }
    let first: String = complaint.lines().next().unwrap_or("git failed").chars().take(200).collect();
    format!("git says: {}", andon_core::legible::neutral(first.as_bytes()))
}

#[cfg(test)]
mod tests {
    use andon_core::time::Time;

    use super::*;

    fn git(dir: &Path, words: &[&str]) -> String {
        let mut git = std::process::Command::new(andon_testbed::program::find("git").unwrap());
        git.arg("-C").arg(dir).args(["-c", "user.name=Ana", "-c", "user.email=ana@example.com"]).args(words);
        let done = git.output().unwrap();
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    fn revision(commit: &str) -> Revision {
        let (subject, author) = (String::new(), String::new());
        Revision { commit: commit.to_owned(), subject, author, email: None, at: Time(0) }
    }

    #[tokio::test]
    async fn commits_between_two_are_named_in_both_directions_and_stay_text() {
        let dir = tempfile::tempdir().unwrap();
        git(dir.path(), &["init", "-q"]);
        let mut made = Vec::new();
        for subject in ["one", "two <script>alert(1)</script>", "three \u{202e}evil"] {
            git(dir.path(), &["commit", "-q", "--allow-empty", "-m", subject]);
            made.push(revision(&git(dir.path(), &["rev-parse", "--short", "HEAD"])));
        }
        let commits = between(dir.path(), Some(&made[0]), Some(&made[2])).await.unwrap();
        let subjects: Vec<&str> = commits.ahead.iter().map(|commit| commit.subject.as_str()).collect();
        assert_eq!(subjects, ["three evil", "two <script>alert(1)</script>"]);
        assert!(commits.behind.is_empty() && !commits.more);
        let back = between(dir.path(), Some(&made[2]), Some(&made[0])).await.unwrap();
        assert_eq!((back.ahead.len(), back.behind.len()), (0, 2));
        let unknown = between(dir.path(), Some(&made[0]), Some(&revision("abcdef0"))).await.unwrap_err();
        assert!(unknown.contains("does not have both commits"), "{unknown}");
    }

    #[tokio::test]
    async fn what_is_no_commit_is_not_given_to_git_and_an_absent_repository_is_said() {
        let dir = tempfile::tempdir().unwrap();
        for hostile in ["--output=/tmp/x", "HEAD", "", "abc", "4c1d9e2;x", &"a".repeat(65)] {
            let refused = between(dir.path(), Some(&revision(hostile)), Some(&revision("4c1d9e2"))).await;
            assert!(refused.unwrap_err().contains("no commit"), "{hostile}");
        }
        let absent = between(dir.path(), Some(&revision("4c1d9e2")), Some(&revision("4c1d9e3"))).await;
        assert!(absent.unwrap_err().contains("no repository"));
        assert!(between(dir.path(), None, Some(&revision("4c1d9e2"))).await.is_err());
    }
}
