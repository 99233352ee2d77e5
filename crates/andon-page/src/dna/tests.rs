//! What the page of strips says.

use andon_core::deployment::DeploymentId;
use andon_core::release::{ReleaseId, Revision};
use andon_core::scope::ScopeName;

use super::*;

fn release(digit: &str) -> ReleaseId {
    format!("r-{}", digit.repeat(12)).parse().unwrap()
}

fn hosts(from: usize, count: usize) -> Vec<HostName> {
    (from..from + count).map(|number| HostName::new(format!("web{number}")).unwrap()).collect()
}

fn strand(runs: Runs, standing: Standing, hosts: Vec<HostName>) -> Strand {
    Strand { runs, standing, since: None, revision: None, steps_behind: 0, hosts }
}

fn asked(strands: Vec<Strand>, at: Option<Time>) -> Asked {
    let scope = ScopeName { service: "www".parse().unwrap(), environment: "production".parse().unwrap() };
    Asked { strip: Strip { scope, current: Some(release("a")), strands }, at }
}

fn text(strips: Vec<Asked>) -> String {
    render(&Dna { strips, service: None, unasked: None }, &Frame::new(Time(60_000))).into_string()
}

#[test]
fn laggards_are_named_and_what_is_equal_is_one_run() {
    let behind = Strand {
        since: Some((DeploymentId(7), Time(1))),
        revision: Some(Revision {
            commit: "4c1d9e2".into(),
            subject: "a <script> in a commit".into(),
            author: "bea & co".into(),
            email: None,
            at: Time(0),
        }),
        steps_behind: 3,
        ..strand(Runs::Release(release("b")), Standing::Behind, hosts(951, 2))
    };
    let page = text(vec![asked(
        vec![
            strand(Runs::Release(release("a")), Standing::Current, hosts(1, 950)),
            behind,
            strand(Runs::Unknown, Standing::Unknown, hosts(990, 1)),
        ],
        Some(Time(0)),
    )]);
    for words in [
        "953 hosts: ",
        "950 current",
        "2 behind",
        "1 unknown",
        "web[1-950]",
        "href=\"/hosts/web951\"",
        "behind by 3 releases",
        "a &lt;script&gt; in a commit",
        "bea &amp; co",
        "1 of 1 services and environments are not on one release: 2 hosts behind, 1 unknown.",
    ] {
        assert!(page.contains(words), "{words} is missing in {page}");
    }
    // Three runs, and what the three patterns are made of.
    assert_eq!(page.matches("<rect").count(), 3 + 4);
    assert!(!page.contains(" style="));
}

#[test]
fn few_hosts_are_cells() {
    let page = text(vec![asked(
        vec![strand(Runs::Release(release("a")), Standing::Current, hosts(1, 12))],
        Some(Time(0)),
    )]);
    assert!(page.contains("Every host that was asked runs what it should."));
    assert_eq!(page.matches("<rect").count(), 12 + 4);
}

#[test]
fn who_was_not_asked_yet_is_said_to_be_so() {
    let page = text(vec![asked(vec![strand(Runs::Unknown, Standing::Unknown, hosts(1, 3))], None)]);
    assert!(page.contains("Not asked yet") && page.contains("3 hosts, none of them asked yet"));
    assert!(!page.contains("✔ Every"));
    assert!(text(Vec::new()).contains("andon init"));
}

#[test]
fn what_was_never_deployed_is_no_fault() {
    let nothing = || strand(Runs::Nothing, Standing::Empty, hosts(1, 3));
    let page = text(vec![asked(vec![nothing()], Some(Time(0)))]);
    assert!(
        page.contains("Not deployed yet") && page.contains("www → production: 3 hosts, where nothing runs")
    );
    assert!(!page.contains("not on one release") && !page.contains("✔ Every"));
    // With a host that does not answer nobody knows.
    let silent = strand(Runs::Unknown, Standing::Unknown, hosts(4, 1));
    let page = text(vec![asked(vec![nothing(), silent], Some(Time(0)))]);
    for words in ["Not on one release", "3 not deployed yet", "0 hosts behind, 1 unknown."] {
        assert!(page.contains(words), "{words} is missing in {page}");
    }
}
