//! Agent-checks of a real HAProxy, answered by the real responder.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;

use andon_core::balance::{FailureKind, ServerState, Traffic};
use andon_core::line::BalancerKind;
use andon_testbed::process;

use crate::driver::{PATIENCE, Session, until};
use crate::pool::{Balancer, Beside, authority, changed, of, with};
use crate::site::User;

const OUT: &[(&str, Traffic)] = &[("web1", Traffic::Out)];
const FULL: &[(&str, Traffic)] = &[("web1", Traffic::FULL)];

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// HAProxy that asks for two servers by their names, and the agent that answers.
fn asked(port: u16) -> Beside {
    let config = |config: String| {
        let words = |name| {
            format!("weight 100 agent-check agent-port {port} agent-inter 100ms agent-send \"{name}\\n\"")
        };
        with(&with(&config, "web1", &words("web1")), "web2", &words("web2"))
    };
    let mut beside = Beside::haproxy(&["web1", "web2"], config);
    beside.balancer.pool.balancer = BalancerKind::AgentCheck { port };
    beside
}

/// The process that answers for records below `root`.
fn responder(root: &Path) -> Option<u32> {
    let root = root.to_str().unwrap();
    let ours = |pid: &u32| {
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).into_owned();
        words.contains("answer-agent-checks") && words.contains(root)
    };
    process::all().into_iter().map(|process| process.pid).find(ours)
}

fn is_out(www: &Beside) -> bool {
    www.haproxy.stat("web1", "weight").unwrap() == "0"
}

#[test]
fn haproxy_drains_and_takes_back_what_it_is_told_when_it_asks() {
    let mut www = asked(free_port());
    let sight = www.balancer.look();
    assert_eq!((&of(&sight, "web1").state, of(&sight, "web1").weight), (&ServerState::Up, 100));
    www.balancer
        .until("web2 is out", &[("web2", Traffic::Out)], |sight| of(sight, "web2").state == ServerState::Out);
    let slow = www.hold(0);
    let wishes = [("web1", Traffic::Out), ("web2", Traffic::FULL)];
    let sight = www.balancer.wish(&wishes);
    assert_eq!(changed(&sight), ["web1", "web2"]);
    let sight = www.balancer.until("the change is known", &wishes, |sight| {
        of(sight, "web1").state == ServerState::Out && of(sight, "web2").state == ServerState::Up
    });
    assert_eq!((of(&sight, "web1").sessions, of(&sight, "web1").weight), (None, 0));
    // What the agent says is so at HAProxy, from the first moment at which it says it.
    assert!(is_out(&www));
    assert_eq!(www.haproxy.stat("web2", "weight").unwrap(), "100");
    for _ in 0..4 {
        assert_eq!(User::ask(www.address(), "/").answer(), "HTTP/1.1 200 OK");
    }
    assert_eq!(www.haproxy.stat("web1", "scur").unwrap(), "1");
    www.sites[0].release();
    assert_eq!(slow.answer(), "HTTP/1.1 200 OK");
    www.balancer.until("it is back", FULL, |sight| of(sight, "web1").state == ServerState::Up);
    assert_eq!(www.haproxy.stat("web1", "weight").unwrap(), "100");
    www.balancer.until("a third", &[("web1", Traffic::In(33))], |sight| of(sight, "web1").weight == 33);
    assert_eq!(www.haproxy.stat("web1", "weight").unwrap(), "33");
}

#[test]
fn the_answers_outlive_the_session_and_the_death_of_who_gives_them() {
    let mut www = asked(free_port());
    www.balancer.until("it is out", OUT, |sight| of(sight, "web1").state == ServerState::Out);
    let first = responder(&www.balancer.pool.root).unwrap();
    www.balancer.session = Session::open();
    let sight = www.balancer.look();
    assert_eq!((&of(&sight, "web1").state, sight.changed.len()), (&ServerState::Out, 0));
    assert_eq!(responder(&www.balancer.pool.root), Some(first), "one is enough");
    process::kill(first);
    until("it is dead", || responder(&www.balancer.pool.root).is_none());
    www.balancer.until("it is asked again", OUT, |sight| of(sight, "web1").state == ServerState::Out);
    assert!(responder(&www.balancer.pool.root).is_some());
    assert!(is_out(&www));
}

