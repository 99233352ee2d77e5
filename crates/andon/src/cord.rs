//! The line's state in words: one place for terminal, refusals and pictures.

use andon_core::cord::{Cord, CordFact, Puller, Stop};
use andon_core::deployment::Deployment;
use andon_core::scope::ScopeName;
use andon_core::time::Time;

use crate::screen::legible;
use crate::when;

/// `line running`, `line stopped`: for the end of a headline.
pub(crate) fn brief(cord: &Cord) -> &'static str {
    if cord.is_stopped() { "line stopped" } else { "line running" }
}

/// The state in one sentence, without a full stop.
pub(crate) fn sentence(cord: &Cord, now: Time) -> String {
    match (cord.stops(), cord.since()) {
        ([], None) => "the line is running".to_owned(),
        ([], Some(since)) => format!("the line is running, started {}", when::ago(since, now)),
        (stops, _) => stopped(stops, now),
    }
}

/// Who stopped the line, when and why, and how many other reasons there are.
pub(crate) fn stopped(stops: &[Stop], now: Time) -> String {
    let Some((first, more)) = stops.split_first() else { return "the line is stopped".to_owned() };
    let more = match more.len() {
        0 => String::new(),
        1 => "; and for 1 more reason".to_owned(),
        n => format!("; and for {n} more reasons"),
    };
    format!("the line is stopped by {}{more}", reason(first, now))
}

/// One reason: who, when, why.
pub(crate) fn reason(stop: &Stop, now: Time) -> String {
    format!("{} {}: {}", legible(&stop.by.to_string()), when::ago(stop.since, now), legible(&stop.reason))
}

/// What a deployment that has ended leaves to say of the line: that it runs again, or that it stands for something
/// else. What this one has stopped it for is a part of its ending.
pub(crate) fn after(cord: &Cord, ended: &Deployment, now: Time) -> Option<String> {
    let lifted = cord.changes().find_map(|change| match &change.fact {
        CordFact::Mended { by: Puller::Deployment { deployment, .. }, why, .. }
            if *deployment == ended.id =>
        {
            Some(legible(why))
        }
        _ => None,
    });
    match (lifted, cord.is_stopped()) {
        (Some(why), false) => Some(format!("it is running again: {why}")),
        (Some(why), true) => Some(format!("{why}, but {}", sentence(cord, now))),
        (None, true) if ended.stops_the_line().is_none() => Some(sentence(cord, now)),
        (None, _) => None,
    }
}

/// How the line goes on: what a person may do now who wants to deploy to `wanted`, or just asks.
pub(crate) fn next(stops: &[Stop], wanted: Option<&ScopeName>) -> String {
    let repairs = stops.iter().filter_map(|stop| Some((stop.deployment()?, stop.scope()?)));
    let mut mine = repairs.filter(|(_, scope)| wanted.is_none_or(|wanted| wanted == *scope));
    let fix = match (mine.next_back(), wanted) {
        (Some((id, scope)), _) => {
            format!("fix, then: andon deploy {} {} --fixes {}", scope.service, scope.environment, id.0)
        }
        (None, Some(wanted)) => format!(
            "a repair passes: andon deploy {} {} --fixes DEPLOYMENT",
            wanted.service, wanted.environment
        ),
        (None, None) => "a repair passes: andon deploy SERVICE ENVIRONMENT --fixes DEPLOYMENT".to_owned(),
    };
    format!("{fix} · or, when it is over: andon line start \"why\"")
}
