//! The demo's fleet: a directory of its own, ports, a balancer, a line, releases; and its end, after which nothing is
//! left.

use std::fs::{self, Permissions};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use andon_core::host::Placement;
use andon_core::plan;
use andon_server::access::ServerSettings;
use andon_server::hosts::local_root;
use andon_server::senses::{PushReceiver, pushed};
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::task::AbortHandle;

use super::balancer::Balancer;
use super::ports::Ports;
use super::processes;
use super::shop::Shop;
use crate::args::Common;
use crate::commands::server::{House, Opening};
use crate::context::{Context, LINE};
use crate::failure::Failure;

/// Hosts of the fleet. The line says so, too.
pub(super) const HOSTS: u16 = 6;
/// How long the end of the last process is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

/// What is careful in the line, and what stands there while nobody is in the shop.
const HASTE: [(&str, &str); 3] = [
    (r#"waves            = [1, 2, "100%"]"#, r#"waves            = ["100%"]"#),
    ("max_parallel     = 3", "max_parallel     = 6"),
    (r#"bake             = "1s""#, r#"bake             = "0s""#),
];

/// The line, with words for ports and the balancer.
pub(super) const LINE_TEXT: &str = include_str!("files/line.star");

/// Six local hosts and what belongs to them. Dropped before its end, by a panic, it ends, too.
pub(super) struct Fleet {
    /// Present until the end.
    directory: Option<TempDir>,
    path: PathBuf,
    ports: Ports,
    /// What stands before the hosts.
    pub(super) balancer: Balancer,
    /// The words that lead any command to this fleet.
    pub(super) common: Common,
    /// Who receives the orders.
    till: Option<Arc<PushReceiver>>,
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
        let path = directory.path().to_owned();
        let ports = Ports::reserve(HOSTS + 1).map_err(|error| {
            Failure::broken(format!("no {} ports in a row are free on 127.0.0.1: {error}", HOSTS + 1))
        })?;
        let base = ports.base;
        let balancer = Balancer::describe(&path, base + HOSTS + 1, base + 1..=base + HOSTS)?;
        let data = Some(path.join(".andon"));
        let common = Common { line: Some(path.join(LINE)), data, local: true, json, ..Common::default() };
        let directory = Some(directory);
        Ok(Self {
            directory,
            path,
            ports,
            balancer,
            common,
            till: None,
            driver: None,
            placements: Vec::new(),
        })
    }

    /// Where everything of it lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The ports of the first and the last host.
    pub(super) fn ports(&self) -> (u16, u16) {
        (self.ports.base + 1, self.ports.base + HOSTS)
    }

    /// Writes a release where the line looks for the next one.
    pub(super) fn build(&self, shop: Shop) -> Result<(), Failure> {
        let till = self.till.as_ref().and_then(|till| till.statsd_udp());
        let till = till.ok_or_else(|| Failure::broken("nobody receives the orders of the demo"))?;
        shop.build(self.path(), till)
    }

    /// Begins to receive what the shop tells of its orders.
    pub(super) async fn listen(&mut self) -> Result<(), Failure> {
        let data = self.path.join(".andon");
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let till = PushReceiver::start(&pushed::directory(&data), Some(any), None).await;
        self.till = Some(Arc::new(till.map_err(|error| Failure::broken(error.to_string()))?));
        Ok(())
    }

    /// Opens the page of the demo, on a port of its own.
    pub(super) async fn open_page(&self) -> Result<House, Failure> {
        let opening = Opening {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            settings: ServerSettings::default(),
            receiver: self.till.clone(),
            statsd: None,
            loud: false,
        };
        House::open(&self.common, opening).await
    }

    /// Writes the line, in haste or with all care, reads it and opens the ledger.
    pub(super) async fn open(&mut self, haste: bool) -> Result<Context, Failure> {
        let text = if haste { hasty(LINE_TEXT) } else { LINE_TEXT.to_owned() };
        let text =
            text.replace("BASE", &self.ports.base.to_string()).replace("CONTROL", &self.balancer.control()?);
        write(&self.path.join(LINE), &text, 0o644)?;
        let context = Context::open_here(&self.common).await?;
        let (line, data) = (context.line.line(), self.path().join(".andon"));
        let pairs = line.services.values().flat_map(|www| line.hosts.values().map(move |host| (www, host)));
        let placed = pairs.map(|(service, host)| {
            let placement = plan::placement(service, host);
            Placement { root: local_root(&data, host).join(&placement.root), ..placement }
        });
        self.placements = placed.collect();
        Ok(context)
    }

    /// Ends every process of the fleet and removes its directory. Blocks until then.
    pub(super) fn end(mut self) -> Result<(), Failure> {
        self.close()
    }

    fn close(&mut self) -> Result<(), Failure> {
        let Some(directory) = self.directory.take() else { return Ok(()) };
        // From here on files are removed by hand, and stay where a process may still need them.
        let path = directory.keep();
        self.balancer.end();
        self.till = None;
        let begun = Instant::now();
        while !self.is_quiet()? {
            if begun.elapsed() > PATIENCE {
                return Err(Failure::broken("processes of the demo do not end")
                    .next(format!("look for them: pgrep -af {}", path.display())));
            }
            std::thread::sleep(PAUSE);
        }
        remove(&path)
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
}

impl Drop for Fleet {
    fn drop(&mut self) {
        // Whoever wants to hear of a failure ends it.
        let _ = self.close();
    }
}

/// The ledger's own threads may still be closing its files when this begins.
fn remove(path: &Path) -> Result<(), Failure> {
    let begun = Instant::now();
    loop {
        match fs::remove_dir_all(path) {
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

/// The line for a fleet that nobody uses yet.
fn hasty(line: &str) -> String {
    HASTE.iter().fold(line.to_owned(), |line, (care, haste)| line.replace(care, haste))
}

/// Writes a file below the fleet's directory.
pub(super) fn write(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
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
    fn the_first_release_goes_out_in_haste() {
        assert!(LINE_TEXT.contains("BASE"));
        for (care, haste) in HASTE {
            assert_eq!(LINE_TEXT.matches(care).count(), 1, "{care}");
            assert!(hasty(LINE_TEXT).contains(haste), "{haste}");
        }
    }
}
