//! Hosts that cannot be reached, and what is said about them.

use andon_server::push::Status;
use andon_server::ssh::Failure;
use andon_testbed::{KnownHosts, Sshd};

use crate::bench::{Bench, exited, run, ssh_target};

/// Why the first host was not reached, and what to do.
async fn failure(bench: &Bench) -> (Failure, String) {
    let outcome = bench.run(&["true"]).await.remove(0);
    match outcome.status {
        Status::Unreachable { failure } => (failure, outcome.next.unwrap()),
        other => panic!("{other:?}"),
    }
}

/// The command that a person is told to try.
fn attempt(bench: &Bench) -> String {
    format!("ssh -F '{}' web1 true", bench.sshd.ssh_config().display())
}

#[tokio::test]
async fn a_refused_key_is_called_so() {
    let bench = Bench::new(Sshd::builder(1).refuse_key().start().unwrap());
    let (failure, next) = failure(&bench).await;
    assert_eq!(failure, Failure::AuthenticationRefused { offered: Some("publickey".to_owned()) });
    assert!(next.ends_with(&attempt(&bench)), "{next}");
}

#[tokio::test]
async fn an_unknown_host_is_refused_with_the_command_that_accepts_it() {
    let bench = Bench::new(Sshd::builder(1).known_hosts(KnownHosts::Missing).start().unwrap());
    let (failure, next) = failure(&bench).await;
    assert_eq!(failure, Failure::HostKeyUnknown);
    assert!(next.ends_with(&format!("accept it, once: {}", attempt(&bench))), "{next}");
    assert_eq!(std::fs::read(bench.sshd.known_hosts()).unwrap(), b"");
}

#[tokio::test]
async fn a_changed_host_key_is_refused_with_where_the_old_one_is() {
    let bench = Bench::new(Sshd::builder(1).known_hosts(KnownHosts::Wrong).start().unwrap());
    let (failure, next) = failure(&bench).await;
    let at = format!("{}:1", bench.sshd.known_hosts().display());
    assert_eq!(failure, Failure::HostKeyChanged { known: Some(at.clone()) });
    assert!(next.contains(&at), "{next}");
}

#[tokio::test]
async fn a_dead_port_and_a_wrong_name_are_told_apart_and_do_not_hold_up_others() {
    let bench = Bench::hosts(2);
    bench.sshd.hosts()[0].stop();
    let mut targets = bench.targets();
    targets.push(ssh_target("no-such-host.invalid"));
    let outcomes = run(targets, bench.options(), &["true"]).await;
    let unreachable = |failure| Status::Unreachable { failure };
    assert_eq!(outcomes[0].status, unreachable(Failure::ConnectionRefused));
    assert_eq!(outcomes[1].status, exited(0));
    assert_eq!(outcomes[2].status, unreachable(Failure::NameUnknown));
}

#[tokio::test]
async fn a_broken_configuration_is_named() {
    let bench = Bench::hosts(1);
    std::fs::write(bench.sshd.ssh_config(), "Hots web1\n").unwrap();
    let (failure, _) = failure(&bench).await;
    assert!(matches!(&failure, Failure::Misconfigured { said } if said.contains("line 1")), "{failure:?}");
    std::fs::remove_file(bench.sshd.ssh_config()).unwrap();
    let (failure, _) = self::failure(&bench).await;
    assert!(matches!(failure, Failure::Misconfigured { .. }), "{failure:?}");
}

#[tokio::test]
async fn a_host_that_runs_something_else_than_our_shell_says_what() {
    let bench = Bench::hosts(1);
    let refuse = "if [ -n \"$SSH_ORIGINAL_COMMAND\" ]; then echo This account is closed; exit 1; fi\n";
    std::fs::write(bench.home().join(".bashrc"), refuse).unwrap();
    let outcome = bench.run(&["true"]).await.remove(0);
    match &outcome.status {
        Status::NotRun { said } => assert_eq!(said, "This account is closed"),
        // Where the login shell reads no .bashrc, nothing stands in the way.
        other => assert_eq!(other, &exited(0)),
    }
}
