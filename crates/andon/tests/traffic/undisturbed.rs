//! What balancers lose without any deployment: the ground on which the other tests stand.

use std::process::{Child, Command, Stdio};

use andon_load::{Failure, Fault, Mix};
use andon_testbed::balancer::free_ports;
use andon_testbed::deadline::wait_until;
use andon_testbed::{Backend, Haproxy, Nginx, Retries, process};

use crate::shop::{LIMIT, go_on, steady};

/// Instances of the application that nobody looks after.
struct Loose(Vec<(Backend, Child)>, #[allow(dead_code, reason = "it keeps the ports")] std::net::TcpListener);

impl Loose {
    fn start(count: u16, more: &[&str]) -> Self {
        let (held, first) = free_ports(count).unwrap();
        let instance = |number: u16| {
            let port = first + number;
            let child = Command::new(env!("CARGO_BIN_EXE_andon"))
                .args([
                    "demo-service",
                    "--pages",
                    "/nowhere",
                    "--release",
                    "loose",
                    "--port",
                    &port.to_string(),
                ])
                .args(more)
                .stdin(Stdio::null())
                .spawn()
                .unwrap();
            let backend =
                Backend { name: format!("web{}", number + 1), address: ([127, 0, 0, 1], port).into() };
            assert!(wait_until(LIMIT, || std::net::TcpStream::connect(backend.address).is_ok()));
            (backend, child)
        };
        Self((0..count).map(instance).collect(), held)
    }

    fn backends(&self) -> Vec<Backend> {
        self.0.iter().map(|(backend, _)| backend.clone()).collect()
    }
}

impl Drop for Loose {
    fn drop(&mut self) {
        for (_, child) in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn mix() -> Mix {
    Mix { rate: 100, slow_for: std::time::Duration::from_secs(1), ..Mix::default() }
}

#[test]
fn reloads_of_haproxy_and_nginx_alone_lose_nothing() {
    let loose = Loose::start(2, &[]);
    let haproxy = Haproxy::start(&loose.backends(), Retries::None).unwrap();
    let nginx = Nginx::start(&loose.backends(), Retries::None).unwrap();
    let loads = [steady(haproxy.address(), mix()), steady(nginx.address(), mix())];
    for _ in 0..3 {
        haproxy.reload().unwrap();
        nginx.reload().unwrap();
        loads.iter().for_each(|load| go_on(load, 100));
    }
    for (load, name) in loads.into_iter().zip(["haproxy", "nginx"]) {
        let tally = load.stop();
        println!("{name}: {tally}");
        assert_eq!(tally.failed, 0, "{name}: {tally}");
    }
}

#[test]
fn an_application_that_is_killed_loses_requests_and_the_load_says_which() {
    let loose = Loose::start(2, &[]);
    let haproxy = Haproxy::start(&loose.backends(), Retries::None).unwrap();
    let load = steady(haproxy.address(), mix());
    process::kill(loose.0[0].1.id());
    go_on(&load, 200);
    let tally = load.stop();
    assert!(tally.failed > 0, "{tally}");
    let cut = |fault: &Fault| matches!(fault, Fault::Short { .. } | Fault::Status { status: 502 | 503, .. });
    assert!(tally.failures.iter().all(|failure| cut(&failure.fault)), "{tally}");
}

#[test]
fn an_application_that_ends_gracefully_finishes_what_is_under_way() {
    let mut loose = Loose::start(1, &["--graceful"]);
    let (backend, child) = &mut loose.0[0];
    let load = steady(backend.address, mix());
    process::send(child.id(), rustix::process::Signal::TERM);
    assert!(child.wait().unwrap().success());
    go_on(&load, 50);
    let tally = load.stop();
    // A connection that was still waiting to be accepted breaks while its first request is sent, or before it is answered.
    let refused = |failure: &Failure| match &failure.fault {
        Fault::Connect(_) | Fault::Reset { received: 0, .. } => true,
        Fault::Send(_) | Fault::NoAnswer => !failure.reused,
        _ => false,
    };
    assert!(tally.failures.iter().all(refused), "{tally}");
    assert!(tally.failed > 0, "nobody listens any more");
}

#[test]
fn an_application_that_ends_at_once_does_not() {
    let mut loose = Loose::start(1, &[]);
    let (backend, child) = &mut loose.0[0];
    let load = steady(backend.address, mix());
    process::send(child.id(), rustix::process::Signal::TERM);
    child.wait().unwrap();
    let tally = load.stop();
    assert!(tally.faults.contains_key("short answer") || tally.faults.contains_key("reset"), "{tally}");
}
