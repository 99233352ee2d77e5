//! `rollout(...)`: how a release spreads.

use andon_core::line::{OnConflict, Rollout};
use std::time::Duration;

use crate::call::Call;
use crate::kind::{Given, Kind};
use crate::schema::{Constructor, Default, Parameter};
use crate::value::Thing;

const POSITIVE_SHARE: Kind = Kind::Share { zero: false };
const ANY_SHARE: Kind = Kind::Share { zero: true };
const POSITIVE_SPAN: Kind = Kind::Span { zero: false };
const ANY_SPAN: Kind = Kind::Span { zero: true };
const UP_TO_AN_HOUR: Kind = Kind::SpanUpTo { most: Duration::from_secs(3_600) };

pub(crate) const ROLLOUT: Constructor = Constructor {
    name: "rollout",
    summary: "How a release spreads over the hosts of an environment.",
    details: "Shares are numbers of hosts (`2`) or parts of the environment (`\"25%\"`).",
    example: "rollout(waves = [1, \"25%\", \"100%\"], max_parallel = \"20%\", bake = \"2m\")",
    positional: 0,
    parameters: &[
        parameter("waves", Kind::List(&POSITIVE_SHARE), r#"[1, "10%", "25%", "100%"]"#, WAVES),
        parameter(
            "max_parallel",
            POSITIVE_SHARE,
            "\"10%\"",
            "Hosts that are changed at once within a wave, at least 1.",
        ),
        Parameter {
            name: "min_available",
            kind: ANY_SHARE,
            default: Default::Absent,
            doc: "Hosts that must serve at every instant. Otherwise 75%, but never so many that no host could be changed.",
        },
        parameter(
            "max_failed",
            ANY_SHARE,
            "\"5%\"",
            "Failed hosts that are borne over the whole run; none in the first wave.",
        ),
        parameter(
            "max_unreachable",
            ANY_SHARE,
            "\"5%\"",
            "Unreachable hosts that are borne over the whole run.",
        ),
        parameter(
            "correlated_failures",
            Kind::Number { min: 1, max: 1_000 },
            "2",
            "So many hosts failing at the same step mean a bad release, not bad hosts.",
        ),
        parameter(
            "by_site",
            Kind::Flag,
            "False",
            "Site by site: all hosts of a site are taken out, changed, tested and put back before the next. Environments \
             whose hosts stand in no site are released as without it.",
        ),
        parameter(
            "drain_timeout",
            UP_TO_AN_HOUR,
            "\"30s\"",
            "How long what is under way on a host that is taken out of its balancers may take to end; then it is cut.",
        ),
        parameter(
            "slow_start",
            UP_TO_AN_HOUR,
            "\"0s\"",
            "The time in which a host that comes back gets its full share of traffic, in growing steps.",
        ),
        parameter(
            "healthy_deadline",
            POSITIVE_SPAN,
            "\"5m\"",
            "How long a changed host may take to become healthy.",
        ),
        parameter(
            "min_healthy_time",
            ANY_SPAN,
            "\"10s\"",
            "How long a changed host must stay healthy before it counts.",
        ),
        parameter(
            "progress_deadline",
            POSITIVE_SPAN,
            "\"10m\"",
            "The longest time without any host succeeding; then the deployment is put back.",
        ),
        parameter("step_timeout", POSITIVE_SPAN, "\"10m\"", "The longest time for one step on one host."),
        parameter(
            "reconnect_window",
            ANY_SPAN,
            "\"150s\"",
            "How long a lost host is called again before it counts as unreachable.",
        ),
        parameter("bake", ANY_SPAN, "\"5m\"", "How long all hosts are watched after the last wave."),
        parameter("auto_rollback", Kind::Flag, "True", "Put everything back when the release fails."),
        parameter(
            "on_conflict",
            Kind::Choice(&["queue", "reject", "supersede"]),
            "\"queue\"",
            "What a second deployment of the service does: wait, be refused, or take over at the next safe point.",
        ),
        parameter(
            "keep_releases",
            Kind::Number { min: 1, max: 1_000 },
            "5",
            "Good releases that a host keeps beside the current one.",
        ),
    ],
    build,
};

const WAVES: &str = "Sizes of the waves; the last one takes all hosts that remain.";

const fn parameter(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Parameter {
    Parameter { name, kind, default: Default::Is(default), doc }
}

fn build(call: &Call<'_>) -> Option<Thing> {
    if call.given("waves").is_some() && call.list("waves").is_empty() {
        let error = call.error_at(call.place_of("waves"), "a rollout has at least one wave");
        call.notebook.record(error.help("write `waves = [\"100%\"]` for all hosts in one"));
    }
    let span = |name| call.span(name).unwrap_or(Duration::ZERO);
    let share = |name| call.share(name).unwrap_or(andon_core::quantity::Share::Hosts(1));
    let count = |name| call.number(name).and_then(|number| u32::try_from(number).ok()).unwrap_or(1);
    let rollout = Rollout {
        by_site: call.flag("by_site").unwrap_or_default(),
        drain_timeout: span("drain_timeout"),
        slow_start: span("slow_start"),
        waves: call.list("waves").iter().filter_map(Given::share).collect(),
        max_parallel: share("max_parallel"),
        min_available: call.share("min_available"),
        max_failed: share("max_failed"),
        max_unreachable: share("max_unreachable"),
        correlated_failures: count("correlated_failures"),
        healthy_deadline: span("healthy_deadline"),
        min_healthy_time: span("min_healthy_time"),
        progress_deadline: span("progress_deadline"),
        step_timeout: span("step_timeout"),
        reconnect_window: span("reconnect_window"),
        bake: span("bake"),
        auto_rollback: call.flag("auto_rollback").unwrap_or(true),
        on_conflict: match call.text("on_conflict") {
            Some("reject") => OnConflict::Reject,
            Some("supersede") => OnConflict::Supersede,
            _ => OnConflict::Queue,
        },
        keep_releases: count("keep_releases"),
    };
    Some(Thing::Rollout(rollout))
}
