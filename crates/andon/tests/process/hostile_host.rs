//! A host that means harm to its controller. In the place of `ssh` a program of ours plays it: it speaks the real
//! protocol and says what no agent would.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use andon_api::agent::{ArtifactState, CHUNK, FromHost, PROTOCOL, ToHost};
use andon_api::frame::{self, HEADER};
use andon_core::host::{HostFacts, InstanceFacts, InstanceState, Outcome, TokenStatus};
use andon_core::legible::is_formatting;
use andon_core::name::InstanceName;
use andon_core::quantity::ByteSize;

use crate::project::{Project, QUICK, Ran};

/// Clears the screen, retitles the window, reorders, conceals, and pretends to be a line of ours.
const EVIL: &str =
    "evil \u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\u{202e}\u{1b}[8mhidden\u{7f}\u{8}\r\nline\u{e0041}\u{1b}c";

/// A project whose one host is played in the manner of `part`.
fn played(part: &str) -> (Project, PathBuf) {
    let project = Project::new();
    project.write_line("group(\"web\", [\"web1\"])", QUICK, "");
    project.release("one", "exit 0");
    let bin = project.path().join("bin");
    let player = std::env::current_exe().unwrap();
    project.write(
        "bin/ssh",
        &format!(
            "#!/bin/sh\nfor last; do :; done\nexport ANDON_PLAYED={part} ANDON_REMOTE=\"$last\"\n\
             exec '{}' --exact hostile_host::plays_the_hostile_host --nocapture\n",
            player.display()
        ),
    );
    fs::set_permissions(bin.join("ssh"), fs::Permissions::from_mode(0o755)).unwrap();
    (project, bin)
}

fn run(project: &Project, bin: &Path, words: &[&str], coloured: bool) -> Ran {
    let mut command = project.command(words);
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", bin.display()));
    if coloured {
        command.env("CLICOLOR_FORCE", "1");
    }
    project.start_command(command).end()
}

/// Insists that nothing in what was said acts on a terminal, but our own colours where there are some.
#[track_caller]
fn harmless(ran: &Ran, coloured: bool) {
    for said in [&ran.out, &ran.err] {
        let mut rest = said.as_str();
        while let Some(c) = rest.chars().next() {
            let ours = ["0m", "1m", "2m", "31m", "32m", "33m"]
                .iter()
                .find_map(|code| rest.strip_prefix("\u{1b}[")?.strip_prefix(code));
            if let Some(after) = ours.filter(|_| coloured) {
                rest = after;
                continue;
            }
            let acts = (c.is_control() && c != '\n' && c != '\t') || is_formatting(c);
            assert!(!acts, "{c:?} reached the terminal: {said:?}");
            rest = &rest[c.len_utf8()..];
        }
    }
}

/// What lies in the project, without what the program itself keeps.
fn listing(dir: &Path, all: &mut Vec<(PathBuf, u64)>) {
    for entry in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap()) {
        if [".andon", "heard", "run"].iter().any(|own| entry.file_name() == *own) {
            continue;
        }
        let about = entry.metadata().unwrap();
        all.push((entry.path(), if about.is_file() { about.len() } else { 0 }));
        if about.is_dir() {
            listing(&entry.path(), all);
        }
    }
    all.sort();
}

#[test]
fn no_word_of_a_hostile_host_acts_on_a_terminal() {
    let (project, bin) = played("poison");
    let mut before = Vec::new();
    listing(project.path(), &mut before);
    for coloured in [false, true] {
        let deployed =
            run(&project, &bin, &["deploy", "www", "--fixes", "1"][..if coloured { 4 } else { 2 }], coloured);
        assert!(deployed.out.contains("evil"), "{deployed:?}");
        harmless(&deployed.code(1), coloured);
        let number = if coloured { "2" } else { "1" };
        for words in [
            &["show", number][..],
            &["show", number, "--json"],
            &["show", number, "--log", "web1"],
            &["history"],
            &["history", "--json"],
            &["status"],
            &["status", "--json"],
            &["plan", "www"],
            &["plan", "www", "--json"],
            &["test", "www"],
            &["test", "www", "--json"],
            &["line"],
            &["line", "--json"],
            &["ledger", "verify"],
        ] {
            let ran = run(&project, &bin, words, coloured);
            harmless(&ran, coloured);
            if words.contains(&"--json") {
                serde_json::from_str::<serde_json::Value>(&ran.out)
                    .unwrap_or_else(|error| panic!("{error}: {ran:?}"));
            }
        }
    }
    let log = run(&project, &bin, &["show", "1", "--log", "web1"], false);
    assert!(log.out.contains("evil \\x1b]0;owned"), "{log:?}");
    let mut after = Vec::new();
    listing(project.path(), &mut after);
    assert_eq!(before, after, "something was written that is not Andon's own");
}

