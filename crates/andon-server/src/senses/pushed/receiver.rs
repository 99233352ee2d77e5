//! The receiver: takes in what programs push, and writes it down once a second.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use andon_core::name::{HostName, MetricName};
use andon_core::time::Time;
use rustix::fs::{FlockOperation, flock};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinHandle;

use super::super::exposition::{self, ExpositionError, Line};
use super::super::statsd::{Event, What};
use super::segment::{self, Change, Entry, HEADER, Segment};
use super::{HEARTBEAT, listen, prune};
use crate::clock;
use crate::frames::push_frame;

/// The most numbers, each on one host, that are taken in.
const MAX_SERIES: usize = 10_000;
/// Complaints that wait to be told. More are counted only.
const MAX_COMPLAINTS: usize = 16;
/// How often what came is written down.
const PAUSE: Duration = Duration::from_secs(1);

/// Why pushed numbers were not taken in, or why no receiver runs.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// Another process receives already.
    #[error("another process receives what programs push into {0}")]
    Taken(PathBuf),
    /// A file or a socket.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was tried.
        doing: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is no UTF-8.
    #[error("what was pushed is not UTF-8 text")]
    NotText,
    /// It is not OpenMetrics.
    #[error("what was pushed is not OpenMetrics text: {0}")]
    Malformed(#[from] ExpositionError),
    /// A sample does not say where it comes from.
    #[error("{0} does not say which host it comes from; add a label `host`")]
    Hostless(String),
    /// A name that nothing can be watched by.
    #[error("{0}")]
    Name(String),
    /// Too many series.
    #[error("more than {MAX_SERIES} numbers of hosts are pushed; this one is left out: {0}")]
    TooMany(String),
}

/// Receives what programs push until it is dropped. At most one for a directory.
#[derive(Debug)]
pub struct PushReceiver {
    inbox: Arc<Inbox>,
    tasks: Vec<JoinHandle<()>>,
    statsd_udp: Option<SocketAddr>,
    statsd_tcp: Option<SocketAddr>,
}

/// What has come in.
#[derive(Debug)]
pub(super) struct Inbox {
    directory: PathBuf,
    state: Mutex<State>,
    /// Held as long as this receiver lives.
    _lock: File,
}

#[derive(Debug, Default)]
struct State {
    /// What is not written down yet.
    waiting: BTreeMap<(MetricName, HostName), Waiting>,
    /// Every number on every host that was heard, with its last level.
    levels: BTreeMap<(MetricName, HostName), Option<f64>>,
    /// The last value of each counter that programs push as it stands, by all of its labels.
    last: BTreeMap<(MetricName, HostName, String), f64>,
    complaints: Vec<String>,
    untold: u64,
    segment: Option<Open>,
    written: Option<Time>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Waiting {
    more: Option<f64>,
    level: Option<f64>,
}

/// The segment that is written to.
#[derive(Debug)]
struct Open {
    segment: Segment,
    file: File,
    places: BTreeMap<(MetricName, HostName), usize>,
}

impl PushReceiver {
    /// Begins to receive: StatsD at the given addresses, and whatever is handed over.
    pub async fn start(
        directory: &Path,
        statsd_udp: Option<SocketAddr>,
        statsd_tcp: Option<SocketAddr>,
    ) -> Result<Self, PushError> {
        let io = |doing: String| move |source| PushError::Io { doing, source };
        crate::private::directory(directory).map_err(io(format!("make {}", directory.display())))?;
        let lock = File::options().create(true).truncate(false).write(true).open(directory.join("lock"));
        let lock = lock.map_err(io(format!("open the lock in {}", directory.display())))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(PushError::Taken(directory.to_owned()));
        }
        let inbox = Arc::new(Inbox { directory: directory.to_owned(), state: Mutex::default(), _lock: lock });
        inbox.write(clock::now()).map_err(io(format!("write into {}", directory.display())))?;
        let mut own =
            Self { inbox: Arc::clone(&inbox), tasks: Vec::new(), statsd_udp: None, statsd_tcp: None };
        if let Some(address) = statsd_udp {
            let doing = format!("receive StatsD over UDP at {address}");
            let socket = UdpSocket::bind(address).await.map_err(io(doing.clone()))?;
            own.statsd_udp = Some(socket.local_addr().map_err(io(doing))?);
            own.tasks.push(tokio::spawn(listen::datagrams(socket, Arc::clone(&inbox))));
        }
        if let Some(address) = statsd_tcp {
            let doing = format!("receive StatsD over TCP at {address}");
            let listener = TcpListener::bind(address).await.map_err(io(doing.clone()))?;
            own.statsd_tcp = Some(listener.local_addr().map_err(io(doing))?);
            own.tasks.push(tokio::spawn(listen::connections(listener, Arc::clone(&inbox))));
        }
        own.tasks.push(tokio::spawn(write_down(inbox)));
        Ok(own)
    }

