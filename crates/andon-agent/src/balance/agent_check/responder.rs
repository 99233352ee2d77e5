//! The resident process that answers HAProxy's `agent-check`: a line for each connection, and no more. One for each
//! pool, which outlives sessions and ends when its records are gone.
//!
//! It answers with a share of the weight and `up`, never with `ready` or `drain`: those would end the maintenance
//! that somebody has asked HAProxy for by hand. A weight of 0 drains as `drain` does.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use std::{collections::BTreeMap, fs};

use super::answers::Answers;
use super::asked::{self, Asked, Questions};
use crate::durable;
use crate::lock;
use crate::probe::legible;

/// The agent's subcommand that runs a responder: followed by the records' directory and the port.
pub(crate) const SUBCOMMAND: &str = "answer-agent-checks";

/// Connections at the same time; more are closed at once.
const MOST_AT_ONCE: usize = 64;

/// HAProxys that are remembered for each server.
const MOST_PEERS: usize = 64;

/// The longest name that is read, in bytes, and the longest time for it. HAProxy sends it at once if at all, and
/// waits for its answer no longer than `agent-inter`: a single server is soon told without a name.
const MAX_NAME: usize = 512;
const NAME_TIME: Duration = Duration::from_millis(300);
const SINGLE_NAME_TIME: Duration = Duration::from_millis(50);

/// The longest time for a whole connection.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often it is looked whether the records are still there.
const LOOK: Duration = Duration::from_secs(2);

/// Why a responder could not begin, for the agent that started it.
pub(super) fn failure_file(records: &Path) -> PathBuf {
    records.join("responder.failure")
}

/// Answers until the records are gone.
pub(crate) fn main(records: &Path, port: &str) -> ExitCode {
    // Fails only for the leader of a group, which is detached already.
    let _ = rustix::process::setsid();
    match answer(records, port) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = durable::write_private(&failure_file(records), error.to_string().as_bytes());
            ExitCode::FAILURE
        }
    }
}

fn answer(records: &Path, port: &str) -> io::Result<()> {
    let port: u16 = port.parse().map_err(io::Error::other)?;
    let _lock = lock::acquire(&records.join("responder.lock"))?;
    // Where there is no IPv6 the other one is all that is needed.
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))
        .or_else(|_| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)))?;
    let (directory, socket) = asked::address(records)?;
    match fs::remove_file(&socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let reports = UnixListener::bind(&socket)?;
    drop(directory);
    let responder = Arc::new(Responder { records: records.to_owned(), seen: Mutex::default() });
    let reporter = Arc::clone(&responder);
    thread::spawn(move || reporter.report(&reports));
    let listening = Arc::clone(&responder);
    thread::spawn(move || listening.listen(&listener));
    while Answers::exist(records) {
        thread::sleep(LOOK);
    }
    Ok(())
}

struct Responder {
    records: PathBuf,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    connections: usize,
    servers: BTreeMap<String, BTreeMap<IpAddr, (Questions, Instant)>>,
    stranger: Option<String>,
}

impl Responder {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listen(self: &Arc<Self>, listener: &TcpListener) {
        loop {
            let Ok((stream, peer)) = listener.accept() else {
                // Too many files are open, perhaps: somebody else's end gives room.
                thread::sleep(Duration::from_millis(100));
                continue;
            };
            let Some(place) = Place::take(self) else { continue };
            let serve = move || {
                let _ = place.0.serve(&stream, peer.ip().to_canonical());
            };
            // Without a thread nobody is answered, which HAProxy does not mind.
            let _ = thread::Builder::new().stack_size(256 * 1024).spawn(serve);
        }
    }

