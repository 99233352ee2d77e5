//! The demo as a person or a script runs it: the real program, in a directory of its own.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use andon_testbed::deadline::wait_until;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(120);

/// One demo at a time, where a test does not want more: each has customers of its own, who are to be served in time.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A demo under way. Everything that it writes lies below `place`.
struct Demo {
    child: Child,
    output: BufReader<ChildStdout>,
    said: String,
    place: TempDir,
}

impl Demo {
    fn start(words: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), words)
    }

    fn start_in(place: TempDir, words: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_andon"));
        command.arg("demo").args(words).current_dir(place.path());
        command.env("HOME", place.path()).env("TMPDIR", place.path()).env("LC_ALL", "C.UTF-8");
        command
            .env_remove("ANDON_LINE")
            .env_remove("ANDON_DATA")
            .env_remove("ANDON_SERVER")
            .env_remove("DISPLAY");
        command.env_remove("WAYLAND_DISPLAY");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output, said: String::new(), place }
    }

    /// Reads until a line with `words`, and answers that line.
    fn until_said(&mut self, words: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.output.read_line(&mut line).unwrap();
            assert_ne!(read, 0, "it ended without saying {words:?}:\n{}", self.said);
            self.said.push_str(&line);
            if line.contains(words) {
                return line;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    fn end(&mut self) -> ExitStatus {
        self.output.read_to_string(&mut self.said).unwrap();
        self.child.wait().unwrap()
    }

    fn last_line(&self) -> Value {
        let line = self.said.lines().last().unwrap_or_default();
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?} in\n{}", self.said))
    }

    /// The directory of its fleet.
    fn directory(&self) -> PathBuf {
        fs::read_dir(self.place.path()).unwrap().next().unwrap().unwrap().path()
    }

    /// The control socket of its balancer, as the configuration names it.
    fn control(&self) -> PathBuf {
        let config = fs::read_to_string(self.directory().join("proxy.toml")).unwrap();
        let control = config.lines().find_map(|line| line.strip_prefix("control = ")).unwrap();
        serde_json::from_str(control).unwrap()
    }

    /// Neither a process nor a file of it is left, its balancer and the control socket included.
    #[track_caller]
    fn assert_gone(&self) {
        assert_eq!(processes_of(self.place.path()), Vec::<String>::new(), "after\n{}", self.said);
        let left: Vec<PathBuf> =
            fs::read_dir(self.place.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(left, Vec::<PathBuf>::new(), "after\n{}", self.said);
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal(Signal::TERM);
            let _ = self.child.wait();
        }
    }
}

/// Everything that runs in, was started from or speaks of a directory.
fn processes_of(directory: &Path) -> Vec<String> {
    let needle = directory.as_os_str().as_bytes();
    let speaks = |text: &[u8]| text.windows(needle.len()).any(|part| part == needle);
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter(|entry| entry.file_name().as_bytes().iter().all(u8::is_ascii_digit));
    pids.filter_map(|entry| {
        let read = |name: &str| fs::read(entry.path().join(name)).unwrap_or_default();
        let words = read("cmdline");
        let place = fs::read_link(entry.path().join("cwd")).unwrap_or_default();
        let found = speaks(&words) || speaks(&read("environ")) || place.starts_with(directory);
        found.then(|| format!("{:?}: {}", entry.file_name(), String::from_utf8_lossy(&words)))
    })
    .collect()
}

/// Requests that come in a second of an act at least, on a machine that does much else.
const FEW: f64 = 20.0;

/// The parts of the acts that are the same every time. Customers were there.
fn outcomes(report: &Value) -> Value {
    let acts = report["acts"].as_array().unwrap();
    for act in acts {
        let (requests, seconds) = (act["requests"].as_u64().unwrap(), act["seconds"].as_f64().unwrap());
        assert!(requests as f64 > FEW * seconds, "{act}");
        assert!(act["p99_ms"].as_f64().unwrap() > 0.0, "{act}");
        assert!(act["seconds"].as_f64().unwrap() > 0.0, "{act}");
        assert!(!act["name"].as_str().unwrap().is_empty(), "{act}");
        assert!(!act["reason"].as_str().unwrap().is_empty(), "{act}");
        assert_times(act);
    }
    acts.iter().map(|act| json!([act["outcome"], act["verdict"]])).collect()
}

/// A release that failed its analysis was found out and put back within the time of its act; others have no such times.
fn assert_times(act: &Value) {
    let (detect, restore) = (act["detect_seconds"].as_f64(), act["restore_seconds"].as_f64());
    if act["verdict"] == "fail" {
        let (detect, restore) = (detect.unwrap(), restore.unwrap());
        // Each is rounded.
        assert!(detect > 0.0 && detect + restore <= act["seconds"].as_f64().unwrap() + 0.2, "{act}");
        assert!(restore > 0.0, "{act}");
        let changed = act["hosts_changed"].as_u64().unwrap();
        assert!((1..=3).contains(&changed) && act["hosts_restored"] == changed, "{act}");
    } else {
        assert_eq!((detect, restore), (None, None), "{act}");
    }
}

