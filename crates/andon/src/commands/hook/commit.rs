//! Commits that a push brings, and what they declare in their trailers.

use andon_core::deployment::DeploymentId;

use super::git::{GitError, ask};
use super::settings::Settings;
use super::update::Update;

/// The most commits of one update that are read.
pub(super) const MOST: usize = 2000;
/// The most branches whose commits count as known.
const MOST_BRANCHES: usize = 1000;
/// The trailer of a commit that mends what the line stands for.
pub(super) const FIXES: &str = "Andon-Fixes";
/// The trailer of a commit that asks for a deployment.
pub(super) const DEPLOY: &str = "Andon-Deploy";

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Commit {
    /// Its whole name.
    pub(super) id: String,
    /// Who wrote it.
    pub(super) author: String,
    /// The first paragraph of its message, in one line.
    pub(super) subject: String,
    /// Keys and values, in order.
    pub(super) trailers: Vec<(String, String)>,
}

/// The new commits of one update, the newest first.
#[derive(Debug, Default)]
pub(super) struct Commits {
    /// At most [`MOST`] of them.
    pub(super) newest: Vec<Commit>,
    /// Whether there are more.
    pub(super) more: bool,
}

impl Commit {
    /// A short name of it.
    pub(super) fn short(&self) -> &str {
        self.id.get(..10).unwrap_or(&self.id)
    }

    /// The values of a trailer.
    pub(super) fn trailer<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        let its = self.trailers.iter().filter(move |(name, _)| name.eq_ignore_ascii_case(key));
        its.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}

/// The deployment that a declaration names: `#128`, `128`.
pub(super) fn named_deployment(value: &str) -> Option<DeploymentId> {
    let first = value.split_whitespace().next()?;
    first.strip_prefix('#').unwrap_or(first).parse().ok().map(DeploymentId)
}

/// What `git rev-list --stdin` is given for everything that an update brings to the protected branches, of which a push
/// changes `pushed`; `branches` are those of the repository. `None` for a branch that is deleted.
pub(super) fn revisions(
    update: &Update,
    pushed: &[Update],
    branches: &[String],
    settings: &Settings,
) -> Option<String> {
    let mut text = format!("{}\n", update.new.as_ref()?);
    // Only what protected branches had was checked before: a commit may come by way of another branch. Before a push is
    // taken and after it, its own branches count as they were.
    let known = branches.iter().filter(|branch| {
        let name = branch.strip_prefix("refs/heads/").unwrap_or(branch);
        settings.protects(name) && pushed.iter().all(|update| update.reference != **branch)
    });
    let before = pushed.iter().filter_map(|update| update.old.as_ref());
    before.chain(known).for_each(|name| text.push_str(&format!("^{name}\n")));
    Some(text)
}

/// The branches of the repository: at most [`MOST_BRANCHES`].
pub(super) async fn branches() -> Result<Vec<String>, GitError> {
    let count = format!("--count={MOST_BRANCHES}");
    let listed = ask(None, &["for-each-ref", "--format=%(refname)", &count, "refs/heads"], "").await?;
    Ok(String::from_utf8_lossy(&listed).lines().map(str::to_owned).collect())
}

/// The commits that `revisions` name.
pub(super) async fn read(revisions: &str) -> Result<Commits, GitError> {
    let count = format!("--max-count={}", MOST + 1);
    // Lines of which only the last may be more than one, and no message can forge the ones before.
    let format = "--format=%H%n%an%n%s%n%(trailers:only,unfold)";
    let words =
        ["-c", "log.showSignature=false", "log", "--no-color", "--no-notes", "-z", "--encoding=UTF-8"];
    let words = [&words[..], &[format, &count, "--stdin"]].concat();
    let told = ask(None, &words, revisions).await?;
    let mut newest: Vec<Commit> = told.split(|byte| *byte == 0).filter_map(parse).collect();
    let more = newest.len() > MOST;
    newest.truncate(MOST);
    Ok(Commits { newest, more })
}

fn parse(record: &[u8]) -> Option<Commit> {
    let text = String::from_utf8_lossy(record);
    let mut fields = text.splitn(4, '\n');
    let (id, author, subject) = (fields.next()?, fields.next()?, fields.next()?);
    let trailers = fields.next().unwrap_or_default().lines().filter_map(|line| line.split_once(':'));
    let trailers = trailers.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()));
    (!id.is_empty()).then(|| Commit {
        id: id.to_owned(),
        author: author.to_owned(),
        subject: subject.to_owned(),
        trailers: trailers.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_read_with_its_trailers_whatever_its_bytes_are() {
        let commit =
            parse(b"abc\nAna\nmend \xff it\nAndon-Fixes: #128 orders\nandon-fixes: \nX: y: z\n").unwrap();
        assert_eq!((commit.id.as_str(), commit.subject.as_str()), ("abc", "mend \u{fffd} it"));
        assert_eq!(commit.trailer("andon-FIXES").collect::<Vec<_>>(), ["#128 orders"]);
        assert_eq!(commit.trailer("x").collect::<Vec<_>>(), ["y: z"]);
        assert_eq!(parse(b""), None);
        assert_eq!(parse(b"abc\nAna"), None);
        assert_eq!(parse(b"abc\nAna\n\n").unwrap().subject, "");
    }

    #[test]
    fn a_push_brings_what_no_protected_branch_had_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("andon.toml");
        let text =
            "branches = [\"main\", \"r/*\"]\nwhen_unreachable = \"open\"\n[controller]\ndata = \"x\"\n";
        std::fs::write(&path, text).unwrap();
        let settings = Settings::read(&path).unwrap();
        let update = |old: Option<&str>, new: Option<&str>, name: &str| Update {
            old: old.map(str::to_owned),
            new: new.map(str::to_owned),
            reference: format!("refs/heads/{name}"),
        };
        let pushed = [
            update(Some("a"), Some("b"), "main"),
            update(None, Some("b"), "r/1"),
            update(Some("c"), None, "r/2"),
        ];
        let branches = ["main", "r/1", "r/3", "topic"].map(|name| format!("refs/heads/{name}"));
        let of = |update| revisions(update, &pushed, &branches, &settings);
        assert_eq!(of(&pushed[0]).unwrap(), "b\n^a\n^c\n^refs/heads/r/3\n");
        assert_eq!(of(&pushed[1]), of(&pushed[0]));
        assert_eq!(of(&pushed[2]), None);
    }

    #[test]
    fn a_declaration_may_name_a_deployment() {
        assert_eq!(named_deployment("#128 orders"), Some(DeploymentId(128)));
        assert_eq!(named_deployment("128"), Some(DeploymentId(128)));
        assert_eq!(named_deployment("the orders"), None);
        assert_eq!(named_deployment(""), None);
    }
}
