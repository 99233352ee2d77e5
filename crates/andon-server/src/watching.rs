//! Watches a release while it spreads: looks at what can be seen, tick by tick, and tells the judge.
//!
//! One look at a time, bounded, and beside the driver's loop: a slow source costs its own readings and nothing else.
//! Nothing here decides what a verdict means.

use std::sync::Arc;
use std::time::Duration;

use andon_core::analysis::gathering::{Gathering, Look};
use andon_core::analysis::{Alarm, Baseline, Entry, Judge, Spec, Standing, Tick};
use andon_core::balance::Histogram;
use andon_core::deployment::{Deployment, Input};
use andon_core::line::Watch;
use andon_core::plan::Plan;
use andon_core::time::Time;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::numbers::SharedNumbers;

/// The analysis of one deployment, and the looks that feed it.
pub(crate) struct Watching {
    looking: Option<JoinHandle<Look>>,
    last: Option<Instant>,
    course: Option<Course>,
}

/// An analysis under way.
struct Course {
    gathering: Gathering,
    spec: Spec,
    /// Nothing is judged before the first new host serves.
    judge: Option<Judge>,
    /// The stage that was entered last.
    stage: Option<Time>,
}

impl Watching {
    pub(crate) fn new() -> Self {
        Self { looking: None, last: None, course: None }
    }

    /// Begins a look if it is time. When to call again, if there is anything to watch.
    pub(crate) fn begin(&mut self, deployment: &Deployment, numbers: &SharedNumbers) -> Option<Duration> {
        let plan = deployment.plan.as_ref().filter(|_| deployment.is_judged())?;
        let watch = plan.watch()?;
        if self.looking.is_some() {
            return None;
        }
        let course = self.course.get_or_insert_with(|| Course::new(plan, watch, numbers));
        let waited = self.last.map_or(course.spec.tick, |last| last.elapsed());
        if waited < course.spec.tick {
            return Some(course.spec.tick.saturating_sub(waited));
        }
        self.last = Some(Instant::now());
        self.looking = Some(tokio::spawn(async move { Look::default() }));
        None
    }

    /// The end of the look that is under way; never without one.
    pub(crate) async fn next(&mut self) -> Look {
        let Some(looking) = &mut self.looking else { return std::future::pending().await };
        let ended = looking.await;
        self.looking = None;
        // A look that stumbled has seen nothing.
        ended.unwrap_or_default()
    }

    /// Tells the judge what was seen, and hears how the analysis stands.
    pub(crate) fn hear(
        &mut self,
        deployment: &Deployment,
        now: Time,
        numbers: &SharedNumbers,
        mut look: Look,
    ) -> Option<Input> {
        let course = self.course.as_mut()?;
        let stage = deployment.stage_since();
        warn_of_ill(deployment, now, &mut look);
        let compared = deployment.compared(now);
        let tick = numbers.ask(|numbers| course.gathering.tick(now, &compared, numbers, &look));
        let standing = course.tell(stage, tick, numbers)?;
        Some(Input::Judged { stage, standing: Box::new(standing) })
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        if let Some(looking) = &self.looking {
            looking.abort();
        }
    }
}

impl Course {
    fn new(plan: &Arc<Plan>, watch: &Watch, numbers: &SharedNumbers) -> Self {
        let times = numbers.ask(|numbers| numbers.total(|_| true).latency.is_some());
        let gathering = Gathering::new(watch, times);
        let spec = Spec { metrics: gathering.metrics().to_vec(), ..watch.spec(plan.hosts.len()) };
        Self { gathering, spec, judge: None, stage: None }
    }

    fn tell(&mut self, stage: Option<Time>, tick: Tick, numbers: &SharedNumbers) -> Option<Standing> {
        if self.judge.is_none() && !Gathering::has_canary(&tick) {
            return None;
        }
        if self.judge.is_none() {
            let times = numbers.ask(|numbers| numbers.total(|_| true).latency).unwrap_or_default();
            self.judge = Some(self.begin(&times));
        }
        let judge = self.judge.as_mut()?;
        if let Some(at) = stage.filter(|_| stage != self.stage) {
            judge.apply(&Entry::Stage { at });
            self.stage = stage;
        }
        judge.apply(&Entry::Tick(tick));
        Some(judge.standing())
    }

    /// The judge, with all that is known before the first new host is looked at.
    fn begin(&mut self, times: &Histogram) -> Judge {
        let thresholds = self.gathering.freeze(times);
        let mut baseline = Baseline::default();
        baseline.metrics.resize_with(thresholds.len(), Default::default);
        for (metric, threshold) in baseline.metrics.iter_mut().zip(thresholds) {
            metric.slow_above = threshold;
        }
        Judge::new(self.spec.clone(), baseline)
    }
}

/// A host that its balancers find down is unhealthy, whoever else says so.
fn warn_of_ill(deployment: &Deployment, now: Time, look: &mut Look) {
    const PATIENCE: Duration = Duration::from_secs(3);
    for (host, run) in &deployment.hosts {
        if run.ill_since.is_some_and(|since| now.since(since) >= PATIENCE) {
            let why = "its balancers find it down".to_owned();
            look.hosts.entry(host.clone()).or_default().alarms.push(Alarm::Unhealthy { why });
        }
    }
}
