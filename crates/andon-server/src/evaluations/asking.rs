//! The loop of an evaluation that gets its numbers itself: ask, hear, until there is a verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use andon_core::analysis::{Arm, Entry, Seen, Tick};
use andon_core::name::{HostName, MemberName};
use andon_core::time::Time;
use tokio::time::{MissedTickBehavior, interval};

use super::evaluation::Evaluation;
use super::{EvaluationError, Evaluations};
use crate::clock;
use crate::senses::{Arms, Look, Senses};

/// Looks, tick by tick, until it is over.
pub(super) async fn run(evaluations: Evaluations, evaluation: Arc<Evaluation>) {
    // It was checked when it was accepted.
    let Ok(arms) = evaluation.request.arms() else { return };
    let (spec, members) = (evaluation.spec(), sides(&arms));
    let mut senses = Senses::new(&evaluation.request.watched(spec), Path::new("."), Path::new("."));
    let mut ticks = interval(spec.tick);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before: Option<Time> = None;
    loop {
        ticks.tick().await;
        let look = senses.look(&arms, None).await;
        let at = clock::now();
        let over = before.map_or(spec.tick, |before| at.since(before)).max(Duration::from_millis(1));
        before = Some(at);
        let age = at.since(evaluation.accepted);
        let tick = tick(&look, &members, spec.metrics.len(), Moment { at, over, age });
        match evaluations.hear(Arc::clone(&evaluation), Entry::Tick(tick)).await {
            Ok(view) if view.life == super::Life::Running => {}
            Ok(_) | Err(EvaluationError::Over { .. }) => return,
            // A disk that is full now may have room later; what was not kept was not judged.
            Err(_) => {}
        }
    }
}

/// When a look was, and what it covers.
struct Moment {
    at: Time,
    over: Duration,
    /// How long the canary serves at least.
    age: Duration,
}

fn tick(look: &Look, members: &BTreeMap<MemberName, Arm>, metrics: usize, moment: Moment) -> Tick {
    let seen = |(name, arm): (&MemberName, &Arm)| {
        let seen = Seen {
            arm: *arm,
            age: (*arm == Arm::Canary).then_some(moment.age),
            readings: (0..metrics).map(|metric| look.reading(metric, name)).collect(),
            alarms: Vec::new(),
        };
        (name.clone(), seen)
    };
    Tick {
        at: moment.at,
        over: moment.over,
        members: members.iter().map(seen).collect(),
        silent: look.silent.clone(),
    }
}

/// Every member and its side.
fn sides(arms: &Arms) -> BTreeMap<MemberName, Arm> {
    let of = |hosts: &BTreeSet<HostName>, arm: Arm| -> Vec<(MemberName, Arm)> {
        hosts.iter().map(|host| (MemberName::from(host), arm)).collect()
    };
    match arms {
        Arms::Hosts { canary, control } => {
            of(canary, Arm::Canary).into_iter().chain(of(control, Arm::Control)).collect()
        }
        // One member for each side, named after it.
        Arms::Labels { .. } => {
            let side =
                |member: &MemberName| if member.as_str() == "canary" { Arm::Canary } else { Arm::Control };
            arms.members().into_iter().map(|member| (member.clone(), side(&member))).collect()
        }
    }
}
