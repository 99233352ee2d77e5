//! A person's project in a directory of its own: a line, a release, a ledger, and the program at work in it.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use andon_testbed::deadline::wait_until;
use andon_testbed::process;
use andon_testbed::program::find;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

/// What nothing here may exceed, on a machine that does much else.
pub(crate) const LIMIT: Duration = Duration::from_secs(90);

/// A rollout without any time for watching, so that a test waits for nothing.
pub(crate) const QUICK: &str =
    r#"bake = "0s", min_healthy_time = "0s", healthy_deadline = "20s", min_available = 0"#;

/// A program that stays alive and listens to nothing.
const STAYS: &str = "#!/bin/sh\nexec sleep 100000\n";

/// Runs what the release itself brings as its production test.
const SMOKE: &str = "#!/bin/sh\nexec /bin/sh \"$ANDON_ROOT/releases/$ANDON_RELEASE/smoke\"\n";

/// Health that is asked often, and passes.
const HEALTH: &str = r#"health(script("up.sh"), interval = "100ms", in_a_row = 1)"#;

/// A directory with a line, thrown away at the end together with every process that has to do with it.
pub(crate) struct Project {
    dir: TempDir,
    commands: AtomicUsize,
    user: String,
    ssh_config: Option<PathBuf>,
}

impl Project {
    /// An empty project.
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("andon-p-").tempdir_in("/tmp").unwrap();
        for made in ["home", "run", "heard"] {
            fs::create_dir(dir.path().join(made)).unwrap();
        }
        Self { dir, commands: AtomicUsize::new(0), user: "ana".to_owned(), ssh_config: None }
    }

    /// A project with the service `www` on `hosts` local hosts, `web1` and so on, and a first release.
    pub(crate) fn local(hosts: usize) -> Self {
        let project = Self::new();
        project.write_line(&local_hosts(hosts), QUICK, "");
        project.release("one", "exit 0");
        project
    }

    /// Reads this `ssh` configuration from now on.
    pub(crate) fn with_ssh(mut self, config: PathBuf) -> Self {
        self.ssh_config = Some(config);
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path().join(".andon")
    }

    /// The service `www` of the release `dist/` on the hosts that the expression `hosts` names. `more` holds further
    /// arguments of `service(...)`.
    pub(crate) fn write_line(&self, hosts: &str, rollout: &str, more: &str) {
        self.write("up.sh", "#!/bin/sh\nexit 0\n");
        self.write("smoke.sh", SMOKE);
        self.write(
            "line.star",
            &format!(
                "service(\"www\", hosts = {hosts}, release = directory(\"dist\"),\n  \
                 run = process(exec = \"{{release}}/www\", stop_timeout = \"2s\"), health = {HEALTH},\n  \
                 tests = [script(\"smoke.sh\", timeout = \"120s\")], rollout = rollout({rollout}), {more})\n"
            ),
        );
    }

    /// Writes a file below the project.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        if text.starts_with("#!") {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    /// Makes the release: `mark` makes it differ from others, `smoke` is the shell script that tests it.
    pub(crate) fn release(&self, mark: &str, smoke: &str) {
        self.write("dist/mark", mark);
        self.write("dist/www", STAYS);
        self.write("dist/smoke", smoke);
    }

    /// A test that waits until [`Project::open_gate`], and passes then.
    pub(crate) fn gate(&self) -> String {
        format!("until [ -e '{}' ]; do sleep 0.05; done; exit 0", self.path().join("gate").display())
    }

    /// Lets every test pass that waits at the gate.
    pub(crate) fn open_gate(&self) {
        self.write("gate", "open");
    }

    /// The program with `words`, not yet started.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = self.around(Command::new(env!("CARGO_BIN_EXE_andon")));
        if let Some(config) = &self.ssh_config {
            command.arg("--ssh-config").arg(config);
        }
        command.args(words);
        command
    }

    /// The program with `words` at a terminal of its own, where `keyboard` types; not yet started. The shell in between
    /// gives way to it: one that stays ends by Ctrl-C as well, and nobody learns how the program did.
    pub(crate) fn at_a_terminal(&self, words: &[&str], keyboard: &File) -> Command {
        let mut command = self.around(Command::new(find("script").unwrap()));
        let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let line = format!("exec '{}' {}", env!("CARGO_BIN_EXE_andon"), words.join(" "));
        command.args(["-qefc", &line, "/dev/null"]).env("SHELL", "/bin/sh").env("TERM", "xterm");
        command.stdin(keyboard.try_clone().unwrap());
        command
    }

    /// Another program, in the surroundings of this project.
    pub(crate) fn around(&self, mut command: Command) -> Command {
        for inherited in [
            "ANDON_LINE",
            "ANDON_DATA",
            "ANDON_SERVER",
            "ANDON_TOKEN",
            "ANDON_LOG",
            "NOTIFY_SOCKET",
            "WATCHDOG_USEC",
            "WATCHDOG_PID",
            "GIT_DIR",
            "GIT_WORK_TREE",
            "GIT_INDEX_FILE",
            "XDG_CONFIG_HOME",
            "XDG_CACHE_HOME",
            "NO_COLOR",
            "CLICOLOR_FORCE",
            "SUDO_USER",
            "SUDO_UID",
        ] {
            command.env_remove(inherited);
        }
        command
            .current_dir(self.path())
            .env("HOME", self.path().join("home"))
            .env("XDG_RUNTIME_DIR", self.path().join("run"))
            .env("ANDON_USER", &self.user)
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC")
            .stdin(Stdio::null());
        command
    }

    /// Starts the program with `words`.
    pub(crate) fn start(&self, words: &[&str]) -> Running {
        self.start_command(self.command(words))
    }

    /// Starts a command that was made here. What it says goes to files, so that nobody has to read along.
    pub(crate) fn start_command(&self, mut command: Command) -> Running {
        let number = self.commands.fetch_add(1, Ordering::Relaxed);
        let [out, err] = ["out", "err"].map(|end| self.path().join(format!("heard/{number}.{end}")));
        command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
        Running { child: command.spawn().unwrap(), out, err }
    }

    /// Runs the program with `words` to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        self.start(words).end()
    }

    /// Runs the program, which must succeed.
    pub(crate) fn well(&self, words: &[&str]) -> Ran {
        self.run(words).code(0)
    }

    /// What the program says as JSON, whatever its exit code.
    pub(crate) fn json(&self, words: &[&str]) -> Value {
        let mut all = words.to_vec();
        all.push("--json");
        let ran = self.run(&all);
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
    }

    /// The deployment with this number, as `show` tells it.
    pub(crate) fn show(&self, number: u64) -> Value {
        self.json(&["show", &number.to_string()])
    }

    /// Waits until the deployment's `show` satisfies `condition`.
    pub(crate) fn until_shown(&self, number: u64, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let held = wait_until(LIMIT, || {
            last = self.show(number);
            condition(&last)
        });
        assert!(held, "waited in vain until {what}: {last:#}");
        last
    }

    /// Waits until the story of a deployment has come to `event`, for example `web1 verifying`.
    pub(crate) fn until_told(&self, number: u64, event: &str) {
        self.until_shown(number, event, |shown| {
            shown["events"].as_array().is_some_and(|events| events.iter().any(|it| it["what"] == event))
        });
    }

    /// How many deployments are recorded.
    pub(crate) fn recorded(&self) -> usize {
        self.json(&["history", "--limit", "100000"]).as_array().unwrap().len()
    }

    /// The directory of a service's root on a local host.
    pub(crate) fn local_root(&self, host: &str) -> PathBuf {
        self.data().join("hosts").join(host).join("srv/www")
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        // Supervisors are detached on purpose, and start again what is ended before them.
        wait_until(Duration::from_secs(10), || {
            let mine = processes_naming(self.path());
            mine.iter().for_each(|pid| process::kill(*pid));
            mine.is_empty()
        });
    }
}

