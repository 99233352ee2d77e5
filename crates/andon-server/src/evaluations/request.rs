//! What a caller asks for: two groups, what they are compared by, and the rules. Parsed once, checked whole.

use std::collections::BTreeSet;
use std::time::Duration;

use andon_core::analysis::{Measure, Metric, Policy, Role, Spec, Worse};
use andon_core::digest::Digest;
use andon_core::line::{PrometheusQuery, Source, Watched};
use andon_core::name::{HostName, MetricName};
use andon_core::quantity::parse_duration;
use serde::{Deserialize, Serialize};

use super::EvaluationId;
use crate::senses::{Arms, Matchers};

/// Metrics of one evaluation.
const MOST_METRICS: usize = 50;
/// Hosts of one group.
const MOST_HOSTS: usize = 2_000;
/// The longest query, in bytes.
const LONGEST_QUERY: usize = 8 * 1024;
/// The longest address, label or value, in bytes.
const LONGEST_WORD: usize = 1024;
/// How often growth is taken where the request doesn't say: the usual time between two scrapes.
const EVERY: Duration = Duration::from_secs(15);
/// A nominal error probability is so many times the false alarms that come of it: see `docs/design`.
const NOMINAL: f64 = 5.0;

/// What a caller asks for. Two requests that say the same are the same, however they are written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The caller's name for it.
    pub id: EvaluationId,
    /// Those on the new release; needed where metrics have queries.
    pub canary: Option<Group>,
    /// Those on the old release, at the same moment.
    pub control: Option<Group>,
    /// The label that tells hosts apart; `instance` without it.
    pub label: Option<String>,
    /// The value of the label for a host, without a port, where `{host}` stands for its name; the name without it.
    pub value: Option<String>,
    /// What they are compared by.
    pub metrics: Vec<AskedMetric>,
    /// The rules.
    #[serde(default)]
    pub rules: Rules,
}

/// A group of instances: one of the two. Hosts are members each; what matchers select is one member as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Label matchers as PromQL writes them between braces: `version="2",app="www"`.
    pub matcher: Option<String>,
    /// Hosts by name.
    pub hosts: Option<Vec<HostName>>,
}

/// What kind of number a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Failed requests of all requests; the hard guards look at it.
    Errors,
    /// Slow responses of all responses.
    Slow,
    /// Any other events, of opportunities or of time.
    Count,
    /// A level.
    Level,
}

/// One number that the groups are compared by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedMetric {
    /// Its name.
    pub name: MetricName,
    /// PromQL for a counter of events, or for a level; `{members}` stands for the matchers of a group. Without it the
    /// caller tells the numbers itself.
    pub query: Option<String>,
    /// PromQL for a counter of opportunities; time without it.
    pub of: Option<String>,
    /// Where the Prometheus server answers.
    pub url: Option<String>,
    /// How often growth is taken, a whole multiple of the time between two scrapes; 15 s without it.
    pub every: Option<String>,
    /// What it is.
    #[serde(default = "count")]
    pub kind: Kind,
    /// Which change is harm.
    #[serde(default = "higher")]
    pub worse: Worse,
    /// A pass must exclude harm to it.
    #[serde(default = "yes")]
    pub critical: bool,
    /// The ratio that a pass must exclude; by kind, 1.5 for slow responses and 2 for all else.
    pub harm: Option<f64>,
    /// The smallest ratio that is ever called worse.
    #[serde(default = "margin")]
    pub margin: f64,
    /// Its share of the accusations.
    #[serde(default = "one")]
    pub weight: f64,
}

fn count() -> Kind {
    Kind::Count
}

fn higher() -> Worse {
    Worse::Higher
}

fn yes() -> bool {
    true
}

fn margin() -> f64 {
    1.1
}

fn one() -> f64 {
    1.0
}

/// The rules, each as in [`Spec::new`] where it is left out. Spans are written as in a line: `"30s"`, `"5m"`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// The time between two looks: 1 s to 5 min.
    pub tick: Option<String>,
    /// How long a canary is not compared yet: at most 1 h.
    pub warmup: Option<String>,
    /// The shortest time of comparing before a pass.
    pub observe: Option<String>,
    /// The longest time without a verdict: 10 s to 7 days.
    pub window: Option<String>,
    /// How often the window is extended: at most 10.
    pub extensions: Option<u32>,
    /// The nominal probability of a false accusation.
    pub alpha: Option<f64>,
    /// At most about one harmless release in so many is accused; instead of `alpha`.
    pub false_alarm_in: Option<u32>,
    /// The probability that a harmful release passes.
    pub beta: Option<f64>,
    /// What follows when the window is over and nothing is known.
    pub inconclusive: Option<Policy>,
    /// What follows when nothing could be seen.
    pub no_data: Option<Policy>,
}

