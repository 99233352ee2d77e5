//! The demo's balancer: `andon proxy`, a process of its own that lives no longer than this does.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use andon_proxy::control::Client;
use tempfile::TempDir;

use crate::failure::Failure;

/// The longest path at which the proxy makes its control socket, in bytes.
const LONGEST_SOCKET: usize = 90;
/// Where that path is short, whatever `TMPDIR` says.
const SHORT: &str = "/tmp";
/// How long the proxy may take until it answers.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

/// A balancer before the hosts of the fleet, running or not yet.
#[derive(Debug)]
pub(super) struct Balancer {
    /// Where customers reach it.
    pub(super) address: SocketAddr,
    /// What it is told.
    pub(super) config: PathBuf,
    control: PathBuf,
    log: PathBuf,
    child: Option<Child>,
    /// The directory of the control socket, when its path below that of the fleet would be too long.
    _short: Option<TempDir>,
}

impl Balancer {
    /// Writes the configuration of a balancer on `port`, before hosts called `web1` to `webN` on `hosts`, in order.
    /// Starts nothing.
    pub(super) fn describe(
        directory: &Path,
        port: u16,
        hosts: impl Iterator<Item = u16>,
    ) -> Result<Self, Failure> {
        let short = match directory.join(SOCKET).as_os_str().len() {
            0..=LONGEST_SOCKET => None,
            _ => Some(tempfile::Builder::new().prefix("andon-demo-").tempdir_in(SHORT).map_err(|error| {
                Failure::broken(format!("the balancer has no place for its control socket: {error}"))
                    .next("name a directory with a shorter path: TMPDIR=DIR andon demo")
            })?),
        };
        let control = short.as_ref().map_or(directory, TempDir::path).join(SOCKET);
        let (config, log) = (directory.join("proxy.toml"), directory.join("proxy.log"));
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let servers: String = hosts
            .zip(1..)
            .map(|(port, n)| format!("    {{ name = \"web{n}\", address = \"127.0.0.1:{port}\" }},\n"))
            .collect();
        let text = CONFIG
            .replace("CONTROL", &quoted(&control)?)
            .replace("ADDRESS", &address.to_string())
            .replace("SERVERS\n", &servers);
        fs::write(&config, text)
            .map_err(|error| Failure::broken(format!("{} cannot be written: {error}", config.display())))?;
        Ok(Self { address, config, control, log, child: None, _short: short })
    }

    /// The path of its control socket, as a line and a TOML file write it.
    pub(super) fn control(&self) -> Result<String, Failure> {
        quoted(&self.control)
    }

    /// Starts it, and waits until it can be told something.
    pub(super) async fn start(&mut self) -> Result<(), Failure> {
        let spawned = self.spawn().map_err(|error| {
            Failure::broken(format!("the balancer of the demo cannot be started: {error}"))
        })?;
        self.child = Some(spawned);
        let begun = Instant::now();
        while Client::connect(&self.control).await.is_err() {
            if let Some(failure) = self.has_ended() {
                return Err(failure);
            }
            if begun.elapsed() > PATIENCE {
                return Err(self.failure("the balancer of the demo does not answer"));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Waits until it ends by itself, which it should not, and tells of it.
    pub(super) async fn ended(&mut self) -> Failure {
        loop {
            if let Some(failure) = self.has_ended() {
                return failure;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn has_ended(&mut self) -> Option<Failure> {
        let status = self.child.as_mut()?.try_wait().ok()??;
        Some(self.failure(&format!("the balancer of the demo has ended: {status}")))
    }

    /// With the last thing that it has said.
    fn failure(&self, what: &str) -> Failure {
        let said = fs::read_to_string(&self.log).unwrap_or_default();
        match said.lines().last() {
            Some(last) => Failure::broken(what).why(format!("it said last: {last}")),
            None => Failure::broken(what),
        }
    }

    fn spawn(&self) -> io::Result<Child> {
        Command::new(std::env::current_exe()?)
            .args(["proxy", "--config"])
            .arg(&self.config)
            .env_remove("NOTIFY_SOCKET")
            // Ctrl-C in the terminal is for the demo, which still needs it then.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&self.log)?)
            .spawn()
    }

    /// Ends it at once; nobody uses it any more.
    pub(super) fn end(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It fails only where the process is gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.end();
    }
}

const SOCKET: &str = "proxy.sock";

const CONFIG: &str = include_str!("files/proxy.toml");

/// A path between quotes. The escapes of JSON mean the same in TOML and in a line.
fn quoted(path: &Path) -> Result<String, Failure> {
    let text = path.to_str().and_then(|path| serde_json::to_string(path).ok());
    text.ok_or_else(|| {
        Failure::broken(format!("{} cannot be written into a file of text", path.display()))
            .next("name a directory with a path in UTF-8: TMPDIR=DIR andon demo")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_a_configuration_without_mistakes() {
        let place = tempfile::tempdir().unwrap();
        let balancer = Balancer::describe(place.path(), 18_007, 18_001..=18_006).unwrap();
        let config = andon_proxy::process::read_config(&balancer.config).unwrap();
        assert_eq!(config.control.unwrap(), balancer.control);
        assert_eq!(config.listen[0].address, balancer.address);
        let servers = &config.pools["www"].servers;
        assert_eq!((servers.len(), servers[5].name.as_str()), (6, "web6"));
        assert_eq!(servers[5].address, "127.0.0.1:18006");
        assert_eq!(config.pools["www"].retries, 0);
    }

    #[test]
    fn a_control_socket_has_a_short_path_wherever_the_demo_lies() {
        let place = tempfile::tempdir().unwrap();
        let deep = place.path().join("a-directory-that-has-a-long-name".repeat(4));
        fs::create_dir(&deep).unwrap();
        let balancer = Balancer::describe(&deep, 18_007, 18_001..=18_006).unwrap();
        let short = balancer.control.clone();
        assert!(short.as_os_str().len() <= LONGEST_SOCKET && short.parent().unwrap().is_dir());
        drop(balancer);
        assert!(!short.parent().unwrap().exists());
    }
}
