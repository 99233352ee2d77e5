//! Putting the hooks into a repository and taking them out again. What is there and not ours is never touched.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::InstallArgs;
use super::door::{Line, Silence};
use super::git::ask;
use super::settings::{Controller, FILE, Settings, template};
use crate::args::Common;
use crate::commands::{Done, say, say_json};
use crate::context::{data_of, find_line, open_ledger_here};
use crate::exit;
use crate::failure::Failure;
use crate::paint::Paint;
use crate::remote::choice;
use crate::screen::legible;

/// The hooks, and the side that each takes when the program is gone: what was taken already cannot be refused.
const HOOKS: [&str; 2] = ["pre-receive", "post-receive"];
/// What tells our hooks from others.
const MARK: &str = "# Written by `andon hook install`";

/// A repository that people push to.
struct Repository {
    git_dir: PathBuf,
    hooks: PathBuf,
}

impl Repository {
    async fn find(path: &Path) -> Result<Self, Failure> {
        let words = ["rev-parse", "--path-format=absolute", "--git-dir", "--git-path", "hooks"];
        let told = ask(Some(path), &words, "").await.map_err(|error| {
            Failure::usage(format!("{} is no repository that can be used: {error}", path.display()))
                .next("git init --bare makes one")
        })?;
        let told = String::from_utf8_lossy(&told).into_owned();
        let mut paths = told.lines().map(PathBuf::from);
        let (Some(git_dir), Some(hooks)) = (paths.next(), paths.next()) else {
            return Err(Failure::broken(format!(
                "git does not say where {} keeps its hooks",
                path.display()
            )));
        };
        if !hooks.starts_with(&git_dir) {
            return Err(Failure::refused(format!(
                "the hooks of {} are in {}",
                path.display(),
                hooks.display()
            ))
            .why("core.hooksPath leads there: they may belong to other repositories, too")
            .next(format!("git -C {} config core.hooksPath hooks", path.display())));
        }
        Ok(Self { git_dir, hooks })
    }

    fn settings(&self) -> PathBuf {
        self.git_dir.join(FILE)
    }

    /// Whether a hook is ours; `None` when there is none.
    fn is_ours(&self, hook: &str) -> Result<Option<bool>, Failure> {
        let path = self.hooks.join(hook);
        match fs::read(&path) {
            Ok(text) => Ok(Some(text.windows(MARK.len()).any(|window| window == MARK.as_bytes()))),
            Err(error) if error.kind() == ErrorKind::NotFound && path.symlink_metadata().is_err() => Ok(None),
            Err(error) => Err(Failure::broken(format!("{} cannot be read: {error}", path.display()))),
        }
    }
}

pub(super) async fn install(common: &Common, args: InstallArgs) -> Done {
    let repository = Repository::find(&args.repository).await?;
    for hook in HOOKS {
        if repository.is_ours(hook)? == Some(false) {
            let path = repository.hooks.join(hook);
            return Err(Failure::refused(format!("{} is there already and not from Andon", path.display()))
                .why("hooks of others are never overwritten; nothing has been changed")
                .next(format!(
                    "move it aside; a script that calls it and `andon hook {hook}` is in docs/guide/commit-check.md"
                )));
        }
    }
    let controller = door(common)?;
    let line = match (&common.line, args.deploy.is_empty()) {
        (_, true) => None,
        (_, false) => Some(absolute(&find_line(common)?)?),
    };
    if !args.deploy.is_empty() && controller.data.is_none() {
        return Err(Failure::usage("commits can start deployments only where the ledger is on this machine")
            .next("name it: --data DIR instead of --server"));
    }
    if let Some(data) = &controller.data {
        // One that cannot be opened now would refuse every push.
        let common = Common { data: Some(data.clone()), ..common.clone() };
        open_ledger_here(&common).await?;
    }
    let path = repository.settings();
    let kept = path.exists();
    if kept {
        Settings::read(&path)?;
    } else {
        let main = ["main".to_owned()];
        let branches = if args.branch.is_empty() { &main[..] } else { &args.branch };
        let text = template(branches, args.when_unreachable, &controller, line.as_deref(), &args.deploy);
        write(&path, &text, 0o644)?;
        Settings::read(&path)?;
    }
    let words = ["config", "receive.advertisePushOptions", "true"];
    ask(Some(&repository.git_dir), &words, "").await.map_err(|error| Failure::broken(error.to_string()))?;
    fs::create_dir_all(&repository.hooks).map_err(|error| {
        Failure::broken(format!("{} cannot be made: {error}", repository.hooks.display()))
    })?;
    let exe = std::env::current_exe().map_err(|error| Failure::broken(format!("who am I? {error}")))?;
    for hook in HOOKS {
        write(&repository.hooks.join(hook), &script(hook, &exe, &path)?, 0o755)?;
    }
    say(&format!("{} {} has its commit check", Paint::stdout().tick(), args.repository.display()));
    say(&match kept {
        true => format!("  its settings from before are kept: {}", path.display()),
        false => format!("  settings, to be edited by you: {}", path.display()),
    });
    Ok(exit::OK)
}

