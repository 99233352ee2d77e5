//! A pool before sites, and the controller's side of it.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use andon_api::agent::{FromHost, ToHost};
use andon_core::balance::{
    BalancerFailure, Pool, PoolSight, Server, ServerSight, ServerState, Sockets, Traffic, Wishes,
};
use andon_core::host::{Authority, Fence, Placement};
use andon_core::line::{BalancerKind, HaproxyApi, Instance, Run, Supervision};
use andon_core::name::{HostName, InstanceName, ServerName, ServiceName};
use andon_testbed::{Backend, Haproxy, Retries};

use crate::driver::{Session, until};
use crate::site::Site;

pub(crate) fn server(name: &str) -> ServerName {
    ServerName::new(name).unwrap()
}

pub(crate) fn authority(fence: u64) -> Authority {
    Authority {
        ledger: "ours".to_owned(),
        fence: Fence(fence),
        deployment: 7,
        by: "ada".to_owned(),
        at: "desk".to_owned(),
        since: None,
        take_over: false,
        round: 0,
    }
}

pub(crate) fn pool(balancer: BalancerKind, root: &Path, backends: &[Backend]) -> Pool {
    let servers = backends.iter().map(|Backend { name, address }| Server {
        name: server(name),
        host: HostName::new("web").unwrap(),
        address: address.ip().to_string(),
        port: address.port(),
    });
    Pool {
        service: ServiceName::new("www").unwrap(),
        host: HostName::new("web").unwrap(),
        balancer,
        servers: servers.collect(),
        root: root.to_owned(),
    }
}

/// The service of a pool, with instances on the given ports.
pub(crate) fn placement(pool: &Pool, ports: &[u16]) -> Placement {
    let instance =
        |port: &u16| Instance { name: InstanceName::new(port.to_string()).unwrap(), port: Some(*port) };
    Placement {
        service: pool.service.clone(),
        host: pool.host.clone(),
        root: pool.root.join("www"),
        run: Run {
            by: Supervision::Own { command: vec![] },
            ports: vec![],
            environment: Default::default(),
            stop_timeout: Duration::ZERO,
        },
        instances: ports.iter().map(instance).collect(),
        health: None,
        tests: vec![],
    }
}

/// An agent and the pool that it is asked about.
pub(crate) struct Balancer {
    pub(crate) session: Session,
    pub(crate) pool: Pool,
    _root: tempfile::TempDir,
}

impl Balancer {
    pub(crate) fn new(kind: BalancerKind, backends: &[Backend]) -> Self {
        let root = tempfile::tempdir().unwrap();
        let pool = pool(kind, &root.path().join("balancer"), backends);
        Self { session: Session::open(), pool, _root: root }
    }

    pub(crate) fn told(
        &mut self,
        authority: &Authority,
        wishes: &[(&str, Traffic)],
    ) -> Result<PoolSight, BalancerFailure> {
        let wishes: Wishes = wishes.iter().map(|(name, traffic)| (server(name), *traffic)).collect();
        let (pool, authority) = (Box::new(self.pool.clone()), authority.clone());
        self.session.send(&ToHost::Balance { id: 1, pool, authority, wishes });
        match self.session.next() {
            Some(FromHost::Balanced { id: 1, sight }) => sight.map(|sight| *sight),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn wish(&mut self, wishes: &[(&str, Traffic)]) -> PoolSight {
        self.told(&authority(1), wishes).unwrap()
    }

    /// What the host sees of the instances on `ports`.
    pub(crate) fn sockets(&mut self, ports: &[u16]) -> Sockets {
        let placement = Box::new(placement(&self.pool, ports));
        self.session.send(&ToHost::CountSockets { id: 2, placement });
        match self.session.next() {
            Some(FromHost::Sockets { id: 2, sockets }) => sockets.unwrap(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn look(&mut self) -> PoolSight {
        self.wish(&[])
    }

    /// Says `wishes` again and again until `condition` holds, as a controller does.
    pub(crate) fn until(
        &mut self,
        what: &str,
        wishes: &[(&str, Traffic)],
        mut condition: impl FnMut(&PoolSight) -> bool,
    ) -> PoolSight {
        let mut last = None;
        until(what, || {
            let sight = self.wish(wishes);
            let holds = condition(&sight);
            last = Some(sight);
            holds
        });
        last.unwrap()
    }
}

/// One HAProxy before some sites, and an agent beside it.
pub(crate) struct Beside {
    pub(crate) haproxy: Haproxy,
    pub(crate) sites: Vec<Site>,
    pub(crate) balancer: Balancer,
}

impl Beside {
    /// `change` is applied to the configuration, in which each server has a line of its own.
    pub(crate) fn haproxy(names: &[&'static str], change: impl Fn(String) -> String) -> Self {
        let sites: Vec<Site> = names.iter().copied().map(Site::start).collect();
        let backends: Vec<Backend> = sites.iter().map(Site::backend).collect();
        let mut haproxy = Haproxy::start(&backends, Retries::None).unwrap();
        let config = haproxy.config();
        std::fs::write(&config, change(std::fs::read_to_string(&config).unwrap())).unwrap();
        haproxy.restart().unwrap();
        // Users are let in before the old socket is replaced.
        until("the runtime API answers", || haproxy.api("show info").is_ok());
        let kind =
            BalancerKind::Haproxy { api: HaproxyApi::Socket(haproxy.socket()), backend: "www".to_owned() };
        let mut balancer = Balancer::new(kind, &backends);
        balancer.until("all are up", &[], |sight| {
            sight.servers.values().all(|server| server.state == ServerState::Up)
        });
        // A check must have passed, or what it finds later is not news.
        for name in names {
            until("a check", || haproxy.stat(name, "check_status").unwrap().starts_with("L7"));
        }
        Self { haproxy, sites, balancer }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.haproxy.address()
    }

    /// A request that waits on the site `index`, which must be the only one that gets traffic.
    pub(crate) fn hold(&self, index: usize) -> crate::site::User {
        let before = self.sites[index].held();
        let user = crate::site::User::ask(self.address(), "/hold");
        until("the request arrives", || self.sites[index].held() == before + 1);
        user
    }
}

/// What the balancer sees of one server.
pub(crate) fn of<'s>(sight: &'s PoolSight, name: &str) -> &'s ServerSight {
    sight.servers.get(name).unwrap()
}

pub(crate) fn changed(sight: &PoolSight) -> Vec<&str> {
    sight.changed.iter().map(ServerName::as_str).collect()
}

/// `words` at the end of the line of `server`.
pub(crate) fn with(config: &str, server: &str, words: &str) -> String {
    let line = |line: &str| {
        let more = if line.trim_start().starts_with(&format!("server {server} ")) { words } else { "" };
        format!("{line} {more}\n")
    };
    config.lines().map(line).collect()
}
