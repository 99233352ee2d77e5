//! Senses: numbers of hosts that no balancer knows, from wherever people keep them.
//!
//! Every source is bounded in size and time, and asked beside the others. One that is slow, silent or wrong costs its
//! own numbers and nothing else: they are missing, and a sentence says why. What is missing never becomes nought.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use andon_core::analysis::Reading;
use andon_core::line::Watched;
use andon_core::name::{HostName, MemberName};
use tokio::time::Instant;

pub use arms::{Arms, Matchers, MatchersError};
pub use prometheus::{Answer, Prometheus, Sample, SenseError};
pub use pushed::{PushError, PushReceiver, Pushed};
use sense::Sense;

mod arms;
pub mod exposition;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod growth;
pub mod prometheus;
pub mod pushed;
mod script;
mod sense;
mod statsd;

/// How long a look waits for sources that were just asked. Who answers later is heard in a later look.
const MOMENT: Duration = Duration::from_millis(800);

/// The senses of one analysis.
#[derive(Debug)]
pub struct Senses {
    senses: Vec<Option<Sense>>,
}

/// What was seen in one look.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Look {
    /// For each number, in the order in which they are watched: what was heard of each member since the last look. Who
    /// is absent was not heard. Numbers that balancers count are empty.
    ///
    /// Between two readings of a source its counts are nought out of nought, and its levels those of the last reading.
    pub readings: Vec<BTreeMap<MemberName, Reading>>,
    /// What the sources that failed said: a sentence for each.
    pub silent: Vec<String>,
}

impl Look {
    /// What was heard of a number, by its place among all, on one member.
    pub fn reading(&self, number: usize, member: &MemberName) -> Reading {
        self.readings.get(number).and_then(|all| all.get(member)).copied().unwrap_or(Reading::Missing)
    }
}

impl Senses {
    /// Senses for all of `watched` that come from outside of the balancers. Commands are started in `directory`, that
    /// of the line; `data` is the directory of the controller.
    pub fn new(watched: &[Watched], directory: &Path, data: &Path) -> Self {
        let pushed = Arc::new(Mutex::new(Pushed::open(&pushed::directory(data))));
        let places = sense::Places { directory: directory.to_owned(), pushed };
        Self { senses: watched.iter().map(|watched| Sense::new(watched, &places)).collect() }
    }

    /// Whether there is anything to ask.
    pub fn is_empty(&self) -> bool {
        self.senses.iter().all(Option::is_none)
    }

    /// Asks all sources whose time has come, and says what was heard since the last look. Returns within a second,
    /// whatever the sources do.
    ///
    /// `requests` are those that balancers have counted since the last look for each host: what counts without an `of`
    /// are parts of. Hosts whose balancers are silent are absent. `None` where there are no balancers: then counts are
    /// parts of the time in milliseconds.
    pub async fn look(&mut self, arms: &Arms, requests: Option<&BTreeMap<HostName, u64>>) -> Look {
        let now = Instant::now();
        for sense in self.senses.iter_mut().flatten() {
            sense.hear_requests(requests);
            sense.ask(now, arms);
        }
        let deadline = now + MOMENT;
        let mut look = Look::default();
        for sense in &mut self.senses {
            let mut readings = BTreeMap::new();
            if let Some(sense) = sense {
                sense.wait(deadline).await;
                readings = sense.readings();
                look.silent.extend(sense.complaint());
            }
            look.readings.push(readings);
        }
        look
    }
}