/// The processes whose command line or environment names something below `dir`, without our own.
pub(crate) fn processes_naming(dir: &Path) -> Vec<u32> {
    let wanted = dir.as_os_str().as_encoded_bytes();
    let names = |file: String| fs::read(file).is_ok_and(|text| contains(&text, wanted));
    process::all()
        .into_iter()
        .map(|process| process.pid)
        .filter(|pid| *pid != std::process::id())
        .filter(|pid| names(format!("/proc/{pid}/cmdline")) || names(format!("/proc/{pid}/environ")))
        .collect()
}

pub(crate) fn contains(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|window| window == wanted)
}

/// The expression of a group of local hosts.
pub(crate) fn local_hosts(count: usize) -> String {
    let names: Vec<String> = (1..=count).map(|number| format!("\"web{number}\"")).collect();
    format!("group(\"web\", [{}], local = True)", names.join(", "))
}

/// A program that was started.
pub(crate) struct Running {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has said on standard output so far; of a character that is half written, nothing sensible.
    pub(crate) fn said(&self) -> String {
        read_lossy(&self.out)
    }

    /// What it has said on standard error so far.
    #[allow(dead_code, reason = "only the tests of the API ask")]
    pub(crate) fn complained(&self) -> String {
        read_lossy(&self.err)
    }

