//! *DORA*: the four keys over a span, each with its definition, beside the span before.

use std::time::Duration;

use andon_core::chronicle::Span;
use andon_core::chronicle::dora::{Key, Measures, Spread};
use andon_core::name::{EnvironmentName, ServiceName};
use maud::{Markup, html};

use crate::frame::Frame;
use crate::{assets, when};
use columns::Column;

mod columns;

/// The spans that can be chosen, as days, and what they are called.
pub const SPANS: [(u32, &str); 4] = [(7, "1 week"), (28, "4 weeks"), (91, "13 weeks"), (364, "52 weeks")];

/// What the page shows.
#[derive(Debug, Clone)]
pub struct Dora {
    /// Whether nothing was deployed yet, ever.
    pub empty: bool,
    /// The length of the span in days: one of [`SPANS`].
    pub days: u32,
    /// The span.
    pub span: Span,
    /// Only this environment; `None` for all.
    pub environment: Option<EnvironmentName>,
    /// All that there are.
    pub environments: Vec<EnvironmentName>,
    /// Only this service; `None` for all.
    pub service: Option<ServiceName>,
    /// All that there are.
    pub services: Vec<ServiceName>,
    /// Over the span.
    pub now: Measures,
    /// Over the span before, which is as long.
    pub before: Measures,
    /// The span in equal parts, the oldest first.
    pub parts: Vec<(Span, Measures)>,
    /// Service by service.
    pub by_service: Vec<(ServiceName, Measures)>,
}

impl Dora {
    fn days_now(&self) -> f64 {
        f64::from(self.days.max(1))
    }

    fn what(&self) -> String {
        let all = |name: Option<&str>, all: &str| name.map_or_else(|| all.to_owned(), str::to_owned);
        format!(
            "{} → {}",
            all(self.service.as_ref().map(ServiceName::as_str), "all services"),
            all(self.environment.as_ref().map(EnvironmentName::as_str), "all environments")
        )
    }

    fn span_name(&self) -> String {
        let known = SPANS.iter().find(|(days, _)| *days == self.days);
        known.map_or_else(|| format!("{} days", self.days), |(_, name)| (*name).to_owned())
    }
}

/// The page.
pub fn render(dora: &Dora, frame: &Frame) -> Markup {
    let body = html! {
        link rel="stylesheet" href=(assets::path("insight.css"));
        h1 { "DORA" }
        p.lead {
            "The four keys of how changes reach their users: " (dora.what()) ", the last " (dora.span_name())
            " beside the " (dora.span_name()) " before."
        }
        (choice(dora))
        @if dora.empty {
            p.empty {
                "No deployment yet, so there is nothing to measure. The first one that succeeds appears here: "
                code { "andon deploy SERVICE ENVIRONMENT" } "."
            }
        }
        section #keys data-live {
            div.dora-keys { @for key in Key::ALL { (one(key, dora, frame)) } }
            (services(dora))
        }
    };
    frame.page("DORA", &body)
}

fn choice(dora: &Dora) -> Markup {
    html! {
        form.choose method="get" action="/dora" {
            div { label for="days" { "Span" } select #days name="days" {
                @for (days, name) in SPANS { option value=(days) selected[days == dora.days] { (name) } }
            } }
            div { label for="environment" { "Environment" } select #environment name="environment" {
                option value="" selected[dora.environment.is_none()] { "all" }
                @for name in &dora.environments {
                    option value=(name) selected[dora.environment.as_ref() == Some(name)] { (name) }
                }
            } }
            div { label for="service" { "Service" } select #service name="service" {
                option value="" selected[dora.service.is_none()] { "all" }
                @for name in &dora.services {
                    option value=(name) selected[dora.service.as_ref() == Some(name)] { (name) }
                }
            } }
            button.second { "Show" }
        }
    }
}

fn one(key: Key, dora: &Dora, frame: &Frame) -> Markup {
    let slug = slug(key);
    html! {
        section.dora-key aria-labelledby=(slug) {
            h2 id=(slug) { (key.name()) }
            p.dora-figure { (figure(key, &dora.now, dora.days_now())) }
            p.dora-trend { (trend(key, dora)) }
            (columns::chart(&columns(key, dora, frame), unit(key), &about(key, dora)))
            (detail(key, &dora.now))
            p.dora-definition { (key.definition()) }
        }
    }
}

/// For links and labels.
fn slug(key: Key) -> &'static str {
    match key {
        Key::Frequency => "frequency",
        Key::LeadTime => "lead-time",
        Key::FailureRate => "failure-rate",
        Key::Restore => "restore",
    }
}

fn unit(key: Key) -> &'static str {
    match key {
        Key::Frequency => "deployments",
        Key::LeadTime => "median, hours",
        Key::FailureRate => "% of deployments",
        Key::Restore => "median, minutes",
    }
}

fn figure(key: Key, measures: &Measures, days: f64) -> String {
    match key {
        Key::Frequency => frequency(measures.deployments, days),
        Key::LeadTime => middle(measures.lead),
        Key::FailureRate => percent(measures.failure_rate()),
        Key::Restore => middle(measures.restore),
    }
}

fn middle(spread: Option<Spread>) -> String {
    spread.map_or_else(|| "not known".to_owned(), |spread| when::span(spread.median))
}

/// `3.2 a day`, `2 a week`: the unit in which it is at least one, weeks at most.
fn frequency(count: u32, days: f64) -> String {
    let a_day = f64::from(count) / days;
    match count {
        0 => "none".to_owned(),
        _ if a_day >= 1.0 => format!("{} a day", short(a_day)),
        _ => format!("{} a week", short(a_day * 7.0)),
    }
}

