//! The unit file for systemd, and what a server tells systemd.

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use andon_testbed::deadline::wait_until;
use andon_testbed::program::find;

use crate::project::{LIMIT, Project};

const UNIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/systemd/andon.service");

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let dir = tempfile::tempdir().unwrap();
    // The program that it starts has to be there to be found right.
    let text = std::fs::read_to_string(UNIT).unwrap();
    let text = text.replace("/usr/bin/andon", env!("CARGO_BIN_EXE_andon")).replace("User=andon", "User=root");
    let unit = dir.path().join("andon.service");
    std::fs::write(&unit, text).unwrap();
    let ran = Command::new(find("systemd-analyze").unwrap()).arg("verify").arg(&unit).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("andon.service")).collect();
    assert!(ran.status.success() && ours.is_empty(), "{said}");
}

#[test]
fn systemd_hears_that_it_is_ready_what_it_does_that_it_lives_and_that_it_ends() {
    let project = Project::local(1);
    let path = project.path().join("notify");
    let heard = UnixDatagram::bind(&path).unwrap();
    heard.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let mut command = project.command(&["server", "--listen", "127.0.0.1:0"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "400000").env_remove("WATCHDOG_PID");
    let server = project.start_command(command);
    let mut all: Vec<String> = Vec::new();
    let mut until = |words: &[&str]| {
        let held = wait_until(LIMIT, || {
            let mut text = [0; 512];
            if let Ok(length) = heard.recv(&mut text) {
                all.push(String::from_utf8_lossy(&text[..length]).into_owned());
            }
            words.iter().all(|word| all.iter().any(|said| said == word))
        });
        assert!(held, "{words:?} were not all said: {all:?}");
    };
    until(&["READY=1", "STATUS=nothing is under way", "WATCHDOG=1"]);
    server.signal(rustix::process::Signal::TERM);
    until(&["STOPPING=1"]);
    server.end().code(0);
}
