//! The balancers themselves, before servers that answer with their names.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

use super::*;
use crate::deadline::wait_until;

/// A server that answers everything with its name, for as long as the test process lives.
fn server(name: &'static str) -> Backend {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
                head.push(byte[0]);
            }
            let length = name.len();
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{name}"
            );
        }
    });
    Backend { name: name.to_owned(), address }
}

/// What the balancer answers, without the head; empty when it does not answer.
fn get(address: SocketAddr) -> String {
    let Ok(mut stream) = TcpStream::connect(address) else { return String::new() };
    let mut answer = String::new();
    let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let _ = stream.read_to_string(&mut answer);
    answer.rsplit("\r\n\r\n").next().unwrap_or_default().to_owned()
}

fn answerers(address: SocketAddr) -> BTreeSet<String> {
    (0..8).map(|_| get(address)).collect()
}

fn both() -> BTreeSet<String> {
    ["web1", "web2"].map(str::to_owned).into()
}

#[test]
fn haproxy_obeys_its_runtime_api_and_forgets_with_a_reload() {
    let mut haproxy = Haproxy::start(&[server("web1"), server("web2")], Retries::None).unwrap();
    assert!(wait_until(daemon::LIMIT, || haproxy.stat("web2", "check_status").unwrap().starts_with("L7OK")));
    assert_eq!(answerers(haproxy.address()), both());
    haproxy.api("set server www/web1 state drain").unwrap();
    assert_eq!(haproxy.stat("web1", "status").unwrap(), "DRAIN");
    assert_eq!(answerers(haproxy.address()), ["web2".to_owned()].into());
    haproxy.reload().unwrap();
    assert!(haproxy.stat("web1", "status").unwrap().starts_with("UP"));
    assert_eq!(answerers(haproxy.address()), both());
    haproxy.kill();
    assert_eq!(get(haproxy.address()), "");
    haproxy.restart().unwrap();
    assert_eq!(answerers(haproxy.address()), both());
}

#[test]
fn nginx_takes_its_servers_from_the_included_file_and_logs_who_answered() {
    let (web1, web2) = (server("web1"), server("web2"));
    let mut nginx = Nginx::start(&[web1.clone(), web2], Retries::None).unwrap();
    assert_eq!(answerers(nginx.address()), both());
    let log = fs::read_to_string(nginx.access_log()).unwrap();
    assert!(log.contains(&format!("{} 200", web1.address)), "{log}");
    nginx.check().unwrap();
    fs::write(nginx.include(), format!("server {};\n", web1.address)).unwrap();
    nginx.reload().unwrap();
    assert!(wait_until(daemon::LIMIT, || answerers(nginx.address()) == ["web1".to_owned()].into()));
    fs::write(nginx.include(), "server nonsense nonsense;\n").unwrap();
    let complaint = nginx.check().unwrap_err().to_string();
    assert!(complaint.contains("servers.conf:1"), "{complaint}");
    nginx.kill();
    assert_eq!(get(nginx.address()), "");
}

#[test]
fn a_balancer_that_is_dropped_leaves_no_process_and_no_file() {
    let haproxy = Haproxy::start(&[server("web1")], Retries::Idempotent).unwrap();
    let nginx = Nginx::start(&[server("web1")], Retries::Idempotent).unwrap();
    let files = [haproxy.config(), nginx.include()];
    let mut processes = haproxy.processes();
    processes.extend(nginx.processes());
    assert!(processes.len() >= 5, "{processes:?}");
    drop((haproxy, nginx));
    let gone = || !crate::process::all().iter().any(|process| processes.contains(&process.pid));
    assert!(wait_until(daemon::LIMIT, gone));
    assert!(files.iter().all(|file| !file.exists()));
}

#[test]
fn two_blocks_of_ports_do_not_overlap() {
    let (one, two) = (free_ports(99).unwrap(), free_ports(99).unwrap());
    assert!(one.1.abs_diff(two.1) >= 100);
}