impl Request {
    /// BLAKE3 of what it means: the same for all requests that are judged alike. `spec` is what [`Request::spec`] says.
    pub fn digest(&self, spec: &Spec) -> Digest {
        let sources: Vec<_> = self
            .metrics
            .iter()
            .map(|metric| (&metric.query, &metric.of, &metric.url, &metric.every))
            .collect();
        let meaning = (&self.id, &self.canary, &self.control, &self.label, &self.value, sources, spec);
        // Everything in it has an order, so what is equal has equal text.
        Digest::of(&serde_json::to_vec(&meaning).unwrap_or_default())
    }

    /// Whether the numbers come from queries; otherwise the caller tells them.
    pub fn is_asked(&self) -> bool {
        self.metrics.iter().any(|metric| metric.query.is_some())
    }

    /// Checks everything that its types don't, and makes the rules of it.
    ///
    /// # Errors
    /// What is wrong, as a sentence that names the field.
    pub fn spec(&self) -> Result<Spec, String> {
        if !(1..=MOST_METRICS).contains(&self.metrics.len()) {
            return Err(format!("metrics: there are 1 to {MOST_METRICS}, here {}", self.metrics.len()));
        }
        let mut names = BTreeSet::new();
        let mut metrics = Vec::new();
        for asked in &self.metrics {
            if !names.insert(&asked.name) {
                return Err(format!("metrics: {} is there twice", asked.name));
            }
            let wrong = |what: String| format!("metric {}: {what}", asked.name);
            metrics.push(asked.metric().map_err(wrong)?);
            asked.check_source(self.is_asked()).map_err(wrong)?;
        }
        if !metrics.iter().any(|metric| metric.critical) {
            return Err("metrics: at least one is critical, or nothing could ever pass".to_owned());
        }
        self.check_groups()?;
        self.rules.fill(Spec::new(metrics))
    }

    /// Who is compared with whom.
    ///
    /// # Errors
    /// As [`Request::spec`].
    pub fn arms(&self) -> Result<Arms, String> {
        let group = |name: &str, group: &Option<Group>| match group {
            Some(group) => group.side().map_err(|what| format!("{name}: {what}")),
            None => Err(format!("{name}: metrics with a query need a group to ask about")),
        };
        match (group("canary", &self.canary)?, group("control", &self.control)?) {
            (Side::Hosts(canary), Side::Hosts(control)) => match canary.intersection(&control).next() {
                Some(both) => Err(format!("{both} is in canary and in control")),
                None => Ok(Arms::Hosts { canary, control }),
            },
            (Side::Labels(canary), Side::Labels(control)) if canary == control => {
                Err("canary and control have the same matcher".to_owned())
            }
            (Side::Labels(canary), Side::Labels(control)) => Ok(Arms::Labels { canary, control }),
            _ => Err("canary and control are both hosts, or both a matcher".to_owned()),
        }
    }

    fn check_groups(&self) -> Result<(), String> {
        if self.is_asked() {
            self.arms()?;
        }
        for (name, word) in [("label", &self.label), ("value", &self.value)] {
            short(name, word.as_deref())?;
        }
        let label = |label: &String| {
            let mut all = label.chars();
            all.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
                && all.all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        match &self.label {
            Some(text) if !label(text) => Err(format!("label: {text:?} is no name of a label")),
            _ => Ok(()),
        }
    }

    /// What is asked, and where; nothing where the caller tells the numbers. `spec` is what [`Request::spec`] says.
    pub fn watched(&self, spec: &Spec) -> Vec<Watched> {
        let both = self.metrics.iter().zip(&spec.metrics);
        let watched = |(asked, metric): (&AskedMetric, &Metric)| {
            let every = asked.every.as_deref().and_then(|text| parse_duration(text).ok());
            Some(Watched {
                metric: metric.clone(),
                source: Source::Prometheus(PrometheusQuery {
                    url: asked.url.clone()?,
                    query: asked.query.clone()?,
                    of: asked.of.clone(),
                    label: self.label.clone().unwrap_or_else(|| "instance".to_owned()),
                    value: self.value.clone().unwrap_or_else(|| "{host}".to_owned()),
                    token_file: None,
                    every: every.unwrap_or(EVERY),
                }),
            })
        };
        both.filter_map(watched).collect()
    }
}

fn short(name: &str, text: Option<&str>) -> Result<(), String> {
    match text {
        Some(text) if text.len() > LONGEST_WORD => {
            Err(format!("{name}: it is longer than {LONGEST_WORD} bytes"))
        }
        _ => Ok(()),
    }
}

/// One side of the comparison.
enum Side {
    Hosts(BTreeSet<HostName>),
    Labels(Matchers),
}

impl Group {
    fn side(&self) -> Result<Side, String> {
        match (&self.matcher, &self.hosts) {
            (Some(matcher), None) => {
                Matchers::new(matcher).map(Side::Labels).map_err(|error| error.to_string())
            }
            (None, Some(hosts)) if !(1..=MOST_HOSTS).contains(&hosts.len()) => {
                Err(format!("there are 1 to {MOST_HOSTS} hosts, here {}", hosts.len()))
            }
            (None, Some(hosts)) => Ok(Side::Hosts(hosts.iter().cloned().collect())),
            (None, None) | (Some(_), Some(_)) => Err("say either matcher or hosts".to_owned()),
        }
    }
}

impl AskedMetric {
    fn metric(&self) -> Result<Metric, String> {
        let (measure, role) = match self.kind {
            Kind::Errors => (Measure::Rate, Role::Errors),
            Kind::Slow => (Measure::Rate, Role::Slow),
            Kind::Count => (Measure::Rate, Role::Other),
            Kind::Level => (Measure::Level, Role::Other),
        };
        let usual: f64 = if self.kind == Kind::Slow { 1.5 } else { 2.0 };
        let harm = self.harm.unwrap_or(usual.max(self.margin * 1.1));
        if !(1.0..=1000.0).contains(&self.margin) {
            return Err(format!("margin is between 1 and 1000, not {}", self.margin));
        }
        if !(harm > self.margin && harm <= 1000.0) {
            return Err(format!(
                "harm is greater than margin, {}, and at most 1000; here it is {harm}",
                self.margin
            ));
        }
        if !(self.weight > 0.0 && self.weight <= 1e6) {
            return Err(format!("weight is greater than 0 and at most 1000000, not {}", self.weight));
        }
        Ok(Metric {
            name: self.name.clone(),
            measure,
            worse: self.worse,
            role,
            weight: self.weight,
            critical: self.critical,
            margin: self.margin,
            harm,
        })
    }

