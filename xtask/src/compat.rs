//! Old and new, one version apart, on the same ledger and the same hosts: every case works or is refused clearly.
//!
//! The other program is built from another revision in a worktree of its own; both work on local hosts.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;
use crate::program::{cargo, program, run, text};
use crate::workspace;

mod cases;
mod scene;

/// Builds the program of `revision`, or takes the one at `built`, and lets it and today's meet in every case.
pub(crate) fn compat(revision: &str, built: Option<PathBuf>) -> Result<(), Failure> {
    let old = match built {
        Some(built) => built,
        None => build(revision)?,
    };
    run(plain_cargo().args(["build", "--package", "andon"]))?;
    let new = workspace::target().join("debug/andon");
    println!("old  {}\nnew  {}\n", version(&old)?, version(&new)?);
    let failed: Vec<&str> =
        cases::ALL.iter().filter(|case| !tried(case, &old, &new)).map(|case| case.name).collect();
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::Found(format!("these are neither well nor refused clearly: {}", failed.join(", "))))
}

fn tried(case: &cases::Case, old: &Path, new: &Path) -> bool {
    let told = scene::Scene::open(old, new).and_then(|scene| (case.run)(&scene));
    match &told {
        Ok(how) => println!("✔ {}: {how}", case.name),
        Err(why) => println!("✘ {}: {why}", case.name),
    }
    told.is_ok()
}

fn version(program_at: &Path) -> Result<String, Failure> {
    Ok(format!("{}  {}", text(program(program_at).arg("--version"))?.trim(), program_at.display()))
}

/// Cargo as a person would start it: what the cargo that started this program says of it would make others build anew.
fn plain_cargo() -> Command {
    let mut command = cargo();
    let about_this = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(about_this)) {
        command.env_remove(name);
    }
    command
}

/// The program of another revision. What it is built from stays below `target/`, so that a second time is quick.
fn build(revision: &str) -> Result<PathBuf, Failure> {
    let place = workspace::target().join("compat");
    let (sources, target) = (place.join("sources"), place.join("target"));
    let commit = text(program("git").args(["rev-parse", "--verify", &format!("{revision}^{{commit}}")]))?;
    let commit = commit.trim();
    if sources.exists() {
        run(program("git").arg("-C").arg(&sources).args(["checkout", "--quiet", "--detach", commit]))?;
    } else {
        run(program("git").args(["worktree", "add", "--quiet", "--detach"]).arg(&sources).arg(commit))?;
    }
    let built = run(plain_cargo()
        .current_dir(&sources)
        .args(["build", "--package", "andon"])
        .env("CARGO_TARGET_DIR", &target));
    // The worktree would be in the way of the branch's own work; what was built from it stays.
    run(program("git").args(["worktree", "remove", "--force"]).arg(&sources))?;
    built?;
    let kept = place.join(format!("andon-{commit}"));
    std::fs::copy(target.join("debug/andon"), &kept).map_err(Failure::io("keep", &kept))?;
    Ok(kept)
}
