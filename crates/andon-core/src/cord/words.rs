//! What the line stands for, in words: the same for terminals, programs and pages. Moments are said as each of them says
//! them: `ago` makes `12 min ago` or `at 14:03:10` of one.

use super::Stop;
use crate::legible::neutral;
use crate::name::ScopeName;
use crate::time::Time;

/// Who stopped the line, when and why, and how many other reasons there are. Without a full stop.
pub fn stopped(stops: &[Stop], ago: &dyn Fn(Time) -> String) -> String {
    let Some((first, more)) = stops.split_first() else { return "the line is stopped".to_owned() };
    let more = match more.len() {
        0 => String::new(),
        1 => "; and for 1 more reason".to_owned(),
        n => format!("; and for {n} more reasons"),
    };
    format!("the line is stopped by {}{more}", reason(first, ago))
}

/// One reason: who, when, why.
pub fn reason(stop: &Stop, ago: &dyn Fn(Time) -> String) -> String {
    let (by, why) = (neutral(stop.by.to_string().as_bytes()), neutral(stop.reason.as_bytes()));
    format!("{by} {}: {why}", ago(stop.since))
}

/// How the line goes on: what a person may do now who wants to deploy to `wanted`, or just asks.
pub fn next(stops: &[Stop], wanted: Option<&ScopeName>) -> String {
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
