//! A server with the project that it deploys, and people who speak with it from checkouts of their own.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use andon_testbed::balancer::free_ports;
use rustix::process::Signal;
use serde_json::Value;

use crate::client;
use crate::project::{Project, Ran, Running};

/// A server, and what it deploys.
pub(crate) struct Site {
    /// What lies on the server's machine.
    pub(crate) project: Project,
    server: Option<Running>,
    address: SocketAddr,
    /// Kept, so that no other test takes the port while the server is away.
    _held: TcpListener,
}

impl Site {
    /// A server of a project with `hosts` local hosts.
    pub(crate) fn start(hosts: usize) -> Self {
        Self::of(Project::local(hosts), &[])
    }

    /// A server of `project`, with more words.
    pub(crate) fn of(project: Project, words: &[&str]) -> Self {
        let (held, port) = free_ports(1).unwrap();
        let (server, address) = launch(&project, &format!("127.0.0.1:{port}"), words);
        Self { project, server: Some(server), address, _held: held }
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Somebody with a checkout of the same line and release.
    pub(crate) fn person(&self) -> Person {
        let checkout = Project::new();
        for name in ["line.star", "up.sh", "smoke.sh"] {
            copy(&self.project.path().join(name), &checkout.path().join(name));
        }
        for file in fs::read_dir(self.project.path().join("dist")).unwrap() {
            let name = format!("dist/{}", file.unwrap().file_name().to_str().unwrap());
            let text = fs::read_to_string(self.project.path().join(&name)).unwrap();
            checkout.write(&name, &text);
        }
        Person { checkout, url: self.url() }
    }

    /// Waits until the server has said `words`.
    pub(crate) fn until_said(&mut self, words: &str) {
        self.server.as_mut().unwrap().until_said(words);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.server.as_ref().unwrap().signal(signal);
    }

    /// Asks it to end, as systemd does, and waits for that.
    pub(crate) fn stop(&mut self) -> Ran {
        self.signal(Signal::TERM);
        self.server.take().unwrap().end()
    }

    /// Kills it without a word.
    pub(crate) fn kill(&mut self) {
        self.server.take().unwrap().kill();
    }

    /// Starts it again, where it was.
    pub(crate) fn start_again(&mut self) {
        let (server, address) = launch(&self.project, &self.address.to_string(), &[]);
        assert_eq!(address, self.address);
        self.server = Some(server);
    }

    /// One request that shows nothing of who asks: status and body.
    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        let answer = client::ask(self.address, "GET", path, "", b"");
        (answer.status, serde_json::from_str(&answer.body).unwrap_or(Value::Null))
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.kill();
        }
    }
}

fn launch(project: &Project, listen: &str, words: &[&str]) -> (Running, SocketAddr) {
    let mut all = vec!["server", "--listen", listen];
    all.extend(words);
    let mut server = project.start(&all);
    server.until_said("answers on http://");
    let said = server.said();
    let address = said.split_once("answers on http://").unwrap().1.lines().next().unwrap().parse().unwrap();
    (server, address)
}

fn copy(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap();
}

/// Somebody who speaks with a server from a directory of their own.
pub(crate) struct Person {
    pub(crate) checkout: Project,
    pub(crate) url: String,
}

impl Person {
    fn words<'a>(&'a self, words: &[&'a str]) -> Vec<&'a str> {
        let mut all = vec!["--server", self.url.as_str()];
        all.extend(words);
        all
    }

    pub(crate) fn start(&self, words: &[&str]) -> Running {
        self.checkout.start(&self.words(words))
    }

    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        self.checkout.run(&self.words(words))
    }

    pub(crate) fn well(&self, words: &[&str]) -> Ran {
        self.run(words).code(0)
    }
}
