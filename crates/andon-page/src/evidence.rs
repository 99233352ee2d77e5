//! What was seen of a deployment, as charts: the traffic of new and old hosts with every event on it, and each metric as a
//! row. Made of what was recorded; what was not recorded is not shown.

use andon_chart::Room;
use andon_chart::ratio::{Row, Rows};
use andon_chart::traffic::{Event, Traffic};
use andon_core::analysis::{Header, Standing, Worse};
use andon_core::deployment::{Deployment, Fact};
use andon_core::time::Time;
use maud::{Markup, html};

use crate::charts;
use crate::frame::Frame;
pub use flow::Flow;

pub mod flow;
mod told;

/// What was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// The traffic; `None` where no balancer counted it.
    pub traffic: Option<Traffic>,
    /// The metrics; `None` where nothing was compared.
    pub rows: Option<Rows>,
}

impl Evidence {
    /// From what is recorded: the facts of a deployment, what its analysis heard, and how that stands.
    pub fn of<'a>(
        deployment: &Deployment,
        facts: impl Iterator<Item = (Time, &'a Fact)>,
        header: Option<&Header>,
        flow: Flow,
        standing: Option<&Standing>,
        now: Time,
    ) -> Self {
        let from = deployment.started.unwrap_or(deployment.accepted);
        let to = deployment.ended.unwrap_or(now).max(from);
        let waves = deployment.plan.as_ref().map_or(0, |plan| plan.waves.len());
        let events: Vec<Event> = told::events(facts, waves);
        let events = events.into_iter().filter(|event| event.at >= from && event.at <= to).collect();
        let (new, old) = flow.lines();
        let traffic = (!new.is_empty() || !old.is_empty()).then(|| Traffic {
            from,
            to,
            new,
            old,
            unit: "requests per second".to_owned(),
            events,
        });
        let rows = standing.filter(|standing| !standing.metrics.is_empty());
        Self { traffic, rows: rows.map(|standing| rows_of(standing, header)) }
    }
}

/// How each metric stands, with the line beyond which it hurts where the rules are known.
fn rows_of(standing: &Standing, header: Option<&Header>) -> Rows {
    let rules = |name: &str| header?.spec.metrics.iter().find(|metric| metric.name.as_str() == name);
    let row = |metric: &andon_core::analysis::MetricStanding| {
        let harm = rules(metric.name.as_str()).map_or((None, None), |rules| match rules.worse {
            Worse::Higher => (Some(rules.harm), None),
            Worse::Lower => (None, Some(1.0 / rules.harm)),
            Worse::Either => (Some(rules.harm), Some(1.0 / rules.harm)),
        });
        Row {
            name: metric.name.to_string(),
            ratio: metric.ratio,
            low: metric.low,
            high: metric.high,
            harm,
            blamed: metric.blamed,
        }
    };
    Rows { rows: standing.metrics.iter().map(row).collect() }
}

/// The charts; `None` where there is nothing to show.
pub fn render(evidence: &Evidence, frame: &Frame) -> Option<Markup> {
    let traffic = evidence.traffic.as_ref();
    let rows = evidence.rows.as_ref();
    if traffic.is_none() && rows.is_none() {
        return None;
    }
    Some(html! {
        (charts::style())
        @if let Some(traffic) = traffic {
            h3 { "Traffic of new and old hosts" }
            (charts::figure(&traffic.chart(Room::Narrow, &frame.zone), &traffic.chart(Room::Wide, &frame.zone)))
        }
        @if let Some(rows) = rows {
            h3 { "Each metric, new against old" }
            (charts::figure(&rows.chart(Room::Narrow), &rows.chart(Room::Wide)))
        }
    })
}

#[cfg(test)]
mod tests;
