//! The daemons do what tests of other crates rely on.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};
use std::time::Duration;

use super::*;
use crate::deadline::wait_until;
use crate::process;

const LIMIT: Duration = Duration::from_secs(20);

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

/// An ssh that runs `command` on `web1`, once the first line of its output has come.
fn connected(sshd: &Sshd, command: &str) -> (Child, String) {
    let mut child = Command::new("ssh")
        .arg("-F")
        .arg(sshd.ssh_config())
        .args(["web1", command])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    (child, line.trim().to_owned())
}

#[test]
fn every_host_answers_with_its_own_home() {
    let sshd = Sshd::start(3).unwrap();
    for host in sshd.hosts() {
        let output = sshd.ssh(host.name(), r#"printf '%s %s' "$HOME" "$PWD""#).unwrap();
        let home = host.home().display().to_string();
        assert_eq!(text(&output.stdout), format!("{home} {home}"));
        assert!(output.status.success());
    }
    assert_eq!(sshd.names(), "web1,web2,web3");
}

#[test]
fn arguments_output_and_exit_status_survive_the_way() {
    let sshd = Sshd::start(1).unwrap();
    let output = sshd.ssh("web1", r#"printf '%s|' "a  b" '$c'; echo gone >&2; exit 7"#).unwrap();
    assert_eq!(text(&output.stdout), "a  b|$c|");
    assert_eq!(text(&output.stderr), "gone");
    assert_eq!(output.status.code(), Some(7));
}

#[test]
fn a_missing_host_key_is_not_accepted_silently() {
    let sshd = Sshd::builder(1).known_hosts(KnownHosts::Missing).start().unwrap();
    let output = sshd.ssh("web1", "true").unwrap();
    assert_eq!(output.status.code(), Some(255));
    assert!(text(&output.stderr).contains("Host key verification failed"));
}

#[test]
fn a_wrong_host_key_is_refused() {
    let sshd = Sshd::builder(1).known_hosts(KnownHosts::Wrong).start().unwrap();
    let output = sshd.ssh("web1", "true").unwrap();
    assert_eq!(output.status.code(), Some(255));
    assert!(text(&output.stderr).contains("REMOTE HOST IDENTIFICATION HAS CHANGED"));
}

#[test]
fn a_refused_key_is_a_refused_login() {
    let sshd = Sshd::builder(1).refuse_key().start().unwrap();
    let output = sshd.ssh("web1", "true").unwrap();
    assert_eq!(output.status.code(), Some(255));
    assert!(text(&output.stderr).contains("Permission denied (publickey)"));
    assert_eq!(sshd.hosts()[0].logins(), 0);
}

#[test]
fn a_banner_reaches_the_client_apart_from_the_output() {
    let sshd = Sshd::builder(1).banner("Authorised people only\n").start().unwrap();
    let output = sshd.ssh("web1", "echo done").unwrap();
    assert_eq!(text(&output.stderr), "Authorised people only");
    assert_eq!(text(&output.stdout), "done");
}

#[test]
fn logins_are_counted() {
    let sshd = Sshd::start(1).unwrap();
    for _ in 0..2 {
        assert!(sshd.ssh("web1", "true").unwrap().status.success());
    }
    assert_eq!(sshd.hosts()[0].logins(), 2);
}

#[test]
fn a_severed_connection_ends_while_its_command_and_the_daemon_go_on() {
    let sshd = Sshd::start(1).unwrap();
    let (mut ssh, pid) = connected(&sshd, "echo $$; while true; do sleep 1; done");
    let pid: u32 = pid.parse().unwrap();
    sshd.hosts()[0].sever();
    let status = ssh.wait().unwrap();
    assert_eq!((status.code(), status.signal()), (Some(255), None));
    assert!(process::all().iter().any(|process| process.pid == pid));
    assert!(sshd.ssh("web1", "true").unwrap().status.success());
}

#[test]
fn a_stopped_host_refuses_and_a_restarted_one_answers_on_the_same_port() {
    let sshd = Sshd::start(2).unwrap();
    let host = sshd.host("web1").unwrap();
    let (mut ssh, _) = connected(&sshd, "echo here; exec cat");
    host.stop();
    assert_eq!(ssh.wait().unwrap().code(), Some(255));
    let refused = sshd.ssh("web1", "true").unwrap();
    assert!(text(&refused.stderr).contains("Connection refused"));
    assert!(sshd.ssh("web2", "true").unwrap().status.success());
    host.restart().unwrap();
    assert!(sshd.ssh("web1", "true").unwrap().status.success());
}

#[test]
fn nothing_is_left_after_the_drop_not_even_a_detached_command() {
    let sshd = Sshd::start(1).unwrap();
    let directory = sshd.directory.path().to_owned();
    let (mut ssh, pid) = connected(&sshd, "setsid sleep 600 >/dev/null 2>&1 & echo $!; exec cat");
    let pid: u32 = pid.parse().unwrap();
    drop(sshd);
    ssh.wait().unwrap();
    assert!(wait_until(LIMIT, || !process::all().iter().any(|process| process.pid == pid)));
    assert!(!directory.exists());
    assert!(process::with_environment(&format!("{MARK}={}", directory.display())).is_empty());
}

#[test]
fn measurements_get_the_real_home_and_no_wrapper() {
    let sshd = Sshd::builder(1).real_home().start().unwrap();
    let output = sshd.ssh("web1", r#"printf %s "$HOME|$SSH_ORIGINAL_COMMAND""#).unwrap();
    let (home, original) =
        text(&output.stdout).split_once('|').map(|(h, o)| (h.to_owned(), o.to_owned())).unwrap();
    assert_ne!(home, sshd.hosts()[0].home().display().to_string());
    assert_eq!(original, "");
}