    /// Waits until it has said `words`.
    pub(crate) fn until_said(&mut self, words: &str) {
        let held = wait_until(LIMIT, || self.said().contains(words) || self.has_ended());
        let said = self.said();
        let complaint = read_lossy(&self.err);
        assert!(held && said.contains(words), "it never said {words:?}: {said}{complaint}");
    }

    /// Waits until it has said `words`, or has nothing more to say.
    pub(crate) fn until_said_or_ended(&mut self, words: &str) {
        let held = wait_until(LIMIT, || self.said().contains(words) || self.has_ended());
        assert!(held, "it never said {words:?}: {}", self.said());
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        process::send(self.pid(), signal);
    }

    /// Kills it without a word, as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end, within [`LIMIT`].
    pub(crate) fn end(mut self) -> Ran {
        let mut status: Option<ExitStatus> = None;
        wait_until(LIMIT, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let (out, err) = (read_lossy(&self.out), read_lossy(&self.err));
        let Some(status) = status else {
            process::kill(self.pid());
            panic!("it did not end within {LIMIT:?}: {out}{err}");
        };
        Ran { code: status.code(), out, err }
    }
}

fn read_lossy(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()
}

/// Keys that can be pressed later on: what is written into it.
pub(crate) fn keyboard(project: &Project) -> File {
    let path = project.path().join("keys");
    if !path.exists() {
        let made = Command::new(find("mkfifo").unwrap()).arg(&path).status().unwrap();
        assert!(made.success());
    }
    // With both ends open nobody waits for the other one, and it never ends.
    File::options().read(true).write(true).open(path).unwrap()
}

/// How a program ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Insists on an exit code.
    #[track_caller]
    pub(crate) fn code(self, wanted: i32) -> Self {
        assert_eq!(self.code, Some(wanted), "stdout: {}\nstderr: {}", self.out, self.err);
        self
    }

    /// Insists on words, on either stream.
    #[track_caller]
    pub(crate) fn says(self, words: &str) -> Self {
        let said = self.out.contains(words) || self.err.contains(words);
        assert!(said, "{words:?} was not said\nstdout: {}\nstderr: {}", self.out, self.err);
        self
    }

    /// Insists on the absence of words.
    #[track_caller]
    pub(crate) fn never_says(self, words: &str) -> Self {
        let said = self.out.contains(words) || self.err.contains(words);
        assert!(!said, "{words:?} was said\nstdout: {}\nstderr: {}", self.out, self.err);
        self
    }
}

/// A field of a JSON object, as text.
pub(crate) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("{field} is no text in {value:#}"))
}

/// The state of a host in what `show` tells.
pub(crate) fn host_state<'a>(shown: &'a Value, host: &str) -> &'a str {
    let runs = shown["host_runs"].as_array().unwrap();
    let run = runs.iter().find(|run| run["host"] == host).unwrap_or_else(|| panic!("no {host} in {shown:#}"));
    text(run, "state")
}