/// What each act lost. Only where the payment provider was in trouble, or the release itself was, does anything fail.
fn assert_losses(report: &Value) {
    let failed = |act: usize| report["acts"][act]["failed_requests"].as_u64().unwrap();
    for act in [0, 1, 4, 5, 6] {
        assert_eq!(failed(act), 0, "{}", report["acts"][act]);
    }
    assert!(failed(2) > 0 && failed(3) > 0, "{report}");
}

fn as_announced() -> Value {
    json!([
        ["succeeded", "pass"],
        ["rolled_back", null],
        ["succeeded", "pass"],
        ["rolled_back", "fail"],
        ["rolled_back", "fail"],
        ["rolled_back", "fail"],
        ["succeeded", "pass"]
    ])
}

/// Kills the web service of a host of the fleet in a directory, and says whether there was one.
fn kill_service(directory: &Path, host: &str) -> bool {
    let place = directory.join(".andon/hosts").join(host);
    kill(&[b"demo-service", place.as_os_str().as_bytes()])
}

/// Kills the first process of Andon with words that begin like each of these, and says whether there was one.
fn kill(beginnings: &[&[u8]]) -> bool {
    let is_meant = |pid: u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        beginnings.iter().all(|beginning| words.iter().any(|word| word.starts_with(beginning)))
    };
    let meant = andon_testbed::process::all().into_iter().find(|process| is_meant(process.pid));
    meant.is_some_and(|process| {
        let pid = Pid::from_raw(i32::try_from(process.pid).unwrap()).unwrap();
        kill_process(pid, Signal::KILL).is_ok()
    })
}

/// What another command of Andon says.
fn said(words: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_andon")).args(words).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn get(port: u16, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn a_demo_plays_all_acts_as_announced_and_leaves_nothing_behind() {
    let _turn = turn();
    let mut demo = Demo::start(&["--once"]);
    assert_eq!(demo.end().code(), Some(0), "{}", demo.said);
    let report = demo.last_line();
    assert_eq!(outcomes(&report), as_announced());
    assert_losses(&report);
    for (act, blamed) in [(3, "errors on web1"), (4, "slow-p90 on web1"), (5, "orders on web1")] {
        let reason = report["acts"][act]["reason"].as_str().unwrap();
        assert!(reason.starts_with(blamed), "{reason}");
    }
    let story = &demo.said;
    assert!(story.contains("web1, in the first wave, failed to verify"), "{story}");
    assert!(story.contains("1 host restored, 5 hosts never touched"), "{story}");
    let counted: Vec<&str> =
        story.lines().filter(|line| line.contains(" requests meanwhile, none failed")).collect();
    assert_eq!(counted.len(), 5, "{story}");
    let words = story.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(words.matches(" back on the old one ").count(), 3, "{story}");
    assert!(words.contains("and starts it: andon line start"), "{story}");
    assert!(words.contains("Somebody takes over: andon resume 8"), "{story}");
    let answers: Vec<&str> =
        words.match_indices(" of them").map(|(at, _)| words[..at].rsplit(' ').next().unwrap()).collect();
    assert!(answers[0].parse::<u64>().unwrap() > 0, "the good release had no customers: {story}");
    assert_eq!(answers[1], "none", "customers met the broken release: {story}");
    for phase in ["wave 2 of 3", "putting back"] {
        let rest = &story[story.find(phase).unwrap()..];
        assert!(rest.contains("  customers  "), "nothing is told of customers after {phase}: {story}");
    }
    demo.assert_gone();
}

#[test]
fn two_demos_at_the_same_time_do_not_disturb_each_other() {
    let _turn = turn();
    let mut demos = [Demo::start(&["--once"]), Demo::start(&["--once", "--json"])];
    demos[0].until_said("Act 3");
    for demo in &mut demos {
        demo.signal(Signal::INT);
        assert_eq!(demo.end().code(), Some(130), "{}", demo.said);
        let report = demo.last_line();
        let acts = report["acts"].as_array().unwrap();
        assert!(acts.iter().take(2).all(|act| act["failed_requests"] == 0), "{report}");
        demo.assert_gone();
    }
    let report = demos[0].last_line();
    assert_eq!(report["acts"][0]["outcome"], "succeeded");
    assert_eq!(report["acts"][1]["outcome"], "rolled_back");
    assert_eq!(demos[1].said.lines().count(), 1, "{}", demos[1].said);
}

#[test]
fn ctrl_c_in_the_middle_of_an_act_leaves_nothing_behind() {
    let _turn = turn();
    for moment in ["The shop opens", "Act 1", "web1 activating", "warming up", "wave 2"] {
        let mut demo = Demo::start(&["--once"]);
        demo.until_said(moment);
        demo.signal(Signal::INT);
        assert_eq!(demo.end().code(), Some(130), "{}", demo.said);
        assert!(demo.last_line()["acts"].is_array());
        demo.assert_gone();
    }
}

