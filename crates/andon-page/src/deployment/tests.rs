//! The page of a deployment in each of its states, and what hostile words do to it: nothing.

use andon_core::deployment::{Cause, Fact, HostState, PauseReason, Phase, State, story};
use andon_core::host::Stage;

use super::*;
use crate::stories::{HOSTILE, became, begun, body, doing, entered, failed, fold, frame, host};

pub(crate) fn shown(facts: &[(Time, Fact)]) -> Shown {
    let deployment = fold(facts);
    let story = story::story(&deployment, facts.iter().map(|(at, fact)| (*at, fact)));
    Shown {
        deployment,
        behind: None,
        standing: None,
        awaited: BTreeMap::new(),
        story,
        may: true,
        driven: true,
        given_up: None,
        table: false,
        whole: false,
        evidence: None,
        approvals: None,
    }
}

/// In the second of three waves: one host is done, one drains, the others wait.
pub(crate) fn running(hosts: usize) -> Vec<(Time, Fact)> {
    let mut facts = begun(hosts, Some("the sale begins"));
    facts.push(entered(1, State::Running { phase: Phase::Prepare }));
    facts.extend((1..=hosts).map(|number| became(2, number, HostState::Prepared)));
    facts.push(entered(3, State::Running { phase: Phase::Wave(0) }));
    facts.push(became(4, 1, doing(Stage::Verify, 1)));
    facts.push(became(9, 1, HostState::Succeeded));
    facts.push(entered(9, State::Running { phase: Phase::Wave(1) }));
    facts.push(became(10, 2, doing(Stage::Drain, 2)));
    facts
}

fn rolled_back(reason: &str) -> Vec<(Time, Fact)> {
    let cause = Cause::Canary { host: host(1), stage: Stage::Verify, reason: reason.to_owned() };
    let mut facts = begun(4, None);
    facts.push(entered(1, State::Running { phase: Phase::Wave(0) }));
    facts.push(became(2, 1, doing(Stage::Verify, 1)));
    facts.push(became(5, 1, failed(reason)));
    facts.push(entered(5, State::RollingBack { cause: cause.clone() }));
    facts.push(became(9, 1, HostState::Reverted));
    facts.extend((2..=4).map(|number| became(9, number, HostState::Cancelled)));
    facts.push(entered(10, State::RolledBack { cause }));
    facts
}

#[test]
fn a_running_deployment_says_what_it_waits_for() {
    let page = render(&shown(&running(8)), &frame(22));
    insta::assert_snapshot!(body(&page));
}

#[test]
fn one_that_was_put_back_says_why_and_what_comes_next() {
    let page = render(&shown(&rolled_back("answered 500, expected 200")), &frame(600));
    insta::assert_snapshot!(body(&page));
}

#[test]
fn a_paused_one_can_be_resumed_and_one_without_a_plan_has_no_hosts_yet() {
    let mut facts = running(3);
    facts.push(entered(12, State::Paused { reason: PauseReason::Manual, at: Phase::Wave(1) }));
    let page = render(&shown(&facts), &frame(22)).0;
    assert!(page.contains("a person paused it") && page.contains("/deployments/128/resume"), "{page}");
    assert!(!page.contains("/deployments/128/pause"), "{page}");
    let page = render(&shown(&begun(3, None)[..1]), &frame(1)).0;
    assert!(page.contains("is known once it is planned"), "{page}");
}

#[test]
fn hostile_words_are_words() {
    let mut facts = rolled_back(HOSTILE);
    facts[0] = begun(4, Some(HOSTILE)).swap_remove(0);
    for table in [false, true] {
        let page = render(&Shown { table, ..shown(&facts) }, &frame(600)).0;
        assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
        assert!(!page.contains("<script>") && !page.contains('\u{1b}'), "{page}");
    }
}

#[test]
fn nothing_is_inline_so_that_the_policy_can_forbid_it() {
    let page = render(&shown(&running(8)), &frame(22)).0;
    for forbidden in [" style=", "<style", " onclick", " onload", "javascript:", "<script>"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
}

#[test]
fn whoever_may_not_act_has_no_form_and_reads_why() {
    let page = render(&Shown { may: false, ..shown(&running(8)) }, &frame(22)).0;
    assert!(!page.contains("<form") && page.contains("ana may look") && page.contains("disabled"), "{page}");
}

#[test]
fn whoever_looks_at_one_that_nobody_drives_reads_why_and_what_to_do() {
    let queued = begun(4, None)[..1].to_vec();
    let given_up = Some("the secret tests-key is missing".to_owned());
    for may in [true, false] {
        let waits = Shown { driven: false, may, given_up: given_up.clone(), ..shown(&queued) };
        let page = render(&waits, &frame(22)).0;
        assert!(page.contains("does not drive it: the secret tests-key is missing."), "{page}");
        assert!(page.contains("nobody will begin it: abort it, then deploy again"), "{page}");
        let runs = Shown { driven: false, may, ..shown(&running(4)) };
        let page = render(&runs, &frame(22)).0;
        assert_eq!(page.contains("Go on here"), may, "{page}");
    }
    assert!(!render(&shown(&running(4)), &frame(22)).0.contains("does not drive it"));
}

#[test]
fn a_thousand_hosts_weigh_less_than_300_kilobytes() {
    use std::io::Write;
    for table in [false, true] {
        let page = render(&Shown { table, ..shown(&running(1000)) }, &frame(22)).0;
        assert_eq!(page.matches("128/hosts/web").count(), 1000);
        let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        zipped.write_all(page.as_bytes()).unwrap();
        let zipped = zipped.finish().unwrap().len();
        assert!(zipped < 300_000, "{} bytes, {zipped} zipped", page.len());
    }
}
