//! Commands that do not end by themselves, and connections that end before them.

use std::time::Duration;

use andon_server::push::{PushEvent, Status, push};
use andon_testbed::deadline::wait_until;
use andon_testbed::process;
use tokio::sync::mpsc;

use crate::bench::{Bench, PATIENCE, all, command, exited, local_target, run};

/// Whether the process that wrote its id into `file` is gone.
fn gone(file: &std::path::Path) -> bool {
    let pid: u32 = std::fs::read_to_string(file).unwrap().trim().parse().unwrap();
    wait_until(PATIENCE, || !process::all().iter().any(|process| process.pid == pid))
}

#[tokio::test]
async fn a_command_that_never_ends_is_ended_on_the_host_too() {
    let bench = Bench::hosts(1);
    // The time counts from before the connection is there.
    bench.run(&["true"]).await;
    let mut options = bench.options();
    options.timeout = Some(Duration::from_secs(2));
    let line = "echo begun; echo $$ >shell; sleep 600 & echo $! >child; wait";
    let outcome = bench.run_with(options.clone(), &[line]).await.remove(0);
    let after = Duration::from_secs(2);
    assert_eq!(outcome.status, Status::TimedOut { after, started: true });
    assert_eq!(outcome.output.head, b"begun\n");
    assert!(gone(&bench.home().join("shell")) && gone(&bench.home().join("child")));

    let here = tempfile::tempdir().unwrap();
    let line = format!("cd {}; {line}", here.path().display());
    let outcome = run(vec![local_target()], options, &[&line]).await.remove(0);
    assert_eq!(outcome.status, Status::TimedOut { after, started: true });
    assert!(gone(&here.path().join("shell")) && gone(&here.path().join("child")));
}

#[tokio::test]
async fn a_command_that_will_not_hear_is_killed() {
    let bench = Bench::hosts(1);
    // The time counts from before the connection is there.
    bench.run(&["true"]).await;
    let mut options = bench.options();
    options.timeout = Some(Duration::from_secs(2));
    let line = "trap '' TERM HUP INT; echo $$ >shell; while :; do sleep 1; done";
    let outcome = bench.run_with(options, &[line]).await.remove(0);
    assert!(matches!(outcome.status, Status::TimedOut { started: true, .. }));
    assert!(gone(&bench.home().join("shell")));
}

#[tokio::test]
async fn giving_up_ends_the_commands() {
    let bench = Bench::hosts(1);
    let (sender, mut receiver) = mpsc::channel(4);
    let line = command(&["echo $$ >shell; while :; do sleep 1; done"]);
    let pushing = tokio::spawn({
        let (targets, options) = (bench.targets(), bench.options());
        async move { push(targets, &line, options, sender).await }
    });
    assert!(matches!(receiver.recv().await, Some(PushEvent::Started { .. })));
    let shell = bench.home().join("shell");
    assert!(wait_until(PATIENCE, || std::fs::read(&shell).is_ok_and(|pid| pid.ends_with(b"\n"))));
    pushing.abort();
    assert!(pushing.await.unwrap_err().is_cancelled());
    assert!(gone(&shell));
}

#[tokio::test]
async fn a_daemon_that_holds_the_output_open_is_not_waited_for_and_lives_on() {
    let bench = Bench::hosts(1);
    let line = "(trap '' HUP; while ! [ -e stop ]; do sleep 0.1; done; touch lived) & echo started";
    assert_eq!(bench.line(line).await, (exited(0), "started\n".to_owned()));
    std::fs::write(bench.home().join("stop"), "").unwrap();
    assert!(wait_until(PATIENCE, || bench.home().join("lived").exists()));
    let line = format!("cd {}; rm -f stop lived; {line}", bench.home().display());
    let outcome = run(vec![local_target()], bench.options(), &[&line]).await.remove(0);
    assert_eq!(outcome.output.joined(), b"started\n");
    std::fs::write(bench.home().join("stop"), "").unwrap();
    assert!(wait_until(PATIENCE, || bench.home().join("lived").exists()));
}

#[tokio::test]
async fn a_connection_that_breaks_leaves_the_end_unknown() {
    let bench = Bench::hosts(2);
    let (sender, mut receiver) = mpsc::channel(16);
    let line = command(&["echo before; if [ -e stays ]; then exit 0; fi; exec sleep 30"]);
    std::fs::write(bench.sshd.hosts()[1].home().join("stays"), "").unwrap();
    let pushed = push(bench.targets(), &line, bench.options(), sender);
    let severed = async {
        while let Some(event) = receiver.recv().await {
            if matches!(&event, PushEvent::Started { host } if host.as_str() == "web1") {
                break;
            }
        }
        bench.sshd.hosts()[0].sever();
        all(receiver).await
    };
    let (outcomes, _) = tokio::join!(tokio::time::timeout(PATIENCE, pushed), severed);
    let outcomes = outcomes.unwrap().unwrap();
    assert!(matches!(&outcomes[0].status, Status::Lost { .. }), "{:?}", outcomes[0].status);
    assert!(outcomes[0].status.to_string().ends_with("whether the command finished is not known"));
    assert_eq!(outcomes[1].status, exited(0));
    // The next push makes a new connection.
    assert_eq!(bench.line("echo again").await, (exited(0), "again\n".to_owned()));
}

#[tokio::test]
async fn a_shell_that_is_killed_is_not_called_a_success() {
    let bench = Bench::hosts(1);
    let (status, _) = bench.line("kill -KILL $PPID").await;
    assert!(matches!(status, Status::Lost { .. }), "{status:?}");
    let outcome = run(vec![local_target()], bench.options(), &["kill -KILL $PPID"]).await.remove(0);
    assert!(matches!(outcome.status, Status::Lost { .. }), "{:?}", outcome.status);
}
