//! What an agent does with a controller that is broken, hostile, slow, or too new.

use std::io::Write;
use std::process::{Command, Stdio};

use andon_api::agent::{FromHost, PROTOCOL, Refusal, Subject, ToHost};
use andon_api::frame;
use andon_api::secret::Secrets;
use andon_core::digest::Digest;
use andon_core::host::{Outcome, TokenStatus};

use super::driver::{PROGRAM, Session, until};
use super::service::{Site, token};

#[test]
fn garbage_is_refused_and_ends_the_session() {
    for garbage in [&b"Welcome to web1!\r\n\r\n"[..], &[0xff; 64], &[0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff]] {
        let mut session = Session::silent();
        session.send_raw(garbage);
        assert!(matches!(session.next(), Some(FromHost::Hello { .. })));
        match session.next() {
            Some(FromHost::Refused { what: Subject::Session, refusal: Refusal::Malformed(_) }) => {}
            other => panic!("{other:?}"),
        }
        assert!(session.next().is_none());
        assert!(!session.hang_up().success());
    }
}

#[test]
fn a_message_beyond_the_limit_ends_the_session_before_it_is_read() {
    let mut session = Session::open();
    session.send_raw(&u32::try_from(frame::MAX_BODY + 1).unwrap().to_be_bytes());
    assert!(matches!(session.next(), Some(FromHost::Refused { what: Subject::Session, .. })));
    assert!(!session.hang_up().success());
}

#[test]
fn half_a_message_and_then_nothing_is_the_end_of_the_session() {
    let frame = frame::encode(&ToHost::Hello { protocol: PROTOCOL, version: "test".to_owned() }).unwrap();
    for length in 0..frame.len() {
        let mut session = Session::silent();
        session.send_raw(&frame[..length]);
        assert!(session.hang_up().success(), "{length}");
    }
}

#[test]
fn another_protocol_is_refused_with_both_numbers() {
    for other in [PROTOCOL - 1, PROTOCOL + 1, 99] {
        let mut session = Session::silent();
        session.send(&ToHost::Hello { protocol: other, version: "9.0".to_owned() });
        assert!(matches!(session.next(), Some(FromHost::Hello { protocol: PROTOCOL, .. })));
        match session.next() {
            Some(FromHost::Refused { refusal, .. }) => {
                assert_eq!(refusal, Refusal::Protocol { theirs: PROTOCOL, ours: other });
            }
            said => panic!("{said:?}"),
        }
        assert!(session.next().is_none());
    }
}

#[test]
fn a_message_that_only_newer_agents_know_is_refused_and_the_session_goes_on() {
    let site = Site::new();
    let mut session = Session::open();
    let body = b"\xa1\x65dance\xa0";
    session.send_raw(&u32::try_from(body.len()).unwrap().to_be_bytes());
    session.send_raw(body);
    assert!(matches!(session.next(), Some(FromHost::Refused { what: Subject::Session, .. })));
    assert_eq!(session.probe(&site.placement, &[]).current, None);
}

