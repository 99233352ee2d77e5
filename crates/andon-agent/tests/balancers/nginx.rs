//! The agent beside a real nginx.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use andon_core::balance::{BalancerFailure, Counters, PoolSight, ServerState, Traffic};
use andon_core::line::BalancerKind;
use andon_testbed::{Backend, Nginx, Retries};

use crate::driver::until;
use crate::pool::{Balancer, authority, server};
use crate::site::{Site, User};

mod drain;
mod drift;
mod log;

/// One nginx before some sites, and an agent beside it. Every call of the nginx program is written down.
struct Www {
    nginx: Nginx,
    sites: Vec<Site>,
    balancer: Balancer,
    calls: tempfile::TempDir,
}

impl Www {
    fn start(names: &[&'static str]) -> Self {
        let sites: Vec<Site> = names.iter().copied().map(Site::start).collect();
        let backends = sites.iter().map(Site::backend).collect();
        Self::before(sites, backends, Retries::None)
    }

    fn before(sites: Vec<Site>, backends: Vec<Backend>, retries: Retries) -> Self {
        let nginx = Nginx::start(&backends, retries).unwrap();
        let calls = tempfile::tempdir().unwrap();
        let kind = BalancerKind::Nginx {
            upstream: "www".to_owned(),
            include: nginx.include(),
            program: Vec::new(),
            access_log: Some(nginx.access_log()),
            log_format: None,
        };
        let mut www = Self { balancer: Balancer::new(kind, &backends), nginx, sites, calls };
        let script = format!("echo \"$*\" >> {}; exec \"$@\"", www.calls.path().join("calls").display());
        www.run_nginx_by(&script);
        www
    }

    /// Runs the nginx program, whose words are `"$@"`, by a script of the shell.
    fn run_nginx_by(&mut self, script: &str) {
        let words = ["sh", "-c", script, "sh"].map(str::to_owned).into_iter();
        let words = words.chain(self.nginx.program()).collect();
        let BalancerKind::Nginx { program, .. } = &mut self.balancer.pool.balancer else { unreachable!() };
        *program = words;
    }

    /// How often the nginx program was called with `words` at the end.
    fn calls(&self, words: &str) -> usize {
        let calls = std::fs::read_to_string(self.calls.path().join("calls")).unwrap_or_default();
        calls.lines().filter(|line| line.ends_with(words)).count()
    }

    fn address(&self) -> SocketAddr {
        self.nginx.address()
    }

    fn include(&self) -> String {
        std::fs::read_to_string(self.nginx.include()).unwrap()
    }

    fn set_include(&self, text: &str) {
        std::fs::write(self.nginx.include(), text).unwrap();
    }

    /// nginx's own configuration.
    fn config(&self) -> PathBuf {
        self.nginx.include().with_file_name("nginx.conf")
    }

    fn edit_config(&self, edit: impl Fn(String) -> String) {
        std::fs::write(self.config(), edit(std::fs::read_to_string(self.config()).unwrap())).unwrap();
    }

    fn wish(&mut self, wishes: &[(&str, Traffic)]) -> PoolSight {
        self.balancer.wish(wishes)
    }

    fn refused(&mut self, wishes: &[(&str, Traffic)]) -> BalancerFailure {
        self.balancer.told(&authority(1), wishes).unwrap_err()
    }

    /// Who answers so many requests, each on a connection of its own.
    fn answers(&self, count: usize) -> Vec<String> {
        (0..count).map(|_| get(self.address())).collect()
    }
}

/// The body of the answer to a request on a connection of its own.
fn get(address: SocketAddr) -> String {
    let user = User::ask(address, "/");
    user.body()
}

fn state(sight: &PoolSight, name: &str) -> ServerState {
    sight.servers[&server(name)].state.clone()
}

fn sessions(sight: &PoolSight, name: &str) -> u64 {
    sight.servers[&server(name)].sessions.unwrap()
}

fn counters(sight: &PoolSight, name: &str) -> Counters {
    sight.servers[&server(name)].counters.clone().unwrap()
}

fn names(sight: &PoolSight) -> Vec<&str> {
    sight.changed.iter().map(|name| name.as_str()).collect()
}
