//! How instances end: all of them, whatever they do against it.

use std::fs;
use std::time::Duration;

use andon_agent::run::process::ProcessId;
use andon_core::host::InstanceState;
use rustix::process::Signal;

use super::bench::{Bench, wait_for};

#[test]
fn an_instance_may_end_in_its_own_way() {
    let bench = Bench::new(0);
    let script = format!(
        "trap 'echo done > {0}/end; exit 0' TERM\ntouch {0}/up\nwhile :; do sleep 0.05; done\n",
        bench.root().display()
    );
    bench.restart(&bench.release(1, &script));
    wait_for("the trap", || bench.file("up").exists());
    let child = bench.process("child");
    bench.stop();
    assert!(!child.is_alive());
    assert_eq!(fs::read_to_string(bench.file("end")).unwrap(), "done\n");
    assert_eq!(bench.facts().state, InstanceState::Stopped);
}

#[test]
fn a_process_that_ignores_term_is_killed_with_its_family() {
    let mut bench = Bench::new(0);
    bench.placement.run.stop_timeout = Duration::from_millis(300);
    // The grandchild is in a session of its own.
    let script = format!(
        "trap '' TERM\necho $$ >> {0}/pids\nsetsid sh -c 'trap \"\" TERM; echo $$ >> {0}/pids; while :; do sleep 1; done' &\n\
         while :; do sleep 1; done\n",
        bench.root().display()
    );
    bench.restart(&bench.release(1, &script));
    let family = bench.written_processes("pids", 2);
    bench.stop();
    assert!(family.iter().all(|process| !process.is_alive()), "{family:?}");
    assert!(!bench.process_is_supervised());
}

#[test]
fn a_daemon_is_followed_and_ended() {
    let bench = Bench::new(0);
    // Twice detached: its parent is gone, its session is its own, and it ends only by KILL or TERM to itself.
    let script = format!(
        "(setsid sh -c 'echo $$ > {0}/pids; exec sleep 1000' &)\nwhile ! test -s {0}/pids; do sleep 0.05; done\nexit 0\n",
        bench.root().display()
    );
    let release = bench.release(1, &script);
    bench.restart(&release);
    let daemon = bench.written_processes("pids", 1)[0];
    wait_for("the daemon to be followed", || bench.process_named("child") == Some(daemon));
    let facts = bench.facts();
    assert_eq!((facts.state, facts.release, facts.restarts), (InstanceState::Running, Some(release), 0));
    bench.stop();
    assert!(!daemon.is_alive());
}

#[test]
fn what_a_killed_supervisor_leaves_behind_is_ended_before_the_next_start() {
    let bench = Bench::new(0);
    let script = format!(
        "echo $$ >> {0}/pids\nsetsid sh -c 'echo $$ >> {0}/pids; exec sleep 1000' &\nsleep 1000\n",
        bench.root().display()
    );
    let release = bench.release(1, &script);
    bench.restart(&release);
    let orphans = bench.written_processes("pids", 2);
    let supervisor = bench.process("supervisor");
    assert!(supervisor.signal(Signal::KILL));
    wait_for("the supervisor to be gone", || !supervisor.is_alive());
    assert!(orphans.iter().all(|process| process.is_alive()));
    assert_eq!(bench.facts().state, InstanceState::Running, "the process runs, supervised or not");
    fs::remove_file(bench.file("pids")).unwrap();
    let log = bench.restart(&release);
    assert!(log.contains("without a supervisor"), "{log}");
    assert!(orphans.iter().all(|process| !process.is_alive()), "{orphans:?}");
    assert!(bench.process("child").is_alive());
}

#[test]
fn a_stranger_with_the_number_of_an_old_process_is_left_alone() {
    let bench = Bench::new(0);
    let release = bench.release(1, "exec sleep 1000\n");
    bench.restart(&release);
    bench.stop();
    // As after the kernel gave both numbers to somebody else.
    let mut stranger = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    let pid = i32::try_from(stranger.id()).unwrap();
    let old = ProcessId { started: 1, pid };
    let text = fs::read_to_string(bench.kept("status.json")).unwrap();
    let mut status: serde_json::Value = serde_json::from_str(&text).unwrap();
    status["supervisor"] = serde_json::to_value(old).unwrap();
    status["child"] = serde_json::to_value(old).unwrap();
    fs::write(bench.kept("status.json"), status.to_string()).unwrap();
    assert_eq!(bench.facts().state, InstanceState::Stopped);
    bench.stop();
    bench.restart(&release);
    assert!(stranger.try_wait().unwrap().is_none(), "the stranger was ended");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[test]
fn stopping_twice_and_stopping_nothing_are_fine() {
    let bench = Bench::new(1);
    bench.stop();
    bench.restart(&bench.release(1, "exec sleep 1000\n"));
    bench.stop();
    bench.stop();
}

impl Bench {
    fn process_is_supervised(&self) -> bool {
        self.process("supervisor").is_alive()
    }

    fn process_named(&self, which: &str) -> Option<ProcessId> {
        let status: serde_json::Value =
            serde_json::from_slice(&fs::read(self.kept("status.json")).ok()?).ok()?;
        serde_json::from_value(status[which].clone()).ok()
    }
}
