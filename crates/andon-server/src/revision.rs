//! The commit that a release was made from, asked of `git` where the line lies in a repository.

use std::path::Path;
use std::time::Duration;

use andon_core::legible::is_formatting;
use andon_core::release::Revision;
use andon_core::time::Time;
use tokio::process::Command;

/// A repository on a slow disk must not hold a deployment up.
const PATIENCE: Duration = Duration::from_secs(5);

/// The commit at `HEAD` of the repository around `dir`; `None` without a repository, without `git`, or in doubt.
pub async fn head(dir: &Path) -> Option<Revision> {
    let format = "--format=%h%x00%s%x00%an%x00%ct%x00%ae";
    let mut git = Command::new("git");
    crate::secrets::withhold(&mut git);
    git.arg("-C").arg(dir).args(["log", "-1", "--no-show-signature", format]).kill_on_drop(true);
    git.stdin(std::process::Stdio::null());
    let output = tokio::time::timeout(PATIENCE, git.output()).await.ok()?.ok()?;
    if !output.status.success() {
        return None;
    }
    parse(&String::from_utf8_lossy(&output.stdout))
}

/// Commits of one answer at most.
pub const MOST: usize = 100;

/// The commits that `to` has and `from` has not, the newest first, at most [`MOST`]; without `from`, the newest of `to`.
///
/// # Errors
/// Why they are not known, in one sentence: there is no repository around `dir`, or it does not have these commits.
pub async fn between(dir: &Path, from: Option<&str>, to: &str) -> Result<Vec<Revision>, String> {
    let hex =
        |commit: &str| (4..=64).contains(&commit.len()) && commit.bytes().all(|b| b.is_ascii_hexdigit());
    if !hex(to) || from.is_some_and(|from| !hex(from)) {
        return Err("the releases do not say of which commits they were made".to_owned());
    }
    let range = from.map_or_else(|| to.to_owned(), |from| format!("{from}..{to}"));
    let mut git = Command::new("git");
    crate::secrets::withhold(&mut git);
    git.arg("-C").arg(dir).args(["log", "-z", "--no-show-signature", &format!("--max-count={MOST}")]);
    git.args(["--format=%h%x00%s%x00%an%x00%ct%x00%ae", "--end-of-options", &range, "--"]).kill_on_drop(true);
    git.stdin(std::process::Stdio::null());
    let answer = tokio::time::timeout(PATIENCE, git.output()).await;
    let output = answer
        .map_err(|_| format!("git did not answer within {} s", PATIENCE.as_secs()))?
        .map_err(|error| format!("git could not be started: {error}"))?;
    if !output.status.success() {
        return Err("no repository here has these commits".to_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let fields: Vec<&str> = text.split('\0').collect();
    Ok(fields.chunks(5).filter_map(|fields| parse(&fields.join("\0"))).collect())
}

fn parse(text: &str) -> Option<Revision> {
    let mut fields = text.trim_end().split('\0');
    let mut next = || fields.next().map(clean);
    let (commit, subject, author): (String, String, String) = (next()?, next()?, next()?);
    let seconds: i64 = next()?.parse::<i64>().ok()?;
    let email = next();
    cleaned(Revision { commit, subject, author, email, at: Time(seconds.saturating_mul(1000)) })
}

/// The same commit with short texts that cannot write to a terminal, whoever told of it; `None` when it has no name.
pub(crate) fn cleaned(told: Revision) -> Option<Revision> {
    let (commit, subject, author) = (clean(&told.commit), clean(&told.subject), clean(&told.author));
    let email = told.email.as_deref().map(clean).filter(|email| !email.is_empty());
    let known = !commit.is_empty();
    known.then_some(Revision { commit, subject, author, email, at: told.at })
}

fn clean(field: &str) -> String {
    field.chars().filter(|c| !c.is_control() && !is_formatting(*c)).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_read_and_its_text_cannot_write_to_the_terminal() {
        let revision =
            parse("4c1d9e2\x00checkout: \u{1b}[31m\u{202e}retry\x00ana\x001700000000\x00ana@example.com\n")
                .unwrap();
        assert_eq!(revision.subject, "checkout: [31mretry");
        assert_eq!(revision.email.as_deref(), Some("ana@example.com"));
        assert_eq!(revision.at, Time(1_700_000_000_000));
        assert_eq!(parse(""), None);
    }

    #[test]
    fn a_commit_that_a_program_tells_of_is_held_to_the_same() {
        let told = |commit: &str| Revision {
            commit: commit.into(),
            subject: "x".repeat(100_000),
            author: "a\u{1b}[2Jna".into(),
            email: Some("\u{202e}".into()),
            at: Time(7),
        };
        let revision = cleaned(told("4c1d\n9e2")).unwrap();
        assert_eq!((revision.commit.as_str(), revision.author.as_str()), ("4c1d9e2", "a[2Jna"));
        assert_eq!((revision.subject.len(), revision.email, revision.at), (200, None, Time(7)));
        assert_eq!(cleaned(told("\u{7}")), None);
    }

    fn git(dir: &Path, words: &[&str]) {
        let git = andon_testbed::program::find("git").unwrap();
        let mut git = std::process::Command::new(git);
        git.arg("-C")
            .arg(dir)
            .args(["-c", "user.name=Ana <b>", "-c", "user.email=ana@example.com"])
            .args(words);
        assert!(git.output().unwrap().status.success(), "{words:?}");
    }

    #[tokio::test]
    async fn the_commits_between_two_releases_are_those_of_the_second_alone() {
        let dir = tempfile::tempdir().unwrap();
        git(dir.path(), &["init", "--quiet"]);
        let mut commits = Vec::new();
        for subject in ["one", "two", "--output=x"] {
            git(dir.path(), &["commit", "--quiet", "--allow-empty", "-m", subject]);
            commits.push(head(dir.path()).await.unwrap().commit);
        }
        let told = between(dir.path(), Some(&commits[0]), &commits[2]).await.unwrap();
        let subjects: Vec<&str> = told.iter().map(|commit| commit.subject.as_str()).collect();
        assert_eq!(subjects, ["--output=x", "two"]);
        assert_eq!(told[0].author, "Ana b", "git has no angle brackets in names");
        assert_eq!(between(dir.path(), None, &commits[2]).await.unwrap().len(), 3);
        assert!(
            between(dir.path(), Some("--output=x"), &commits[2]).await.unwrap_err().contains("do not say")
        );
        assert!(
            between(dir.path(), Some("0123456"), &commits[2]).await.unwrap_err().contains("no repository")
        );
        let empty = tempfile::tempdir().unwrap();
        assert!(between(empty.path(), None, &commits[0]).await.is_err());
    }
}
