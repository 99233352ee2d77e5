//! Watches a release while it spreads: looks at what can be seen, tick by tick, and tells the judge.
//!
//! One look at a time, bounded, and beside the driver's loop: a slow source costs its own readings and nothing else.
//! Everything that the judge hears is on the disk first, so a controller that was killed goes on with all that was
//! known. Nothing here decides what a verdict means.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use andon_core::analysis::gathering::{Gathering, Look};
use andon_core::analysis::history::estimate;
use andon_core::analysis::recording::Header;
use andon_core::analysis::{Alarm, Arm, Baseline, Entry, Judge, Spec, Standing, Tick};
use andon_core::deployment::{Deployment, DeploymentId, Input, State};
use andon_core::line::Watch;
use andon_core::name::HostName;
use andon_core::plan::Plan;
use andon_core::telling::{Picture, sketch};
use andon_core::time::Time;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::hosts::Hosts;
use crate::numbers::SharedNumbers;
use crate::recording::RecordingWriter;
use crate::senses::{Arms, Senses};
pub(crate) use past::Past;
use vitals::Vitals;

mod past;
mod vitals;

/// How long the first counts of balancers are waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// The analysis of one deployment, and the looks that feed it.
pub(crate) struct Watching {
    ways: Arc<dyn Hosts>,
    data: PathBuf,
    looking: Option<JoinHandle<(Eyes, Look)>>,
    /// Since when there is something to watch.
    since: Option<Instant>,
    last: Option<Instant>,
    course: Option<Course>,
}

/// What looks, one look after another.
struct Eyes {
    senses: Senses,
    vitals: Vitals,
}

/// An analysis under way.
struct Course {
    id: DeploymentId,
    gathering: Gathering,
    spec: Spec,
    past: Past,
    /// Absent while a look is under way.
    eyes: Option<Eyes>,
    /// Nothing is judged before the first new host serves.
    judge: Option<Judge>,
    recording: Option<RecordingWriter>,
    /// The stage that was entered last.
    stage: Option<Time>,
}

impl Watching {
    /// Watches with the senses of this machine; `data` is the controller's directory.
    pub(crate) fn new(ways: Arc<dyn Hosts>, data: &Path) -> Self {
        Self { ways, data: data.to_owned(), looking: None, since: None, last: None, course: None }
    }

    /// Begins a look if it is time. When to call again, if there is anything to watch.
    pub(crate) fn begin(
        &mut self,
        deployment: &Deployment,
        now: Time,
        numbers: &SharedNumbers,
    ) -> Option<Duration> {
        let plan = deployment.plan.as_ref().filter(|_| deployment.is_judged())?;
        let watch = plan.watch()?;
        if self.looking.is_some() {
            return None;
        }
        if self.course.is_none() {
            // Some balancers count nothing at all.
            let late = self.since.get_or_insert_with(Instant::now).elapsed() >= PATIENCE;
            self.course = Some(Course::open(deployment.id, plan, watch, &self.data, now, numbers, late)?);
        }
        let course = self.course.as_mut()?;
        let waited = self.last.map_or(course.spec.tick, |last| last.elapsed());
        if waited < course.spec.tick {
            return Some(course.spec.tick.saturating_sub(waited));
        }
        let mut eyes = course.eyes.take()?;
        self.last = Some(Instant::now());
        let arms = arms(deployment, now);
        let requests = numbers.ask(|numbers| course.gathering.requests(numbers));
        let hosts: Vec<HostName> = deployment.compared(now).into_keys().collect();
        let (ways, plan) = (Arc::clone(&self.ways), Arc::clone(plan));
        self.looking = Some(tokio::spawn(async move {
            let Eyes { senses, vitals } = &mut eyes;
            let (outside, mut look) =
                tokio::join!(senses.look(&arms, requests.as_ref()), vitals.look(&ways, &plan, &hosts));
            for host in &hosts {
                let member = host.into();
                let readings = (0..outside.readings.len()).map(|number| outside.reading(number, &member));
                look.hosts.entry(host.clone()).or_default().readings = readings.collect();
            }
            look.silent.extend(outside.silent);
            (eyes, look)
        }));
        None
    }

    /// The end of the look that is under way; never without one.
    pub(crate) async fn next(&mut self) -> Look {
        let Some(looking) = &mut self.looking else { return std::future::pending().await };
        let ended = looking.await;
        self.looking = None;
        match (ended, &mut self.course) {
            (Ok((eyes, look)), Some(course)) => {
                course.eyes = Some(eyes);
                look
            }
            // Whoever looked has stumbled: it begins anew, and has seen nothing.
            (_, course) => {
                *course = None;
                Look::default()
            }
        }
    }

    /// What was seen, for those who are told of it.
    pub(crate) fn picture(&self, deployment: &Deployment) -> Option<Picture> {
        let (course, judged) = (self.course.as_ref()?, deployment.judged.as_ref()?);
        let kept = crate::recording::read(&recording_path(&self.data, deployment.id)).ok()?;
        sketch(&course.spec, course.past.seen(), &kept.recording.entries, judged)
    }

