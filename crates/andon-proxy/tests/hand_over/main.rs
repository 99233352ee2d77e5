//! Real processes of the proxy, one after the other on the same sockets, under load.
//!
//! The process is this test program itself, started again for the one ignored test that serves.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests: also the parts that several tests share")]

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use andon_api::proxy::{FromProxy, ToProxy};
use andon_core::balance::{PoolSight, ServerState, Traffic};
use andon_core::name::ServerName;
use andon_proxy::control::Client;
use rustix::process::{Pid, Signal, kill_process};

/// Names the configuration to the process that serves.
const FILE: &str = "ANDON_TEST_PROXY_FILE";

const LIMIT: Duration = Duration::from_secs(30);

#[test]
#[ignore = "the process of the other tests, which start it"]
fn serve() {
    let Some(file) = std::env::var_os(FILE) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(andon_proxy::process::run(Path::new(&file))).unwrap();
}

/// A configuration in a directory of its own, and two servers behind it.
struct Stage {
    directory: tempfile::TempDir,
    address: SocketAddr,
}

/// A running proxy; ended with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Stage {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let servers: Vec<String> = ["web1", "web2"]
            .iter()
            .map(|name| format!("{{ name = \"{name}\", address = \"{}\" }}", server()))
            .collect();
        let at = directory.path().display();
        let text = format!(
            "workers = 1\ncontrol = \"{at}/control.sock\"\naccess_log = \"{at}/access.log\"\n\
             [timeouts]\nshutdown = \"20s\"\n[[listen]]\naddress = \"{address}\"\npool = \"www\"\n\
             [pools.www]\nservers = [{}]\n",
            servers.join(", ")
        );
        std::fs::write(directory.path().join("proxy.toml"), text).unwrap();
        Self { directory, address }
    }

    fn control(&self) -> PathBuf {
        self.directory.path().join("control.sock")
    }

    /// Starts a proxy and waits until it is the one that answers.
    fn start(&self) -> Process {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["serve", "--exact", "--ignored", "--nocapture"])
            .env(FILE, self.directory.path().join("proxy.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let pid = child.id();
        let process = Process(child);
        until("the new process serves", || self.pid() == Some(pid));
        process
    }

    fn pid(&self) -> Option<u32> {
        block(async { Client::connect(&self.control()).await.ok().map(|client| client.identity().pid) })
    }

    fn ask(&self, question: ToProxy) -> PoolSight {
        block(async {
            let mut client = Client::connect(&self.control()).await.unwrap();
            match client.ask(&question).await.unwrap().0 {
                FromProxy::Sight { sight: Ok(sight) } => *sight,
                other => panic!("{other:?}"),
            }
        })
    }

    fn show(&self) -> PoolSight {
        self.ask(ToProxy::Show { pool: "www".into() })
    }

    fn wish(&self, server: &str, traffic: Traffic) -> PoolSight {
        self.ask(ToProxy::Assert { pool: "www".into(), wishes: [(name(server), traffic)].into() })
    }
}

