//! One number from one source: when it is asked, and what its answers mean.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use andon_core::analysis::{Measure, Reading};
use andon_core::line::{PrometheusQuery, Source, Watched};
use andon_core::name::{HostName, MemberName, MetricName};
use andon_core::time::Time;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::arms::{Arms, Whose};
use super::growth::{Growth, Value};
use super::prometheus::{Answer, Prometheus, SenseError};
use super::pushed::Pushed;
use super::script::Script;
use crate::clock;

/// A source that failed is asked again after so long, or at its usual pace where that is quicker.
const RETRY: Duration = Duration::from_secs(5);

/// Where sources find what they need on this machine.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// The directory of the line.
    pub(super) directory: PathBuf,
    /// What programs push; all numbers share one reader.
    pub(super) pushed: Arc<Mutex<Pushed>>,
}

/// What a source said in one answer: values as they stand, not their growth.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Events, or levels.
    pub(super) values: Vec<Value>,
    /// What they are parts of, where the source says it itself.
    pub(super) of: Option<Vec<Value>>,
    /// The source's own time.
    pub(super) at: Option<Time>,
}

/// Where a number comes from, ready to be asked.
#[derive(Debug, Clone)]
enum Asker {
    Prometheus(Box<PrometheusQuery>, Prometheus),
    Pushed { name: String, of: Option<String>, reader: Arc<Mutex<Pushed>> },
    Script(Script),
}

/// One number.
#[derive(Debug)]
pub(super) struct Sense {
    name: MetricName,
    measure: Measure,
    asker: Asker,
    pace: Pace,
    flight: Option<Flight>,
    events: Growth,
    of: Growth,
    /// What has gathered beside this number since its last reading.
    beside: Beside,
    /// What the next [`Sense::readings`] gives.
    fresh: BTreeMap<MemberName, Reading>,
    /// Who was in the last answer.
    known: BTreeSet<MemberName>,
    levels: BTreeMap<MemberName, f64>,
    complaint: Option<String>,
}

/// A question under way.
#[derive(Debug)]
struct Flight {
    answer: JoinHandle<Result<Heard, SenseError>>,
    beside: Beside,
    asked: Instant,
}

/// What counts without an own measure of opportunity are parts of.
#[derive(Debug, Clone, Default)]
struct Beside {
    /// Requests; `None` where balancers count none.
    requests: Option<BTreeMap<HostName, u64>>,
    since: Option<Instant>,
}

/// When to ask: at whole multiples of a span after the first answer, in the source's own time where it has one.
#[derive(Debug)]
struct Pace {
    every: Duration,
    base: Option<(Instant, Option<Time>)>,
    /// Multiples that are over.
    done: u32,
    not_before: Option<Instant>,
}

impl Pace {
    /// The moment to ask for, if the time has come.
    fn due(&mut self, now: Instant) -> Option<Option<Time>> {
        if self.not_before.is_some_and(|moment| now < moment) {
            return None;
        }
        let Some((begun, moment)) = self.base else { return Some(None) };
        let multiples = now.saturating_duration_since(begun).as_millis() / self.every.as_millis().max(1);
        let multiples = u32::try_from(multiples).unwrap_or(u32::MAX);
        if multiples <= self.done {
            return None;
        }
        self.done = multiples;
        Some(moment.map(|moment| moment + self.every.saturating_mul(multiples)))
    }

    fn answered(&mut self, asked: Instant, at: Option<Time>) {
        self.not_before = None;
        match &mut self.base {
            None => self.base = Some((asked, at)),
            // Its first answers were empty: its time is known only now.
            Some((begun, moment @ None)) if at.is_some() => {
                (*begun, *moment) = (asked, at);
                self.done = 0;
            }
            Some(_) => {}
        }
    }

    fn failed(&mut self, now: Instant) {
        self.not_before = Some(now + self.every.min(RETRY));
    }
}

