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

fn parse(text: &str) -> Option<Revision> {
    let mut fields = text.trim_end().split('\0');
    let mut next = || {
        fields
            .next()
            .map(|field| field.chars().filter(|c| !c.is_control() && !is_formatting(*c)).take(200).collect())
    };
    let (commit, subject, author): (String, String, String) = (next()?, next()?, next()?);
    let seconds: i64 = next()?.parse::<i64>().ok()?;
    let email = next().filter(|email: &String| !email.is_empty());
    let known = !commit.is_empty();
    known.then(|| Revision { commit, subject, author, email, at: Time(seconds.saturating_mul(1000)) })
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
}
