//! A rolling deployment of six instances under 300 requests a second loses nothing.
//!
//! The application dies in the middle of a word when it is asked to end, and no balancer tries anything twice: only a
//! drain that was seen to be done can save a request.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use andon_load::Mix;
use andon_testbed::Backend;
use serde_json::{Value, json};

use crate::front::Front;
use crate::project::text;
use crate::shop::{BALANCER_HOST, Shop, go_on, served, steady};

const INSTANCES: u16 = 6;

/// One load of this size at a time, so that no test waits for the processor of another.
static TURN: Mutex<()> = Mutex::new(());

fn runs() -> u32 {
    std::env::var("ANDON_RUNS").map_or(1, |runs| runs.parse().unwrap())
}

fn loses_nothing(front: impl FnOnce(&[Backend]) -> Front) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let shop = Shop::of(INSTANCES);
    let front = front(shop.backends());
    shop.write_line(&front.expression(BALANCER_HOST));
    shop.open();
    let ports: BTreeSet<u16> = shop.backends().iter().map(|backend| backend.address.port()).collect();
    for run in 1..=runs() {
        let old = text(&shop.newest(), "release").to_owned();
        shop.release(&run.to_string());
        let load = steady(front.address(), Mix::default());
        let begun = Instant::now();
        let ran = shop.finish(shop.deploy());
        let seconds = begun.elapsed().as_secs_f64();
        go_on(&load, 900);
        let tally = load.stop();
        let figures = json!({
            "balancer": front.name(), "run": run, "seconds": seconds, "requests": tally.requests,
            "failed": tally.failed, "reopened": tally.reopened,
            "p50_ms": tally.p50().map(|time| time.as_secs_f64() * 1e3),
            "p99_ms": tally.p99().map(|time| time.as_secs_f64() * 1e3),
        });
        println!("{figures}");
        ran.code(0);
        let shown = shop.newest();
        assert_eq!(tally.failed, 0, "{tally}\n{shown:#}");
        assert_eq!(served(&tally, &old), ports, "not every instance had traffic before");
        assert_eq!(served(&tally, text(&shown, "release")), ports, "not every instance has traffic again");
        assert_drained(&shop, &shown);
    }
}

/// Every host was seen idle, at both ends, before it was changed, and nothing was cut.
#[track_caller]
fn assert_drained(shop: &Shop, shown: &Value) {
    let story = Shop::story(shown);
    for Backend { name, .. } in shop.backends() {
        let at = |words: &str| {
            let words = format!("{name} {words}");
            story
                .iter()
                .position(|what| what.starts_with(&words))
                .unwrap_or_else(|| panic!("{words}: {story:#?}"))
        };
        let (drained, activated) = (at("drained after"), at("activating"));
        assert!(drained < activated, "{story:#?}");
        assert!(
            !story[drained].contains("cut") && story[drained].contains("connection"),
            "{}",
            story[drained]
        );
    }
}

/// The proof of the proof: what the others find is there to be found.
#[test]
fn without_a_drain_the_same_deployment_loses_requests() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let shop = Shop::of(INSTANCES);
    let front = Front::haproxy(shop.backends());
    shop.write_line("None");
    shop.open();
    shop.release("next");
    let load = steady(front.address(), Mix::default());
    shop.finish(shop.deploy()).code(0);
    let tally = load.stop();
    println!("without a drain: {} of {} requests failed: {:?}", tally.failed, tally.requests, tally.faults);
    assert!(tally.failed > u64::from(INSTANCES), "{tally}");
}

#[test]
fn six_instances_behind_haproxy_are_changed_and_no_request_is_lost() {
    loses_nothing(Front::haproxy);
}

#[test]
fn six_instances_behind_nginx_are_changed_and_no_request_is_lost() {
    loses_nothing(Front::nginx);
}

#[test]
fn six_instances_behind_the_built_in_proxy_are_changed_and_no_request_is_lost() {
    loses_nothing(Front::proxy);
}
