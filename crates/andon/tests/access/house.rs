//! A server on a person's line, with users that a test names.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use andon_testbed::deadline::wait_until;
use serde_json::Value;

use crate::client::{self, Answer};
use crate::project::{LIMIT, Project, QUICK};

/// A password that everybody here has.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// A server, its line and its data.
pub(crate) struct House {
    pub(crate) project: Project,
    child: Option<Child>,
    pub(crate) address: SocketAddr,
    words: Vec<String>,
}

impl House {
    /// A server on loopback that knows nobody; the line has `www` in staging and in production.
    pub(crate) fn new() -> Self {
        Self::with("", &[])
    }

    /// The same, with more in the line, and more words for the server.
    pub(crate) fn with(line: &str, words: &[&str]) -> Self {
        let project = Project::new();
        let hosts = "{\"staging\": group(\"stage\", [\"stage1\"], local = True), \
                      \"production\": group(\"web\", [\"web1\"], local = True)}";
        project.write_line(hosts, QUICK, "");
        let written = std::fs::read_to_string(project.path().join("line.star")).unwrap();
        project.write("line.star", &format!("{line}{written}"));
        project.release("one", "exit 0");
        Self::in_project(project, words)
    }

    /// A server in a project that was made before.
    pub(crate) fn in_project(project: Project, words: &[&str]) -> Self {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let (child, address) = launch(&project, &words);
        Self { project, child: Some(child), address, words }
    }

    /// Kills it, and starts it again on the same data.
    pub(crate) fn restart(&mut self) {
        self.stop();
        let (child, address) = launch(&self.project, &self.words);
        (self.child, self.address) = (Some(child), address);
    }

    /// Tells it to look at its files again.
    pub(crate) fn hang_up(&self) {
        let child = self.child.as_ref().unwrap();
        andon_testbed::process::send(child.id(), rustix::process::Signal::HUP);
    }

    /// What it has said so far, on either stream.
    pub(crate) fn said(&self) -> String {
        heard(&self.project)
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Lets somebody in, at the terminal.
    pub(crate) fn user(&self, name: &str, grants: &[&str]) {
        let mut words = vec!["user", "add", name, "--password-stdin"];
        grants.iter().for_each(|grant| words.extend(["--grant", grant]));
        self.typed(&words, &format!("{PASSWORD}\n"));
    }

    /// Ana, who looks after users, and others with these grants.
    pub(crate) fn users(&self, others: &[(&str, &[&str])]) {
        self.user("ana", &["admin"]);
        others.iter().for_each(|(name, grants)| self.user(name, grants));
    }

    /// A command that reads `input`, and must succeed.
    pub(crate) fn typed(&self, words: &[&str], input: &str) -> String {
        let mut command = self.project.command(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    }

    /// A token for a user, made at the terminal.
    pub(crate) fn token(&self, user: &str, grants: &[&str], life: &str) -> String {
        let mut words = vec!["token", "make", "ci", "--user", user, "--expires", life, "--json"];
        grants.iter().for_each(|grant| words.extend(["--grant", grant]));
        let made: Value = serde_json::from_str(&self.typed(&words, "")).unwrap();
        made["secret"].as_str().unwrap().to_owned()
    }

    /// One request, in exactly these lines.
    pub(crate) fn raw(&self, request: &str) -> Answer {
        client::raw(self.address, request.as_bytes())
    }

    /// One request with these further lines in its head.
    pub(crate) fn ask(&self, method: &str, path: &str, lines: &str, body: &str) -> Answer {
        client::ask(self.address, method, path, lines, body.as_bytes())
    }

    /// One request, of whose answer only the head is read: what follows may never end.
    pub(crate) fn head(&self, method: &str, path: &str, lines: &str) -> Answer {
        client::ask_head(self.address, method, path, lines)
    }

    /// One request of a program that shows a token.
    pub(crate) fn bearer(&self, token: &str, method: &str, path: &str, body: &str) -> Answer {
        self.ask(method, path, &format!("Authorization: Bearer {token}\r\n"), body)
    }

    /// Every record of the ledger, as the command tells it.
    pub(crate) fn ledger(&self) -> String {
        self.project.well(&["ledger", "export"]).out
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Where a server's words go.
fn words_of(project: &Project) -> PathBuf {
    project.path().join("heard/server")
}

fn heard(project: &Project) -> String {
    String::from_utf8_lossy(&std::fs::read(words_of(project)).unwrap()).into_owned()
}

fn launch(project: &Project, words: &[String]) -> (Child, SocketAddr) {
    let mut all = vec!["server"];
    if !words.iter().any(|word| word == "--listen") {
        all.extend(["--listen", "127.0.0.1:0"]);
    }
    all.extend(words.iter().map(String::as_str));
    let out = std::fs::File::create(words_of(project)).unwrap();
    let mut command = project.command(&all);
    command.stderr(out.try_clone().unwrap()).stdout(out);
    let mut child = command.spawn().unwrap();
    let mut address = None;
    wait_until(LIMIT, || {
        let text = heard(project);
        let rest = text.split_once("answers on http").and_then(|(_, rest)| rest.split_once("://"));
        address =
            rest.and_then(|(_, rest)| rest.split_once('\n')).map(|(address, _)| address.parse().unwrap());
        address.is_some() || child.try_wait().unwrap().is_some()
    });
    let address = address.unwrap_or_else(|| panic!("no server: {}", heard(project)));
    (child, address)
}
