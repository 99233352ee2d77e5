//! After a push was taken: the deployments that its commits ask for. Each is a process of its own that outlives the
//! push; the pusher hears its first words.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use andon_core::deployment::DeploymentId;

use super::commit::{self, Commit, DEPLOY, FIXES, named_deployment};
use super::receive::{Incoming, incoming, pusher, unchecked};
use super::settings::{Deployable, Settings};
use super::update;
use crate::commands::{Done, say};
use crate::exit;
use crate::failure::Failure;
use crate::screen::legible;

/// The most deployments that one push starts.
const MOST: usize = 5;
/// Logs of earlier ones that are kept.
const KEPT: usize = 100;
/// How long the first words of a deployment are waited for.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);
/// The most bytes of a log that are looked at.
const LONGEST: u64 = 64 << 10;

/// A deployment that a commit asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    what: Deployable,
    fixes: Option<DeploymentId>,
    why: String,
    by: String,
    commit: String,
}

pub(super) async fn post_receive(config: &Path) -> Done {
    let updates = update::read(std::io::stdin().lock())?;
    let settings = Settings::read(config)?;
    let mut asked: Vec<Asked> = Vec::new();
    for it in incoming(&settings, updates).await? {
        let Some(revisions) = &it.revisions else { continue };
        let commits = commit::read(revisions).await.map_err(unchecked)?;
        // The oldest first: what a newer commit asks for goes over what an older one did.
        for commit in commits.newest.iter().rev() {
            for wanted in commit.trailer(DEPLOY) {
                match wish(&settings, &it, commit, wanted) {
                    Ok(wish) => {
                        asked.retain(|older| older.what != wish.what);
                        asked.push(wish);
                    }
                    Err(why) => say(&format!("andon: \"{DEPLOY}: {}\": {why}", legible(wanted))),
                }
            }
        }
    }
    if asked.len() > MOST {
        say(&format!("andon: {} deployments are asked for; {MOST} are started, the last ones", asked.len()));
        asked.drain(..asked.len() - MOST);
    }
    for wish in &asked {
        // What was pushed is in the repository; a deployment that cannot begin takes nothing of it back.
        if let Err(failure) = start(&settings, wish).await {
            say(&format!("andon: {} cannot be deployed: {}", wish.what, failure.what));
        }
    }
    Ok(exit::OK)
}

/// What a trailer asks for; or why it is not done.
fn wish(settings: &Settings, incoming: &Incoming, commit: &Commit, wanted: &str) -> Result<Asked, String> {
    let words: Vec<&str> = wanted.split([' ', '/']).filter(|word| !word.is_empty()).collect();
    let what: Deployable =
        words.join("/").parse().map_err(|_| "it names no service and environment".to_owned())?;
    if !settings.deploy.allow.contains(&what) {
        return Err("[deploy] in andon.toml does not allow it".to_owned());
    }
    let subject: String = legible(&commit.subject).chars().take(100).collect();
    Ok(Asked {
        what,
        fixes: commit.trailer(FIXES).find_map(named_deployment),
        why: format!("push of {} to {}: {subject}", commit.short(), incoming.branch),
        by: pusher(Some(commit)),
        commit: commit.short().to_owned(),
    })
}

/// Starts a deployment, and tells the pusher how it begins.
async fn start(settings: &Settings, asked: &Asked) -> Result<(), Failure> {
    let (Some(line), Some(data)) = (&settings.deploy.line, &settings.controller.data) else {
        return Err(Failure::refused(
            "[deploy] needs a line, and a controller with its data on this machine",
        ));
    };
    let (path, log) = log(data, asked)?;
    let again = log.try_clone().map_err(|error| unwritten(&path, &error))?;
    let exe = std::env::current_exe().map_err(|error| Failure::broken(format!("who am I? {error}")))?;
    let mut command = Command::new(exe);
    command.arg("deploy").arg(asked.what.service.as_str());
    command.args(asked.what.environment.as_ref().map(|environment| environment.as_str()));
    command.arg("--line").arg(line).arg("--data").arg(data).arg("--why").arg(&asked.why);
    if let Some(fixes) = asked.fixes {
        command.arg("--fixes").arg(fixes.0.to_string());
    }
    // The surroundings of a hook lead every git into this repository.
    let names = std::env::vars_os().map(|(name, _)| name);
    names.filter(|name| name.as_encoded_bytes().starts_with(b"GIT_")).for_each(|name| {
        command.env_remove(name);
    });
    command.env("ANDON_USER", &asked.by).current_dir("/");
    // Away from the group that the end of the push, or its Ctrl-C, may take along.
    command.stdin(Stdio::null()).stdout(log).stderr(again).process_group(0);
    let mut child =
        command.spawn().map_err(|error| Failure::broken(format!("andon cannot be started: {error}")))?;
    say(&format!("andon: {}", first_words(&mut child, &path, asked).await));
    Ok(())
}

/// How a deployment begins, in one sentence.
async fn first_words(child: &mut Child, log: &Path, asked: &Asked) -> String {
    let began = tokio::time::Instant::now();
    let log_at = format!("its log: {}", log.display());
    loop {
        let ended = child.try_wait().ok().flatten();
        let text = fs::File::open(log).and_then(|file| {
            let mut text = Vec::new();
            std::io::Read::read_to_end(&mut std::io::Read::take(file, LONGEST), &mut text).map(|_| text)
        });
        let text = legible(&String::from_utf8_lossy(&text.unwrap_or_default()));
        let headline = text.lines().find(|line| line.starts_with('#'));
        if let Some(number) = headline.and_then(|line| line.split_whitespace().next()) {
            return format!("{number} deploys {}; {log_at}", asked.what);
        }
        match ended {
            Some(status) if !status.success() => {
                let lines: Vec<&str> = text.lines().map(str::trim).collect();
                return format!("{} is not deployed: {}", asked.what, lines.join("; "));
            }
            _ if ended.is_some() || began.elapsed() > PATIENCE => {
                return format!("{} is about to be deployed; {log_at}", asked.what);
            }
            _ => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// A new log below the data directory; the oldest ones go.
fn log(data: &Path, asked: &Asked) -> Result<(PathBuf, File), Failure> {
    let place = data.join("pushes");
    match DirBuilder::new().mode(0o700).create(&place) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(unwritten(&place, &error));
        }
        _ => {}
    }
    let mut logs: Vec<_> = fs::read_dir(&place)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.metadata().ok()?.modified().ok()?, entry.path()))
        })
        .collect();
    logs.sort();
    let old = (logs.len() + 1).saturating_sub(KEPT);
    logs.iter().take(old).for_each(|(_, path)| {
        // One that is gone already is as good.
        let _ = fs::remove_file(path);
    });
    let what = asked.what.to_string().replace('/', "-");
    let path = place.join(format!("{}-{what}-{}.log", asked.commit, std::process::id()));
    let file = File::create(&path).map_err(|error| unwritten(&path, &error))?;
    Ok((path, file))
}

fn unwritten(path: &Path, error: &std::io::Error) -> Failure {
    Failure::broken(format!("{} cannot be written: {error}", path.display()))
}
