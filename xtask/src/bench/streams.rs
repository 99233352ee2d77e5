//! What 500 open pages cost: as many clients of the event stream while a service is deployed on local hosts.
//!
//! The processor time is that of the server's process alone, over the time of the deployment. It is measured without any
//! client first. Every client has to hear how the deployment ended.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use andon_testbed::deadline::wait_until;
use andon_testbed::process;

use super::served::Served;
use super::table::{Peer, Row};
use crate::failure::Failure;

const CLIENTS: usize = 500;
/// What they may cost: a share of one core in percent.
const MOST_PERCENT: f64 = 20.0;
/// How long a deployment may take, and a client wait for its end.
const LIMIT: Duration = Duration::from_secs(180);
/// What a thread that only reads lines needs.
const STACK: usize = 128 * 1024;
/// How often it is asked whether the deployment is over.
const GLANCE: Duration = Duration::from_millis(250);
/// How a deployment may end.
const ENDS: [&str; 5] = ["succeeded", "failed", "rolled_back", "aborted", "rollback_failed"];

const LINE: &str = r#"
web = group("web", ["web%d" % n for n in range(1, 9)], local = True)
service("www", hosts = web, release = directory("dist"),
    run = process(exec = "{release}/www", stop_timeout = "2s"),
    health = health(script("up.sh"), interval = "1s", in_a_row = 1),
    tests = [script("smoke.sh", timeout = "20s")],
    rollout = rollout(waves = [1, "25%", "100%"], bake = "10s", min_healthy_time = "2s", min_available = 0))
"#;

/// Deploys twice, without and with clients.
pub(super) fn measure() -> Result<Vec<Row>, Failure> {
    let directory = tempfile::Builder::new()
        .prefix("andon-bench-streams-")
        .tempdir()
        .map_err(|source| Failure::Io { doing: "make a temporary directory".to_owned(), source })?;
    write_project(directory.path())?;
    let served = Served::start(directory.path())?;
    let outcome = compare(&served, directory.path());
    drop(served);
    end_hosts(directory.path());
    outcome
}

fn compare(served: &Served, directory: &Path) -> Result<Vec<Row>, Failure> {
    let alone = deploy(served, directory, "one")?;
    let audience = Audience::gather(served, CLIENTS)?;
    let crowd = deploy(served, directory, "two")?;
    let ended = || audience.ended.load(Ordering::Relaxed);
    if !wait_until(LIMIT, || ended() >= CLIENTS) {
        let deaf = CLIENTS - ended();
        let what = format!("{deaf} of {CLIENTS} clients have not heard how the deployment ended");
        return Err(Failure::Found(what));
    }
    let heard = audience.heard.load(Ordering::Relaxed) as f64 / CLIENTS as f64;
    Ok(vec![
        Row::within("the deployment, s", Peer::Measured(crowd.wall.as_secs_f64()), None),
        Row::within("server without a client, % of a core", Peer::Measured(alone.percent()), None),
        Row::within(
            &format!("server with {CLIENTS} clients of the stream, % of a core"),
            Peer::Measured(crowd.percent()),
            Some(MOST_PERCENT),
        ),
        Row::within("events that a client heard", Peer::Measured(heard), None),
        Row::within("server, peak memory, MiB", Peer::Measured(served.peak_mib()), None),
    ])
}

/// What one deployment cost the server.
struct Cost {
    wall: Duration,
    processor: Duration,
}

impl Cost {
    fn percent(&self) -> f64 {
        100.0 * self.processor.as_secs_f64() / self.wall.as_secs_f64()
    }
}

/// Deploys a release with this mark in it, and waits for its good end.
fn deploy(served: &Served, directory: &Path, mark: &str) -> Result<Cost, Failure> {
    let file = directory.join("dist/mark");
    fs::write(&file, mark).map_err(Failure::io("write", &file))?;
    let (began, before) = (Instant::now(), served.processor());
    let accepted = served.post("/v1/deployments", r#"{"service":"www","environment":"production"}"#)?;
    if !(200..300).contains(&accepted.status) {
        return Err(Failure::Found(format!("nothing is deployed: {}", accepted.text())));
    }
    let mut newest = String::new();
    let over = wait_until(LIMIT, || {
        thread::sleep(GLANCE);
        let answer = served.get("/v1/deployments?limit=1", false).map(|answer| answer.text());
        newest = answer.unwrap_or_default();
        ENDS.iter().any(|state| newest.contains(&format!("\"state\":\"{state}\"")))
    });
    if !over || !newest.contains("\"state\":\"succeeded\"") {
        return Err(Failure::Found(format!("the deployment did not succeed: {newest}")));
    }
    Ok(Cost { wall: began.elapsed(), processor: served.processor().saturating_sub(before) })
}

/// Those who listen to the event stream.
struct Audience {
    connections: Vec<TcpStream>,
    heard: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
}

impl Audience {
    /// Opens so many streams, and reads each in a thread of its own until it ends.
    fn gather(served: &Served, count: usize) -> Result<Self, Failure> {
        let io = |source| Failure::Io { doing: "listen to the event stream".to_owned(), source };
        let address = served.address().trim_start_matches("http://").to_owned();
        let (heard, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut connections = Vec::new();
        for _ in 0..count {
            let mut stream = TcpStream::connect(&address).map_err(io)?;
            write!(stream, "GET /v1/events HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n\r\n")
                .map_err(io)?;
            connections.push(stream.try_clone().map_err(io)?);
            let (heard, ended) = (Arc::clone(&heard), Arc::clone(&ended));
            let reader = thread::Builder::new().stack_size(STACK);
            reader.spawn(move || listen(stream, &heard, &ended)).map_err(io)?;
        }
        Ok(Self { connections, heard, ended })
    }
}

impl Drop for Audience {
    fn drop(&mut self) {
        for connection in &self.connections {
            let _ = connection.shutdown(std::net::Shutdown::Both);
        }
    }
}

fn listen(stream: TcpStream, heard: &AtomicUsize, ended: &AtomicUsize) {
    let mut told = false;
    for line in BufReader::new(stream).lines() {
        let Ok(line) = line else { return };
        if line.starts_with("data:") {
            heard.fetch_add(1, Ordering::Relaxed);
            if !told && line.contains("\"succeeded\"") {
                told = true;
                ended.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

fn write_project(directory: &Path) -> Result<(), Failure> {
    let files = [
        ("line.star", LINE),
        ("up.sh", "#!/bin/sh\nexit 0\n"),
        ("smoke.sh", "#!/bin/sh\nexec sleep 2\n"),
        ("dist/www", "#!/bin/sh\nexec sleep 100000\n"),
    ];
    let made = directory.join("dist");
    fs::create_dir_all(&made).map_err(Failure::io("make", &made))?;
    for (name, text) in files {
        let path = directory.join(name);
        fs::write(&path, text).map_err(Failure::io("write", &path))?;
        let mode = fs::Permissions::from_mode(if text.starts_with("#!") { 0o755 } else { 0o644 });
        fs::set_permissions(&path, mode).map_err(Failure::io("make executable", &path))?;
    }
    Ok(())
}

/// The processes of local hosts are detached on purpose, and their supervisors start again what is ended before them.
fn end_hosts(directory: &Path) {
    wait_until(Duration::from_secs(10), || {
        let left = process::with_directory(directory);
        left.iter().for_each(|pid| process::kill(*pid));
        left.is_empty()
    });
}
