//! The four keys over the span that somebody asks for.

use std::collections::BTreeSet;

use andon_core::chronicle::Span;
use andon_core::chronicle::dora::Changes;
use andon_core::name::{EnvironmentName, ServiceName};
use andon_core::time::Time;
use andon_page::dora::Dora;

use super::usual_environment;
use crate::http::Desk;

/// The span of whoever names none, in days.
pub(in crate::http) const USUAL: u32 = 28;
/// The longest span, in days: ten years.
pub(in crate::http) const LONGEST: u32 = 3_660;
/// A span that is not a whole number of weeks has so many parts, and so has one day.
const PARTS: u32 = 12;

const DAY: i64 = 86_400_000;

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub(in crate::http) struct Ask {
    /// The length of the span in days.
    pub(in crate::http) days: Option<u32>,
    /// `None` for the usual one, `Some(None)` for all.
    pub(in crate::http) environment: Option<Option<EnvironmentName>>,
    /// Only this service.
    pub(in crate::http) service: Option<ServiceName>,
}

pub(in crate::http) async fn gather(desk: &Desk, ask: Ask, now: Time) -> Dora {
    let known = desk.chronicle.fresh().await;
    let days = ask.days.unwrap_or(USUAL).clamp(1, LONGEST);
    let environment = ask.environment.unwrap_or_else(|| usual_environment(&known));
    let chronicle = &known.deployments;
    let all = Changes::of(chronicle, environment.as_ref());
    let span = Span { from: Time(now.0.saturating_sub(i64::from(days) * DAY)), until: now };
    let changes = match &ask.service {
        Some(service) => all.of_service(service),
        None => all,
    };
    let services: BTreeSet<&ServiceName> = chronicle.scopes().map(|scope| &scope.service).collect();
    let environments: BTreeSet<&EnvironmentName> =
        chronicle.scopes().map(|scope| &scope.environment).collect();
    Dora {
        empty: chronicle.is_empty(),
        days,
        span,
        environments: environments.into_iter().cloned().collect(),
        services: services.into_iter().cloned().collect(),
        now: changes.measure(span),
        before: changes.measure(span.before()),
        parts: parts(span, days).into_iter().map(|part| (part, changes.measure(part))).collect(),
        by_service: changes.by_service(span).into_iter().collect(),
        environment,
        service: ask.service,
    }
}

/// Days up to four weeks, weeks up to a quarter, four weeks beyond.
fn parts(span: Span, days: u32) -> Vec<Span> {
    let length = match days {
        ..=28 => 1,
        29..=91 if days.is_multiple_of(7) => 7,
        _ if days.is_multiple_of(28) && days / 28 <= 40 => 28,
        _ => 0,
    };
    let count = days.checked_div(length).unwrap_or(PARTS);
    let whole = span.until.0.saturating_sub(span.from.0);
    let at = |part: u32| Time(span.from.0.saturating_add(whole / i64::from(count) * i64::from(part)));
    (0..count)
        .map(|part| Span { from: at(part), until: if part + 1 == count { span.until } else { at(part + 1) } })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_span_are_the_span() {
        for days in [1, 7, 28, 30, 91, 364, 3_660] {
            let span = Span { from: Time(17), until: Time(17 + i64::from(days) * DAY) };
            let parts = parts(span, days);
            assert_eq!(parts.first().map(|part| part.from), Some(span.from), "{days}");
            assert_eq!(parts.last().map(|part| part.until), Some(span.until), "{days}");
            assert!(parts.windows(2).all(|pair| pair[0].until == pair[1].from), "{days}");
            assert!(parts.len() <= 40, "{days}");
        }
    }
}