/// Where the line's state is known: a ledger on this machine, or a controller.
fn door(common: &Common) -> Result<Controller, Failure> {
    match common.server.as_deref().filter(|_| !common.local) {
        Some(_) if common.data.is_some() => Err(Failure::usage(
            "the line's state is either in a ledger (--data) or at a controller (--server)",
        )),
        Some(url) => {
            let url = choice::parse(url).map_err(|failure| {
                failure.next("--server https://andon.example.com; http:// is for this machine alone; or a ledger on it: --data DIR")
            })?;
            Ok(Controller { data: None, server: Some(url.to_string()) })
        }
        None => Ok(Controller { data: Some(absolute(&data_of(common)?)?), server: None }),
    }
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path)
        .map_err(|error| Failure::broken(format!("where is {}? {error}", path.display())))
}

fn script(hook: &str, exe: &Path, settings: &Path) -> Result<String, Failure> {
    let quoted = |path: &Path| match path.to_str().filter(|text| !text.contains(['\n', '\r'])) {
        Some(text) => Ok(shell_words::quote(text).into_owned()),
        None => Err(Failure::usage(format!("{} cannot be written into a script", path.display()))
            .next("move it to a path in UTF-8")),
    };
    let (exe, settings) = (quoted(exe)?, quoted(settings)?);
    // What was taken already cannot be refused any more.
    let gone = match hook {
        "pre-receive" => format!("grep -q '^when_unreachable *= *\"open\"' {settings}"),
        _ => "true".to_owned(),
    };
    Ok(format!(
        "#!/bin/sh\n{MARK}, removed by `andon hook uninstall`. Its settings are in {FILE}.\n\
         if [ ! -x {exe} ]; then\n  \
           echo \"andon: the program of the commit check is gone: \"{exe} >&2\n  \
           {gone}\n  exit\nfi\n\
         exec {exe} hook {hook} --config {settings}\n"
    ))
}

/// Whole or not at all: a push may come at any moment.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let new = path.with_extension("andon-new");
    fs::write(&new, text)
        .and_then(|()| fs::set_permissions(&new, Permissions::from_mode(mode)))
        .and_then(|()| fs::rename(&new, path))
        .map_err(|error| Failure::broken(format!("{} cannot be written: {error}", path.display())))
}

pub(super) async fn uninstall(path: &Path) -> Done {
    let repository = Repository::find(path).await?;
    let mut removed = 0;
    for hook in HOOKS {
        if repository.is_ours(hook)? == Some(true) {
            let path = repository.hooks.join(hook);
            fs::remove_file(&path)
                .map_err(|error| Failure::broken(format!("{} cannot be removed: {error}", path.display())))?;
            removed += 1;
        }
    }
    say(&match removed {
        0 => format!("{} has no commit check", path.display()),
        _ => format!(
            "{} checks no commits any more; {} stays",
            path.display(),
            repository.settings().display()
        ),
    });
    Ok(exit::OK)
}

pub(super) async fn status(common: &Common, path: &Path) -> Done {
    let repository = Repository::find(path).await?;
    let mut well = true;
    let mut hooks = serde_json::Map::new();
    for hook in HOOKS {
        let state = match repository.is_ours(hook)? {
            Some(true) => "installed",
            Some(false) => "not from andon",
            None => "missing",
        };
        well &= state == "installed";
        hooks.insert(hook.to_owned(), state.into());
    }
    let settings = match repository.settings().exists() {
        true => Some(Settings::read(&repository.settings())?),
        false => None,
    };
    let line = match &settings {
        Some(settings) => settings.controller.line().await,
        None => Err(Silence::from(format!("there is no {}", repository.settings().display()))),
    };
    well &= line.is_ok();
    let words = match &line {
        Ok(Line::Running) => "the line is running".to_owned(),
        Ok(Line::Stopped { words }) => words.clone(),
        Err(silence) => format!("nobody can say whether the line runs: {}", legible(&silence.why)),
    };
    let next = line.err().and_then(|silence| silence.next).map(|next| legible(&next));
    if common.json {
        let branches = settings.map(|settings| settings.branches);
        say_json(
            &serde_json::json!({ "hooks": hooks, "branches": branches, "line": words, "next": next, "well": well }),
        );
    } else {
        for (hook, state) in &hooks {
            say(&format!("{hook:<12}  {}", state.as_str().unwrap_or_default()));
        }
        if let Some(settings) = &settings {
            say(&format!("{:<12}  {}", "protects", settings.branches.join(", ")));
        }
        say(&format!("{:<12}  {words}", "line"));
        if let Some(next) = next {
            say(&format!("{:<12}  {next}", "next"));
        }
    }
    Ok(if well { exit::OK } else { exit::NOT_WELL })
}
