//! A repository that people push to, with its commit check, and somebody who pushes.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use crate::project::Project;

/// A bare repository with `main`, and a clone of it, both below a project.
pub(crate) struct Pushes<'a> {
    pub(crate) project: &'a Project,
    /// What stands before the repository's path in its address, and how it is reached.
    pub(crate) remote: String,
    pub(crate) ssh: Option<String>,
}

/// How a push went.
#[derive(Debug)]
pub(crate) struct Pushed {
    pub(crate) taken: bool,
    pub(crate) said: String,
}

impl Pushed {
    #[track_caller]
    pub(crate) fn taken(self) -> Self {
        assert!(self.taken, "it was refused: {}", self.said);
        self
    }

    #[track_caller]
    pub(crate) fn refused(self) -> Self {
        assert!(!self.taken, "it was taken: {}", self.said);
        self
    }

    #[track_caller]
    pub(crate) fn says(self, words: &str) -> Self {
        assert!(self.said.contains(words), "{words:?} was not said: {}", self.said);
        self
    }

    #[track_caller]
    pub(crate) fn never_says(self, words: &str) -> Self {
        assert!(!self.said.contains(words), "{words:?} was said: {}", self.said);
        self
    }
}

impl<'a> Pushes<'a> {
    /// An empty repository without a check, and a clone that has one commit more.
    pub(crate) fn new(project: &'a Project) -> Self {
        andon_testbed::require(&["git"]).unwrap();
        let pushes = Self { project, remote: String::new(), ssh: None };
        pushes.git(&["init", "--quiet", "--bare", "--initial-branch=main", "../the www.git"]);
        pushes.git(&["init", "--quiet", "--initial-branch=main", "."]);
        pushes.commit("web: the first");
        pushes.push(&["main"]).taken();
        pushes
    }

    /// The same, with a check of the project's own ledger.
    pub(crate) fn checked(project: &'a Project, words: &[&str]) -> Self {
        let pushes = Self::new(project);
        let data = project.data();
        let all = ["hook", "install", pushes.repository_name(), "--data", data.to_str().unwrap()];
        project.well(&[&all[..], words].concat()).says("has its commit check");
        pushes
    }

    pub(crate) fn repository(&self) -> PathBuf {
        self.project.path().join(self.repository_name())
    }

    pub(crate) fn repository_name(&self) -> &'static str {
        "the www.git"
    }

    pub(crate) fn clone(&self) -> PathBuf {
        let clone = self.project.path().join("clone");
        fs::create_dir_all(&clone).unwrap();
        clone
    }

    /// Changes a line of the settings, or adds some.
    pub(crate) fn settings(&self, from: &str, to: &str) {
        let path = self.repository().join("andon.toml");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "no {from:?} in {text}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
    }

    fn command<S: AsRef<OsStr>>(&self, words: &[S]) -> Command {
        let mut command = self.project.around(Command::new("git"));
        command.current_dir(self.clone()).args(words);
        for (name, value) in [("AUTHOR", "Eva"), ("COMMITTER", "Eva")] {
            command
                .env(format!("GIT_{name}_NAME"), value)
                .env(format!("GIT_{name}_EMAIL"), "eva@example.com");
        }
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_TERMINAL_PROMPT", "0");
        if let Some(ssh) = &self.ssh {
            command.env("GIT_SSH_COMMAND", ssh);
        }
        command
    }

    /// `git`, which must succeed; what it printed.
    pub(crate) fn git<S: AsRef<OsStr>>(&self, words: &[S]) -> String {
        let Output { status, stdout, stderr } = self.command(words).output().unwrap();
        let said = String::from_utf8_lossy(&stderr).into_owned();
        assert!(status.success(), "{said}");
        String::from_utf8_lossy(&stdout).trim().to_owned()
    }

    /// `git` that reads `input`.
    pub(crate) fn git_with(&self, words: &[&str], input: &[u8]) -> String {
        let mut command = self.command(words);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let ended = child.wait_with_output().unwrap();
        assert!(ended.status.success());
        String::from_utf8_lossy(&ended.stdout).trim().to_owned()
    }

    /// A new commit with this message, on whatever is checked out.
    pub(crate) fn commit(&self, message: &str) {
        self.git(&["commit", "--quiet", "--allow-empty", "--cleanup=verbatim", "--message", message]);
    }

    /// Pushes these references to the repository.
    pub(crate) fn push(&self, words: &[&str]) -> Pushed {
        let options: Vec<&str> = words.iter().copied().filter(|word| word.starts_with('-')).collect();
        let rest: Vec<&str> = words.iter().copied().filter(|word| !word.starts_with('-')).collect();
        let address = format!("{}{}", self.remote, self.repository().display());
        let all = [&["push", "--quiet"][..], &options, &[&address], &rest].concat();
        let Output { status, stdout, stderr } = self.command(&all).output().unwrap();
        let said = [stdout, stderr].concat();
        Pushed { taken: status.success(), said: String::from_utf8_lossy(&said).into_owned() }
    }
}