impl Sense {
    /// `None` for what balancers count.
    pub(super) fn new(watched: &Watched, places: &Places) -> Option<Self> {
        let (asker, every) = match &watched.source {
            Source::Errors | Source::Latency { .. } => return None,
            Source::Prometheus(query) => {
                let token = query.token_file.as_ref().map(|file| places.directory.join(file));
                let server = Prometheus::new(&query.url, token);
                (Asker::Prometheus(Box::new(query.clone()), server), query.every)
            }
            Source::Pushed { name, of, every } => {
                let (name, of, reader) = (name.clone(), of.clone(), Arc::clone(&places.pushed));
                (Asker::Pushed { name, of, reader }, *every)
            }
            Source::Script { command, timeout, every } => {
                let script = Script {
                    metric: watched.metric.name.clone(),
                    command: command.clone(),
                    directory: places.directory.clone(),
                    timeout: *timeout,
                };
                (Asker::Script(script), *every)
            }
        };
        Some(Self {
            name: watched.metric.name.clone(),
            measure: watched.metric.measure,
            asker,
            pace: Pace { every, base: None, done: 0, not_before: None },
            flight: None,
            events: Growth::default(),
            of: Growth::default(),
            beside: Beside::default(),
            fresh: BTreeMap::new(),
            known: BTreeSet::new(),
            levels: BTreeMap::new(),
            complaint: None,
        })
    }

    /// Takes in what balancers have counted since the last look.
    pub(super) fn hear_requests(&mut self, requests: Option<&BTreeMap<HostName, u64>>) {
        let Some(requests) = requests else { return };
        let sums = self.beside.requests.get_or_insert_default();
        for (host, count) in requests {
            let sum = sums.entry(host.clone()).or_default();
            *sum = sum.saturating_add(*count);
        }
    }

    /// Asks, if it is time and no question is under way.
    pub(super) fn ask(&mut self, now: Instant, arms: &Arms) {
        if self.flight.is_some() {
            return;
        }
        let Some(at) = self.pace.due(now) else { return };
        let (asker, arms, measure) = (self.asker.clone(), arms.clone(), self.measure);
        let answer = tokio::spawn(async move { asker.ask(&arms, measure, at).await });
        let beside = std::mem::take(&mut self.beside);
        self.beside.since = Some(now);
        self.flight = Some(Flight { answer, beside, asked: now });
    }

    /// Waits for the answer that is under way, until `deadline`, and takes it in.
    pub(super) async fn wait(&mut self, deadline: Instant) {
        let Some(flight) = &mut self.flight else { return };
        let Ok(ended) = tokio::time::timeout_at(deadline, &mut flight.answer).await else { return };
        let Some(flight) = self.flight.take() else { return };
        let given_up = || SenseError::Unreachable("its question was given up".to_owned());
        match ended.unwrap_or_else(|_| Err(given_up())) {
            Ok(heard) => self.take(heard, &flight),
            Err(error) => self.fail(flight.asked, format!("{}: {error}", self.name)),
        }
    }

    fn fail(&mut self, asked: Instant, sentence: String) {
        self.complaint = Some(sentence);
        self.known.clear();
        self.levels.clear();
        self.fresh.clear();
        self.events.forget();
        self.of.forget();
        self.pace.failed(asked);
    }

    fn take(&mut self, heard: Heard, flight: &Flight) {
        self.pace.answered(flight.asked, heard.at);
        self.complaint = None;
        if heard.values.is_empty() {
            self.complaint = Some(format!("{}: its source knows none of the hosts", self.name));
        }
        self.known = heard.values.iter().map(|value| value.member.clone()).collect();
        match self.measure {
            Measure::Level => self.levels = means(heard.values),
            Measure::Rate => self.count(heard, flight),
        }
    }

    fn count(&mut self, heard: Heard, flight: &Flight) {
        let events = self.events.read(heard.values);
        let of = heard.of.map(|values| self.of.read(values));
        if let Some(of) = &of {
            self.known.retain(|member| of.contains_key(member));
        }
        let beside = |member: &MemberName| match &flight.beside.requests {
            Some(requests) => requests.get(member.as_str()).copied(),
            None => {
                let since = flight.beside.since?;
                u64::try_from(flight.asked.saturating_duration_since(since).as_millis()).ok()
            }
        };
        for (member, events) in events {
            let of = match &of {
                Some(of) => of.get(&member).copied().flatten(),
                None => beside(&member),
            };
            if let (Some(events), Some(of)) = (events, of) {
                self.fresh.insert(member, Reading::Count { events, of });
            }
        }
    }

    /// What was heard since the last look.
    pub(super) fn readings(&mut self) -> BTreeMap<MemberName, Reading> {
        if self.measure == Measure::Level {
            let levels = self.levels.iter();
            return levels.map(|(member, level)| (member.clone(), Reading::Level(*level))).collect();
        }
        let mut fresh = std::mem::take(&mut self.fresh);
        for member in &self.known {
            fresh.entry(member.clone()).or_insert(Reading::Count { events: 0, of: 0 });
        }
        fresh
    }

