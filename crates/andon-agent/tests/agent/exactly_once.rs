//! Steps that happen once, whatever happens to connections, to the agent, or to the machine.

use std::fs;
use std::path::Path;
use std::time::Duration;

use andon_api::agent::{ArtifactState, FromHost, PROTOCOL, Refusal, ToHost};
use andon_api::frame;
use andon_api::secret::Secrets;
use andon_core::host::{Outcome, TokenStatus};
use rustix::process::{Pid, Signal, kill_process};

use super::driver::{Session, until};
use super::service::{GATED, SUCCEEDED, Site, token};

/// The process that is one half of the step recorded in `record`: `step` is the keeper, `work` the worker.
fn half(record: &Path, subcommand: &str) -> Option<Pid> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let mut numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let found = numbers.find(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        words.contains(&subcommand.as_bytes()) && words.contains(&record.as_os_str().as_encoded_bytes())
    });
    found.and_then(Pid::from_raw)
}

#[test]
fn a_step_goes_on_when_its_connection_is_cut_and_the_next_one_finds_its_result() {
    let mut site = Site::new();
    let mut session = Session::open();
    let release = site.run(&mut session, "1");
    let order = site.scripted(&release, GATED);
    session.start(&order);
    session.accepted(&order.token).unwrap();
    until("the step begins", || site.lines("begun") == 1);
    session.child.kill().unwrap();
    // The connection's pipe ends although the step goes on: nothing of the step holds it, and sshd would not hang.
    while session.next().is_some() {}

    let mut session = Session::open();
    let facts = session.probe(&site.placement, &[&order.token, &token("d1.f1.other.verify.1")]);
    assert_eq!(facts.tokens[&order.token], TokenStatus::Running);
    assert_eq!(facts.tokens[&token("d1.f1.other.verify.1")], TokenStatus::NeverStarted);
    session.start(&order);
    session.accepted(&order.token).unwrap();
    fs::write(site.trace("go"), "").unwrap();
    assert_eq!(session.end_of(&order.token).status, SUCCEEDED);
    assert_eq!((site.lines("begun"), site.lines("ended")), (1, 1));
    assert_eq!(session.carry_out(&order).unwrap().status, SUCCEEDED);
    assert_eq!((site.lines("begun"), site.lines("ended")), (1, 1));
}

#[test]
fn a_conversation_that_is_cut_at_any_byte_can_be_held_again() {
    let site = Site::new();
    let (bytes, release) = site.release("1");
    let order = site.prepare(&release);
    let placement = Box::new(site.placement.clone());
    let (id, digest, size) = (1, release.digest, release.packed.0);
    let said = [
        ToHost::Hello { protocol: PROTOCOL, version: "test".to_owned() },
        ToHost::Offer { id, placement, authority: order.authority.clone(), digest, size },
        ToHost::Piece { id, offset: 0, bytes: bytes.clone() },
        ToHost::Start { order: Box::new(order.clone()), from: 0, secrets: Secrets::default() },
    ];
    let said: Vec<u8> = said.iter().flat_map(|message| frame::encode(message).unwrap()).collect();
    for length in (0..said.len()).step_by(61) {
        let mut session = Session::silent();
        session.send_raw(&said[..length]);
        session.hang_up();
    }
    let mut session = Session::open();
    assert_eq!(
        session.probe(&site.placement, &[&order.token]).tokens[&order.token],
        TokenStatus::NeverStarted
    );
    assert_eq!(session.upload(&site.placement, &order.authority, &bytes), Ok(ArtifactState::Present));
    assert_eq!(session.carry_out(&order).unwrap().status, SUCCEEDED);
}

#[test]
fn an_agent_that_is_killed_at_any_moment_of_an_order_carries_it_out_at_most_once() {
    let mut site = Site::new();
    let release = site.run(&mut Session::open(), "1");
    for round in 0..40_u32 {
        let order = site.scripted(&release, &format!("echo x >> $ROOT/round-{round}"));
        let mut session = Session::open();
        session.start(&order);
        // A different moment each time, over the few milliseconds that an acceptance takes.
        std::thread::sleep(Duration::from_micros(250) * round);
        drop(session);
        let mut session = Session::open();
        let seen = session.carry_out(&order).unwrap();
        let count = site.lines(&format!("round-{round}"));
        match seen.status {
            SUCCEEDED => assert_eq!(count, 1, "round {round}"),
            TokenStatus::Interrupted => assert_eq!(count, 0, "round {round}"),
            other => panic!("{other:?}"),
        }
    }
    let left = fs::read_dir(site.path(".andon/steps")).unwrap();
    assert!(left.flatten().all(|entry| !entry.file_name().to_string_lossy().starts_with('~')));
}

#[test]
fn the_same_order_from_many_sessions_at_once_happens_once() {
    let mut site = Site::new();
    let release = site.run(&mut Session::open(), "1");
    for round in 1..=3 {
        let order = site.scripted(&release, "echo x >> $ROOT/begun; sleep 0.1");
        let mut sessions: Vec<Session> = (0..4).map(|_| Session::open()).collect();
        for session in &mut sessions {
            session.start(&order);
            session.start(&order);
        }
        for session in &mut sessions {
            let (mut accepted, mut ended) = (0, 0);
            while accepted < 2 || ended < 2 {
                match session.next() {
                    Some(FromHost::Accepted { .. }) => accepted += 1,
                    Some(FromHost::Ended { status, .. }) => {
                        assert_eq!(status, SUCCEEDED);
                        ended += 1;
                    }
                    Some(FromHost::Output { .. }) => {}
                    other => panic!("{other:?}"),
                }
            }
        }
        assert_eq!(site.lines("begun"), round);
    }
}

