//! *Now* with nothing, with one deployment under way, and with the line stopped.

use andon_core::cord::{CordFact, Puller};
use andon_core::person::Person;
use andon_core::scope::ScopeFact;

use super::*;
use crate::stories::{HOSTILE, at, begun, body, fold, frame, host, release, scope};

fn empty() -> Now {
    Now {
        line: Cord::default(),
        going: Vec::new(),
        scopes: Vec::new(),
        recent: Vec::new(),
        approvals: Vec::new(),
        may_line: true,
        no_line: None,
    }
}

fn stopped(reason: &str) -> Cord {
    let mut line = Cord::default();
    let by = Puller::Person { person: Person { name: "ben".into(), at: "desk".into() } };
    line.apply(at(-720), &CordFact::Stopped { by, reason: reason.into() });
    line
}

#[test]
fn with_nothing_in_it_the_page_teaches() {
    insta::assert_snapshot!(body(&render(&empty(), &frame(0))));
}

/// A release that ben wants to deploy, and one of `needed` agrees to.
fn approved_by_cleo(needed: u32) -> Approval {
    Approval {
        scope: scope(),
        release: release("next").id,
        by: "ben".into(),
        why: None,
        since: at(-60),
        needed,
        given: vec!["cleo".into()],
        may: true,
    }
}

#[test]
fn what_runs_and_what_ran_last_is_seen_at_once() {
    let going = fold(&begun(8, None));
    let mut known = Scope::default();
    known.apply(at(-900), &ScopeFact::Current { release: release("old").id });
    let held =
        ScopeFact::HeldOut { host: host(3), deployment: going.id, reason: "it was unlike the others".into() };
    known.apply(at(-800), &held);
    let last = going.summary();
    let row = Row { name: scope(), scope: known, last: Some(last.clone()) };
    let now = Now {
        going: vec![going],
        scopes: vec![row],
        recent: vec![last],
        approvals: vec![approved_by_cleo(2)],
        ..empty()
    };
    insta::assert_snapshot!(body(&render(&now, &frame(30))));
}

#[test]
fn a_release_with_all_its_approvals_waits_for_whoever_wanted_it() {
    let page = body(&render(&Now { approvals: vec![approved_by_cleo(1)], ..empty() }, &frame(30)));
    assert!(page.contains("ben can") && page.contains(">deploy it</a> now."), "{page}");
    assert!(!page.contains("Approve</button>"), "{page}");
}

#[test]
fn a_stopped_line_fills_the_top_and_says_what_comes_next() {
    let now = Now { line: stopped("orders fell"), ..empty() };
    insta::assert_snapshot!(body(&render(&now, &frame(0))));
}

#[test]
fn a_hostile_reason_is_a_reason_also_in_the_head_of_other_pages() {
    let line = stopped(HOSTILE);
    let frame = Frame { line: Some(line.clone()), path: "/timeline".into(), ..frame(0) };
    let page = render(&Now { line, no_line: Some(HOSTILE.into()), ..empty() }, &frame).0;
    assert_eq!(page.matches("&lt;script&gt;").count(), 4, "{page}");
    assert!(!page.contains("<script>"), "{page}");
}

#[test]
fn whoever_may_not_touch_the_line_has_no_form() {
    let now = Now { line: stopped("orders fell"), may_line: false, ..empty() };
    assert!(!render(&now, &frame(0)).0.contains("<form"));
}
