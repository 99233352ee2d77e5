//! What a command is given and what comes back of it.

use andon_server::push::{PushEvent, Streams, push};
use andon_testbed::Sshd;
use tokio::sync::mpsc;

use crate::bench::{Bench, all, command, exited, local_target, run, ssh_target};

#[tokio::test]
async fn every_host_answers_for_itself() {
    let bench = Bench::hosts(3);
    for host in bench.sshd.hosts() {
        std::fs::write(host.home().join("name"), host.name()).unwrap();
    }
    let outcomes = bench.run(&["cat", "name"]).await;
    let names: Vec<_> = outcomes.iter().map(|outcome| outcome.host.as_str()).collect();
    assert_eq!(names, ["web1", "web2", "web3"]);
    for outcome in &outcomes {
        assert_eq!(outcome.status, exited(0));
        assert_eq!(outcome.output.head, outcome.host.as_str().as_bytes());
    }
    // The second push goes over the connections of the first.
    bench.run(&["true"]).await;
    assert!(bench.sshd.hosts().iter().all(|host| host.logins() == 1));
}

#[tokio::test]
async fn exit_codes_are_the_commands_own_even_255() {
    let bench = Bench::hosts(1);
    for code in [0, 1, 126, 127, 128, 254, 255] {
        assert_eq!(bench.line(&format!("exit {code}")).await, (exited(code), String::new()));
    }
    let (status, output) = bench.line("no-such-command here").await;
    assert_eq!(status, exited(127));
    assert!(output.contains("no-such-command") && output.contains("not found"), "{output}");
    let (status, _) = bench.line("kill -KILL $$").await;
    assert_eq!(status.label(), "SIGKILL");
}

#[tokio::test]
async fn one_word_is_a_line_of_shell_and_several_are_words() {
    let bench = Bench::hosts(1);
    let odd = r#"$HOME 'q' "d" \ \n \\ ! `id` * ; é"#;
    let outcome = bench.run(&["printf", "%s|", odd, "", "a\nb", "-x"]).await.remove(0);
    assert_eq!(outcome.output.joined(), format!("{odd}||a\nb|-x|").into_bytes());
    let line = "x=1\nif [ $x = 1 ]; then # comment\n  printf '%s\\n' \"it's\" | tr a-z A-Z\nfi";
    assert_eq!(bench.line(line).await, (exited(0), "IT'S\n".to_owned()));
    assert_eq!(bench.line("-n").await.0, exited(127));
    assert_ne!(bench.line("if").await.0, exited(0));
    let long = format!("echo {}", "'".repeat(10_000) + &"\\".repeat(10_000));
    assert_eq!(bench.line(&format!("{long} | wc -c")).await.0, exited(0));
}

#[tokio::test]
async fn output_is_what_the_command_wrote_and_nothing_else() {
    let bench = Bench::new(Sshd::builder(1).banner("Authorised people only\n").start().unwrap());
    std::fs::write(bench.home().join(".bashrc"), "echo noise; echo more noise >&2\n").unwrap();
    assert_eq!(bench.line("echo out").await, (exited(0), "out\n".to_owned()));
    let (_, output) = bench.line("echo 1; echo 2 >&2; echo 3; echo 4 >&2").await;
    assert_eq!(output, "1\n2\n3\n4\n");
    let outcome = bench.run(&[r"printf '\000\377\r\n\036andon-x'"]).await.remove(0);
    assert_eq!(outcome.output.head, b"\x00\xff\r\n\x1eandon-x");
    // Its input is empty, so nothing waits for a person.
    assert_eq!(bench.line("cat; wc -c").await, (exited(0), "0\n".to_owned()));
}

#[tokio::test]
async fn standard_error_can_go_its_own_way() {
    let bench = Bench::hosts(1);
    let mut options = bench.options();
    options.streams = Streams::Separate;
    let outcome = bench.run_with(options, &["echo out; echo err >&2; exit 3"]).await.remove(0);
    assert_eq!(outcome.status, exited(3));
    assert_eq!((outcome.output.joined(), outcome.errors.joined()), (b"out\n".to_vec(), b"err\n".to_vec()));
}

#[tokio::test]
async fn endless_output_is_drained_and_its_ends_are_kept() {
    let bench = Bench::hosts(2);
    let mut options = bench.options();
    options.output_limit = 100_000;
    let line = "echo first; yes | head -c 200000000; echo last; exit 4";
    for outcome in bench.run_with(options, &[line]).await {
        assert_eq!(outcome.status, exited(4));
        assert_eq!(outcome.output.len(), 200_000_011);
        assert_eq!(outcome.output.head.len() + outcome.output.tail.len(), 100_000);
        assert!(
            outcome.output.head.starts_with(b"first\ny\n") && outcome.output.tail.ends_with(b"y\nlast\n")
        );
        let rows = String::from_utf8(outcome.output.joined()).unwrap();
        assert!(rows.contains("[... 199900011 bytes left out ...]"));
    }
}

#[tokio::test]
async fn output_can_be_followed_while_it_arrives() {
    let bench = Bench::hosts(1);
    let mut options = bench.options();
    options.live = true;
    let gate = bench.home().join("gate");
    let (sender, mut receiver) = mpsc::channel(4);
    let line = command(&["echo one; while ! [ -e gate ]; do sleep 0.05; done; echo two"]);
    let pushed = push(bench.targets(), &line, options, sender);
    let followed = async {
        let host = ssh_target("web1").host;
        assert_eq!(receiver.recv().await, Some(PushEvent::Started { host: host.clone() }));
        let one = PushEvent::Output { host: host.clone(), stderr: false, bytes: b"one\n".to_vec() };
        assert_eq!(receiver.recv().await, Some(one));
        std::fs::write(gate, "").unwrap();
        let rest = all(receiver).await;
        let two = PushEvent::Output { host: host.clone(), stderr: false, bytes: b"two\n".to_vec() };
        assert_eq!(rest, [two, PushEvent::Finished { host, status: exited(0) }]);
    };
    let (outcomes, ()) = tokio::join!(pushed, followed);
    assert_eq!(outcomes.unwrap()[0].output.head, b"one\ntwo\n");
}

#[tokio::test]
async fn a_batch_is_never_exceeded() {
    let bench = Bench::hosts(6);
    let dir = tempfile::tempdir().unwrap();
    let mut options = bench.options();
    options.batch = Some(2);
    // Each host counts those that are at work together with it.
    let dir = dir.path().display();
    let line =
        format!("d=$(mktemp -d {dir}/XXXXXX); ls {dir} | wc -l; sleep 0.1; ls {dir} | wc -l; rmdir $d");
    for outcome in bench.run_with(options, &[&line]).await {
        let counts = String::from_utf8(outcome.output.joined()).unwrap();
        assert_eq!(counts.lines().count(), 2);
        assert!(counts.lines().all(|count| count.trim() == "1" || count.trim() == "2"), "{counts}");
    }
}

#[tokio::test]
async fn this_machine_needs_no_ssh() {
    let bench = Bench::hosts(0);
    let mut options = bench.options();
    options.ssh.control_dir = "/proc/never/needed".into();
    let outcome = run(vec![local_target()], options, &["echo here; exit 9"]).await.remove(0);
    assert_eq!((outcome.status, outcome.output.joined()), (exited(9), b"here\n".to_vec()));
}
