//! Real HAProxy: drains, weights, reloads, and what somebody else has set.

use andon_core::balance::{ServerState, Traffic};
use andon_core::line::{BalancerKind, HaproxyApi};

use crate::driver::until;
use crate::pool::{Beside, changed, of, with};
use crate::site::User;

const OUT: Traffic = Traffic::Out;
const FULL: Traffic = Traffic::FULL;

fn as_it_is(config: String) -> String {
    config
}

#[test]
fn a_drain_lets_a_slow_request_end_and_comes_down_to_nothing() {
    let mut www = Beside::haproxy(&["web1", "web2"], as_it_is);
    www.balancer.wish(&[("web2", OUT)]);
    let slow = www.hold(0);
    let sight = www.balancer.wish(&[("web1", OUT), ("web2", FULL)]);
    assert_eq!(changed(&sight), ["web1", "web2"]);
    assert_eq!(of(&sight, "web1").state, ServerState::Out);
    assert_eq!((of(&sight, "web1").sessions, of(&sight, "web1").weight), (Some(1), 0));
    assert_eq!(of(&sight, "web2").state, ServerState::Up);
    // Nobody new comes to it, and saying it again changes nothing.
    let users: Vec<User> = (0..4).map(|_| User::ask(www.address(), "/")).collect();
    assert!(users.iter().all(|user| user.answer() == "HTTP/1.1 200 OK"));
    let sight = www.balancer.wish(&[("web1", OUT), ("web2", FULL)]);
    assert!(sight.changed.is_empty());
    assert_eq!(of(&sight, "web1").sessions, Some(1));
    assert_eq!(of(&sight, "web1").counters.as_ref().unwrap().requests, 0);
    assert_eq!(of(&sight, "web2").counters.as_ref().unwrap().responses, [0, 0, 4, 0, 0, 0]);
    www.sites[0].release();
    assert_eq!(slow.answer(), "HTTP/1.1 200 OK");
    // The user's connection and the one to the server are still open: neither counts any more.
    www.balancer
        .until("nothing is under way", &[("web1", OUT)], |sight| of(sight, "web1").sessions == Some(0));
    let sight = www.balancer.wish(&[("web1", FULL)]);
    assert_eq!(changed(&sight), ["web1"]);
    assert_eq!((&of(&sight, "web1").state, of(&sight, "web1").weight), (&ServerState::Up, 100));
}

#[test]
fn a_server_that_comes_back_sick_is_down_until_its_check_passes() {
    let mut www = Beside::haproxy(&["web1", "web2"], as_it_is);
    www.balancer.wish(&[("web1", OUT)]);
    www.sites[0].set_sick(true);
    until("the check fails", || www.haproxy.stat("web1", "check_status").unwrap() == "L7STS");
    until("it is down", || www.haproxy.api("show servers state www").unwrap().contains("web1 127.0.0.1 0 "));
    let sight = www.balancer.look();
    assert_eq!(of(&sight, "web1").state, ServerState::Out, "drained first of all");
    let sight = www.balancer.wish(&[("web1", FULL)]);
    let ServerState::Down { why } = &of(&sight, "web1").state else { panic!("{sight:?}") };
    assert!(why.contains("DOWN") && why.contains("L7STS"), "{why}");
    www.sites[0].set_sick(false);
    www.balancer.until("it is up", &[("web1", FULL)], |sight| of(sight, "web1").state == ServerState::Up);
}

#[test]
fn a_share_is_a_weight_and_never_nothing() {
    let config = |config: String| with(&config, "web1", "weight 200");
    let mut www = Beside::haproxy(&["web1", "web2"], config);
    let sight = www.balancer.wish(&[("web1", Traffic::In(10)), ("web2", Traffic::In(10))]);
    assert_eq!(changed(&sight), ["web1"], "a weight of 1 has no tenth");
    assert_eq!((of(&sight, "web1").weight, of(&sight, "web2").weight), (10, 100));
    assert_eq!(www.haproxy.stat("web1", "uweight").unwrap(), "20");
    let sight = www.balancer.wish(&[("web1", FULL), ("web2", FULL)]);
    assert_eq!((changed(&sight), of(&sight, "web1").weight), (vec!["web1"], 100));
}

#[test]
fn weights_before_a_static_algorithm_are_refused_and_full_traffic_is_not() {
    let config = |config: String| {
        with(&config.replace("balance roundrobin", "balance static-rr"), "web1", "weight 90")
    };
    let mut www = Beside::haproxy(&["web1"], config);
    www.balancer.wish(&[("web1", OUT)]);
    let sight = www.balancer.wish(&[("web1", FULL)]);
    assert_eq!(of(&sight, "web1").state, ServerState::Up);
    let failure = www.balancer.told(&crate::pool::authority(1), &[("web1", Traffic::In(50))]).unwrap_err();
    assert!(failure.reason.contains("static"), "{failure}");
}

#[test]
fn a_reload_forgets_the_drain_and_the_next_call_drains_again() {
    let mut www = Beside::haproxy(&["web1", "web2"], as_it_is);
    www.balancer.wish(&[("web1", OUT)]);
    assert!(www.balancer.wish(&[("web1", OUT)]).changed.is_empty());
    www.haproxy.reload().unwrap();
    assert_eq!(of(&www.balancer.look(), "web1").state, ServerState::Up);
    let sight = www.balancer.wish(&[("web1", OUT)]);
    assert_eq!((changed(&sight), &of(&sight, "web1").state), (vec!["web1"], &ServerState::Out));
    assert_eq!(changed(&www.balancer.wish(&[("web1", FULL)])), ["web1"]);
}