    /// What people are to be told of a source that says nothing.
    pub(super) fn complaint(&self) -> Option<String> {
        self.complaint.clone()
    }
}

impl Drop for Sense {
    fn drop(&mut self) {
        if let Some(flight) = &self.flight {
            flight.answer.abort();
        }
    }
}

/// The mean of each member's values.
fn means(values: Vec<Value>) -> BTreeMap<MemberName, f64> {
    let mut sums: BTreeMap<MemberName, (f64, f64)> = BTreeMap::new();
    for Value { member, value, .. } in values {
        let sum = sums.entry(member).or_default();
        *sum = (sum.0 + value, sum.1 + 1.0);
    }
    sums.into_iter().map(|(member, (sum, count))| (member, sum / count)).collect()
}

impl Asker {
    async fn ask(&self, arms: &Arms, measure: Measure, at: Option<Time>) -> Result<Heard, SenseError> {
        match self {
            Asker::Prometheus(query, server) => ask_prometheus(query, server, arms, measure, at).await,
            Asker::Script(script) => script.ask(arms).await,
            Asker::Pushed { name, of, reader } => {
                let (name, of, reader, arms) = (name.clone(), of.clone(), Arc::clone(reader), arms.clone());
                let read = move || {
                    let mut reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
                    ask_pushed(&mut reader, &name, of.as_deref(), &arms, measure)
                };
                tokio::task::spawn_blocking(read).await.unwrap_or_else(|_| Ok(Heard::default()))
            }
        }
    }
}

fn ask_pushed(
    reader: &mut Pushed,
    name: &str,
    of: Option<&str>,
    arms: &Arms,
    measure: Measure,
) -> Result<Heard, SenseError> {
    let now = clock::now();
    reader
        .read(now)
        .map_err(|error| SenseError::Unreachable(format!("what programs push cannot be read: {error}")))?;
    if !reader.is_alive(now) {
        let why = "nobody receives what programs push; is `andon server` at work on this machine?";
        return Err(SenseError::Unreachable(why.to_owned()));
    }
    let members = arms.members();
    let values = |name: &str, measure| {
        let values = reader.of(name).filter_map(|(host, sum)| {
            let value = if measure == Measure::Level { sum.level? } else { sum.count };
            Some(Value { member: members.get(host.as_str())?.clone(), series: String::new(), value })
        });
        values.collect::<Vec<_>>()
    };
    let of = of.filter(|_| measure == Measure::Rate).map(|of| values(of, Measure::Rate));
    Ok(Heard { values: values(name, measure), of, at: None })
}

async fn ask_prometheus(
    query: &PrometheusQuery,
    server: &Prometheus,
    arms: &Arms,
    measure: Measure,
    at: Option<Time>,
) -> Result<Heard, SenseError> {
    let mut heard = Heard { at, ..Heard::default() };
    for (promql, whose) in arms.questions(&query.query, &query.label, &query.value) {
        let answer = server.query(&promql, heard.at).await?;
        heard.at = heard.at.or(answer.at);
        heard.values.extend(values(answer, &whose, query)?);
    }
    let Some(of) = query.of.as_ref().filter(|_| measure == Measure::Rate) else { return Ok(heard) };
    let mut parts_of = Vec::new();
    for (promql, whose) in arms.questions(of, &query.label, &query.value) {
        let answer = server.query(&promql, heard.at).await?;
        parts_of.extend(values(answer, &whose, query)?);
    }
    heard.of = Some(parts_of);
    Ok(heard)
}

/// The values of those that were asked about.
fn values(answer: Answer, whose: &Whose, query: &PrometheusQuery) -> Result<Vec<Value>, SenseError> {
    let nameless = |labels: &BTreeMap<String, String>| !labels.contains_key(&query.label);
    if let Whose::ByLabel { label, .. } = whose
        && !answer.samples.is_empty()
        && answer.samples.iter().all(|sample| nameless(&sample.labels))
    {
        return Err(SenseError::Unusable(format!(
            "what {} answers has no label {label:?} that tells hosts apart; sum by ({label}), or name another label",
            query.url
        )));
    }
    let own = answer.samples.into_iter().filter_map(|sample| {
        let member = whose.member(&sample.labels)?.clone();
        let labels = sample.labels.iter().map(|(name, value)| format!("{name}={value:?}"));
        Some(Value { member, series: labels.collect::<Vec<_>>().join(","), value: sample.value })
    });
    Ok(own.collect())
}