#[test]
fn what_a_hostile_host_says_before_and_beside_the_protocol_is_harmless() {
    for (part, words) in [
        ("obstacle", "cannot take the release"),
        ("none", "there is no agent for"),
        ("fail", "the agent cannot be kept there"),
        ("noise", "prints without end"),
        ("stderr", "web1 cannot be reached"),
        ("refusal", "it refuses"),
    ] {
        let (project, bin) = played(part);
        for coloured in [false, true] {
            let ran = run(&project, &bin, &["deploy", "www"], coloured).code(3);
            harmless(&ran, coloured);
            ran.says(words).says("nothing has been changed");
        }
        harmless(&run(&project, &bin, &["deploy", "www", "--json"], false), false);
        harmless(&run(&project, &bin, &["status"], true), true);
    }
}

#[test]
fn frames_that_lie_end_the_conversation_and_nothing_else() {
    for part in ["length", "cut", "deep", "garbage", "traversal", "other", "strangers"] {
        let (project, bin) = played(part);
        let ran = run(&project, &bin, &["deploy", "www"], false);
        harmless(&ran, false);
        if part == "strangers" {
            // Answers to questions that nobody asked are dropped; the right one is heard.
            ran.code(1).says("evil");
        } else {
            ran.code(3).says("web1 cannot be reached").says("nothing has been changed");
        }
        assert!(!project.path().join("outside").exists());
    }
}

#[test]
fn output_without_measure_fills_neither_disk_nor_memory() {
    let (project, bin) = played("flood");
    let mut shell = std::process::Command::new("/bin/sh");
    shell.args(["-c", "ulimit -v 1500000; exec \"$0\" deploy www", env!("CARGO_BIN_EXE_andon")]);
    let mut shell = project.around(shell);
    let path = std::env::var("PATH").unwrap_or_default();
    shell.env("PATH", format!("{}:{path}", bin.display()));
    let ran = project.start_command(shell).end().code(1);
    harmless(&ran, false);
    let log = project.data().join("output/1/web1.log");
    let length = fs::metadata(log).unwrap().len();
    assert!(length < 40 << 20, "{length} bytes were kept");
}

/// The other side. Does nothing in an ordinary run of the tests.
#[test]
fn plays_the_hostile_host() {
    let Ok(part) = std::env::var("ANDON_PLAYED") else { return };
    let remote = std::env::var("ANDON_REMOTE").unwrap();
    let marker = remote.split_once("m=").unwrap().1.split(';').next().unwrap();
    let mut stage = Stage { out: std::io::stdout().lock() };
    match part.as_str() {
        "none" => stage.say(format!("\n{marker} none {EVIL}\n").as_bytes()),
        "fail" => stage.say(format!("\n{marker} fail {EVIL}\n").as_bytes()),
        "noise" => (0..400).for_each(|_| stage.say(&[0x1b; 1024])),
        "stderr" => std::io::stderr().write_all(format!("{EVIL}\nlast {EVIL}\n").as_bytes()).unwrap(),
        _ => {
            stage.say(format!("{EVIL}\n{marker} ready\n").as_bytes());
            stage.play(&part);
        }
    }
    // The harness would say that a test has passed.
    std::process::exit(0);
}

struct Stage {
    out: std::io::StdoutLock<'static>,
}

impl Stage {
    fn say(&mut self, bytes: &[u8]) {
        // Whoever hung up has heard enough.
        if self.out.write_all(bytes).and_then(|()| self.out.flush()).is_err() {
            std::process::exit(0);
        }
    }