    /// Where StatsD is received over UDP.
    pub fn statsd_udp(&self) -> Option<SocketAddr> {
        self.statsd_udp
    }

    /// Where StatsD is received over TCP.
    pub fn statsd_tcp(&self) -> Option<SocketAddr> {
        self.statsd_tcp
    }

    /// Takes in a text of OpenMetrics, all of it or nothing, and says how many samples. Samples without a label `host`
    /// are those of `default_host`.
    pub fn receive_openmetrics(
        &self,
        body: &[u8],
        default_host: Option<&HostName>,
    ) -> Result<usize, PushError> {
        self.inbox.receive(body, default_host)
    }

    /// What went wrong since the last call, in sentences: at most a few, and how many more there were.
    pub fn complaints(&self) -> Vec<String> {
        let mut state = self.inbox.lock();
        let mut told = std::mem::take(&mut state.complaints);
        match std::mem::take(&mut state.untold) {
            0 => {}
            more => told.push(format!("{more} more pushed numbers could not be taken in")),
        }
        told
    }
}

impl Drop for PushReceiver {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        // The last second; a reader does without it where it cannot be written.
        let _ = self.inbox.write(clock::now());
    }
}

async fn write_down(inbox: Arc<Inbox>) {
    loop {
        tokio::time::sleep(PAUSE).await;
        let own = Arc::clone(&inbox);
        let written = tokio::task::spawn_blocking(move || own.write(clock::now())).await;
        if let Ok(Err(error)) = written {
            inbox.complain(format!("cannot write down what programs push: {error}"));
        }
    }
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes something for people; endless mistakes are counted only.
    pub(super) fn complain(&self, sentence: String) {
        let mut state = self.lock();
        if state.complaints.contains(&sentence) || state.complaints.len() >= MAX_COMPLAINTS {
            state.untold += 1;
        } else {
            state.complaints.push(sentence);
        }
    }

    /// Takes in a line of StatsD that came from `peer`.
    pub(super) fn take(&self, event: Event, peer: &HostName) {
        let key = (event.name, event.host.unwrap_or_else(|| peer.clone()));
        let mut state = self.lock();
        let taken = match event.what {
            What::More(count) => state.more(key, count),
            What::Level(level) => state.level(key, level),
            What::Change(by) => {
                let level = state.levels.get(&key).copied().flatten().unwrap_or(0.0);
                state.level(key, level + by)
            }
            What::Took { times, each } => state.took(key, times, each),
        };
        drop(state);
        if let Err(error) = taken {
            self.complain(error.to_string());
        }
    }

    fn receive(&self, body: &[u8], default_host: Option<&HostName>) -> Result<usize, PushError> {
        let text = std::str::from_utf8(body).map_err(|_| PushError::NotText)?;
        let lines = exposition::read(text)?;
        let mut counters = Vec::new();
        let mut levels: BTreeMap<(MetricName, HostName), (f64, f64)> = BTreeMap::new();
        let count = lines.len();
        for line in lines.into_iter().filter(|line| line.value.is_finite() && !line.name.ends_with("_bucket"))
        {
            let key = key(&line, default_host)?;
            if line.counter {
                let labels = line.labels.iter().map(|(name, value)| format!("{name}={value:?}"));
                counters.push((key, labels.collect::<Vec<_>>().join(","), line.value));
            } else {
                let sum = levels.entry(key).or_default();
                *sum = (sum.0 + line.value, sum.1 + 1.0);
            }
        }
        let mut state = self.lock();
        for (key, labels, value) in counters {
            state.counter(key, labels, value)?;
        }
        for (key, (sum, values)) in levels {
            state.level(key, sum / values)?;
        }
        Ok(count)
    }

    /// Writes down what has come, and a sign of life when nothing has.
    fn write(&self, now: Time) -> std::io::Result<()> {
        let mut state = self.lock();
        let quiet = state.waiting.is_empty();
        if quiet && state.written.is_some_and(|written| now.since(written) < HEARTBEAT && now >= written) {
            return Ok(());
        }
        let hour = Segment::hour_of(now);
        if state.segment.as_ref().is_none_or(|open| open.segment.hour != hour) {
            state.segment = Some(Open::new(&self.directory, hour)?);
            prune(&self.directory, now);
        }
        let waiting = std::mem::take(&mut state.waiting);
        state.written = Some(now);
        let Some(open) = &mut state.segment else { return Ok(()) };
        let written = open.append(now, &waiting);
        if written.is_err() {
            // What follows a torn record is never read: the next one begins another segment.
            state.segment = None;
        }
        written
    }
}

