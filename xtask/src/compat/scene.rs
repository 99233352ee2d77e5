//! A project on two local hosts in a directory of its own, in which two versions of the program are at work.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use andon_testbed::deadline::wait_until;
use andon_testbed::process;
use tempfile::TempDir;

/// The longest time for anything here.
const LIMIT: Duration = Duration::from_secs(90);

const LINE: &str = r#"service("www", hosts = group("web", ["web1", "web2"], local = True), release = directory("dist"),
    run = process(exec = "{release}/www", stop_timeout = "2s"),
    health = health(script("up.sh"), interval = "100ms", in_a_row = 1),
    tests = [script("smoke.sh", timeout = "60s")],
    rollout = rollout(bake = "0s", min_healthy_time = "0s", healthy_deadline = "20s", min_available = 0))
"#;
const SMOKE: &str = "#!/bin/sh\nexec /bin/sh \"$ANDON_ROOT/releases/$ANDON_RELEASE/smoke\"\n";

/// Which of the two programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Old,
    New,
}

/// The project.
pub(super) struct Scene {
    dir: TempDir,
    old: PathBuf,
    new: PathBuf,
}

/// How a program ended, and what it said.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) code: Option<i32>,
    pub(super) said: String,
}

impl Scene {
    /// A fresh project with a line and a release.
    pub(super) fn open(old: &Path, new: &Path) -> Result<Self, String> {
        let dir =
            tempfile::Builder::new().prefix("andon-compat-").tempdir_in("/tmp").map_err(|e| e.to_string())?;
        let scene = Self { dir, old: old.to_owned(), new: new.to_owned() };
        for made in ["home", "run", "dist"] {
            fs::create_dir(scene.dir.path().join(made)).map_err(|error| error.to_string())?;
        }
        scene.write("line.star", LINE)?;
        scene.write("up.sh", "#!/bin/sh\nexit 0\n")?;
        scene.write("smoke.sh", SMOKE)?;
        scene.write("dist/www", "#!/bin/sh\nexec sleep 100000\n")?;
        scene.release("one", false)?;
        Ok(scene)
    }

    fn write(&self, name: &str, content: &str) -> Result<(), String> {
        let path = self.dir.path().join(name);
        fs::write(&path, content).map_err(|error| format!("{name}: {error}"))?;
        let mode = if content.starts_with("#!") { 0o755 } else { 0o644 };
        fs::set_permissions(&path, Permissions::from_mode(mode)).map_err(|error| format!("{name}: {error}"))
    }

    /// The next release; its test waits at the gate, or passes.
    pub(super) fn release(&self, mark: &str, gated: bool) -> Result<(), String> {
        let gate = self.dir.path().join("gate");
        let _ = fs::remove_file(&gate);
        let waits = format!("until [ -e '{}' ]; do sleep 0.05; done\nexit 0\n", gate.display());
        self.write("dist/mark", mark)?;
        self.write("dist/smoke", if gated { &waits } else { "exit 0\n" })
    }

    /// Lets the tests pass that wait.
    pub(super) fn open_gate(&self) -> Result<(), String> {
        self.write("gate", "open")
    }

    fn command(&self, which: Which, words: &[&str]) -> Command {
        let mut command = Command::new(match which {
            Which::Old => &self.old,
            Which::New => &self.new,
        });
        command
            .args(words)
            .current_dir(self.dir.path())
            .env("HOME", self.dir.path().join("home"))
            .env("XDG_RUNTIME_DIR", self.dir.path().join("run"))
            .env(
                "ANDON_USER",
                match which {
                    Which::Old => "olga",
                    Which::New => "nina",
                },
            )
            .env("LANG", "C.UTF-8")
            .stdin(Stdio::null());
        for inherited in ["ANDON_LINE", "ANDON_DATA", "SUDO_USER"] {
            command.env_remove(inherited);
        }
        command
    }

    /// Runs a program to its end.
    pub(super) fn run(&self, which: Which, words: &[&str]) -> Result<Ran, String> {
        let output = self.command(which, words).output().map_err(|error| error.to_string())?;
        let [out, err] =
            [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said).into_owned());
        Ok(Ran { code: output.status.code(), said: format!("{out}{err}") })
    }

    /// Runs a program that has to succeed.
    pub(super) fn well(&self, which: Which, words: &[&str]) -> Result<String, String> {
        let ran = self.run(which, words)?;
        if ran.code == Some(0) {
            Ok(ran.said)
        } else {
            Err(format!("{which:?} {}: {ran:?}", words.join(" ")))
        }
    }

    /// Runs a program that succeeds, or refuses in words.
    pub(super) fn well_or_refused(&self, which: Which, words: &[&str]) -> Result<Option<String>, String> {
        let ran = self.run(which, words)?;
        match ran.code {
            Some(0) => Ok(None),
            Some(3 | 4) if ran.said.contains("error: ") && !ran.said.contains("panicked") => {
                Ok(Some(ran.said.lines().next().unwrap_or_default().to_owned()))
            }
            _ => Err(format!("{which:?} {}: {ran:?}", words.join(" "))),
        }
    }

    /// Begins a deployment and waits until web1 is being verified.
    pub(super) fn in_the_middle(&self, which: Which, number: u64) -> Result<Going, String> {
        let out = fs::File::create(self.dir.path().join("said")).map_err(|error| error.to_string())?;
        let mut command = self.command(which, &["deploy", "www"]);
        command.stdout(out).stderr(Stdio::null());
        let going = Going(command.spawn().map_err(|error| error.to_string())?);
        self.until(which, &["show", &number.to_string()], "web1 verifying")?;
        Ok(going)
    }

    /// Asks a program again and again until it says `wanted`.
    pub(super) fn until(&self, which: Which, words: &[&str], wanted: &str) -> Result<(), String> {
        let said = wait_until(LIMIT, || self.run(which, words).is_ok_and(|ran| ran.said.contains(wanted)));
        if said { Ok(()) } else { Err(format!("{} never said {wanted:?}", words.join(" "))) }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let mine = format!("XDG_RUNTIME_DIR={}", self.dir.path().join("run").display());
        wait_until(Duration::from_secs(10), || {
            let mut left = process::with_environment(&mine);
            // Supervisors have an environment of their own.
            left.extend(process::with_directory(self.dir.path()));
            left.iter().for_each(|pid| process::kill(*pid));
            left.is_empty()
        });
    }
}

/// A deployment under way.
pub(super) struct Going(Child);

impl Going {
    /// As a power cut would.
    pub(super) fn kill(mut self) -> Result<(), String> {
        self.0.kill().and_then(|()| self.0.wait()).map(drop).map_err(|error| error.to_string())
    }

    /// Its exit code.
    pub(super) fn end(mut self) -> Result<Option<i32>, String> {
        let mut code = None;
        let ended = wait_until(LIMIT, || {
            code = self.0.try_wait().ok().flatten();
            code.is_some()
        });
        if ended { Ok(code.and_then(|status| status.code())) } else { Err("it did not end".to_owned()) }
    }
}
