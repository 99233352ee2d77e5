//! A server over a project with local hosts, and a client of it.

use std::net::{SocketAddr, TcpStream};

use andon_testbed::deadline::wait_until;
use serde_json::{Value, json};

use crate::client::{self, Answer};
use crate::project::{LIMIT, Project, Running};

/// A server, and the project that it serves.
pub(crate) struct House {
    pub(crate) project: Project,
    server: Option<Running>,
    address: SocketAddr,
    words: Vec<String>,
}

impl House {
    /// A server of a project with one local host and a first release.
    pub(crate) fn open() -> Self {
        Self::of(Project::local(1), &[])
    }

    /// A server of `project`, started with more `words`.
    pub(crate) fn of(project: Project, words: &[&str]) -> Self {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let (server, address) = start(&project, &words);
        Self { project, server: Some(server), address, words }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the server has logged so far.
    pub(crate) fn log(&self) -> String {
        self.server.as_ref().map(Running::complained).unwrap_or_default()
    }

    /// Kills the server as a power cut would, and starts it again.
    pub(crate) fn kill_and_start(&mut self) {
        self.server.take().unwrap().kill();
        let (server, address) = start(&self.project, &self.words);
        (self.server, self.address) = (Some(server), address);
    }

    pub(crate) fn connect(&self) -> TcpStream {
        client::connect(self.address)
    }

    pub(crate) fn ask(&self, method: &str, path: &str, lines: &str, body: &[u8]) -> Answer {
        client::ask(self.address, method, path, lines, body)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "", b"")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_as(path, body, "")
    }

    /// A change with further lines in its head.
    pub(crate) fn post_as(&self, path: &str, body: &Value, lines: &str) -> Answer {
        let lines = format!("Content-Type: application/json\r\n{lines}");
        self.ask("POST", path, &lines, body.to_string().as_bytes())
    }

    /// Begins a deployment of the release as it lies there.
    pub(crate) fn deploy(&self) -> u64 {
        let wanted = json!({ "service": "www", "environment": "production" });
        self.post("/v1/deployments", &wanted).is(201).json()["deployment"].as_u64().unwrap()
    }

    /// Waits until a deployment has ended.
    pub(crate) fn until_ended(&self, number: u64) -> Value {
        let mut last = Value::Null;
        let held = wait_until(LIMIT, || {
            last = self.get(&format!("/v1/deployments/{number}")).is(200).json();
            !last["ended"].is_null()
        });
        assert!(held, "#{number} never ends: {last:#}");
        last
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.kill();
        }
    }
}

fn start(project: &Project, words: &[String]) -> (Running, SocketAddr) {
    let mut all = vec!["server", "--listen", "127.0.0.1:0"];
    all.extend(words.iter().map(String::as_str));
    let mut server = project.start(&all);
    server.until_said("answers on http://");
    let said = server.said();
    let (_, rest) = said.split_once("answers on http://").unwrap();
    let address = rest.lines().next().unwrap().trim().parse().unwrap();
    (server, address)
}