    fn check_source(&self, asked: bool) -> Result<(), String> {
        for (name, query) in [("query", &self.query), ("of", &self.of)] {
            match query {
                Some(text) if text.len() > LONGEST_QUERY => {
                    return Err(format!("{name} is longer than {LONGEST_QUERY} bytes"));
                }
                Some(text) if !text.contains("{members}") => {
                    return Err(format!(
                        "{name} lacks {{members}}, which stands for the matchers of a group"
                    ));
                }
                _ => {}
            }
        }
        short("url", self.url.as_deref())?;
        if let Some(text) = &self.every {
            let span = parse_duration(text).map_err(|error| format!("every: {error}"))?;
            if !(Duration::from_secs(1)..=Duration::from_secs(300)).contains(&span) {
                return Err(format!("every is between 1s and 5m, not {text}"));
            }
        }
        let http = |url: &String| url.starts_with("http://") || url.starts_with("https://");
        match (&self.query, &self.url) {
            (Some(_), None) => Err("url is missing: where does Prometheus answer?".to_owned()),
            (Some(_), Some(url)) if !http(url) => Err("url begins with http:// or https://".to_owned()),
            (None, _) if asked => Err("query is missing; either all metrics have one, or none".to_owned()),
            (None, _) if self.of.is_some() || self.url.is_some() || self.every.is_some() => {
                Err("of, url and every need a query".to_owned())
            }
            (Some(_), Some(_)) if self.kind == Kind::Level && self.of.is_some() => {
                Err("a level is not of anything".to_owned())
            }
            (Some(_), Some(_)) | (None, _) => Ok(()),
        }
    }
}

impl Rules {
    fn fill(&self, mut spec: Spec) -> Result<Spec, String> {
        let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3600));
        let set = |name: &str, text: &Option<String>, from: Duration, to: Duration, span: &mut Duration| {
            let Some(text) = text else { return Ok(()) };
            *span = parse_duration(text).map_err(|error| format!("rules: {name}: {error}"))?;
            if (from..=to).contains(span) {
                Ok(())
            } else {
                Err(format!("rules: {name} is out of bounds: {text}"))
            }
        };
        set("tick", &self.tick, second, hour / 12, &mut spec.tick)?;
        set("warmup", &self.warmup, Duration::ZERO, hour, &mut spec.warmup)?;
        set("observe", &self.observe, Duration::ZERO, hour * 24, &mut spec.observe)?;
        set("window", &self.window, second * 10, hour * 24 * 7, &mut spec.window)?;
        spec.extensions = self.extensions.unwrap_or(spec.extensions);
        if spec.extensions > 10 {
            return Err(format!("rules: extensions is at most 10, not {}", spec.extensions));
        }
        match (self.alpha, self.false_alarm_in) {
            (Some(_), Some(_)) => return Err("rules: say either alpha or false_alarm_in".to_owned()),
            (Some(alpha), None) => spec.alpha = alpha,
            (None, Some(one_in)) => spec.alpha = NOMINAL / f64::from(one_in.max(1)),
            (None, None) => {}
        }
        spec.beta = self.beta.unwrap_or(spec.beta);
        for (name, share) in [("alpha", spec.alpha), ("beta", spec.beta)] {
            if !(1e-9..=0.5).contains(&share) {
                return Err(format!("rules: {name} is between 0 and 0.5, not {share}"));
            }
        }
        spec.inconclusive = self.inconclusive.unwrap_or(spec.inconclusive);
        spec.no_data = self.no_data.unwrap_or(spec.no_data);
        Ok(spec)
    }
}
