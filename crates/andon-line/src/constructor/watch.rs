//! `errors(...)`, `latency(...)`, `vitals()` and numbers from elsewhere: what releases of a service are watched by.

use andon_core::analysis::{Measure, Metric, Role, Worse};
use andon_core::line::{Source, Watched};
use andon_core::name::MetricName;

use crate::call::Call;
use crate::kind::{Given, Kind};
use crate::schema::{Constructor, Default, Parameter};
use crate::value::Thing;

mod elsewhere;
mod judge;

pub(crate) use elsewhere::{COUNTED, PROMETHEUS, PUSHED};
pub(crate) use judge::JUDGE;

/// What one call of a word for watching describes.
#[derive(Debug, Clone)]
pub(crate) enum Look {
    /// Numbers.
    Numbers(Vec<Watched>),
    /// The processes and their hosts.
    Vitals,
}

/// The largest ratio and the largest weight that a line may name.
const MOST: f64 = 1_000.0;
const RATIO: Kind = Kind::Decimal { min: 1.0, max: MOST };
const QUANTILE: Kind = Kind::Number { min: 1, max: 99 };
/// Failed requests out of all that `errors()` takes for none.
const NEGLIGIBLE: f64 = 0.001;
/// The quantiles of `latency()`.
const QUANTILES: &str = "[90, 99]";

const MARGIN: Parameter = Parameter {
    name: "margin",
    kind: RATIO,
    default: Default::Is("1.1"),
    doc: "The smallest ratio of new to old that is ever called worse.",
};
const WEIGHT: Parameter = Parameter {
    name: "weight",
    kind: Kind::Decimal { min: 0.001, max: MOST },
    default: Default::Is("1"),
    doc: "Its share of the accusations, compared with the weights of the other numbers.",
};

const fn harm(default: &'static str) -> Parameter {
    Parameter {
        name: "harm",
        kind: RATIO,
        default: Default::Is(default),
        doc: "The ratio of new to old that must be excluded before a release passes.",
    }
}

const fn critical(default: &'static str) -> Parameter {
    Parameter {
        name: "critical",
        kind: Kind::Flag,
        default: Default::Is(default),
        doc: "A release passes only when harm to every critical number was excluded.",
    }
}

pub(crate) const ERRORS: Constructor = Constructor {
    name: "errors",
    summary: "Watch failed requests out of all requests, as the balancers count them.",
    details: "Answers with a status of 500 to 599, connections that could not be opened, and answers that were cut short \
              are failures.",
    example: "errors(harm = 1.5)",
    positional: 0,
    parameters: &[
        critical("True"),
        MARGIN,
        harm("2"),
        Parameter {
            name: "negligible",
            kind: Kind::Decimal { min: 0.0, max: 0.5 },
            default: Default::Is("0.001"),
            doc: "The part of all requests that may fail without being called harm, whatever the ratio: a release without \
                  errors passes when so few were excluded.",
        },
        WEIGHT,
    ],
    build: errors,
};

pub(crate) const LATENCY: Constructor = Constructor {
    name: "latency",
    summary: "Watch slow answers out of all answers, as the balancers count them.",
    details: "Slow is what was slower than a quantile of the weeks before, frozen when a deployment begins; one number for \
              each quantile, called `slow-p90` and the like.",
    example: "latency(quantile = 95, critical = True)",
    positional: 0,
    parameters: &[
        Parameter {
            name: "quantile",
            kind: Kind::Either(&[Kind::List(&QUANTILE), QUANTILE]),
            default: Default::Is(QUANTILES),
            doc: "The quantiles, in hundredths.",
        },
        critical("False"),
        MARGIN,
        harm("1.5"),
        WEIGHT,
    ],
    build: latency,
};

pub(crate) const VITALS: Constructor = Constructor {
    name: "vitals",
    summary: "Watch the processes and their hosts: restarts, memory, open files, new exceptions in the log.",
    details: "",
    example: "vitals()",
    positional: 0,
    parameters: &[],
    build: |_| Some(Thing::Look(Look::Vitals)),
};

fn errors(call: &Call<'_>) -> Option<Thing> {
    let metric = metric(call, "errors", Measure::Rate, Worse::Higher, Role::Errors)?;
    Some(Thing::Look(Look::Numbers(vec![Watched { metric, source: Source::Errors }])))
}

fn latency(call: &Call<'_>) -> Option<Thing> {
    let given = call.given("quantile")?;
    let bare = std::slice::from_ref(given);
    let quantiles = if number(given).is_some() { bare } else { call.list("quantile") };
    if quantiles.is_empty() {
        call.error(given.place, "there is at least one quantile");
    }
    let mut watched: Vec<Watched> = Vec::new();
    for quantile in quantiles {
        let Some(number) = number(quantile) else { continue };
        let name = format!("slow-p{number}");
        if watched.iter().any(|other| other.metric.name.as_str() == name) {
            call.error(quantile.place, format!("the quantile {number} is listed twice"));
            continue;
        }
        let metric = metric(call, &name, Measure::Rate, Worse::Higher, Role::Slow)?;
        watched.push(Watched { metric, source: Source::Latency { quantile: number } });
    }
    Some(Thing::Look(Look::Numbers(watched)))
}

fn number(given: &Given) -> Option<u8> {
    match given.argument {
        crate::kind::Argument::Number(number) => u8::try_from(number).ok(),
        _ => None,
    }
}

/// The metric that a call describes; `None` after what is wrong with it was recorded.
fn metric(call: &Call<'_>, name: &str, measure: Measure, worse: Worse, role: Role) -> Option<Metric> {
    let (margin, harm) = (call.decimal("margin"), call.decimal("harm"));
    if let (Some(margin), Some(harm)) = (margin, harm)
        && harm <= margin
    {
        let said = if call.says("harm") { "harm" } else { "margin" };
        let message = format!("harm begins above the margin, but {harm} is not more than {margin}");
        let error = call.error_at(call.place_of(said), message);
        call.notebook
            .record(error.help("`margin` is the smallest difference that counts, `harm` the one to exclude"));
        return None;
    }
    Some(Metric {
        name: MetricName::new(name).ok()?,
        measure,
        worse,
        role,
        weight: call.decimal("weight")?,
        critical: call.flag("critical")?,
        margin: margin?,
        harm: harm?,
        negligible: call.decimal("negligible").unwrap_or(0.0),
    })
}

/// What is watched where a line does not say it: errors, latency and vitals where balancers count, else vitals.
pub(super) fn usual(balanced: bool) -> Vec<Look> {
    let mut looks = vec![Look::Vitals];
    if balanced {
        let slow = [(90, "slow-p90"), (99, "slow-p99")];
        let errors = usual_metric("errors", Role::Errors, true, 2.0);
        let errors = errors.map(|metric| Watched { metric, source: Source::Errors });
        let slow = slow.into_iter().filter_map(|(quantile, name)| {
            let metric = usual_metric(name, Role::Slow, false, 1.5)?;
            Some(Watched { metric, source: Source::Latency { quantile } })
        });
        looks.push(Look::Numbers(errors.into_iter().chain(slow).collect()));
    }
    looks
}

fn usual_metric(name: &str, role: Role, critical: bool, harm: f64) -> Option<Metric> {
    let name = MetricName::new(name).ok()?;
    let (measure, worse) = (Measure::Rate, Worse::Higher);
    let negligible = if role == Role::Errors { NEGLIGIBLE } else { 0.0 };
    Some(Metric { name, measure, worse, role, weight: 1.0, critical, margin: 1.1, harm, negligible })
}