#[test]
fn a_step_whose_keeper_is_killed_is_interrupted_and_so_is_its_worker() {
    let mut site = Site::new();
    let mut session = Session::open();
    let release = site.run(&mut session, "1");
    let order = site.scripted(&release, GATED);
    session.start(&order);
    session.accepted(&order.token).unwrap();
    until("the step begins", || site.lines("begun") == 1);
    let record = site.record(&order.token);
    assert!(half(&record, "work").is_some());
    kill_process(half(&record, "step").unwrap(), Signal::KILL).unwrap();
    assert_eq!(session.end_of(&order.token).status, TokenStatus::Interrupted);
    until("the worker ends", || half(&record, "work").is_none());
    fs::write(site.trace("go"), "").unwrap();

    // Asked again it is still interrupted, and does not run; another attempt does.
    assert_eq!(session.carry_out(&order).unwrap().status, TokenStatus::Interrupted);
    assert_eq!(site.lines("begun"), 1);
    let again = site.scripted(&release, GATED);
    assert_eq!(session.carry_out(&again).unwrap().status, SUCCEEDED);
    assert_eq!(site.lines("begun"), 2);
}

#[test]
fn a_step_whose_worker_is_killed_has_failed() {
    let mut site = Site::new();
    let mut session = Session::open();
    let release = site.run(&mut session, "1");
    let order = site.scripted(&release, GATED);
    session.start(&order);
    session.accepted(&order.token).unwrap();
    until("the step begins", || site.lines("begun") == 1);
    kill_process(half(&site.record(&order.token), "work").unwrap(), Signal::KILL).unwrap();
    match session.end_of(&order.token).status {
        TokenStatus::Finished(Outcome::Failed { reason, .. }) => {
            assert!(reason.contains("SIGKILL"), "{reason}")
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_step_of_an_earlier_boot_without_a_result_is_interrupted() {
    let site = Site::new();
    let mut session = Session::open();
    let release = site.bring(&mut session, "1");
    let done = site.prepare(&release);
    session.carry_out(&done).unwrap();
    // What a power cut leaves: the order and its acceptance in a boot that is over.
    let order = site.prepare(&release);
    let record = site.record(&order.token);
    fs::create_dir(&record).unwrap();
    for name in ["order", "lock"] {
        fs::copy(site.record(&done.token).join(name), record.join(name)).unwrap();
    }
    fs::write(record.join("accepted"), r#"{"boot_id":"00000000-0000-0000-0000-000000000000"}"#).unwrap();
    let facts = session.probe(&site.placement, &[&order.token, &done.token]);
    assert_eq!(facts.tokens[&order.token], TokenStatus::Interrupted);
    assert_eq!(facts.tokens[&done.token], SUCCEEDED);
    assert_eq!(session.carry_out(&order).unwrap().status, TokenStatus::Interrupted);
    // It blocks nobody.
    assert_eq!(session.carry_out(&site.prepare(&release)).unwrap().status, SUCCEEDED);
}

#[test]
fn a_journal_that_cannot_be_read_is_never_taken_for_a_step_that_did_not_start() {
    let site = Site::new();
    let mut session = Session::open();
    let release = site.bring(&mut session, "1");
    let order = site.prepare(&release);
    session.carry_out(&order).unwrap();
    fs::write(site.record(&order.token).join("result"), "{").unwrap();
    session.start(&order);
    assert!(matches!(session.accepted(&order.token), Err(Refusal::Storage(_))));
}

#[test]
fn a_token_as_long_as_tokens_may_be_works() {
    let site = Site::new();
    let mut session = Session::open();
    let release = site.bring(&mut session, "1");
    let mut order = site.prepare(&release);
    order.token = token(&"h".repeat(300));
    assert_eq!(session.carry_out(&order).unwrap().status, SUCCEEDED);
    assert_eq!(session.probe(&site.placement, &[&order.token]).tokens[&order.token], SUCCEEDED);
}

#[test]
fn old_records_are_removed_and_unfinished_ones_stay() {
    let site = Site::new();
    let mut session = Session::open();
    let release = site.bring(&mut session, "1");
    let unfinished = site.prepare(&release);
    session.carry_out(&unfinished).unwrap();
    until("the keeper ends", || half(&site.record(&unfinished.token), "step").is_none());
    fs::remove_file(site.record(&unfinished.token).join("result")).unwrap();
    // A process has no command line any more while it still lets go of its files.
    until("the keeper lets go of its record", || {
        session.probe(&site.placement, &[&unfinished.token]).tokens[&unfinished.token]
            == TokenStatus::Interrupted
    });
    let mut last = None;
    for _ in 0..55 {
        let order = site.prepare(&release);
        assert_eq!(session.carry_out(&order).unwrap().status, SUCCEEDED);
        last = Some(order.token);
    }
    let left = fs::read_dir(site.path(".andon/steps")).unwrap().count();
    assert!((50..=53).contains(&left), "{left}");
    let tokens = session.probe(&site.placement, &[&unfinished.token, last.as_ref().unwrap()]).tokens;
    assert_eq!(tokens[&unfinished.token], TokenStatus::Interrupted);
    assert_eq!(tokens[last.as_ref().unwrap()], SUCCEEDED);
}
