//! The controller killed by force at each append to its ledger, before, in the middle, and after; then resumed.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};

use andon_testbed::deadline::wait_until;
use andon_testbed::{Deed, Tripwire};
use serde_json::Value;

use crate::front::Front;
use crate::project::{host_state, text};
use crate::shop::{BALANCER_HOST, LIMIT, Shop};

const HOSTS: u16 = 2;
/// Shops in which moments are tried at the same time.
const SHOPS: usize = 3;
/// The first write of an append, and what makes it durable.
const KINDS: &[&str] = &["begin", "sync"];

/// An open shop that is deployed to in the shortest time that still drains, verifies and enables each host.
fn open() -> (Shop, Front) {
    let shop = Shop::of(HOSTS);
    let front = Front::proxy(shop.backends());
    shop.write_line(&front.expression(BALANCER_HOST));
    shop.edit_line("min_healthy_time = \"300ms\"", "min_healthy_time = \"0s\"");
    shop.edit_line("bake = \"500ms\"", "bake = \"0s\"");
    shop.edit_line("interval = \"100ms\", in_a_row = 2", "interval = \"20ms\", in_a_row = 1");
    shop.open();
    (shop, front)
}

/// Deploys the next release with a controller that is killed at an append. Whether it was.
fn killed_at(shop: &Shop, tripwire: &Tripwire, turn: u64, only: &str, number: u64, deed: Deed) -> bool {
    let watch = shop.project.data().join("ledger.db-wal");
    let book = shop.project.path().join(format!("book-{turn}"));
    let what = format!("{deed:?} number {number} of {only}");
    let wire = tripwire.wire(&book, &watch, KINDS).at(only, number, deed);
    let before = shop.project.recorded() as u64;
    shop.release(&format!("release {turn}"));
    let mut command = shop.project.command(&["deploy", "www"]);
    wire.arm(&mut command);
    let mut running = shop.project.start_command(command);
    assert!(wait_until(LIMIT, || running.has_ended()), "{what}: neither killed nor over: {}", running.said());
    let ran = running.end();
    let id = before + 1;
    if !wire.has_tripped() {
        ran.code(0);
        return false;
    }
    // What is synced last is synced by a thread while the process ends, which may be faster than the kill.
    assert!(matches!(ran.code, None | Some(0)), "{what}: it was to be killed: {ran:?}");
    match shop.project.recorded() as u64 == before {
        // Nothing was recorded, so nothing has happened: whoever deploys again begins.
        true => drop(shop.project.well(&["deploy", "www"])),
        false => taken_up_again(shop, id, &what),
    }
    let shown = shop.project.show(id);
    assert_eq!(text(&shown, "state"), "succeeded", "{what}: {:#?}", Shop::story(&shown));
    for backend in shop.backends() {
        assert_eq!(host_state(&shown, &backend.name), "succeeded", "{what}");
        assert_eq!(activations(shop, &backend.name, id), 1, "{what}: {}", backend.name);
        let link = fs::read_link(shop.project.local_root(&backend.name).join("current")).unwrap();
        assert!(link.ends_with(text(&shown, "release")), "{what}: {} runs {link:?}", backend.name);
    }
    let moment = shop.project.json(&["traffic", "www"]);
    for instance in moment["instances"].as_array().unwrap() {
        let fine = instance["in_traffic"] == Value::Bool(true) && instance["well"] == Value::Bool(true);
        assert!(fine, "{what}: left out: {instance:#}");
    }
    true
}

/// What a person meets after the crash, and does.
fn taken_up_again(shop: &Shop, id: u64, what: &str) {
    let shown = shop.project.show(id);
    if text(&shown, "state") == "succeeded" {
        // The very last append was recorded: there is nothing left to do.
        return;
    }
    let next = format!("andon resume {id}");
    shop.project.run(&["deploy", "www"]).code(3).says("the process that drove it is gone").says(&next);
    let resumed = shop.project.run(&["resume"]);
    assert_eq!(resumed.code, Some(0), "{what}: {resumed:?}");
    resumed.says(&format!("#{id} succeeded"));
}

/// How many activations of a deployment a host has in its journal.
fn activations(shop: &Shop, host: &str, id: u64) -> usize {
    let steps = fs::read_dir(shop.project.local_root(host).join(".andon/steps")).unwrap();
    let names = steps.map(|step| step.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(&format!("d{id}.")) && name.contains(".activate.")).count()
}

#[test]
fn a_controller_that_is_killed_at_any_append_is_resumed_and_nothing_happens_twice() {
    let tripwire = Tripwire::compile().unwrap();
    let next = AtomicU64::new(0);
    let longest = AtomicU64::new(u64::MAX);
    let kill_some = || {
        let (shop, _front) = open();
        loop {
            let turn = next.fetch_add(1, Ordering::SeqCst);
            let number = turn / 3 + 1;
            if number > longest.load(Ordering::SeqCst) {
                shop.project.well(&["ledger", "verify"]).says("none changed");
                return;
            }
            let (only, deed) = match turn % 3 {
                0 => ("begin *", Deed::KillBefore),
                1 => ("begin *", Deed::KillAfter),
                _ => ("sync *", Deed::KillAfter),
            };
            if !killed_at(&shop, &tripwire, turn, only, number, deed) {
                longest.fetch_min(number, Ordering::SeqCst);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..SHOPS {
            scope.spawn(kill_some);
        }
    });
    let appends = longest.load(Ordering::SeqCst);
    println!("killed at each of {appends} appends");
    assert!(appends > 15, "only {appends} appends were seen: the story is too short to mean anything");
}
