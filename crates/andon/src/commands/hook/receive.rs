//! Before a push is taken: the line, then the commits. Nothing is changed here but the record of an exception.

use std::path::Path;

use andon_core::quantity::ByteSize;

use super::commit::{self, Commit, Commits, FIXES, MOST};
use super::door::{Exception, Line, Silence};
use super::git::{GitError, larger_than};
use super::policy::SHOWN;
use super::settings::{Settings, Side};
use super::update::{self, Update};
use crate::commands::{Done, say};
use crate::context::me;
use crate::exit;
use crate::failure::Failure;
use crate::screen::legible;

/// The push option that declares a fix.
const OPTION: &str = "andon.fix";
/// The most push options that are looked at.
const MOST_OPTIONS: usize = 100;
/// The most characters of a declaration that are kept.
const LONGEST: usize = 500;

/// A protected branch that is to change, with what it would bring.
pub(super) struct Incoming {
    pub(super) update: Update,
    pub(super) branch: String,
    /// What `git rev-list --stdin` is given for it; `None` for a branch that is deleted.
    pub(super) revisions: Option<String>,
}

pub(super) async fn pre_receive(config: &Path) -> Done {
    // Git feeds everything at once; a hook that does not read breaks its pipe.
    let updates = update::read(std::io::stdin().lock())?;
    let settings = Settings::read(config)?;
    let incoming = incoming(&settings, updates).await?;
    if incoming.is_empty() {
        return Ok(exit::OK);
    }
    let line = match settings.controller.line().await {
        Ok(line) => line,
        Err(silence) => {
            unknown(&settings, &silence)?;
            Line::Running
        }
    };
    let mut exceptions = Vec::new();
    for it in &incoming {
        let wanted = matches!(line, Line::Stopped { .. }) || !settings.messages.is_empty();
        let commits = match &it.revisions {
            Some(revisions) if wanted => commit::read(revisions).await.map_err(unchecked)?,
            _ => Commits::default(),
        };
        if let Line::Stopped { words } = &line {
            exceptions.push(exception(it, &commits).ok_or_else(|| stopped(words, &it.branch))?);
        }
        check(&settings, it, &commits).await?;
    }
    for exception in &exceptions {
        if let Err(Silence { why, next }) = settings.controller.record(exception).await {
            let why = format!("this exception cannot be recorded: {why}");
            unknown(&settings, &Silence { why, next })?;
        }
        say(&format!(
            "andon: the line is stopped; taken into {} as a declared fix: {}",
            legible(&exception.reference),
            legible(&exception.why)
        ));
    }
    Ok(exit::OK)
}

/// The updates of protected branches.
pub(super) async fn incoming(settings: &Settings, updates: Vec<Update>) -> Result<Vec<Incoming>, Failure> {
    let protects = |update: &Update| update.branch().is_some_and(|branch| settings.protects(branch));
    let pushed: Vec<Update> = updates.into_iter().filter(protects).collect();
    if pushed.is_empty() {
        return Ok(Vec::new());
    }
    let branches = commit::branches().await.map_err(unchecked)?;
    let incoming = pushed.iter().map(|update| Incoming {
        update: update.clone(),
        branch: update.branch().unwrap_or_default().to_owned(),
        revisions: commit::revisions(update, &pushed, &branches, settings),
    });
    Ok(incoming.collect())
}

/// Nobody can say whether the line runs: the configured side is followed, and told.
fn unknown(settings: &Settings, silence: &Silence) -> Result<(), Failure> {
    let why = legible(&silence.why);
    let next = silence.next.as_deref().unwrap_or("push again when the controller answers");
    match settings.when_unreachable {
        Side::Open => {
            say(&format!("andon: nobody can say whether the line runs ({why}); this repository lets pushes pass then"));
            Ok(())
        }
        Side::Closed => Err(Failure::refused(format!("nobody can say whether the line runs: {why}"))
            .why("this repository takes nothing into its protected branches then; your commits are safe where they are")
            .next(format!(
                "{}; or whoever looks after this repository sets when_unreachable = \"open\" in its andon.toml",
                legible(next)
            ))),
    }
}

/// The refusal while the line stands.
fn stopped(words: &str, branch: &str) -> Failure {
    let branch = legible(branch);
    Failure::refused(words)
        .why(format!("nothing goes into {branch} meanwhile, except what mends it; your commits are safe where they are"))
        .next(format!(
            "if this push mends it, say so: git push -o {OPTION}=\"what it mends\" ..., or the trailer \"{FIXES}: #128\" or \"{FIXES}: what it mends\" in a commit; \
             when it is over: andon line start \"why\""
        ))
}

