//! One host of the testbed: a daemon with an address, a home and a log.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::SshdError;
use super::daemon::{Daemon, DaemonSettings, LOG};

/// How many free ports to try before giving up: another process may take one between our look and the daemon's.
const PORT_ATTEMPTS: usize = 5;

/// One daemon with an address, a home and a log of its own.
#[derive(Debug)]
pub struct SshdHost {
    name: String,
    address: SocketAddr,
    place: PathBuf,
    daemon: Mutex<Option<Daemon>>,
}

impl SshdHost {
    /// Its name in the client's configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address, one that no other host of the testbed has.
    pub fn address(&self) -> IpAddr {
        self.address.ip()
    }

    /// The port it listens on, which it keeps over [`restart`](Self::restart).
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Address and port together.
    pub fn socket(&self) -> SocketAddr {
        self.address
    }

    /// The throw-away home that commands see as `$HOME`.
    pub fn home(&self) -> PathBuf {
        self.place.join("home")
    }

    /// What the daemon has logged so far.
    pub fn log(&self) -> String {
        fs::read(self.place.join(LOG))
            .map(|log| String::from_utf8_lossy(&log).into_owned())
            .unwrap_or_default()
    }

    /// How many logins it has accepted since the testbed was started.
    pub fn logins(&self) -> usize {
        self.log().lines().filter(|line| line.starts_with("Accepted ")).count()
    }

    /// Cuts all established connections. The daemon goes on listening, and commands that ran go on running.
    pub fn sever(&self) {
        if let Some(daemon) = &*self.daemon() {
            daemon.sever();
        }
    }

    /// Ends the daemon and cuts its connections: from now on nobody answers here.
    pub fn stop(&self) {
        *self.daemon() = None;
    }

    /// Starts the daemon anew with the same address and key, whether or not it was stopped.
    ///
    /// # Errors
    /// [`SshdError::NotReady`] when another process has taken the port meanwhile.
    pub fn restart(&self) -> Result<(), SshdError> {
        let mut daemon = self.daemon();
        *daemon = None;
        let mut started = Daemon::launch(&self.place)?;
        started.ready(self.address, &self.place)?;
        *daemon = Some(started);
        Ok(())
    }

    /// Starts a daemon for the host with the number `number`, from 1, without waiting for it.
    fn launch(directory: &Path, settings: &DaemonSettings, number: usize) -> Result<Self, SshdError> {
        let name = format!("web{number}");
        let place = directory.join(&name);
        let address = free_address(number)?;
        settings.write(address, &place)?;
        let daemon = Daemon::launch(&place)?;
        Ok(Self { name, address, place, daemon: Mutex::new(Some(daemon)) })
    }

    fn ready(&self) -> Result<(), SshdError> {
        self.daemon().as_mut().map_or(Ok(()), |daemon| daemon.ready(self.address, &self.place))
    }

    fn daemon(&self) -> MutexGuard<'_, Option<Daemon>> {
        self.daemon.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts `hosts` daemons together and waits for all of them.
pub(super) fn start_all(
    directory: &Path,
    settings: &DaemonSettings,
    hosts: usize,
) -> Result<Vec<SshdHost>, SshdError> {
    let launched: Result<Vec<_>, _> =
        (1..=hosts).map(|number| SshdHost::launch(directory, settings, number)).collect();
    let mut ready = Vec::with_capacity(hosts);
    for (number, host) in (1..).zip(launched?) {
        ready.push(insist(host, directory, settings, number)?);
    }
    Ok(ready)
}

/// Waits for `host`; when its port was taken meanwhile, tries others.
fn insist(
    mut host: SshdHost,
    directory: &Path,
    settings: &DaemonSettings,
    number: usize,
) -> Result<SshdHost, SshdError> {
    for _ in 1..PORT_ATTEMPTS {
        match host.ready() {
            Ok(()) => return Ok(host),
            Err(SshdError::NotReady { log, .. }) if log.contains("Address already in use") => {
                host = SshdHost::launch(directory, settings, number)?;
            }
            Err(error) => return Err(error),
        }
    }
    host.ready().map(|()| host)
}

/// An address of the host with the number `number` and a port that is free on it now.
fn free_address(number: usize) -> Result<SocketAddr, SshdError> {
    let octet = |value: usize| u8::try_from(value).unwrap_or(u8::MAX);
    let address = Ipv4Addr::new(127, 0, octet(1 + (number - 1) / 250), octet(1 + (number - 1) % 250));
    TcpListener::bind((address, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(SshdError::io(format!("find a free port on {address}")))
}