    /// The deployment has ended. One that hurt, or that was stopped, is no measure for those that come.
    pub(crate) fn close(&self, deployment: &Deployment) {
        let (Some(started), Some(ended)) = (deployment.started, deployment.ended) else { return };
        if self.course.is_some() && deployment.state != State::Succeeded {
            let why = format!("{} was {}", deployment.id, deployment.state.name());
            past::exclude(&self.data, &deployment.request.scope, started..ended, &why);
        }
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
        let standing = course.tell(&self.data, stage, tick, numbers)?;
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

/// Where the analysis of a deployment is recorded.
pub(crate) fn recording_path(data: &Path, id: DeploymentId) -> PathBuf {
    data.join("analysis").join(format!("{}.jsonl", id.0))
}

impl Course {
    /// Goes on with what is recorded, or begins. `None` while balancers were not heard yet: what they can count decides
    /// what is compared.
    fn open(
        id: DeploymentId,
        plan: &Plan,
        watch: &Watch,
        data: &Path,
        now: Time,
        numbers: &SharedNumbers,
        late: bool,
    ) -> Option<Self> {
        let (counted, times) = numbers.ask(|numbers| {
            let added = || numbers.latest().filter_map(|sample| sample.added.as_ref());
            (added().next().is_some(), added().any(|added| added.counters.latency.is_some()))
        });
        if !plan.pools.is_empty() && !counted && !late {
            return None;
        }
        let mut gathering = Gathering::new(watch, times);
        let spec = Spec { metrics: gathering.metrics().to_vec(), ..watch.spec(plan.hosts.len()) };
        let directory = plan.directory.clone();
        let senses = Senses::new(&watch.metrics, &directory, data);
        let eyes = Some(Eyes { senses, vitals: Vitals::new(watch.vitals) });
        let past = Past::read(data, &plan.scope, gathering.metrics(), now);
        let resumed = RecordingWriter::open_resume(&recording_path(data, id)).ok();
        let resumed = resumed.filter(|(_, kept)| kept.recording.header.spec == spec);
        let (mut judge, mut recording, mut stage) = (None, None, None);
        if let Some((writer, kept)) = resumed {
            let known = kept.recording;
            gathering.thaw(&known.header.baseline);
            stage = known.entries.iter().rev().find_map(|entry| match entry {
                Entry::Stage { at } => Some(*at),
                Entry::Tick(_) => None,
            });
            judge = Some(known.replay());
            recording = Some(writer);
        }
        Some(Self { id, gathering, spec, past, eyes, judge, recording, stage })
    }

    fn tell(
        &mut self,
        data: &Path,
        stage: Option<Time>,
        tick: Tick,
        numbers: &SharedNumbers,
    ) -> Option<Standing> {
        if self.judge.is_none() {
            if !Gathering::has_canary(&tick) {
                self.past.add(&tick);
                return None;
            }
            self.begin(data, tick.at, numbers);
        }
        if let Some(at) = stage.filter(|_| stage != self.stage) {
            self.stage = stage;
            self.hear(Entry::Stage { at });
        }
        self.hear(Entry::Tick(tick));
        self.judge.as_ref().map(Judge::standing)
    }

    /// The judge hears what is on the disk. Where nothing can be written any more, it goes on without: that a release
    /// hurts is worth more than that it can be proven later.
    fn hear(&mut self, entry: Entry) {
        if let Some(recording) = &mut self.recording
            && recording.append(&entry).is_err()
        {
            self.recording = None;
        }
        if let Some(judge) = &mut self.judge {
            judge.apply(&entry);
        }
    }

    /// The judge begins, with all that is known before the first new host is looked at.
    fn begin(&mut self, data: &Path, now: Time, numbers: &SharedNumbers) {
        let recent = numbers.ask(|numbers| numbers.total(|_| true).latency).unwrap_or_default();
        let thresholds = self.gathering.freeze(&self.past.times(recent));
        let mut baseline: Baseline = estimate(&self.spec.metrics, &self.past.rows(&thresholds), now);
        for (metric, threshold) in baseline.metrics.iter_mut().zip(thresholds) {
            metric.slow_above = threshold;
        }
        let path = recording_path(data, self.id);
        let head = Header::new(self.spec.clone(), baseline.clone());
        // What is there cannot be gone on with: it is of other rules, or damaged.
        let made = path.parent().map_or(Ok(()), crate::private::directory);
        let _ = std::fs::remove_file(&path);
        self.recording = made.ok().and_then(|()| RecordingWriter::create(&path, &head).ok());
        self.judge = Some(Judge::new(self.spec.clone(), baseline));
    }
}

fn arms(deployment: &Deployment, now: Time) -> Arms {
    let compared = deployment.compared(now);
    let of = |arm: Arm| -> BTreeSet<HostName> {
        let those = compared.iter().filter(|(_, standpoint)| standpoint.arm == arm);
        those.map(|(host, _)| host.clone()).collect()
    };
    Arms::Hosts { canary: of(Arm::Canary), control: of(Arm::Control) }
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
