//! `health(...)`: a probe that is asked again and again.

use std::time::Duration;

use andon_core::line::Health;

use crate::call::Call;
use crate::kind::Kind;
use crate::schema::{Constructor, Default, Parameter};
use crate::value::{Question, Sort, Thing};

/// Time for one answer unless the line says otherwise.
const TIMEOUT: &str = "\"5s\"";

pub(crate) const HEALTH: Constructor = Constructor {
    name: "health",
    summary: "A probe that is asked again and again: is the instance up?",
    details: "A service also takes a bare probe as its `health`; then everything else has its default.",
    example: "health(http(\"/healthz\"), interval = \"2s\", in_a_row = 2)",
    positional: 1,
    parameters: &[
        Parameter {
            name: "probe",
            kind: Kind::Made(&[Sort::Probe]),
            default: Default::Required,
            doc: "The question.",
        },
        Parameter {
            name: "interval",
            kind: Kind::Span { zero: false },
            default: Default::Is("\"1s\""),
            doc: "Time between two questions.",
        },
        Parameter {
            name: "timeout",
            kind: Kind::Span { zero: false },
            default: Default::Is(TIMEOUT),
            doc: "Time for one answer.",
        },
        Parameter {
            name: "in_a_row",
            kind: Kind::Number { min: 1, max: 100 },
            default: Default::Is("3"),
            doc: "Passes in a row until an instance counts as healthy, and failures until it counts as sick.",
        },
    ],
    build,
};

fn build(call: &Call<'_>) -> Option<Thing> {
    let Thing::Probe(question) = &call.made("probe")?.thing else { return None };
    if question.timeout.is_some() && call.says("timeout") {
        let message = "the timeout is said twice, by the probe and by the health check";
        call.notebook.record(call.error_at(call.place_of("timeout"), message).help("leave one of them out"));
    }
    let asked = bare(question)?;
    Some(Thing::Health(Health {
        probe: asked.probe,
        interval: call.span("interval")?,
        timeout: question.timeout.or_else(|| call.span("timeout"))?,
        in_a_row: call.number("in_a_row").and_then(|number| u32::try_from(number).ok())?,
    }))
}

/// What a bare probe means as a health check.
pub(super) fn bare(question: &Question) -> Option<Health> {
    let default = |name: &str| match HEALTH.parameter(name)?.default {
        Default::Is(text) => HEALTH.parameter(name)?.kind.read_default(text),
        Default::Required | Default::Absent => None,
    };
    let span = |name: &str| match default(name)? {
        crate::kind::Argument::Span(span) => Some(span),
        _ => None,
    };
    let crate::kind::Argument::Number(in_a_row) = default("in_a_row")? else { return None };
    let timeout: Duration = question.timeout.map_or_else(|| span("timeout"), Some)?;
    let in_a_row = u32::try_from(in_a_row).ok()?;
    Some(Health { probe: question.probe.clone(), interval: span("interval")?, timeout, in_a_row })
}
