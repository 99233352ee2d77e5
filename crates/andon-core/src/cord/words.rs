//! The line's state in words: the same for terminals, programs and pages. Moments are said as each of them says them.

use super::{Change, Cord, CordFact, Passage, Puller, Stop};
use crate::deployment::Deployment;
use crate::name::ScopeName;
use crate::sentence::Sentence;
use crate::time::Time;

impl Cord {
    /// `line running`, `line stopped`: for the end of a headline.
    pub fn brief(&self) -> &'static str {
        if self.is_stopped() { "line stopped" } else { "line running" }
    }

    /// The state in one sentence.
    pub fn sentence(&self) -> Sentence {
        match (self.stops(), self.since()) {
            ([], None) => Sentence::of("the line is running"),
            ([], Some(since)) => Sentence::of("the line is running, started ").ago(since),
            (stops, _) => standing(stops),
        }
    }

    /// What a deployment that has ended leaves to say of the line: that it runs again, or that it stands for something
    /// else. What this one has stopped it for is a part of its ending.
    pub fn after(&self, ended: &Deployment) -> Option<Sentence> {
        let lifted = self.changes().find_map(|change| match &change.fact {
            CordFact::Mended { by: Puller::Deployment { deployment, .. }, why, .. }
                if *deployment == ended.id =>
            {
                Some(why)
            }
            _ => None,
        });
        match (lifted, self.is_stopped()) {
            (Some(why), false) => Some(Sentence::of(&format!("it is running again: {why}"))),
            (Some(why), true) => Some(Sentence::of(&format!("{why}, but ")).then(self.sentence())),
            (None, true) if ended.stops_the_line().is_none() => Some(self.sentence()),
            (None, _) => None,
        }
    }
}

/// Who stopped the line, when and why, and how many other reasons there are.
pub fn standing(stops: &[Stop]) -> Sentence {
    let Some((first, more)) = stops.split_first() else { return Sentence::of("the line is stopped") };
    let said = Sentence::of("the line is stopped by ").then(first.sentence());
    match more.len() {
        0 => said,
        1 => said.say("; and for 1 more reason"),
        n => said.say(&format!("; and for {n} more reasons")),
    }
}

impl Stop {
    /// Who, when, why.
    pub fn sentence(&self) -> Sentence {
        Sentence::of(&format!("{} ", self.by)).ago(self.since).say(&format!(": {}", self.reason))
    }
}

impl Change {
    /// What happened, without the moment.
    pub fn sentence(&self) -> String {
        match &self.fact {
            CordFact::Stopped { by, reason } => format!("{by} stopped it: {reason}"),
            CordFact::Started { by, why } => format!("{by} started it: {why}"),
            CordFact::Mended { why, .. } => why.clone(),
            CordFact::Passed { by, what: Passage::Fix { deployment, fixes }, why } => {
                format!("{by} let {deployment} pass as a fix of {fixes}: {why}")
            }
            CordFact::Passed { by, what: Passage::Push { reference, commit }, why } => {
                format!("{by} let {commit} pass into {reference}: {why}")
            }
        }
    }
}

/// As [`standing`], as text: `ago` makes `12 min ago` or `at 14:03:10` of a moment.
pub fn stopped(stops: &[Stop], ago: &dyn Fn(Time) -> String) -> String {
    standing(stops).text(ago)
}

/// One reason as text: who, when, why.
pub fn reason(stop: &Stop, ago: &dyn Fn(Time) -> String) -> String {
    stop.sentence().text(ago)
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
