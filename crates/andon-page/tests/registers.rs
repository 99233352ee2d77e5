//! Services, releases, the ledger, notifications and the feed as pages: empty, with one, and with hostile words.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use andon_core::cord::{Cord, CordFact, Puller};
use andon_core::deployment::{DeploymentId, HostCounts, Kind, Summary};
use andon_core::name::{EnvironmentName, ServiceName};
use andon_core::person::Person;
use andon_core::quantity::ByteSize;
use andon_core::release::{ReleaseStatus, Revision};
use andon_core::scope::{Lock, ScopeName};
use andon_core::time::Time;
use andon_page::feed::Feed;
use andon_page::frame::Frame;
use andon_page::ledger::{self, Ledger, Verification};
use andon_page::notifications::{self, Notifications, Typed};
use andon_page::release_diff::{self, Commits, Files, ReleaseDiff};
use andon_page::releases::{self, Judged, Known, Releases};
use andon_page::services::{self, Current, Placed, Services};

const EVIL: &str = "<script>alert(1)</script>\" onload=\"x";
const NOW: Time = Time(1_795_856_400_000);

fn frame() -> Frame {
    Frame::new(NOW)
}

fn scope() -> ScopeName {
    ScopeName {
        service: ServiceName::new("www").unwrap(),
        environment: EnvironmentName::new("production").unwrap(),
    }
}

fn revision(subject: &str) -> Revision {
    let (commit, subject, author) = ("4c1d9e2".to_owned(), subject.to_owned(), EVIL.to_owned());
    Revision { commit, subject, author, email: None, at: Time(NOW.0 - 7_200_000) }
}

fn summary(id: u64, state: &str) -> Summary {
    serde_json::from_value(serde_json::json!({
        "id": id, "scope": scope(), "kind": Kind::Deploy, "release": "r-7f3a9102c4d1", "from": null,
        "revision": revision(EVIL), "by": "ana", "why": EVIL, "state": state, "reason": null,
        "accepted": NOW.0 - 600_000, "started": NOW.0 - 590_000, "ended": NOW.0 - 300_000,
        "hosts": HostCounts { total: 8, changed: 8, ..HostCounts::default() },
    }))
    .unwrap()
}

fn placed(lock: Lock) -> Placed {
    Placed {
        scope: scope(),
        current: Some(Current {
            release: "r-51bc07e2a944".parse().unwrap(),
            revision: Some(revision("checkout: retry on 409")),
            since: Some(Time(NOW.0 - 900_000)),
        }),
        lock,
        held_out: 0,
        last: Some(summary(128, "rolled_back")),
        hosts: Some(8),
        described: Some("8 hosts, watched for errors".to_owned()),
    }
}

/// What stands inside of `main`.
fn body(page: &maud::Markup) -> String {
    let text = page.clone().into_string();
    assert!(!text.contains("<script>alert") && !text.contains("\" onload=\"x"), "{text}");
    text.split_once("<main").unwrap().1.split_once("</main>").unwrap().0.to_owned()
}

#[test]
fn services_say_their_state_with_a_sign_and_a_word() {
    let page = |rows| body(&services::render(&Services { rows, lineless: None }, &frame()));
    assert!(page(Vec::new()).contains("There is no service yet"));
    let well = page(vec![placed(Lock::Free)]);
    for said in [
        "✔",
        "in order",
        "r-51bc07e2a944",
        "found good",
        "15 min ago",
        "#128",
        "rolled back by ana",
        "5 min ago",
    ] {
        assert!(well.contains(said), "{said}: {well}");
    }
    let left = Placed { last: Some(summary(129, "aborted")), ..placed(Lock::Free) };
    let left = page(vec![left]);
    assert!(left.contains("left halfway by #129") && !left.contains("in order"), "{left}");
    let held = Lock::Held { deployment: DeploymentId(128), reason: EVIL.to_owned(), since: NOW };
    assert!(page(vec![placed(held)]).contains("held since #128"));
    let many = page((0..100).map(|_| placed(Lock::Free)).collect());
    assert!(many.len() < 150_000, "{} bytes", many.len());
}

