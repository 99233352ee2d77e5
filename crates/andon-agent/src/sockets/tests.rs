//! Real connections of this process: at rest, waited on, streaming.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use andon_core::line::Instance;
use andon_core::name::InstanceName;
use andon_testbed::deadline::wait_until;

use super::*;
use crate::journal::fixture;

const PATIENCE: Duration = Duration::from_secs(30);

/// A connection, seen from the client and from the service, and the service's placement.
struct Pair {
    client: TcpStream,
    service: TcpStream,
    placement: Placement,
}

impl Pair {
    fn on(address: &str) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let local = listener.local_addr().unwrap();
        let client = TcpStream::connect(("127.0.0.1", local.port()))
            .or_else(|_| TcpStream::connect((Ipv6Addr::LOCALHOST, local.port())))
            .unwrap();
        let (service, _) = listener.accept().unwrap();
        let name = InstanceName::new(local.port().to_string()).unwrap();
        let placement = Placement {
            instances: vec![Instance { name, port: Some(local.port()) }],
            ..fixture::order().placement
        };
        Self { client, service, placement }
    }

    fn count(&self) -> (u32, u32) {
        let sockets = count(&self.placement).unwrap();
        (sockets.established, sockets.busy + sockets.unsure)
    }

    fn ask(&mut self) {
        self.client.write_all(b"GET /").unwrap();
        self.service.read_exact(&mut [0; 5]).unwrap();
    }

    fn answer(&mut self) {
        self.service.write_all(b"200").unwrap();
        self.client.read_exact(&mut [0; 3]).unwrap();
    }

    fn comes_to_rest(&self) -> bool {
        wait_until(PATIENCE, || self.count() == (1, 0))
    }
}

#[test]
fn a_connection_that_is_kept_open_comes_to_rest_and_is_still_counted() {
    for address in ["127.0.0.1:0", "[::1]:0", "[::]:0"] {
        let mut pair = Pair::on(address);
        pair.ask();
        pair.answer();
        assert_eq!(pair.count(), (1, 1), "bytes have just flowed over {address}");
        assert!(pair.comes_to_rest(), "{address}: {:?}", pair.count());
        drop(pair.client);
        drop(pair.service);
        assert_eq!(count(&pair.placement).unwrap(), Sockets::default(), "{address}");
    }
}

#[test]
fn a_connection_without_a_request_comes_to_rest_too() {
    let pair = Pair::on("127.0.0.1:0");
    assert!(pair.comes_to_rest(), "{:?}", pair.count());
}

#[test]
fn a_request_that_waits_three_seconds_for_its_answer_is_busy_all_the_time() {
    let mut pair = Pair::on("127.0.0.1:0");
    pair.ask();
    pair.answer();
    assert!(pair.comes_to_rest());
    pair.ask();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(3) {
        assert_eq!(pair.count(), (1, 1), "after {:?}", begun.elapsed());
        thread::sleep(Duration::from_millis(20));
    }
    pair.answer();
    assert!(pair.comes_to_rest());
}

#[test]
fn requests_are_told_from_answers_however_quickly_they_follow() {
    // The times that the kernel tells are coarse: all of this happens within one tick, or across two.
    for round in 0..20 {
        let mut idle = Pair::on("127.0.0.1:0");
        let mut first = Pair::on("127.0.0.1:0");
        let mut next = Pair::on("127.0.0.1:0");
        first.ask();
        for _ in 0..round {
            idle.ask();
            idle.answer();
            next.ask();
            next.answer();
        }
        next.ask();
        assert!(idle.comes_to_rest(), "after {round} answers");
        assert_eq!((first.count(), next.count()), ((1, 1), (1, 1)), "after {round} answers");
    }
}

#[test]
fn an_answer_that_streams_is_busy_to_its_end() {
    let mut pair = Pair::on("127.0.0.1:0");
    pair.ask();
    for _ in 0..12 {
        pair.answer();
        assert_eq!(pair.count(), (1, 1));
        thread::sleep(Duration::from_millis(200));
    }
    assert!(pair.comes_to_rest());
}

#[test]
fn bytes_that_nobody_takes_are_work() {
    let mut pair = Pair::on("127.0.0.1:0");
    pair.service.set_nonblocking(true).unwrap();
    // Until both buffers are full: the client never reads.
    while pair.service.write(&[0; 65536]).is_ok() {}
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(1500) {
        assert_eq!(pair.count(), (1, 1));
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_client_that_has_closed_its_half_still_waits_for_its_answer() {
    let mut pair = Pair::on("127.0.0.1:0");
    pair.ask();
    pair.client.shutdown(std::net::Shutdown::Write).unwrap();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(1500) {
        assert_eq!(pair.count(), (1, 1));
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn other_ports_are_nobodys_business() {
    let pair = Pair::on("127.0.0.1:0");
    let other = Pair::on("127.0.0.1:0");
    assert_eq!((pair.count().0, other.count().0), (1, 1));
    let none = Placement { instances: Vec::new(), ..pair.placement };
    assert_eq!(count(&none).unwrap(), Sockets::default());
}
