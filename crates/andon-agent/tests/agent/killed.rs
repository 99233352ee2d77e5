//! The agent killed at each thing that it does to its files: session, keeper, worker and supervisor alike.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use andon_testbed::{Deed, Tripwire};

use super::driver::Session;
use super::service::Site;
use super::upset::{Passage, alike, plain_site};

/// Everything that changes a file; the single bytes of one file between two syncs make no difference to anybody.
const KINDS: &[&str] = &["begin", "sync", "truncate", "rename", "link", "mkdir", "remove"];

/// Hosts on which events are tried at the same time.
const HOSTS: usize = 4;

fn tripwire() -> &'static Tripwire {
    static TRIPWIRE: OnceLock<Tripwire> = OnceLock::new();
    TRIPWIRE.get_or_init(|| Tripwire::compile().unwrap())
}

/// A site that runs a first release, and the events of the way of a second one.
fn begun() -> (Site, Vec<(String, u64)>) {
    let site = plain_site();
    for version in ["first", "second"] {
        let mut passage = Passage::of(&site, version);
        passage.give(&mut Session::open());
        assert!(passage.is_over());
    }
    // So many records that each new step removes the oldest one.
    let mut session = Session::open();
    let second = Passage::of(&site, "second");
    for _ in 0..50 {
        let again = second.prepare(&site);
        session.carry_out(&again).unwrap();
    }
    let wire = tripwire().wire(&site.dir.path().join("book"), &site.placement.root, KINDS);
    let mut passage = Passage::of(&site, "third");
    passage.give(&mut Session::armed(&wire));
    assert!(passage.is_over());
    let events = alike(&wire.events(), &site.placement.root);
    assert!(events.len() > 120, "only {events:?} were seen: the story is too short to mean anything");
    (site, events)
}

#[test]
fn an_agent_that_is_killed_at_any_write_tells_the_truth_and_installs_no_half_release() {
    let next = AtomicUsize::new(0);
    let killed_at_some = || {
        let (site, events) = begun();
        let mut missed = Vec::new();
        loop {
            let turn = next.fetch_add(1, Ordering::SeqCst);
            let Some((only, number)) = events.get(turn) else { return missed };
            let what = format!("killed before {only}, number {number}");
            let book = site.dir.path().join(format!("book-{turn}"));
            let wire =
                tripwire().wire(&book, &site.placement.root, KINDS).at(only, *number, Deed::KillBefore);
            let mut passage = Passage::of(&site, &format!("version-{turn}"));
            passage.give(&mut Session::armed(&wire));
            if !wire.has_tripped() {
                missed.push(what.clone());
            }
            let mut session = Session::open();
            passage.check(&mut session, &site.placement.root, &what);
            passage.finish(&site, &mut session, &site.placement.root, false, &what);
        }
    };
    let missed: Vec<String> = std::thread::scope(|scope| {
        let hosts: Vec<_> = (0..HOSTS).map(|_| scope.spawn(killed_at_some)).collect();
        hosts.into_iter().flat_map(|host| host.join().unwrap()).collect()
    });
    assert!(missed.is_empty(), "nobody was {missed:#?}");
}