fn name(server: &str) -> ServerName {
    ServerName::new(server).unwrap()
}

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn until(what: &str, mut met: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !met() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn has_ended(process: &mut Process) -> bool {
    process.0.try_wait().unwrap().is_some()
}

/// A server that answers `ok`, and on `/slow` only when the test may have forgotten about it.
fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let (mut seen, mut piece) = (Vec::new(), [0; 4096]);
                while let Ok(read @ 1..) = stream.read(&mut piece) {
                    seen.extend_from_slice(&piece[..read]);
                    while let Some(end) = seen.windows(4).position(|window| window == b"\r\n\r\n") {
                        if seen.starts_with(b"GET /slow") {
                            thread::sleep(Duration::from_secs(3));
                        }
                        seen.drain(..end + 4);
                        if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    address
}

/// One request; the connection stays where the proxy lets it.
fn get(connection: &mut Option<TcpStream>, to: SocketAddr, path: &str) -> io::Result<()> {
    let mut stream = match connection.take() {
        Some(stream) => stream,
        None => TcpStream::connect(to)?,
    };
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes())?;
    let (mut seen, mut piece) = (Vec::new(), [0; 4096]);
    while !seen.ends_with(b"\r\n\r\nok") {
        match stream.read(&mut piece)? {
            0 => return Err(io::Error::other(format!("ended after {:?}", String::from_utf8_lossy(&seen)))),
            read => seen.extend_from_slice(&piece[..read]),
        }
    }
    let text = String::from_utf8_lossy(&seen).to_ascii_lowercase();
    if !text.starts_with("http/1.1 200") {
        return Err(io::Error::other(text));
    }
    if !text.contains("connection: close") {
        *connection = Some(stream);
    }
    Ok(())
}

#[test]
fn a_proxy_that_takes_over_again_and_again_loses_no_request() {
    let stage = Stage::new();
    let mut serving = stage.start();
    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let clients: Vec<_> = (0..6)
        .map(|number| {
            let (stop, sent, to) = (Arc::clone(&stop), Arc::clone(&sent), stage.address);
            thread::spawn(move || {
                let (mut connection, mut failures) = (None, Vec::new());
                while !stop.load(Ordering::Relaxed) {
                    if let Err(error) = get(&mut connection, to, "/") {
                        failures.push(error.to_string());
                    }
                    sent.fetch_add(1, Ordering::Relaxed);
                    match number % 3 {
                        0 => connection = None,
                        // A person who reads: the connection is idle when the proxy changes.
                        1 => thread::sleep(Duration::from_millis(7)),
                        _ => {}
                    }
                }
                failures
            })
        })
        .collect();
    for _ in 0..3 {
        let enough = sent.load(Ordering::Relaxed) + 200;
        until("the load flows", || sent.load(Ordering::Relaxed) > enough);
        let mut before = std::mem::replace(&mut serving, stage.start());
        until("the predecessor ends", || has_ended(&mut before));
    }
    stop.store(true, Ordering::Relaxed);
    let failures: Vec<String> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    assert!(failures.is_empty(), "{} of {}: {failures:?}", failures.len(), sent.load(Ordering::Relaxed));
}

#[test]
fn what_is_under_way_in_the_predecessor_is_seen_in_the_successor_and_ends_well() {
    let stage = Stage::new();
    let mut first = stage.start();
    stage.wish("web2", Traffic::Out);
    let to = stage.address;
    let slow = thread::spawn(move || get(&mut None, to, "/slow"));
    until("the request is under way", || stage.show().servers[&name("web1")].sessions == Some(1));
    let _second = stage.start();
    until("the heritage is seen", || stage.show().servers[&name("web1")].sessions == Some(1));
    assert!(!has_ended(&mut first), "the first one waits for what is under way");
    slow.join().unwrap().unwrap();
    until("it is idle in both", || stage.show().servers[&name("web1")].sessions == Some(0));
    until("the first one ends", || has_ended(&mut first));
    // What was counted there is not lost.
    assert_eq!(stage.show().servers[&name("web1")].counters.as_ref().unwrap().requests, 1);
}

#[test]
fn a_drain_survives_a_take_over_a_crash_and_a_reload_and_ends_by_another_wish() {
    let stage = Stage::new();
    let state = || stage.show().servers[&name("web1")].state.clone();
    let first = stage.start();
    stage.wish("web1", Traffic::Out);
    let mut second = stage.start();
    assert_eq!(state(), ServerState::Out);
    drop(first);
    second.0.kill().unwrap();
    second.0.wait().unwrap();
    let third = stage.start();
    assert_eq!(state(), ServerState::Out);
    let pid = Pid::from_raw(i32::try_from(third.0.id()).unwrap()).unwrap();
    let file = stage.directory.path().join("proxy.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    // A reload that can be seen: there is one more pool.
    std::fs::write(
        &file,
        format!("{text}[pools.api]\nservers = [{{ name = \"api1\", address = \"127.0.0.1:9\" }}]\n"),
    )
    .unwrap();
    kill_process(pid, Signal::HUP).unwrap();
    until("the configuration is read again", || {
        block(async { Client::connect(&stage.control()).await.unwrap().identity().pools.len() == 2 })
    });
    assert_eq!(state(), ServerState::Out);
    stage.wish("web1", Traffic::FULL);
    assert_eq!(state(), ServerState::Up);
    drop(third);
    let _fourth = stage.start();
    assert_eq!(state(), ServerState::Up);
}

#[test]
fn a_mistake_in_the_configuration_leaves_the_old_one_in_force() {
    let stage = Stage::new();
    let _process = stage.start();
    std::fs::write(stage.directory.path().join("proxy.toml"), "nonsense").unwrap();
    let answer = block(async {
        let mut client = Client::connect(&stage.control()).await.unwrap();
        client.ask(&ToProxy::Reload).await.unwrap().0
    });
    let FromProxy::Reloaded { outcome: Err(failure) } = answer else { panic!("{answer:?}") };
    assert!(failure.reason.contains("stays"), "{failure}");
    get(&mut None, stage.address, "/").unwrap();
}

#[test]
fn a_request_to_end_lets_what_is_under_way_end_and_writes_its_line() {
    let stage = Stage::new();
    let mut process = stage.start();
    let to = stage.address;
    let slow = thread::spawn(move || get(&mut None, to, "/slow"));
    until("the request is under way", || {
        stage.show().servers.values().any(|server| server.sessions == Some(1))
    });
    let pid = Pid::from_raw(i32::try_from(process.0.id()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    slow.join().unwrap().unwrap();
    until("the process ends", || has_ended(&mut process));
    let log = std::fs::read_to_string(stage.directory.path().join("access.log")).unwrap();
    assert!(log.contains("\"GET /slow HTTP/1.1\" 200 2 "), "{log}");
    assert!(!stage.control().exists());
    assert!(TcpStream::connect(stage.address).is_err());
}