#[test]
fn the_old_worker_of_a_reload_is_seen_on_the_host_and_not_by_the_new_one() {
    // Why a drain is proven at both ends.
    let mut www = Beside::haproxy(&["web1", "web2"], as_it_is);
    www.balancer.wish(&[("web2", OUT)]);
    let slow = www.hold(0);
    www.haproxy.reload().unwrap();
    let sight = www.balancer.wish(&[("web1", OUT)]);
    assert_eq!((&of(&sight, "web1").state, of(&sight, "web1").sessions), (&ServerState::Out, Some(0)));
    let ports = [www.sites[0].address.port()];
    // Checks end within a moment, and this one does not.
    std::thread::sleep(std::time::Duration::from_millis(1500));
    assert!(www.balancer.sockets(&ports).busy >= 1);
    www.sites[0].release();
    assert_eq!(slow.answer(), "HTTP/1.1 200 OK");
    until("the host is idle", || www.balancer.sockets(&ports).busy == 0);
}

#[test]
fn a_reload_that_saves_the_states_keeps_the_drain_and_it_is_still_ours() {
    let directory = tempfile::tempdir().unwrap();
    let states = directory.path().join("states");
    std::fs::write(&states, "").unwrap();
    let config = |config: String| {
        let config =
            config.replacen("global\n", &format!("global\n    server-state-file {}\n", states.display()), 1);
        config.replacen("defaults\n", "defaults\n    load-server-state-from-file global\n", 1)
    };
    let mut www = Beside::haproxy(&["web1", "web2"], config);
    www.balancer.wish(&[("web1", OUT)]);
    std::fs::write(&states, www.haproxy.api("show servers state").unwrap()).unwrap();
    www.haproxy.reload().unwrap();
    let sight = www.balancer.wish(&[("web1", OUT)]);
    assert_eq!((&of(&sight, "web1").state, sight.changed.len()), (&ServerState::Out, 0));
    assert_eq!(changed(&www.balancer.wish(&[("web1", FULL)])), ["web1"]);
}

#[test]
fn a_cut_ends_what_is_under_way() {
    let mut www = Beside::haproxy(&["web1", "web2"], as_it_is);
    www.balancer.wish(&[("web2", OUT)]);
    let slow = www.hold(0);
    let sight = www.balancer.wish(&[("web1", Traffic::Cut)]);
    assert_eq!(changed(&sight), ["web1"]);
    www.balancer.until("nothing is under way", &[("web1", Traffic::Cut)], |sight| {
        of(sight, "web1").sessions == Some(0)
    });
    assert!(!slow.answer().contains("200"));
    assert!(www.balancer.wish(&[("web1", Traffic::Cut)]).changed.is_empty());
}

#[test]
fn what_somebody_took_out_by_hand_is_reported_and_left_alone() {
    let mut www = Beside::haproxy(&["web1", "web2", "web3"], as_it_is);
    www.haproxy.api("set server www/web1 state maint").unwrap();
    for wish in [FULL, OUT, Traffic::In(50), Traffic::Cut, FULL] {
        let sight = www.balancer.wish(&[("web1", wish)]);
        assert!(sight.changed.is_empty(), "{wish:?}: {sight:?}");
        assert_eq!(of(&sight, "web1").state, ServerState::Out);
    }
    assert_eq!(www.haproxy.stat("web1", "status").unwrap(), "MAINT");
    // Once it is given back, it is Andon's again.
    www.haproxy.api("set server www/web1 state ready").unwrap();
    assert_eq!(changed(&www.balancer.wish(&[("web1", OUT)])), ["web1"]);
    assert_eq!(changed(&www.balancer.wish(&[("web1", FULL)])), ["web1"]);
}

#[test]
fn requests_that_wait_for_any_server_do_not_wait_for_this_one() {
    let config = |config: String| config.replace("default-server ", "default-server maxconn 1 ");
    let mut www = Beside::haproxy(&["web1"], config);
    let slow = www.hold(0);
    let waiting = User::ask(www.address(), "/");
    until("a request waits", || www.haproxy.stat("BACKEND", "qcur").unwrap() == "1");
    let sight = www.balancer.wish(&[("web1", OUT)]);
    assert_eq!((of(&sight, "web1").sessions, of(&sight, "web1").queued), (Some(1), 0));
    assert_eq!(www.haproxy.stat("BACKEND", "qcur").unwrap(), "1");
    // It is served by whoever comes back: the wait is longer, and nothing is lost.
    www.balancer.wish(&[("web1", FULL)]);
    www.sites[0].release();
    assert_eq!(slow.answer(), "HTTP/1.1 200 OK");
    assert_eq!(waiting.answer(), "HTTP/1.1 200 OK");
}

#[test]
fn the_api_may_be_reached_over_tcp() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = |config: String| {
        config.replacen(
            "stats socket ",
            &format!("stats socket ipv4@{free} level admin\n    stats socket "),
            1,
        )
    };
    let mut www = Beside::haproxy(&["web1", "web2"], config);
    www.balancer.pool.balancer =
        BalancerKind::Haproxy { api: HaproxyApi::Tcp(free.to_string()), backend: "www".to_owned() };
    assert_eq!(changed(&www.balancer.wish(&[("web1", OUT)])), ["web1"]);
    assert_eq!(changed(&www.balancer.wish(&[("web1", FULL)])), ["web1"]);
}

#[test]
fn a_frontend_of_the_same_name_is_not_taken_for_the_backend() {
    let config = |config: String| config.replace("frontend users", "frontend www");
    let mut www = Beside::haproxy(&["web1", "web2"], config);
    assert_eq!(www.balancer.wish(&[("web1", OUT)]).servers.len(), 2);
}