impl State {
    /// Checks that there is room for a number on a host.
    fn know(&mut self, key: &(MetricName, HostName)) -> Result<(), PushError> {
        if !self.levels.contains_key(key) {
            if self.levels.len() >= MAX_SERIES {
                return Err(PushError::TooMany(format!("{} on {}", key.0, key.1)));
            }
            self.levels.insert(key.clone(), None);
        }
        Ok(())
    }

    fn more(&mut self, key: (MetricName, HostName), count: f64) -> Result<(), PushError> {
        self.know(&key)?;
        let more = self.waiting.entry(key).or_default().more.get_or_insert(0.0);
        *more = (*more + count).min(f64::MAX);
        Ok(())
    }

    fn level(&mut self, key: (MetricName, HostName), level: f64) -> Result<(), PushError> {
        if !level.is_finite() {
            return Ok(());
        }
        self.know(&key)?;
        self.levels.insert(key.clone(), Some(level));
        self.waiting.entry(key).or_default().level = Some(level);
        Ok(())
    }

    /// A time is counted twice over: how often, and how long altogether.
    fn took(&mut self, key: (MetricName, HostName), times: f64, each: f64) -> Result<(), PushError> {
        for (part, more) in [("count", times), ("sum", times * each)] {
            let name = MetricName::new(format!("{}_{part}", key.0));
            let name = name.map_err(|error| PushError::Name(error.to_string()))?;
            self.more((name, key.1.clone()), more)?;
        }
        Ok(())
    }

    /// A counter as it stands: its growth counts. One that is new, or has begun anew, only sets a mark.
    fn counter(&mut self, key: (MetricName, HostName), labels: String, value: f64) -> Result<(), PushError> {
        self.know(&key)?;
        let series = (key.0.clone(), key.1.clone(), labels);
        if !self.last.contains_key(&series) && self.last.len() >= MAX_SERIES {
            return Err(PushError::TooMany(format!("{} on {}", key.0, key.1)));
        }
        let grown = match self.last.insert(series, value) {
            Some(last) if value >= last => value - last,
            _ => 0.0,
        };
        self.more(key, grown)
    }
}

impl Open {
    fn new(directory: &Path, hour: u64) -> std::io::Result<Self> {
        let last = Segment::all(directory)?.into_iter().rfind(|segment| segment.hour == hour);
        let segment = Segment { hour, part: last.map_or(0, |last| last.part + 1) };
        let mut file = File::options().create_new(true).append(true).open(directory.join(segment.file()))?;
        file.write_all(HEADER)?;
        Ok(Self { segment, file, places: BTreeMap::new() })
    }

    fn append(
        &mut self,
        at: Time,
        waiting: &BTreeMap<(MetricName, HostName), Waiting>,
    ) -> std::io::Result<()> {
        let mut entries = Vec::new();
        for (key, waiting) in waiting {
            let changes = [waiting.more.map(Change::More), waiting.level.map(Change::Level)];
            for change in changes.into_iter().flatten() {
                let next = self.places.len();
                let known = self.places.get(key).copied();
                let series = *self.places.entry(key.clone()).or_insert(next);
                entries.push((Entry { series, change }, known.is_none().then_some((&key.0, &key.1))));
            }
        }
        let mut bytes = Vec::new();
        push_frame(&mut bytes, &segment::write(at, entries.into_iter()));
        self.file.write_all(&bytes)
    }
}

fn key(line: &Line, default_host: Option<&HostName>) -> Result<(MetricName, HostName), PushError> {
    let name = MetricName::new(line.name.as_str()).map_err(|error| PushError::Name(error.to_string()))?;
    let host = match (line.labels.get("host"), default_host) {
        (Some(host), _) => HostName::new(host.as_str())
            .map_err(|error| PushError::Name(format!("the host of {name}: {error}")))?,
        (None, Some(host)) => host.clone(),
        (None, None) => return Err(PushError::Hostless(line.name.clone())),
    };
    Ok((name, host))
}
