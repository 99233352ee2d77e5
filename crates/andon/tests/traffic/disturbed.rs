//! Deployments that are disturbed while users are there: by crashes, reloads, hands, and the loss of a host.
//!
//! What the balancer cannot hide from a user is allowed to be lost, and nothing else: an answer of which a part was
//! passed on already, when its server dies.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use andon_load::{Fault, Kind, Mix, Tally};
use andon_testbed::deadline::wait_until;
use andon_testbed::{Backend, Haproxy, Nginx, Retries, Sshd, process};
use rustix::process::Signal;

use crate::front::{Front, haproxy_on};
use crate::project::{Project, Running, text};
use crate::shop::{BALANCER_HOST, LIMIT, Shop, go_on, served, steady};

const INSTANCES: u16 = 4;

/// A lighter load, as several of these tests run at once.
fn mix() -> Mix {
    Mix { rate: 100, slow_for: Duration::from_secs(2), ..Mix::default() }
}

/// An open shop behind a balancer, and its next release.
fn open(front: impl FnOnce(&[Backend]) -> Front) -> (Shop, Front) {
    let shop = Shop::of(INSTANCES);
    let front = front(shop.backends());
    shop.write_line(&front.expression(BALANCER_HOST));
    shop.open();
    shop.release("next");
    (shop, front)
}

/// The deployment has ended well, and every instance has traffic again.
#[track_caller]
fn all_serve(shop: &Shop, tally: &Tally) {
    let shown = shop.newest();
    assert_eq!(text(&shown, "state"), "succeeded", "{:#?}", Shop::story(&shown));
    let release = text(&shown, "release");
    let ports: Vec<u16> = shop.backends().iter().map(|backend| backend.address.port()).collect();
    assert_eq!(served(tally, release).into_iter().collect::<Vec<_>>(), ports, "{tally}");
}

/// Waits until the deployment has paused, and answers what it says.
fn until_paused(shop: &Shop) -> String {
    let shown = shop.project.until_shown(2, "it is paused", |shown| shown["state"] == "paused");
    Shop::story(&shown).join("\n")
}

/// Lets a paused deployment go on, to its good end.
fn resume(shop: &Shop, running: Running) {
    shop.project.well(&["resume", "2"]);
    let ended = wait_until(LIMIT, || shop.newest()["state"] == "succeeded");
    assert!(ended, "{:#?}", Shop::story(&shop.newest()));
    running.end().code(0);
}

#[test]
fn a_haproxy_that_is_reloaded_forgets_its_drains_and_is_told_again() {
    let (shop, front) =
        open(|backends| Front::Haproxy(Haproxy::start(backends, Retries::Idempotent).unwrap()));
    let Front::Haproxy(haproxy) = &front else { panic!("it is one") };
    let load = steady(front.address(), mix());
    let running = shop.deploy();
    for host in ["web1", "web2", "web3"] {
        shop.until_told(2, &format!("{host} draining"));
        haproxy.reload().unwrap();
    }
    shop.finish(running).code(0);
    go_on(&load, 300);
    let tally = load.stop();
    println!("reloaded: {tally}");
    assert_eq!(tally.failed, 0, "{tally}");
    all_serve(&shop, &tally);
}

#[test]
fn an_application_that_dies_at_random_costs_only_what_was_already_half_said() {
    // No upload: nobody may send one twice, so nobody can hide its loss.
    let gets = Mix { uploads: 0, ..mix() };
    let (shop, front) =
        open(|backends| Front::Haproxy(Haproxy::start(backends, Retries::Idempotent).unwrap()));
    let load = steady(front.address(), gets);
    let (done, killed) = (AtomicBool::new(false), std::sync::atomic::AtomicUsize::new(0));
    let code = thread::scope(|scope| {
        scope.spawn(|| {
            for number in [2, 0, 3, 1].iter().cycle() {
                go_on(&load, 150);
                if done.load(Ordering::Relaxed) {
                    break;
                }
                let victims = shop.processes(&shop.backends()[*number]);
                killed.fetch_add(victims.len(), Ordering::Relaxed);
                victims.into_iter().for_each(process::kill);
            }
        });
        let mut running = shop.deploy();
        let ended = wait_until(LIMIT, || running.has_ended());
        done.store(true, Ordering::Relaxed);
        assert!(ended, "{:#?}", Shop::story(&shop.newest()));
        running.end().code
    });
    go_on(&load, 300);
    let tally = load.stop();
    println!("{} killed, exit code {code:?}: {tally}", killed.load(Ordering::Relaxed));
    assert!(killed.load(Ordering::Relaxed) > 1, "nobody died");
    let excused = |kind: &Kind, fault: &Fault| {
        matches!(kind, Kind::Slow(..))
            && matches!(fault, Fault::Short { .. } | Fault::Reset { received: 1.., .. })
    };
    assert!(tally.failures.len() as u64 == tally.failed, "not all failures were kept: {tally}");
    let unexcused: Vec<String> = tally
        .failures
        .iter()
        .filter(|failure| !excused(&failure.request.kind, &failure.fault))
        .map(ToString::to_string)
        .collect();
    assert!(unexcused.is_empty(), "{unexcused:#?}");
    // A host that died while it was looked at may end the deployment. It is over, in either case, and nobody is out.
    let state = shop.newest()["state"].clone();
    assert!(state == "succeeded" || state == "rolled_back", "{state}: {:#?}", Shop::story(&shop.newest()));
    let Front::Haproxy(haproxy) = &front else { panic!("it is one") };
    for Backend { name, .. } in shop.backends() {
        let up = || haproxy.stat(name, "status").is_ok_and(|status| status == "UP");
        assert!(wait_until(LIMIT, up), "{name}: {:?}", haproxy.stat(name, "status"));
    }
}

