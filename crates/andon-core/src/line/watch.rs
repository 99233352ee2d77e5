//! What a release is watched by while it spreads, and the rules by which it is judged.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::analysis::{Measure, Metric, Policy, Spec};

/// What a service's releases are judged by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    /// Every number, with where it comes from.
    pub metrics: Vec<Watched>,
    /// Look at the processes and their hosts: restarts, memory, open files, exceptions.
    pub vitals: bool,
    /// The rules.
    pub rules: WatchRules,
}

impl Watch {
    /// Whether it watches nothing at all.
    pub fn is_empty(&self) -> bool {
        self.metrics.is_empty() && !self.vitals
    }

    /// Whether its numbers can let a release pass: at least one counts something. Where none does, restarts and the like
    /// can still fail a release, and waves follow each other as without an analysis.
    pub fn can_pass(&self) -> bool {
        self.metrics.iter().any(|watched| watched.metric.measure == Measure::Rate)
    }

    /// What is left of it in an environment where no balancer counts.
    #[must_use]
    pub fn without_balancers(mut self) -> Self {
        self.metrics.retain(|watched| !watched.source.is_balancers());
        self
    }

    /// What follows when the window is over and nothing is known: what the line says, else a person decides where a
    /// number is watched that the line itself calls critical.
    pub fn inconclusive(&self) -> Policy {
        let critical =
            self.metrics.iter().any(|watched| watched.metric.critical && !watched.source.is_balancers());
        self.rules.inconclusive.unwrap_or(if critical { Policy::Hold } else { Policy::Proceed })
    }

    /// The rules of an analysis of so many hosts.
    pub fn spec(&self, hosts: usize) -> Spec {
        let tick = Duration::from_secs(match hosts {
            0..=100 => 1,
            101..=500 => 2,
            _ => 5,
        });
        Spec {
            tick: self.rules.tick.unwrap_or(tick),
            warmup: self.rules.warmup,
            observe: self.rules.observe,
            window: self.rules.window,
            extensions: self.rules.extensions,
            inconclusive: self.inconclusive(),
            no_data: self.rules.no_data,
            // Calibrated: a nominal 0.005 puts about one harmless release in 1,000 back.
            alpha: (5.0 / f64::from(self.rules.false_alarm_in.max(1))).min(0.05),
            ..Spec::new(self.metrics.iter().map(|watched| watched.metric.clone()).collect())
        }
    }
}

/// One number and where it comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Watched {
    /// What it is.
    pub metric: Metric,
    /// Where it comes from.
    pub source: Source,
}

/// Where a number comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Failed requests out of all requests, as balancers count them.
    Errors,
    /// Responses slower than the historical quantile (in hundredths, 1 to 99) out of all responses, as balancers count
    /// them. Where a balancer has only mean times, the mean.
    Latency {
        /// Which quantile.
        quantile: u8,
    },
    /// A Prometheus server, or what speaks like one.
    Prometheus(PrometheusQuery),
    /// What others push: by name.
    Pushed {
        /// Events.
        name: String,
        /// Opportunities, by name; `None`: the requests that balancers count, or time where there are none.
        of: Option<String>,
        /// How often growth is taken: as often as programs push, or seldomer.
        #[serde(with = "crate::time::millis")]
        every: Duration,
    },
    /// A command on the controller's machine that prints numbers.
    Script {
        /// The command, word by word, started in the directory of the line.
        command: Vec<String>,
        /// How long it may take.
        #[serde(with = "crate::time::millis")]
        timeout: Duration,
        /// How often it is run.
        #[serde(with = "crate::time::millis")]
        every: Duration,
    },
}

impl Source {
    /// Whether it is counted by the balancers of a service.
    pub fn is_balancers(&self) -> bool {
        matches!(self, Source::Errors | Source::Latency { .. })
    }
}

/// Questions to a Prometheus server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrometheusQuery {
    /// Where it answers: `http://prometheus:9090`.
    pub url: String,
    /// PromQL for the events (a counter) or the level. `{members}` stands for a matcher of the hosts of an arm.
    pub query: String,
    /// PromQL for the opportunities; `None` as for [`Source::Pushed`].
    pub of: Option<String>,
    /// The label whose value tells hosts apart.
    pub label: String,
    /// The value of `label` for a host, without a port; `{host}` stands for its name.
    pub value: String,
    /// A file with a bearer token, for servers that ask for one; relative to the directory of the line.
    pub token_file: Option<PathBuf>,
    /// How often growth is taken. A whole multiple of the time between two scrapes: else the hosts, which are scraped
    /// at different moments, would seem to do their work in turns.
    #[serde(with = "crate::time::millis")]
    pub every: Duration,
}

/// The rules by which releases are judged. See [`WatchRules::default`] for the defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WatchRules {
    /// At most about one harmless release in so many is put back.
    pub false_alarm_in: u32,
    /// The time between two looks; `None`: 1 s up to 100 hosts, 2 s up to 500, 5 s beyond.
    #[serde(default, with = "crate::time::optional_millis", skip_serializing_if = "Option::is_none")]
    pub tick: Option<Duration>,
    /// How long a host that was just changed is not compared yet.
    #[serde(with = "crate::time::millis")]
    pub warmup: Duration,
    /// The shortest time of comparing before a stage passes.
    #[serde(with = "crate::time::millis")]
    pub observe: Duration,
    /// The longest time of a stage without a verdict.
    #[serde(with = "crate::time::millis")]
    pub window: Duration,
    /// How often the window is extended.
    pub extensions: u32,
    /// What follows when the window is over and nothing is known; `None`: see [`Watch::inconclusive`].
    pub inconclusive: Option<Policy>,
    /// What follows when nothing could be seen.
    pub no_data: Policy,
    /// How long a few hosts stay on the old release after all others have changed; none for zero.
    #[serde(with = "crate::time::millis")]
    pub holdback: Duration,
}

impl Default for WatchRules {
    fn default() -> Self {
        Self {
            false_alarm_in: 1_000,
            tick: None,
            warmup: Duration::from_secs(60),
            observe: Duration::from_secs(120),
            window: Duration::from_secs(15 * 60),
            extensions: 0,
            inconclusive: None,
            no_data: Policy::Hold,
            holdback: Duration::from_secs(600),
        }
    }
}