    fn serve(&self, mut stream: &TcpStream, peer: IpAddr) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        stream.set_write_timeout(Some(PATIENCE))?;
        let answers = Answers::read(&self.records)?;
        let time = if answers.servers.len() == 1 { SINGLE_NAME_TIME } else { NAME_TIME };
        let asked = name(stream, Instant::now() + time)?;
        let answer = match (asked.as_str(), answers.servers.len()) {
            ("", 1) => answers.servers.first_key_value(),
            (name, _) => answers.servers.get_key_value(name),
        };
        let Some((name, answer)) = answer else {
            self.seen().stranger = Some(legible(asked.as_bytes(), 100));
            return Ok(());
        };
        stream.write_all(format!("up {}%\n", answer.share).as_bytes())?;
        stream.shutdown(Shutdown::Write)?;
        self.seen().note(name.as_str(), peer, answer.number);
        // What was sent and never read would make the kernel take the answer back.
        let mut rest = [0; 256];
        while wait(stream, deadline) && stream.read(&mut rest)? > 0 {}
        Ok(())
    }

    /// Tells agents who has asked.
    fn report(&self, reports: &UnixListener) {
        for mut stream in reports.incoming() {
            if let Ok(stream) = &mut stream
                && is_ours(stream)
                && stream.set_write_timeout(Some(PATIENCE)).is_ok()
                && let Ok(words) = serde_json::to_vec(&self.seen().report())
            {
                let _ = stream.write_all(&words);
            }
        }
    }
}

/// Whether the same user, or root, asks.
fn is_ours(stream: &UnixStream) -> bool {
    rustix::net::sockopt::socket_peercred(stream)
        .is_ok_and(|peer| peer.uid.is_root() || peer.uid == rustix::process::geteuid())
}

impl Seen {
    fn note(&mut self, name: &str, peer: IpAddr, number: u64) {
        // A server that is gone from the answers may stay: there are not many, and they cost little.
        let peers = self.servers.entry(name.to_owned()).or_default();
        let now = Instant::now();
        let before = peers.get(&peer).filter(|(questions, _)| questions.number == number);
        let count = before.map_or(0, |(questions, _)| questions.count).saturating_add(1);
        peers.insert(peer, (Questions { number, count, ago: 0 }, now));
        if peers.len() > MOST_PEERS {
            let oldest = peers.iter().min_by_key(|(_, (_, last))| *last).map(|(peer, _)| *peer);
            oldest.map(|peer| peers.remove(&peer));
        }
    }

    fn report(&self) -> Asked {
        let ago = |(peer, (questions, last)): (&IpAddr, &(Questions, Instant))| {
            let ago = u64::try_from(last.elapsed().as_millis()).unwrap_or(u64::MAX);
            (*peer, Questions { ago, ..questions.clone() })
        };
        let servers = self.servers.iter();
        let servers = servers.map(|(name, peers)| (name.clone(), peers.iter().map(ago).collect()));
        Asked { servers: servers.collect(), stranger: self.stranger.clone() }
    }
}

/// The name that HAProxy sends by `agent-send`; empty when it sends nothing.
fn name(mut stream: &TcpStream, deadline: Instant) -> io::Result<String> {
    let mut bytes = Vec::new();
    let mut piece = [0; 128];
    while !bytes.contains(&b'\n') && bytes.len() < MAX_NAME && wait(stream, deadline) {
        match stream.read(&mut piece) {
            // Whoever hangs up before an answer came only wanted to know whether somebody listens.
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => bytes.extend_from_slice(&piece[..length]),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                break;
            }
            Err(error) => return Err(error),
        }
    }
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(String::from_utf8_lossy(line).trim().to_owned())
}

/// Has the next reading end at `deadline`; false when that is over.
fn wait(stream: &TcpStream, deadline: Instant) -> bool {
    let left = deadline.saturating_duration_since(Instant::now());
    !left.is_zero() && stream.set_read_timeout(Some(left)).is_ok()
}

/// One of the connections at the same time.
struct Place(Arc<Responder>);

impl Place {
    fn take(responder: &Arc<Responder>) -> Option<Self> {
        let mut seen = responder.seen();
        if seen.connections >= MOST_AT_ONCE {
            return None;
        }
        seen.connections += 1;
        drop(seen);
        Some(Self(Arc::clone(responder)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.seen().connections -= 1;
    }
}