#[test]
fn a_terminal_that_is_closed_in_the_middle_of_an_act_leaves_nothing_behind() {
    let _turn = turn();
    for (signal, moment) in [(Signal::HUP, "preparing"), (Signal::TERM, "wave 2")] {
        let mut demo = Demo::start(&["--once"]);
        demo.until_said(moment);
        demo.signal(signal);
        assert_eq!(demo.end().code(), Some(130), "{}", demo.said);
        demo.assert_gone();
    }
}

#[test]
fn the_fleet_serves_the_old_release_until_ctrl_c() {
    let _turn = turn();
    let mut demo = Demo::start(&[]);
    let page = demo.until_said("The page of this demo, until you stop it: http://127.0.0.1:");
    let page: u16 = page.split("127.0.0.1:").nth(1).unwrap().split('/').next().unwrap().parse().unwrap();
    assert!(get(page, "/health").unwrap().starts_with("HTTP/1.1 200 "), "it is there from the first act on");
    let scene = demo.until_said("http://127.0.0.1:");
    let digits = scene.split("127.0.0.1:").nth(1).unwrap().split('/').next().unwrap();
    let first: u16 = digits.parse().unwrap();
    let balancer = demo.until_said("curl ");
    let digits = balancer.split("127.0.0.1:").nth(1).unwrap().split('/').next().unwrap();
    let balancer: u16 = digits.parse().unwrap();
    assert!(!(first..first + 6).contains(&balancer));
    for port in (first..first + 6).chain([balancer]) {
        let page = get(port, "/checkout").unwrap();
        assert!(page.contains("background: #0a6e31"), "{page}");
    }
    let history = get(page, "/v1/deployments?limit=3").unwrap();
    assert!(history.contains("\"succeeded\""), "{history}");
    let line = demo.directory().join("line.star");
    let shown = said(&["--line", line.to_str().unwrap(), "show", "3"]);
    assert!(shown.contains("the checkout button can be seen"), "{shown}");
    let config = demo.directory().join("proxy.toml");
    let shown = said(&["proxy", "show", "--config", config.to_str().unwrap()]);
    assert!(shown.contains("6 of 6 servers in traffic"), "{shown}");
    demo.signal(Signal::INT);
    assert_eq!(demo.end().code(), Some(0), "{}", demo.said);
    let all = || (first..first + 6).chain([balancer, page]);
    assert!(wait_until(PATIENCE, || all().all(|port| get(port, "/").is_err())));
    demo.assert_gone();
}

#[test]
fn a_long_name_of_the_directory_for_temporary_files_is_no_obstacle() {
    let _turn = turn();
    let name = "a-directory-that-has-a-long-name".repeat(4);
    let place = tempfile::Builder::new().prefix(&name).tempdir().unwrap();
    let mut demo = Demo::start_in(place, &["--once"]);
    demo.until_said("wave 2");
    let control = demo.control();
    assert!(control.exists(), "{}", control.display());
    demo.signal(Signal::INT);
    assert_eq!(demo.end().code(), Some(130), "{}", demo.said);
    demo.assert_gone();
    assert!(!control.parent().unwrap().exists(), "{}", control.display());
}

#[test]
fn a_demo_that_loses_its_balancer_says_so_and_leaves_nothing_behind() {
    let _turn = turn();
    let mut demo = Demo::start(&["--once"]);
    demo.until_said("wave 2");
    let config = demo.directory().join("proxy.toml");
    assert!(kill(&[b"proxy", b"--config", config.as_os_str().as_bytes()]));
    assert_eq!(demo.end().code(), Some(4), "{}", demo.said);
    assert_eq!(demo.last_line()["acts"], json!([]));
    demo.assert_gone();
}

#[test]
fn a_host_that_dies_before_customers_is_counted_and_not_hidden() {
    let _turn = turn();
    let mut demo = Demo::start(&["--once"]);
    demo.until_said("wave 2");
    let place = demo.directory();
    assert!(wait_until(PATIENCE, || kill_service(&place, "web6")));
    // Nothing may have been under way there; when it has come back, once or twice more.
    for _ in 0..2 {
        wait_until(Duration::from_secs(3), || kill_service(&place, "web6"));
    }
    assert_eq!(demo.end().code(), Some(1), "{}", demo.said);
    let report = demo.last_line();
    let failed: u64 =
        report["acts"].as_array().unwrap().iter().map(|act| act["failed_requests"].as_u64().unwrap()).sum();
    assert!(failed > 0, "{}", demo.said);
    assert!(demo.said.contains(" failed; "), "{}", demo.said);
    assert!(demo.said.contains("This act did not end as announced"), "{}", demo.said);
    demo.assert_gone();
}
