//! What a rollout could see, before it starts: the traffic of this moment and the history of the service, put to the
//! planner. Changes nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use andon_core::analysis::gathering::{Gathering, Look};
use andon_core::analysis::history::estimate;
use andon_core::analysis::planner::{Outlook, StageSize, Traffic, outlook};
use andon_core::analysis::{Arm, Spec};
use andon_core::balance::numbers::Numbers;
use andon_core::deployment::Standpoint;
use andon_core::name::HostName;
use andon_core::plan::{Before, Plan};

use super::Controller;
use crate::watching::Past;

/// How long the traffic is measured.
const SPAN: Duration = Duration::from_secs(2);

impl Controller {
    /// What the analyses of a plan could see on the traffic of this moment; `None` where nothing is to be judged. Takes
    /// two seconds of measuring.
    pub async fn outlook(&self, plan: &Plan) -> Option<Outlook> {
        let watch = plan.watch().filter(|watch| watch.can_pass())?;
        let mut numbers = Numbers::default();
        let look = async |numbers: &mut Numbers| {
            let sights = self.look(&plan.pools).await;
            let now = (self.clock)();
            numbers.read(now, &plan.pools, &sights);
            now
        };
        let began = look(&mut numbers).await;
        let serving = serving(plan);
        let times = |numbers: &Numbers| numbers.total(|_| true).latency.is_some();
        let before = numbers.clone();
        tokio::time::sleep(SPAN).await;
        let now = look(&mut numbers).await;
        let mut gathering = Gathering::new(watch, times(&numbers));
        let mut past = Past::read(&self.data, &plan.scope, gathering.metrics(), now);
        let thresholds = gathering.freeze(&past.times(numbers.total(|_| true).latency.unwrap_or_default()));
        gathering.requests(&before);
        gathering.tick(began, &serving, &before, &Look::default());
        let asked = gathering.requests(&numbers).unwrap_or_default();
        past.add(&gathering.tick(now, &serving, &numbers, &Look::default()));
        let spec = Spec { metrics: gathering.metrics().to_vec(), ..watch.spec(plan.hosts.len()) };
        let baseline = estimate(&spec.metrics, &past.rows(&thresholds), now + Duration::from_millis(1));
        let (total, seconds) = (asked.values().sum::<u64>() as f64, now.since(began).as_secs_f64());
        let per_instance = if seconds > 0.0 { total / seconds / serving.len().max(1) as f64 } else { 0.0 };
        let stages = stages(plan, serving.len());
        Some(outlook(&spec, &baseline, &Traffic { per_instance, stages }))
    }
}

/// The hosts that serve, all of them on some old release.
fn serving(plan: &Plan) -> BTreeMap<HostName, Standpoint> {
    let serves =
        plan.hosts.iter().filter(|(_, host)| matches!(host.before, Before::Reached { serves: true, .. }));
    serves.map(|(name, _)| (name.clone(), Standpoint { arm: Arm::Control, age: None })).collect()
}

/// New and old hosts after each wave but the last, after which there is nothing old left.
fn stages(plan: &Plan, serving: usize) -> Vec<StageSize> {
    let count = |hosts: usize| u32::try_from(hosts).unwrap_or(u32::MAX);
    if let Some(switch) = &plan.switch {
        let (canaries, controls) = (count(switch.to_hosts.len()), count(switch.from_hosts.len()));
        return vec![StageSize { canaries, controls }];
    }
    let mut changed = 0;
    let gates = plan.waves.split_last().map(|(_, gates)| gates).unwrap_or_default();
    gates
        .iter()
        .map(|wave| {
            changed += wave.len();
            StageSize { canaries: count(changed), controls: count(serving.saturating_sub(changed)) }
        })
        .collect()
}
