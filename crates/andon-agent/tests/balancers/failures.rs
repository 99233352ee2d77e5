//! What the agent says when HAProxy's runtime API is not what it should be.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use andon_core::balance::{BalancerFailure, FailureKind, Traffic};
use andon_core::line::{BalancerKind, HaproxyApi};
use andon_testbed::program;

use crate::driver::until;
use crate::pool::{Balancer, Beside, authority};
use crate::site::Site;

fn haproxy(socket: &Path, backend: &str) -> BalancerKind {
    BalancerKind::Haproxy { api: HaproxyApi::Socket(socket.to_owned()), backend: backend.to_owned() }
}

/// What is said of a socket at which `serve` answers every connection.
fn said_of(serve: impl Fn(std::os::unix::net::UnixStream) + Send + 'static) -> BalancerFailure {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("s");
    let listener = UnixListener::bind(&socket).unwrap();
    thread::spawn(move || listener.incoming().flatten().for_each(serve));
    Balancer::new(haproxy(&socket, "www"), &[]).told(&authority(1), &[]).unwrap_err()
}

#[test]
fn names_that_haproxy_does_not_know_are_answered_with_the_nearest() {
    let mut www = Beside::haproxy(&["web1", "web2"], |config| config);
    let mut unknown = www.balancer.pool.servers[0].clone();
    unknown.name = crate::pool::server("web12");
    www.balancer.pool.servers.push(unknown);
    let failure = www.balancer.told(&authority(1), &[]).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Missing);
    assert_eq!(failure.reason, "HAProxy's backend www has no server web12; is web1 meant?");
    www.balancer.pool.balancer = haproxy(&www.haproxy.socket(), "wwww");
    let failure = www.balancer.told(&authority(1), &[]).unwrap_err();
    assert_eq!(failure.reason, "HAProxy knows no backend wwww; is www meant?");
    www.balancer.pool.balancer = haproxy(&www.haproxy.socket(), "www; disable server www/web1");
    let failure = www.balancer.told(&authority(1), &[]).unwrap_err();
    assert!(failure.reason.contains("is not the name"), "{failure}");
    until("it is up", || www.haproxy.stat("web1", "status").unwrap() == "UP");
}

#[test]
fn a_socket_without_the_level_admin_may_look_and_not_change() {
    let mut www =
        Beside::haproxy(&["web1", "web2"], |config| config.replace("level admin", "level operator"));
    assert_eq!(www.balancer.look().servers.len(), 2);
    let failure = www.balancer.told(&authority(1), &[("web1", Traffic::Out)]).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Refused);
    assert!(
        failure.reason.contains("level admin") && failure.details.contains("Permission denied"),
        "{failure:?}"
    );
}

/// Ends an HAProxy with its worker.
struct Master(Child);

impl Drop for Master {
    fn drop(&mut self) {
        let workers = andon_testbed::process::descendants(self.0.id());
        let _ = self.0.kill();
        workers.iter().for_each(|worker| andon_testbed::process::kill(worker.pid));
        let _ = self.0.wait();
    }
}

#[test]
fn the_socket_of_the_master_is_recognised() {
    let www = Beside::haproxy(&["web1"], |config| config);
    let directory = tempfile::tempdir().unwrap();
    let config = std::fs::read_to_string(www.haproxy.config()).unwrap();
    let other = directory.path().join("haproxy.cfg");
    let api = directory.path().join("api.sock");
    let config = config.replace(www.haproxy.socket().to_str().unwrap(), api.to_str().unwrap());
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let users = www.address().to_string();
    std::fs::write(&other, config.replace(&format!("bind {users}"), &format!("bind {free}"))).unwrap();
    let socket = directory.path().join("master.sock");
    let child = Command::new(program::find("haproxy").unwrap())
        .args(["-W", "-S", socket.to_str().unwrap(), "-f"])
        .arg(&other)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _master = Master(child.unwrap());
    until("the master listens", || socket.exists());
    let mut balancer = Balancer::new(haproxy(&socket, "www"), &[]);
    // While it starts, it ends conversations without an answer.
    until("the master is recognised", || {
        balancer.told(&authority(1), &[]).unwrap_err().reason.contains("master process")
    });
}

#[test]
fn a_socket_that_is_not_there_or_that_nobody_serves_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("s");
    let mut balancer = Balancer::new(haproxy(&socket, "www"), &[]);
    let failure = balancer.told(&authority(1), &[]).unwrap_err();
    assert!(failure.reason.contains("does not exist"), "{failure}");
    drop(UnixListener::bind(&socket).unwrap());
    let failure = balancer.told(&authority(1), &[]).unwrap_err();
    assert!(failure.reason.contains("nobody listens"), "{failure}");
    assert_eq!(failure.kind, FailureKind::Unreachable);
}

#[test]
fn one_who_takes_connections_and_never_answers_is_given_up() {
    let failure = said_of(std::mem::forget);
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert!(failure.reason.contains("did not answer"), "{failure}");
}

#[test]
fn one_who_takes_no_connections_any_more_is_given_up() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("s");
    let _listener = UnixListener::bind(&socket).unwrap();
    let mut waiting = Vec::new();
    // Until the queue of connections that nobody accepts is full.
    loop {
        let address = rustix::net::SocketAddrUnix::new(&socket).unwrap();
        let flags = rustix::net::SocketFlags::NONBLOCK;
        let kind = rustix::net::SocketType::STREAM;
        let one = rustix::net::socket_with(rustix::net::AddressFamily::UNIX, kind, flags, None).unwrap();
        let full = rustix::net::connect(&one, &address).is_err();
        waiting.push(one);
        if full {
            break;
        }
    }
    let failure = Balancer::new(haproxy(&socket, "www"), &[]).told(&authority(1), &[]).unwrap_err();
    assert!(failure.reason.contains("did not answer"), "{failure}");
}

#[test]
fn an_answer_without_end_is_not_swallowed() {
    let failure = said_of(|mut stream| while stream.write_all(&[b'x'; 65536]).is_ok() {});
    assert!(
        failure.reason.contains("come to an end") || failure.reason.contains("did not answer"),
        "{failure}"
    );
}

#[test]
fn nonsense_is_not_taken_for_an_answer() {
    for nonsense in [&b""[..], b"\n", b"HTTP/1.1 400 Bad request\r\n\r\n", &[0xff; 300], b"# be_id \n1\n"] {
        let failure = said_of(move |mut stream| {
            let _ = stream.write_all(nonsense);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = stream.read_to_end(&mut Vec::new());
        });
        assert!(matches!(failure.kind, FailureKind::Unreachable | FailureKind::Missing), "{failure:?}");
    }
}

#[test]
fn a_site_is_no_runtime_api() {
    let site = Site::start("web1");
    let api = HaproxyApi::Tcp(site.address.to_string());
    let kind = BalancerKind::Haproxy { api, backend: "www".to_owned() };
    let failure = Balancer::new(kind, &[]).told(&authority(1), &[]).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable, "{failure}");
}