#[test]
fn an_haproxy_that_was_reloaded_is_told_again() {
    let mut www = asked(free_port());
    www.balancer.until("it is out", OUT, |sight| of(sight, "web1").state == ServerState::Out);
    www.haproxy.reload().unwrap();
    until("it is out", || is_out(&www));
}

#[test]
fn maintenance_by_hand_is_left_alone() {
    let mut www = asked(free_port());
    www.haproxy.api("set server www/web1 state maint").unwrap();
    www.balancer.until("it is out", OUT, |sight| of(sight, "web1").state == ServerState::Out);
    www.balancer.until("it is back", FULL, |sight| of(sight, "web1").state == ServerState::Up);
    assert_eq!(www.haproxy.stat("web1", "status").unwrap(), "MAINT");
}

#[test]
fn a_single_server_needs_no_name() {
    let port = free_port();
    let config =
        |config: String| with(&config, "web1", &format!("agent-check agent-port {port} agent-inter 100ms"));
    let mut www = Beside::haproxy(&["web1"], config);
    www.balancer.pool.balancer = BalancerKind::AgentCheck { port };
    assert_eq!(of(&www.balancer.look(), "web1").state, ServerState::Up);
    www.balancer.until("it is out", OUT, |sight| of(sight, "web1").state == ServerState::Out);
    assert!(is_out(&www));
}

#[test]
fn the_slow_and_the_many_keep_nobody_from_an_answer() {
    let port = free_port();
    let mut www = asked(port);
    www.balancer.look();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let idle: Vec<TcpStream> = (0..200).filter_map(|_| TcpStream::connect(address).ok()).collect();
    for garbage in [&b"web9\n"[..], b"\n", &[0xff; 4096], b"GET / HTTP/1.1\r\n\r\n", b"../web1\n"] {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let _ = stream.write_all(garbage);
        let mut answer = Vec::new();
        // It may also be cut off: there are more than it serves at a time.
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty(), "{garbage:?}: {answer:?}");
    }
    www.balancer.until("it is out", OUT, |sight| of(sight, "web1").state == ServerState::Out);
    drop(idle);
}

#[test]
fn a_port_that_nobody_asks_on_is_named_and_so_is_the_stranger() {
    let port = free_port();
    let mut www = asked(free_port());
    www.balancer.pool.balancer = BalancerKind::AgentCheck { port };
    let sight = www.balancer.look();
    let why = format!("no HAProxy asks on port {port} for web1");
    assert_eq!(of(&sight, "web1").state, ServerState::Down { why: why.clone() });
    let mut stranger = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stranger.write_all(b"web3\n").unwrap();
    let _ = stranger.read_to_end(&mut Vec::new());
    let sight = www.balancer.look();
    let ServerState::Down { why: more } = &of(&sight, "web1").state else { panic!("{sight:?}") };
    assert!(more.starts_with(&why) && more.contains("web3"), "{more}");
}

#[test]
fn a_port_that_is_taken_is_an_error() {
    let taken = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut balancer = Balancer::new(BalancerKind::AgentCheck { port }, &[]);
    let failure = balancer.told(&authority(1), &[]).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert!(
        failure.reason.contains(&format!("port {port}")) && failure.reason.contains("in use"),
        "{failure}"
    );
}

#[test]
fn the_responder_ends_with_its_records() {
    let mut www = asked(free_port());
    www.balancer.look();
    let root = www.balancer.pool.root.clone();
    assert!(responder(&root).is_some());
    drop(www);
    until("the responder ends", || responder(&root).is_none());
}
