//! Whom a balancer obeys, and that nobody waits for it in vain.

use std::os::unix::net::UnixListener;

use andon_api::agent::{FromHost, ToHost};
use andon_core::balance::{FailureKind, ServerState, Traffic, Wishes};
use andon_core::host::Authority;
use andon_core::line::{BalancerKind, HaproxyApi};

use crate::pool::{Balancer, Beside, authority, of, placement, server};

const OUT: &[(&str, Traffic)] = &[("web1", Traffic::Out)];

#[test]
fn a_lower_fence_is_refused_with_the_name_of_who_is_obeyed_and_may_look() {
    let mut www = Beside::haproxy(&["web1", "web2"], |config| config);
    www.balancer.told(&authority(5), &[("web1", Traffic::FULL)]).unwrap();
    let failure = www.balancer.told(&authority(4), OUT).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Refused);
    assert!(failure.reason.contains("deployment #7 by ada on desk (fence 5)"), "{failure}");
    assert_eq!(of(&www.balancer.told(&authority(4), &[]).unwrap(), "web1").state, ServerState::Up);
    assert_eq!(of(&www.balancer.told(&authority(5), OUT).unwrap(), "web1").state, ServerState::Out);
}

#[test]
fn what_comes_late_undoes_nothing_newer() {
    let mut www = Beside::haproxy(&["web1", "web2"], |config| config);
    let round = |round| Authority { round, ..authority(5) };
    www.balancer.told(&round(3), OUT).unwrap();
    www.balancer.told(&round(7), &[("web1", Traffic::FULL)]).unwrap();
    let late = www.balancer.told(&round(4), OUT).unwrap_err();
    assert!(late.kind == FailureKind::Refused && late.reason.contains("comes late"), "{late}");
    assert_eq!(of(&www.balancer.told(&round(7), &[]).unwrap(), "web1").state, ServerState::Up);
    // Also where the newer wish had nothing to change.
    www.balancer.told(&round(9), &[("web2", Traffic::FULL)]).unwrap();
    assert!(www.balancer.told(&round(8), &[("web2", Traffic::Out)]).is_err());
    // A new fence counts its rounds anew.
    let next = Authority { round: 1, ..authority(6) };
    assert_eq!(of(&www.balancer.told(&next, OUT).unwrap(), "web1").state, ServerState::Out);
}

#[test]
fn another_ledger_is_refused_unless_it_takes_over() {
    let mut www = Beside::haproxy(&["web1", "web2"], |config| config);
    www.balancer.told(&authority(5), &[("web1", Traffic::FULL)]).unwrap();
    let theirs = Authority { ledger: "theirs".to_owned(), ..authority(9) };
    assert_eq!(www.balancer.told(&theirs, OUT).unwrap_err().kind, FailureKind::Refused);
    assert!(www.balancer.told(&theirs, &[]).is_ok());
    www.balancer.told(&Authority { take_over: true, ..theirs.clone() }, OUT).unwrap();
    assert!(www.balancer.told(&authority(5), OUT).is_err());
    assert!(www.balancer.told(&theirs, &[("web1", Traffic::FULL)]).is_ok());
}

#[test]
fn a_balancer_that_is_silent_keeps_no_other_message_waiting() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("s");
    let _nobody_accepts = UnixListener::bind(&socket).unwrap();
    let api = HaproxyApi::Socket(socket);
    let kind = BalancerKind::Haproxy { api, backend: "www".to_owned() };
    let mut balancer = Balancer::new(kind, &[]);
    // Four for one pool, which wait for each other.
    for id in 0..4 {
        let pool = Box::new(balancer.pool.clone());
        let wishes = Wishes::new();
        balancer.session.send(&ToHost::Balance { id, pool, authority: authority(1), wishes });
    }
    let placement = placement(&balancer.pool, &[]);
    balancer.session.send(&ToHost::CountSockets { id: 9, placement: Box::new(placement) });
    assert!(matches!(balancer.session.next(), Some(FromHost::Sockets { id: 9, sockets: Ok(_) })));
    for _ in 0..4 {
        assert!(matches!(balancer.session.next(), Some(FromHost::Balanced { sight: Err(_), .. })));
    }
}

#[test]
fn a_wish_for_a_stranger_changes_nothing() {
    let mut www = Beside::haproxy(&["web1", "web2"], |config| config);
    www.balancer.pool.servers.retain(|known| known.name != server("web2"));
    let failure = www.balancer.told(&authority(1), &[("web1", Traffic::Out), ("web2", Traffic::Out)]);
    assert_eq!(failure.unwrap_err().kind, FailureKind::Missing);
    let sight = www.balancer.look();
    assert!(sight.servers.values().all(|server| server.state == ServerState::Up));
}
