//! Whom an agent obeys, and that it does one thing at a time.

use std::fs;

use andon_api::agent::Refusal;
use andon_core::host::Fence;

use super::driver::Session;
use super::service::{GATED, SUCCEEDED, Site, authority};

#[test]
fn a_lower_fence_is_refused_with_the_holder() {
    let site = Site::new();
    let mut session = Session::open();
    let release = site.bring(&mut session, "1");
    let mut high = site.prepare(&release);
    high.authority = authority(9);
    high.authority.by = "grace".to_owned();
    session.carry_out(&high).unwrap();
    let mut low = site.prepare(&release);
    low.authority.fence = Fence(8);
    match session.carry_out(&low) {
        Err(Refusal::Fenced(holder)) => assert_eq!((holder.by.as_str(), holder.fence), ("grace", Fence(9))),
        other => panic!("{other:?}"),
    }
    assert!(!site.record(&low.token).exists());
    assert_eq!(session.probe(&site.placement, &[]).authority.map(|it| it.by), Some("grace".to_owned()));
}

#[test]
fn another_ledger_is_refused_until_it_takes_over() {
    let site = Site::new();
    let mut session = Session::open();
    let release = site.bring(&mut session, "1");
    let mut theirs = site.prepare(&release);
    theirs.authority = authority(99);
    theirs.authority.ledger = "theirs".to_owned();
    assert!(matches!(session.carry_out(&theirs), Err(Refusal::Fenced(holder)) if holder.ledger == "ours"));
    theirs.authority.take_over = true;
    theirs.authority.fence = Fence(0);
    assert_eq!(session.carry_out(&theirs).unwrap().status, SUCCEEDED);
    let ours = site.prepare(&release);
    assert!(matches!(session.carry_out(&ours), Err(Refusal::Fenced(holder)) if holder.ledger == "theirs"));
}

#[test]
fn a_second_step_waits_for_nobody_and_is_told_who_is_at_work() {
    let mut site = Site::new();
    let mut session = Session::open();
    let release = site.run(&mut session, "1");
    let first = site.scripted(&release, GATED);
    session.start(&first);
    session.accepted(&first.token).unwrap();
    let mut other = Session::open();
    assert_eq!(other.carry_out(&site.prepare(&release)).unwrap_err(), Refusal::Busy(first.token.clone()));
    fs::write(site.trace("go"), "").unwrap();
    assert_eq!(session.end_of(&first.token).status, SUCCEEDED);
    assert_eq!(other.carry_out(&site.prepare(&release)).unwrap().status, SUCCEEDED);
}