#[test]
fn releases_tell_good_from_bad_in_words_and_name_what_runs() {
    let judged = |status, current| {
        let (deployment, because) = (DeploymentId(7), EVIL.to_owned());
        Some(Judged { status, current, at: Time(NOW.0 - 60_000), deployment, because })
    };
    let row = |release: &str, judged| Known {
        release: release.parse().unwrap(),
        revision: Some(revision(EVIL)),
        packed: ByteSize(40_000_000),
        signed: None,
        kept: true,
        judged: vec![judged],
    };
    let service = scope().service;
    let shown = Releases {
        services: vec![service.clone()],
        service: Some(service),
        environments: vec![scope().environment],
        rows: vec![
            row("r-51bc07e2a944", judged(ReleaseStatus::Good, true)),
            row("r-7f3a9102c4d1", judged(ReleaseStatus::Bad, false)),
        ],
        more: 3,
    };
    let text = body(&releases::render(&shown, &frame()));
    for said in
        ["runs, good", "bad", "kept here", "And 3 older", "<option value=\"r-7f3a9102c4d1\" selected>"]
    {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(body(&releases::render(&Releases::default(), &frame())).contains("There is no release yet"));
}

#[test]
fn a_comparison_says_what_it_does_not_know() {
    let diff = |files, commits| {
        let (from, to) = ("r-51bc07e2a944".parse().unwrap(), "r-7f3a9102c4d1".parse().unwrap());
        let service = scope().service;
        body(&release_diff::render(&ReleaseDiff { service, from, to, files, commits }, &frame()))
    };
    let unknown =
        diff(Err("the bytes of r-51bc07e2a944 are not kept here any more".into()), Err(EVIL.into()));
    assert!(
        unknown.contains("The files cannot be compared: the bytes of")
            && unknown.contains("The commits are not known")
    );
    let none = diff(Ok(Files { same: 3, ..Files::default() }), Ok(Commits::default()));
    assert!(none.contains("the same 3 files") && none.contains("the same commit"), "{none}");
    let files =
        Files { added: vec![EVIL.to_owned()], changed: vec!["www".into()], same: 7, ..Files::default() };
    let commits = Commits { ahead: vec![revision(EVIL)], behind: Vec::new(), more: false };
    let text = diff(Ok(files), Ok(commits));
    assert!(
        text.contains("1 commit comes in") && text.contains("1 added, 0 removed, 1 changed, 7 the same"),
        "{text}"
    );
}

#[test]
fn the_ledger_says_how_far_it_looked_and_how_its_verification_stands() {
    let page = |ledger: &Ledger| body(&ledger::render(ledger, &frame()));
    assert!(page(&Ledger::default()).contains("Nothing is recorded yet"));
    let mut shown =
        Ledger { head: 20_000_000, looked_at: Some((19_995_001, 20_000_000)), ..Ledger::default() };
    shown.older = Some("text=x&before=19995001".to_owned());
    let text = page(&shown);
    assert!(text.contains("None of the records 19,995,001 to 20,000,000 fits"), "{text}");
    assert!(text.contains("/ledger?text=x&amp;before=19995001"), "{text}");
    shown.verification = Verification::Running { since: NOW, at: 5, of: 10 };
    assert!(page(&shown).contains("record 5 of 10"));
    shown.verification = Verification::Broken { at: NOW, what: EVIL.to_owned() };
    assert!(page(&shown).contains("does not hold"));
}

#[test]
fn notifications_teach_who_has_none() {
    let shown = Notifications { person: EVIL.to_owned(), ..Notifications::default() };
    let text = body(&notifications::render(&shown, &frame()));
    assert!(
        text.contains("You have asked for nothing yet") && text.contains("names no server that takes mail")
    );
}

#[test]
fn a_wish_that_was_not_taken_stands_in_the_form_as_it_was_filled_in() {
    let typed = Typed {
        occasions: vec!["began".into(), EVIL.into()],
        services: vec!["www".into()],
        environments: Vec::new(),
        how: "webhook".into(),
        to: EVIL.into(),
    };
    let services = vec![ServiceName::new("www").unwrap(), ServiceName::new("api").unwrap()];
    let shown = Notifications { services, typed: Some(typed), ..Notifications::default() };
    let text = body(&notifications::render(&shown, &frame()));
    let ticked = |value: &str| text.contains(&format!("value=\"{value}\" checked"));
    assert!(ticked("began") && ticked("www") && ticked("webhook"), "{text}");
    assert!(!ticked("rolled-back") && !ticked("api") && !ticked("chat") && !ticked("mail"), "{text}");
}

#[test]
fn a_feed_is_the_same_for_the_same_facts() {
    let mut cord = Cord::default();
    let person = Person { name: "ana".into(), at: "laptop".into() };
    let stop = CordFact::Stopped { by: Puller::Person { person }, reason: format!("{EVIL}\u{1}\u{b}") };
    cord.apply(Time(NOW.0 - 1000), &stop);
    let feed = Feed {
        ledger: "a1b2".into(),
        query: "service=www".into(),
        about: "service www".into(),
        deployments: vec![summary(128, "rolled_back"), summary(127, "succeeded")],
        line: cord.changes().cloned().collect(),
        most: 50,
        ..Feed::default()
    };
    insta::assert_snapshot!(andon_page::feed::render(&feed).replace("><", ">\n<"));
}
