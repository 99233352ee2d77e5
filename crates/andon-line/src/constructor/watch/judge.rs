//! `judge(...)`: the rules by which a release is judged while it spreads.

use std::time::Duration;

use andon_core::analysis::Policy;
use andon_core::line::WatchRules;
use andon_core::quantity::format_duration;

use crate::call::Call;
use crate::kind::Kind;
use crate::schema::{Constructor, Default, Parameter};
use crate::value::Thing;

const UP_TO_AN_HOUR: Kind = Kind::SpanUpTo { most: Duration::from_secs(3_600) };
const UP_TO_A_DAY: Kind = Kind::SpanUpTo { most: Duration::from_secs(86_400) };
const POLICY: Kind = Kind::Choice(&["proceed", "hold", "rollback"]);
const TICKS: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(60);

pub(crate) const JUDGE: Constructor = Constructor {
    name: "judge",
    summary: "The rules by which new is compared with old while a release spreads.",
    details: "A stage is the time between two waves. It ends with a verdict: harm was seen, harm to every critical number was \
              excluded, or neither could be known in the time of the window.",
    example: "judge(false_alarm_in = 500, window = \"30m\", inconclusive = \"hold\")",
    positional: 0,
    parameters: &[
        Parameter {
            name: "false_alarm_in",
            kind: Kind::Number { min: 20, max: 1_000_000 },
            default: Default::Is("1000"),
            doc: "At most about one harmless release in so many is put back. More means slower.",
        },
        Parameter {
            name: "tick",
            kind: Kind::Span { zero: false },
            default: Default::Absent,
            doc: "The time between two looks, from 1s to 1m. Otherwise 1s up to 100 hosts, 2s up to 500, and 5s beyond.",
        },
        parameter(
            "warmup",
            UP_TO_AN_HOUR,
            "\"60s\"",
            "How long a host that was just changed is not compared yet.",
        ),
        parameter("observe", UP_TO_A_DAY, "\"2m\"", "The shortest time of comparing before a stage passes."),
        parameter("window", UP_TO_A_DAY, "\"15m\"", "The longest time of a stage without a verdict."),
        parameter("extensions", Kind::Number { min: 0, max: 10 }, "0", "How often the window is extended."),
        Parameter {
            name: "inconclusive",
            kind: POLICY,
            default: Default::Absent,
            doc: "What follows when the window is over and nothing is known. Otherwise \"hold\" where a number of your own is \
                  critical, and \"proceed\" elsewhere.",
        },
        parameter("no_data", POLICY, "\"hold\"", "What follows when nothing could be seen at all."),
        parameter(
            "holdback",
            UP_TO_A_DAY,
            "\"10m\"",
            "How long a few hosts stay on the old release after all others have changed; \"0s\" for not at all.",
        ),
    ],
    build,
};

const fn parameter(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Parameter {
    Parameter { name, kind, default: Default::Is(default), doc }
}

fn build(call: &Call<'_>) -> Option<Thing> {
    let tick = call.span("tick");
    if let Some(tick) = tick.filter(|tick| !TICKS.contains(tick)) {
        let message = format!("a tick is from 1 s to 1 min, got {}", format_duration(tick));
        call.error(call.place_of("tick"), message);
    }
    let (observe, window) = (call.span("observe"), call.span("window"));
    if let (Some(observe), Some(window)) = (observe, window)
        && window <= observe
    {
        let said = if call.says("window") { "window" } else { "observe" };
        let message = format!(
            "a stage takes at least {} and at most {}: it could never pass",
            format_duration(observe),
            format_duration(window)
        );
        let error = call.error_at(call.place_of(said), message);
        call.notebook.record(error.help("make `window` longer than `observe`"));
    }
    let count = |name| call.number(name).and_then(|number| u32::try_from(number).ok());
    Some(Thing::Judge(WatchRules {
        false_alarm_in: count("false_alarm_in")?,
        tick,
        warmup: call.span("warmup")?,
        observe: observe?,
        window: window?,
        extensions: count("extensions")?,
        inconclusive: policy(call, "inconclusive"),
        no_data: policy(call, "no_data")?,
        holdback: call.span("holdback")?,
    }))
}

fn policy(call: &Call<'_>, name: &str) -> Option<Policy> {
    Some(match call.text(name)? {
        "hold" => Policy::Hold,
        "rollback" => Policy::RollBack,
        _ => Policy::Proceed,
    })
}