/// Why an update may pass although the line stands: a push option, or a trailer of one of its commits.
fn exception(incoming: &Incoming, commits: &Commits) -> Option<Exception> {
    let newest = commits.newest.first();
    let declared = commits.newest.iter().flat_map(|commit| commit.trailer(FIXES)).next();
    let why = push_option().or_else(|| declared.map(str::to_owned))?;
    let update = &incoming.update;
    let commit = update.new.as_ref().or(update.old.as_ref()).cloned().unwrap_or_default();
    Some(Exception {
        by: pusher(newest),
        reference: short(&update.reference),
        commit: commit.get(..10).unwrap_or_default().to_owned(),
        why: short(&why),
    })
}

fn short(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

/// What the pusher declares to Git itself.
fn push_option() -> Option<String> {
    let count: usize = std::env::var("GIT_PUSH_OPTION_COUNT").ok()?.parse().ok()?;
    let option = |n| std::env::var_os(format!("GIT_PUSH_OPTION_{n}"));
    let options = (0..count.min(MOST_OPTIONS)).filter_map(option);
    let texts = options.map(|option| option.to_string_lossy().into_owned());
    let mut declared =
        texts.filter_map(|text| Some(text.strip_prefix(OPTION)?.strip_prefix('=')?.trim().to_owned()));
    declared.find(|why| !why.is_empty())
}

/// Who pushes: what the forge around this repository says, else the login. Many people share a login, so the author
/// of the newest commit stands before it.
pub(super) fn pusher(newest: Option<&Commit>) -> String {
    const FORGES: [&str; 4] = ["GL_USERNAME", "GITEA_PUSHER_NAME", "GL_USER", "REMOTE_USER"];
    let forge =
        FORGES.iter().find_map(|name| std::env::var(name).ok().filter(|name| !name.trim().is_empty()));
    let clean = |text: String| text.chars().filter(|c| !c.is_control()).take(64).collect::<String>();
    match (forge.map(clean), newest) {
        (Some(name), _) => name,
        (None, Some(commit)) if !commit.author.trim().is_empty() => {
            format!("{} (as {})", clean(commit.author.clone()), me().name)
        }
        (None, _) => me().name,
    }
}

/// Holds the commits and files of one update against the settings.
async fn check(settings: &Settings, incoming: &Incoming, commits: &Commits) -> Result<(), Failure> {
    let branch = legible(&incoming.branch);
    if !settings.messages.is_empty() {
        if commits.more {
            return Err(Failure::refused(format!("this push brings more than {MOST} commits to {branch}"))
                .why("each message is checked, and so many at once are not")
                .next(format!("push them in parts: git push origin COMMIT:{branch}, the oldest first")));
        }
        let mistakes = mistakes(settings, commits);
        if !mistakes.is_empty() {
            let text = mistakes.join("\n  ");
            return Err(Failure::refused(format!(
                "commits for {branch} are not as this repository wants them\n  {text}"
            ))
            .why("nothing of this push was taken; your commits are safe where they are")
            .next(format!("git rebase -i, reword them, then push again ({branch} is protected)")));
        }
    }
    let (Some(most), Some(revisions)) = (settings.files.max_size, &incoming.revisions) else { return Ok(()) };
    let large = larger_than(most.0.0, revisions, SHOWN).await.map_err(unchecked)?;
    if large.is_empty() {
        return Ok(());
    }
    let files: Vec<String> =
        large.iter().map(|(size, path)| format!("{} has {}", legible(path), ByteSize(*size))).collect();
    Err(Failure::refused(format!("files for {branch} are too large; at most {} may be\n  {}", most.0, files.join("\n  ")))
        .why("a file stays in the history for ever, also when a later commit removes it; nothing of this push was taken")
        .next("take them out of every commit of this push: git rebase -i"))
}

/// What is wrong with messages, one line each.
fn mistakes(settings: &Settings, commits: &Commits) -> Vec<String> {
    let mut all = commits.newest.iter().flat_map(|commit| {
        let mistakes = settings.messages.mistakes(commit);
        mistakes.into_iter().map(move |mistake| {
            let subject: String = commit.subject.chars().take(60).collect();
            legible(&format!("{} \"{subject}\": {mistake}", commit.short()))
        })
    });
    let mut shown: Vec<String> = all.by_ref().take(SHOWN).collect();
    let more = all.count();
    if more > 0 {
        shown.push(format!("and {more} more mistakes"));
    }
    shown
}

/// What could not be looked at is not taken.
pub(super) fn unchecked(error: GitError) -> Failure {
    let failure = Failure::broken(format!("this push cannot be checked: {error}"));
    match error {
        GitError::TooMuch | GitError::Late => failure
            .why("what cannot be checked is not taken")
            .next("push it in parts: git push origin COMMIT:BRANCH, the oldest first"),
        GitError::Failed(_) => failure.why("what cannot be checked is not taken"),
    }
}