    fn send(&mut self, message: &FromHost) {
        self.say(&frame::encode(message).unwrap());
    }

    fn play(&mut self, part: &str) {
        while let Some(message) = heard() {
            match message {
                ToHost::Hello { .. } => {
                    let [version, boot_id, arch] = [EVIL; 3].map(str::to_owned);
                    self.send(&FromHost::Hello { protocol: PROTOCOL, version, boot_id, arch });
                }
                ToHost::Probe { id, placement, .. } => self.answer(part, id, placement.instances.first()),
                ToHost::Offer { id, .. } => {
                    self.send(&FromHost::Artifact { id, state: ArtifactState::Present });
                }
                ToHost::Start { order, .. } => {
                    let token = order.token.clone();
                    self.send(&FromHost::Accepted { token: token.clone() });
                    let bytes = EVIL.as_bytes().to_vec();
                    self.send(&FromHost::Output { token: token.clone(), offset: 0, bytes });
                    if part == "flood" {
                        self.flood(&token);
                    }
                    let outcome = Outcome::Failed { reason: EVIL.to_owned(), tail: EVIL.repeat(50) };
                    self.send(&FromHost::Ended { token, status: TokenStatus::Finished(outcome) });
                }
                _ => {}
            }
        }
    }

    /// 200 MB in pieces, each of which claims to bring a single new byte.
    fn flood(&mut self, token: &andon_core::host::Token) {
        for offset in 0..800 {
            let bytes = vec![b'x'; CHUNK];
            self.send(&FromHost::Output { token: token.clone(), offset, bytes });
        }
    }

    fn answer(&mut self, part: &str, id: u64, instance: Option<&andon_core::line::Instance>) {
        let obstacles = if part == "obstacle" { vec![EVIL.repeat(3)] } else { Vec::new() };
        let name = instance.map_or_else(|| InstanceName::new("main").unwrap(), |one| one.name.clone());
        let health = Some(Err(EVIL.to_owned()));
        let sick =
            InstanceFacts { name, state: InstanceState::CrashLooping, release: None, restarts: 9, health };
        let release = andon_core::release::ReleaseId::try_from("r-00000000beef".to_owned()).unwrap();
        let facts = HostFacts {
            boot_id: EVIL.to_owned(),
            arch: EVIL.to_owned(),
            free: ByteSize(1 << 40),
            current: None,
            releases: vec![release],
            marker: None,
            instances: vec![sick],
            authority: None,
            tokens: BTreeMap::new(),
            obstacles,
        };
        let facts = FromHost::Facts { id, facts: Box::new(facts) };
        match part {
            "length" => self.say(&[0xff; HEADER]),
            "cut" => {
                self.say(&[0, 0, 16, 0, 0xa1, 0x65]);
                std::process::exit(0);
            }
            "deep" => {
                self.say(&200_000_u32.to_be_bytes());
                self.say(&[0x81; 200_000]);
            }
            "garbage" => {
                self.say(&64_u32.to_be_bytes());
                self.say(&[0x1b; 64]);
            }
            "traversal" => {
                let mut frame = frame::encode(&facts).unwrap();
                let at = frame.windows(14).position(|part| part == b"r-00000000beef").unwrap();
                frame[at..at + 14].copy_from_slice(b"../../outside/");
                self.say(&frame);
            }
            "other" => self.send(&FromHost::Sockets { id, sockets: Err(EVIL.to_owned()) }),
            "refusal" => {
                let refusal = andon_api::agent::Refusal::Storage(EVIL.to_owned());
                let what = andon_api::agent::Subject::Question(id);
                self.send(&FromHost::Refused { what, refusal });
            }
            "strangers" => {
                for stranger in 1000..3000 {
                    self.send(&FromHost::Sockets { id: stranger, sockets: Err(EVIL.to_owned()) });
                }
                self.send(&facts);
            }
            _ => self.send(&facts),
        }
    }
}

fn heard() -> Option<ToHost> {
    let mut input = std::io::stdin().lock();
    let mut header = [0; HEADER];
    input.read_exact(&mut header).ok()?;
    let mut body = vec![0; frame::body_length(header).ok()?];
    input.read_exact(&mut body).ok()?;
    frame::decode(&body).ok()
}