fn short(value: f64) -> String {
    if value >= 10.0 || (value - value.round()).abs() < 0.05 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "not known".to_owned(), |share| format!("{} %", short(share * 100.0)))
}

/// What can be compared, as a number; more is worse but for the frequency.
fn value(key: Key, measures: &Measures) -> Option<f64> {
    let seconds = |spread: Option<Spread>| spread.map(|spread| spread.median.as_secs_f64());
    match key {
        Key::Frequency => Some(f64::from(measures.deployments)),
        Key::LeadTime => seconds(measures.lead),
        Key::FailureRate => measures.failure_rate(),
        Key::Restore => seconds(measures.restore),
    }
}

/// `up from 2.1 a day`.
fn trend(key: Key, dora: &Dora) -> String {
    let before = figure(key, &dora.before, dora.days_now());
    let span = dora.span_name();
    match (value(key, &dora.now), value(key, &dora.before)) {
        (Some(now), Some(was)) if figure(key, &dora.now, dora.days_now()) == before || now == was => {
            format!("the same as in the {span} before")
        }
        (Some(now), Some(was)) => {
            let way = if now > was { "▲ up" } else { "▼ down" };
            let good = (now > was) == (key == Key::Frequency);
            let word = if good { "better" } else { "worse" };
            format!("{way} from {before} in the {span} before: {word}")
        }
        (Some(_), None) => format!("nothing to compare with in the {span} before"),
        (None, Some(_)) => format!("{before} in the {span} before"),
        (None, None) => format!("not known in the {span} before either"),
    }
}

fn about(key: Key, dora: &Dora) -> String {
    format!("{} of {}, the last {} in {} parts", key.name(), dora.what(), dora.span_name(), dora.parts.len())
}

fn columns(key: Key, dora: &Dora, frame: &Frame) -> Vec<Column> {
    let column = |(span, measures): &(Span, Measures)| {
        let days =
            Duration::from_millis(u64::try_from(span.until.0.saturating_sub(span.from.0)).unwrap_or(0));
        let days = days.as_secs_f64() / 86_400.0;
        let height = value(key, measures).map(|value| match key {
            Key::Frequency => value,
            Key::LeadTime => value / 3600.0,
            Key::FailureRate => value * 100.0,
            Key::Restore => value / 60.0,
        });
        let read = match key {
            Key::Frequency => format!("{} deployments", measures.deployments),
            Key::LeadTime | Key::FailureRate | Key::Restore => figure(key, measures, days),
        };
        Column { begins: when::format(span.from, "%-d %b", &frame.zone), height, read }
    };
    dora.parts.iter().map(column).collect()
}

/// What belongs to the number.
fn detail(key: Key, now: &Measures) -> Markup {
    let p90 = |spread: Option<Spread>| spread.map(|spread| when::span(spread.p90));
    let count = |spread: Option<Spread>| spread.map_or(0, |spread| spread.count);
    let rows: Vec<(&str, String)> = match key {
        Key::Frequency => vec![("succeeded", now.deployments.to_string())],
        Key::LeadTime => [
            p90(now.lead).map(|p90| ("nine of ten took at most", p90)),
            Some(("changes", count(now.lead).to_string())),
            (now.lead_unknown > 0).then(|| ("commit not known", now.lead_unknown.to_string())),
        ]
        .into_iter()
        .flatten()
        .collect(),
        Key::FailureRate => vec![
            ("went further than the first wave", format!("{} of {}", now.failed, now.met)),
            (
                "caught by the first wave",
                format!("{} of {} ({})", now.caught, now.met, percent(now.caught_rate())),
            ),
            ("failed before any user met them", now.unmet.to_string()),
        ],
        Key::Restore => [
            p90(now.restore).map(|p90| ("nine of ten took at most", p90)),
            Some((
                "caught by the first wave",
                match now.restore_caught {
                    Some(spread) => format!("{} (median of {})", when::span(spread.median), spread.count),
                    None => "none".to_owned(),
                },
            )),
            (now.open > 0).then(|| ("not put right yet", now.open.to_string())),
            (now.restore_unknown > 0).then(|| ("beginning not recorded", now.restore_unknown.to_string())),
        ]
        .into_iter()
        .flatten()
        .collect(),
    };
    html! { dl.facts { @for (name, value) in rows { dt { (name) } dd { (value) } } } }
}

fn services(dora: &Dora) -> Markup {
    if dora.by_service.is_empty() {
        return html! {};
    }
    let environment = dora.environment.as_ref().map(EnvironmentName::as_str).unwrap_or_default();
    html! {
        h2 { "Service by service" }
        div.wide-table tabindex="0" role="region" aria-label="Service by service" { table {
            thead { tr {
                th scope="col" { "Service" } th.num scope="col" { "Deployments" }
                th.num scope="col" { "Lead time, median" } th.num scope="col" { "Failure rate" }
                th.num scope="col" { "Caught by the first wave" } th.num scope="col" { "Time to restore, median" }
            } }
            tbody { @for (service, measures) in &dora.by_service { tr {
                th scope="row" {
                    a href={ "/dora?days=" (dora.days) "&environment=" (environment) "&service=" (service) } { (service) }
                }
                td.num { (measures.deployments) }
                td.num { (middle(measures.lead)) }
                td.num { (percent(measures.failure_rate())) }
                td.num { (measures.caught) }
                td.num { (middle(measures.restore)) }
            } } }
        } }
    }
}

#[cfg(test)]
mod tests;
