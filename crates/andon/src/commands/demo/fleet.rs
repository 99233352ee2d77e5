//! The demo's fleet: a directory of its own, ports, a line, releases; and its end, after which nothing is left.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use andon_core::host::Placement;
use andon_core::plan;
use andon_server::hosts::local_root;
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::task::AbortHandle;

use super::ports::Ports;
use super::processes;
use crate::args::Common;
use crate::context::{Context, LINE};
use crate::failure::Failure;

/// Hosts of the fleet. The line says so, too.
pub(super) const HOSTS: u16 = 6;
/// What makes the checkout button visible, and what its production test looks for.
const SEEN: &str = "background: #0a6e31";
/// White, like its letters.
const UNSEEN: &str = "background: #fff";
/// How long the end of the last process is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

const LINE_TEXT: &str = include_str!("files/line.star");
const INDEX: &str = include_str!("files/index.html");
const CHECKOUT: &str = include_str!("files/checkout.html");

/// The releases of the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shop {
    /// As it should be.
    Good,
    /// Healthy in every way, but nobody can see the checkout button.
    WhiteOnWhite,
}

/// Six local hosts and what belongs to them.
pub(super) struct Fleet {
    directory: TempDir,
    ports: Ports,
    /// The words that lead any command to this fleet.
    pub(super) common: Common,
    /// What drives the deployment under way.
    pub(super) driver: Option<AbortHandle>,
    /// What may run, once the line was read.
    placements: Vec<Placement>,
}

impl Fleet {
    /// Writes the line and finds ports. Starts nothing.
    pub(super) fn create(json: bool) -> Result<Self, Failure> {
        let directory = std::path::absolute(std::env::temp_dir())
            .and_then(|place| tempfile::Builder::new().prefix("andon-demo-").tempdir_in(place))
            .map_err(|error| {
                Failure::broken(format!("the demo has no place for its files: {error}"))
                    .next("name a directory that can be written: TMPDIR=DIR andon demo")
            })?;
        let ports = Ports::reserve(HOSTS).map_err(|error| {
            Failure::broken(format!("no {HOSTS} ports in a row are free on 127.0.0.1: {error}"))
        })?;
        let line = directory.path().join(LINE);
        let text = LINE_TEXT.replace("BASE", &ports.base.to_string());
        fs::write(&line, text).map_err(|error| unwritten(&line, &error))?;
        let data = Some(directory.path().join(".andon"));
        let common = Common { line: Some(line), data, ssh_config: None, json };
        Ok(Self { directory, ports, common, driver: None, placements: Vec::new() })
    }

    /// Where everything of it lies.
    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The ports of the first and the last host.
    pub(super) fn ports(&self) -> (u16, u16) {
        (self.ports.base + 1, self.ports.base + HOSTS)
    }

    /// Writes a release where the line looks for the next one.
    pub(super) fn build(&self, shop: Shop) -> Result<(), Failure> {
        let release = self.path().join("release");
        let exe = std::env::current_exe().map_err(|error| Failure::broken(format!("who am I? {error}")))?;
        let exe = exe.to_str().ok_or_else(|| {
            Failure::broken(format!("{} cannot be written into a script", exe.display()))
                .next("move andon to a path in UTF-8")
        })?;
        let start = format!(
            "#!/bin/sh\n# Serves the pages of the release that this script is part of.\nexec {} demo-service --pages \"${{0%/bin/www}}/pages\" \"$@\"\n",
            shell_words::quote(exe)
        );
        let checkout = match shop {
            Shop::Good => CHECKOUT.to_owned(),
            Shop::WhiteOnWhite => CHECKOUT.replace(SEEN, UNSEEN),
        };
        write(&release.join("bin/www"), &start, 0o755)?;
        write(&release.join("pages/index.html"), INDEX, 0o644)?;
        write(&release.join("pages/checkout.html"), &checkout, 0o644)
    }

    /// Reads the line and opens the ledger.
    pub(super) async fn open(&mut self) -> Result<Context, Failure> {
        let context = Context::open(&self.common).await?;
        let (line, data) = (&context.loaded.line, self.path().join(".andon"));
        let pairs = line.services.values().flat_map(|www| line.hosts.values().map(move |host| (www, host)));
        let placed = pairs.map(|(service, host)| {
            let placement = plan::placement(service, host);
            Placement { root: local_root(&data, host).join(&placement.root), ..placement }
        });
        self.placements = placed.collect();
        Ok(context)
    }

    /// Ends every process of the fleet and removes its directory. Blocks until then.
    pub(super) fn end(self) -> Result<(), Failure> {
        let begun = Instant::now();
        while !self.is_quiet()? {
            if begun.elapsed() > PATIENCE {
                let path = self.directory.keep();
                return Err(Failure::broken("processes of the demo do not end")
                    .next(format!("look for them: pgrep -af {}", path.display())));
            }
            std::thread::sleep(PAUSE);
        }
        self.remove()
    }

    /// One round of asking everything to end. Answers whether nothing was left to ask.
    fn is_quiet(&self) -> Result<bool, Failure> {
        // First those who could start something new, then what they have started.
        if let Some(driver) = &self.driver {
            driver.abort();
        }
        let starters = processes::starters(self.path());
        for process in &starters {
            process.signal(Signal::KILL);
        }
        for placement in &self.placements {
            andon_agent::run::stop(placement, &mut io::sink()).map_err(|error| {
                Failure::broken(error.to_string())
                    .why(format!("the services of {} did not stop", placement.host))
            })?;
        }
        let driven = self.driver.as_ref().is_some_and(|driver| !driver.is_finished());
        Ok(!driven && starters.is_empty() && processes::supervisors(self.path()).is_empty())
    }

    /// The ledger's own threads may still be closing its files when this begins.
    fn remove(self) -> Result<(), Failure> {
        let path = self.directory.keep();
        let begun = Instant::now();
        loop {
            match fs::remove_dir_all(&path) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) if begun.elapsed() > PATIENCE => {
                    return Err(Failure::broken(format!("{} cannot be removed: {error}", path.display()))
                        .why("all of its processes have ended"));
                }
                Err(_) => std::thread::sleep(PAUSE),
            }
        }
    }
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let parent: PathBuf = path.parent().map(Path::to_owned).unwrap_or_default();
    fs::create_dir_all(parent)
        .and_then(|()| fs::write(path, text))
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(mode)))
        .map_err(|error| unwritten(path, &error))
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    Failure::broken(format!("{} cannot be written: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_releases_differ_in_what_the_production_test_looks_for() {
        assert!(LINE_TEXT.contains(SEEN) && LINE_TEXT.contains("BASE"));
        assert_eq!(CHECKOUT.matches(SEEN).count(), 1);
        assert!(!CHECKOUT.replace(SEEN, UNSEEN).contains(SEEN));
        assert!(CHECKOUT.contains("color: #fff"));
    }
}
