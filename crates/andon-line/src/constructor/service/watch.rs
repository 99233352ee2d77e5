//! What a service says about how its releases are watched: numbers that fit together, each once.

use std::collections::BTreeMap;

use andon_core::line::{Watch, WatchRules};
use andon_core::name::MetricName;

use super::super::watch::{Look, usual};
use super::traffic::{Named, has_balancer};
use crate::call::Call;
use crate::kind::Kind;
use crate::schema::{Default, Parameter};
use crate::source::Place;
use crate::value::{Sort, Thing};

/// Numbers that one service may be watched by.
const MOST_NUMBERS: usize = 64;

pub(super) const WATCH: Parameter = Parameter {
    name: "watch",
    kind: Kind::List(&Kind::Made(&[Sort::Look])),
    default: Default::Absent,
    doc: "What releases are judged by while they spread, new against old; `[]` for health checks and tests alone. Otherwise `[errors(), latency(), vitals()]` where a balancer counts requests, `[vitals()]` behind one that does not, and `[]` without any.",
};
pub(super) const JUDGE: Parameter = Parameter {
    name: "judge",
    kind: Kind::Made(&[Sort::Judge]),
    default: Default::Absent,
    doc: "The rules of judging. Otherwise `judge()`.",
};

/// What releases are watched by: `None` where the line does not say it and no balancer is named.
pub(super) fn watch(call: &Call<'_>, balancers: &[Named]) -> Option<Watch> {
    let rules = match call.made("judge").map(|made| &made.thing) {
        Some(Thing::Judge(rules)) => Some(rules.clone()),
        _ => None,
    };
    let balanced = has_balancer(call);
    // Of one that is wrong, that is told elsewhere.
    let unknown = call.is_broken("balancer") || balancers.is_empty();
    let counted = balanced && (unknown || balancers.iter().any(|named| named.balancer.kind.counts()));
    if call.says("watch") {
        if call.list("watch").is_empty() && !call.is_broken("watch") && call.says("judge") {
            let error = call
                .error_at(call.place_of("judge"), "there is nothing to judge by, because nothing is watched");
            call.notebook.record(error.help("list numbers in `watch`, or leave it out"));
        }
        return Some(said(call, balanced, counted, rules.unwrap_or_default()));
    }
    if call.says("judge") || balanced {
        let rules = rules.unwrap_or_default();
        return Some(usual(counted).into_iter().fold(nothing(rules), |watch, look| with(watch, &look)));
    }
    None
}

fn nothing(rules: WatchRules) -> Watch {
    Watch { metrics: Vec::new(), vitals: false, rules }
}

fn with(mut watch: Watch, look: &Look) -> Watch {
    match look {
        Look::Vitals => watch.vitals = true,
        Look::Numbers(numbers) => watch.metrics.extend(numbers.iter().cloned()),
    }
    watch
}

fn said(call: &Call<'_>, balanced: bool, counted: bool, rules: WatchRules) -> Watch {
    let mut watch = nothing(rules);
    let mut first: BTreeMap<MetricName, Place> = BTreeMap::new();
    for given in call.list("watch") {
        let Some(Thing::Look(look)) = given.made().map(|made| &made.thing) else { continue };
        let numbers = match look {
            Look::Vitals if watch.vitals => {
                call.error(given.place, "`vitals()` is listed twice");
                continue;
            }
            Look::Vitals => [].as_slice(),
            Look::Numbers(numbers) => numbers,
        };
        if !counted && numbers.iter().any(|one| one.source.is_balancers()) {
            let (message, help) = if balanced {
                (
                    "balancers count this, and none of the service's does",
                    "`agent_check` sees no requests, nor does `nginx` without a log: watch what another source counts",
                )
            } else {
                (
                    "balancers count this, and the service has none",
                    "add `balancer = ...`, or watch what another source counts",
                )
            };
            call.notebook.record(call.error_at(given.place, message).help(help));
        }
        for name in numbers.iter().map(|one| &one.metric.name) {
            if let Some(other) = first.insert(name.clone(), given.place) {
                let error = call.error_at(given.place, format!("two numbers are called {name}"));
                let related = call.notebook.location(other);
                call.notebook
                    .record(error.related(related, "the other one").help("each needs a name of its own"));
            }
        }
        call.notebook.charge(512 * numbers.len());
        watch = with(watch, look);
    }
    if watch.metrics.len() > MOST_NUMBERS {
        let message = format!("{} numbers are watched, at most {MOST_NUMBERS} can be", watch.metrics.len());
        let error = call.error_at(call.place_of("watch"), message);
        call.notebook.record(error.help("every number makes the judgement of the others slower"));
    }
    watch
}