#[test]
fn an_include_that_a_hand_has_broken_pauses_with_the_difference_and_mending_it_goes_on() {
    let (shop, front) = open(|backends| Front::Nginx(Nginx::start(backends, Retries::None).unwrap()));
    let Front::Nginx(nginx) = &front else { panic!("it is one") };
    let load = steady(front.address(), mix());
    let running = shop.deploy();
    shop.until_told(2, "web1 drained after");
    let ours = fs::read_to_string(nginx.include()).unwrap();
    fs::write(nginx.include(), format!("{ours}sever 10.0.0.1:80;\n")).unwrap();
    let story = until_paused(&shop);
    assert!(story.contains("+sever 10.0.0.1:80;"), "the difference is not told: {story}");
    let edited = fs::read_to_string(nginx.include()).unwrap();
    assert!(edited.contains("sever 10.0.0.1:80;"), "the edit was overwritten: {edited}");
    // Mended as a person would do it: the line is taken out again.
    fs::write(nginx.include(), edited.replace("sever 10.0.0.1:80;\n", "")).unwrap();
    resume(&shop, running);
    go_on(&load, 300);
    let tally = load.stop();
    println!("edited: {tally}");
    assert_eq!(tally.failed, 0, "{tally}");
    all_serve(&shop, &tally);
}

#[test]
fn a_balancer_whose_host_is_lost_pauses_the_deployment_until_it_is_back() {
    let sshd = Sshd::start(2).unwrap();
    let shop = Shop::in_project(Project::new().with_ssh(sshd.ssh_config()), INSTANCES);
    let balancers = [0, 1].map(|_| Haproxy::start(shop.backends(), Retries::None).unwrap());
    let on = |number: usize| {
        let host = format!("host(\"lb{number}\", address = \"web{number}\")");
        haproxy_on(&host, &balancers[number - 1].socket())
    };
    shop.write_line(&format!("[{}, {}]", on(1), on(2)));
    shop.open();
    shop.release("next");
    let loads = balancers.each_ref().map(|balancer| steady(balancer.address(), mix()));
    let lost = sshd.host("web2").unwrap();
    let running = shop.deploy();
    shop.until_told(2, "web1 drained after");
    lost.stop();
    let story = until_paused(&shop);
    assert!(story.contains("lb2"), "the host is not named: {story}");
    lost.restart().unwrap();
    resume(&shop, running);
    for load in loads {
        go_on(&load, 300);
        let tally = load.stop();
        println!("lost and back: {tally}");
        assert_eq!(tally.failed, 0, "{tally}");
        all_serve(&shop, &tally);
    }
}

#[test]
fn a_controller_that_is_killed_between_drain_and_enable_leaves_a_drain_that_resume_ends() {
    let (shop, front) = open(Front::haproxy);
    let load = steady(front.address(), mix());
    let mut running = shop.deploy();
    for (host, moment) in [("web1", "drained after"), ("web2", "verifying"), ("web3", "draining")] {
        shop.until_told(2, &format!("{host} {moment}"));
        running.signal(Signal::KILL);
        assert!(wait_until(LIMIT, || running.has_ended()));
        // Nobody drives it, and nobody puts the host back.
        go_on(&load, 100);
        running = shop.project.start(&["resume", "2"]);
    }
    shop.finish(running).code(0);
    go_on(&load, 300);
    let tally = load.stop();
    println!("killed: {tally}");
    assert_eq!(tally.failed, 0, "{tally}");
    all_serve(&shop, &tally);
    shop.project.well(&["ledger", "verify"]);
}
