//! Daemons, a private directory for shared connections, and the push between them.

use std::path::PathBuf;
use std::time::Duration;

use andon_core::line::Transport;
use andon_core::name::HostName;
use andon_server::push::{CommandLine, HostOutcome, PushEvent, PushOptions, PushTarget, Status, push};
use andon_server::ssh::SshOptions;
use andon_testbed::Sshd;
use tokio::sync::mpsc;

/// However busy the machine is, nothing takes longer than this.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Bench {
    pub(crate) sshd: Sshd,
    control: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new(sshd: Sshd) -> Self {
        // Sockets need a short path, whatever TMPDIR says.
        let control = tempfile::Builder::new().prefix("an").tempdir_in("/tmp").unwrap();
        Self { sshd, control }
    }

    pub(crate) fn hosts(count: usize) -> Self {
        Self::new(Sshd::start(count).unwrap())
    }

    pub(crate) fn options(&self) -> PushOptions {
        let mut ssh = SshOptions::new(self.control.path().join("c"));
        ssh.config = Some(self.sshd.ssh_config());
        PushOptions::new(ssh)
    }

    pub(crate) fn targets(&self) -> Vec<PushTarget> {
        self.sshd.hosts().iter().map(|host| ssh_target(host.name())).collect()
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.sshd.hosts()[0].home()
    }

    /// Runs words on all hosts with the usual options.
    pub(crate) async fn run(&self, words: &[&str]) -> Vec<HostOutcome> {
        self.run_with(self.options(), words).await
    }

    pub(crate) async fn run_with(&self, options: PushOptions, words: &[&str]) -> Vec<HostOutcome> {
        run(self.targets(), options, words).await
    }

    /// Runs a line on the first host and gives its exit code and output.
    pub(crate) async fn line(&self, line: &str) -> (Status, String) {
        let outcome = self.run(&[line]).await.remove(0);
        (outcome.status, String::from_utf8_lossy(&outcome.output.joined()).into_owned())
    }
}

pub(crate) async fn run(targets: Vec<PushTarget>, options: PushOptions, words: &[&str]) -> Vec<HostOutcome> {
    let (events, _) = mpsc::channel(1);
    let command = command(words);
    let push = push(targets, &command, options, events);
    tokio::time::timeout(PATIENCE, push).await.expect("the push hangs").unwrap()
}

pub(crate) fn command(words: &[&str]) -> CommandLine {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    CommandLine::new(&words).unwrap()
}

pub(crate) fn ssh_target(name: &str) -> PushTarget {
    let transport = Transport::Ssh { address: name.to_owned(), user: None, port: None, sudo: false };
    PushTarget { host: HostName::new(name).unwrap(), transport }
}

pub(crate) fn local_target() -> PushTarget {
    PushTarget { host: HostName::new("here").unwrap(), transport: Transport::Local }
}

pub(crate) fn exited(code: u8) -> Status {
    Status::Exited { code }
}

/// Receives everything that happens while a push runs.
pub(crate) async fn all(mut events: mpsc::Receiver<PushEvent>) -> Vec<PushEvent> {
    let mut all = Vec::new();
    while let Some(event) = events.recv().await {
        all.push(event);
    }
    all
}
