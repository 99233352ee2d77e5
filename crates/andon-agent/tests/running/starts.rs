//! How instances start, and what their processes see.

use std::fs;

use andon_agent::run::{self, RunError};
use andon_core::host::InstanceState;
use andon_core::line::Template;

use super::bench::{Bench, wait_for};

const SLEEP: &str = "exec sleep 1000\n";

#[test]
fn an_instance_runs_the_release_and_says_so_itself() {
    let bench = Bench::new(1);
    let release = bench.release(1, SLEEP);
    let log = bench.restart(&release);
    let facts = bench.facts();
    assert_eq!((facts.state, facts.restarts), (InstanceState::Running, 0));
    assert_eq!(facts.release, Some(release));
    assert!(log.contains("started r-000000000001 as process"), "{log}");
}

#[test]
fn the_release_is_read_from_the_process_and_not_from_current() {
    let bench = Bench::new(0);
    let first = bench.release(1, SLEEP);
    bench.restart(&first);
    bench.release(2, SLEEP);
    assert_eq!(bench.facts().release, Some(first));
}

#[test]
fn a_restart_replaces_the_process_and_leaves_one() {
    let bench = Bench::new(0);
    bench.restart(&bench.release(1, SLEEP));
    let (old, old_supervisor) = (bench.process("child"), bench.process("supervisor"));
    let second = bench.release(2, SLEEP);
    bench.restart(&second);
    assert!(!old.is_alive() && !old_supervisor.is_alive());
    assert_eq!(bench.facts().release, Some(second));
    assert!(bench.process("child").is_alive());
}

#[test]
fn the_environment_is_clean_and_declared() {
    let mut bench = Bench::new(1);
    bench.placement.run.environment.insert("DATA".to_owned(), Template::new("{shared}/data").unwrap());
    let port = bench.instance().port.unwrap();
    bench.restart(&bench.release(1, "env; pwd; exec sleep 1000\n"));
    let root = bench.root().display();
    let place = format!("{root}/releases/r-000000000001");
    wait_for("the last line of the output", || {
        fs::read_to_string(bench.kept("log")).is_ok_and(|text| text.lines().any(|line| line == place))
    });
    let text = fs::read_to_string(bench.kept("log")).unwrap();
    for line in [
        "ANDON_RELEASE=r-000000000001".to_owned(),
        "ANDON_SERVICE=www".to_owned(),
        "ANDON_HOST=web1".to_owned(),
        format!("ANDON_INSTANCE={port}"),
        format!("ANDON_PORT={port}"),
        format!("PORT={port}"),
        format!("DATA={root}/shared/data"),
    ] {
        assert!(text.lines().any(|there| there == line), "{line} is missing in\n{text}");
    }
    assert!(!text.contains("CARGO"), "the agent's own environment leaked:\n{text}");
}

#[test]
fn an_instance_that_is_gone_from_the_placement_is_stopped() {
    let mut bench = Bench::new(2);
    let release = bench.release(1, SLEEP);
    bench.restart(&release);
    let gone = bench.process("child");
    bench.placement.instances.remove(0);
    bench.restart(&release);
    assert!(!gone.is_alive());
    assert_eq!(run::instances(&bench.placement).len(), 1);
    assert_eq!(bench.facts().state, InstanceState::Running);
}

#[test]
fn a_program_that_does_not_exist_is_named() {
    let bench = Bench::with_command(0, &["./bin/nothing"]);
    let release = bench.release(1, "");
    let error = bench.try_restart(&release).unwrap_err();
    assert!(matches!(error, RunError::NotStarted { .. }));
    let text = error.to_string();
    assert!(text.contains("r-000000000001/bin/nothing") && text.contains("No such file"), "{text}");
    assert_eq!(bench.facts().state, InstanceState::Stopped);
}
