//! The commits between two releases, in both directions, asked of `git` where the line lies in a repository.

use std::path::Path;

use andon_core::release::Revision;
use andon_page::release_diff::Commits;

use crate::revision;

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
    let ahead = revision::between(dir, Some(&from.commit), &to.commit);
    let behind = revision::between(dir, Some(&to.commit), &from.commit);
    let (ahead, behind) = tokio::join!(ahead, behind);
    let (ahead, behind) = (ahead?, behind?);
    let more = ahead.len() >= revision::MOST || behind.len() >= revision::MOST;
    Ok(Commits { ahead, behind, more })
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
        assert!(unknown.contains("no repository here has these commits"), "{unknown}");
    }

    #[tokio::test]
    async fn what_is_no_commit_is_not_given_to_git_and_an_absent_repository_is_said() {
        let dir = tempfile::tempdir().unwrap();
        for hostile in ["--output=/tmp/x", "HEAD", "", "abc", "4c1d9e2;x", &"a".repeat(65)] {
            let refused = between(dir.path(), Some(&revision(hostile)), Some(&revision("4c1d9e2"))).await;
            assert!(refused.unwrap_err().contains("do not say of which commits"), "{hostile}");
        }
        let absent = between(dir.path(), Some(&revision("4c1d9e2")), Some(&revision("4c1d9e3"))).await;
        assert!(absent.unwrap_err().contains("no repository here"));
        assert!(between(dir.path(), None, Some(&revision("4c1d9e2"))).await.is_err());
    }
}