#[test]
fn a_question_that_only_newer_agents_know_is_refused_by_its_number() {
    let mut session = Session::open();
    let body = b"\xa1\x65dance\xa2\x62id\x07\x63how\xa1\x61x\x81\x01";
    session.send_raw(&u32::try_from(body.len()).unwrap().to_be_bytes());
    session.send_raw(body);
    match session.next() {
        Some(FromHost::Refused { what: Subject::Question(7), refusal: Refusal::Malformed(_) }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_question_changes_nothing_on_the_host() {
    let site = Site::new();
    let facts = Session::open().probe(&site.placement, &[&token("d1.f1.web1.prepare.1")]);
    assert!(facts.obstacles.is_empty(), "{:?}", facts.obstacles);
    assert!(facts.free.0 > 0 && facts.releases.is_empty());
    assert!(!site.dir.path().join("srv").exists());
}

#[test]
fn a_root_that_winds_out_of_its_place_is_refused() {
    let mut site = Site::new();
    for root in ["srv/www", "/", "/srv/../etc", ""] {
        site.placement.root = root.into();
        let mut session = Session::open();
        session.send(&ToHost::Probe { id: 5, placement: Box::new(site.placement.clone()), tokens: vec![] });
        match session.next() {
            Some(FromHost::Refused { what: Subject::Question(5), refusal: Refusal::Malformed(_) }) => {}
            other => panic!("{root:?}: {other:?}"),
        }
    }
}

#[test]
fn a_token_or_digest_that_is_a_path_is_not_understood() {
    let site = Site::new();
    let mut session = Session::open();
    let (_, release) = site.release("1");
    let good = frame::encode(&ToHost::Start {
        order: Box::new(site.prepare(&release)),
        from: 0,
        secrets: Secrets::default(),
    })
    .unwrap();
    let token = site.prepare(&release).token;
    for (part, hostile) in [
        (token.as_str().rsplit_once('.').unwrap().0, "../../../../tmp/pwned-abcdef"),
        (&release.digest.to_string()[..16], "../../etc/passwd"),
        (release.id.as_str(), "../../../../x1"),
    ] {
        let at = good.windows(part.len()).position(|window| window == part.as_bytes()).unwrap();
        let mut bad = good.clone();
        bad[at..at + part.len().min(hostile.len())]
            .copy_from_slice(&hostile.as_bytes()[..part.len().min(hostile.len())]);
        session.send_raw(&bad);
        match session.next() {
            Some(FromHost::Refused { what: Subject::Session, refusal: Refusal::Malformed(_) }) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(!site.dir.path().join("srv").exists());
}

#[test]
fn a_controller_that_asks_and_never_reads_does_not_keep_the_agent_when_it_is_gone() {
    let site = Site::new();
    let mut agent = Command::new(PROGRAM);
    let mut agent = agent.arg("stdio").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let hello = ToHost::Hello { protocol: PROTOCOL, version: "test".to_owned() };
    let ask = |id| ToHost::Probe { id, placement: Box::new(site.placement.clone()), tokens: vec![] };
    let mut frames = frame::encode(&hello).unwrap();
    frames.extend((0..2000).flat_map(|id| frame::encode(&ask(id)).unwrap()));
    let (mut input, output) = (agent.stdin.take().unwrap(), agent.stdout.take().unwrap());
    // Far more answers than the pipe and the agent's queue hold: it cannot take all of the questions.
    let writer = std::thread::spawn(move || input.write_all(&frames));
    assert!(agent.try_wait().unwrap().is_none());
    drop(output);
    until("the agent ends", || agent.try_wait().unwrap().is_some());
    assert!(writer.join().unwrap().is_err());
}

#[test]
fn an_agent_whose_file_is_gone_still_carries_out_steps() {
    let site = Site::new();
    site.bring(&mut Session::open(), "1");
    let (_, release) = site.release("1");
    let copy = site.trace("agent-copy");
    // Not by this process: what it writes, a child that another test just starts may hold open, and nobody can run it.
    assert!(Command::new("cp").arg(PROGRAM).arg(&copy).status().unwrap().success());
    let mut session = Session::of(&copy).greeted();
    std::fs::remove_file(&copy).unwrap();
    let seen = session.carry_out(&site.prepare(&release)).unwrap();
    assert_eq!(seen.status, TokenStatus::Finished(Outcome::Succeeded));
}

#[test]
fn an_agent_knows_its_own_digest() {
    let verify = |digest: &str| Command::new(PROGRAM).args(["verify-self", digest]).output().unwrap();
    let digest = Digest::of(&std::fs::read(PROGRAM).unwrap()).to_string();
    assert!(verify(&digest).status.success());
    let other = verify(&Digest::of(b"another").to_string());
    assert!(!other.status.success());
    assert!(String::from_utf8_lossy(&other.stderr).contains(&digest));
    assert!(!verify("not a digest").status.success());
}
