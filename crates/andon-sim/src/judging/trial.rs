//! One simulated deployment: a fleet with its history, a fault, the judge and its peers on the same stream.

use std::collections::BTreeMap;
use std::time::Duration;

use andon_core::analysis::planner::{self, StageSize, Traffic};
use andon_core::analysis::{
    Alarm, Arm, Baseline, Entry, Judge, Measure, Metric, Reading, Role, Seen, Spec, Tick, Verdict, Worse,
};
use andon_core::name::{MemberName, MetricName, NameError};
use andon_core::time::Time;

use crate::generator::Generator;
use crate::judging::fault::Fault;
use crate::judging::fleet::{Counts, Fleet, Noise, World};
use crate::judging::past;
use crate::judging::peer::{Minute, Peers};

/// What is simulated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setup {
    /// The fleet.
    pub fleet: Fleet,
    /// Its traffic, as history has it.
    pub noise: Noise,
    /// What goes wrong.
    pub fault: Fault,
    /// Seconds after the beginning at which it goes wrong.
    pub onset: f64,
    /// Seconds between two ticks.
    pub tick: f64,
    /// Seconds that are simulated, all in one stage.
    pub length: f64,
    /// Whether the new instances are just started. Otherwise their warm-up is over when the simulation begins.
    pub fresh: bool,
    /// The warm-up, where it isn't the default.
    pub warmup: Option<f64>,
    /// The ratio that a pass must exclude, for every metric, where it isn't the default.
    pub harm: Option<f64>,
    /// Whether the rules of other tools are asked too.
    pub peers: bool,
}

impl Setup {
    /// Half an hour without a fault, in ticks of 5 s, all warm.
    pub fn new(fleet: Fleet) -> Self {
        Self {
            fleet,
            noise: Noise::default(),
            fault: Fault::None,
            onset: 0.0,
            tick: 5.0,
            length: 1_800.0,
            fresh: false,
            warmup: None,
            harm: None,
            peers: false,
        }
    }
}

/// What came of one deployment. Times are seconds since the beginning.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// When the trouble began.
    pub onset: f64,
    /// The release was called bad.
    pub failed: Option<f64>,
    /// What was said when the release was called bad.
    pub why: Option<String>,
    /// An instance was called the trouble.
    pub suspected: Option<f64>,
    /// Every instance on the new release was called the trouble or the release was called bad: no request goes there
    /// any more.
    pub cleared: Option<f64>,
    /// The release passed, before or without being called bad.
    pub passed: Option<f64>,
    /// What the planner said of this fault, where it could.
    pub planned: Option<f64>,
    /// The rule of Kayenta's judge, asked every minute.
    pub rank_test: Option<f64>,
    /// Flagger's documented threshold.
    pub flagger: Option<f64>,
    /// Argo's documented threshold.
    pub argo: Option<f64>,
}

/// The metrics of the simulation: errors, and responses slower than two percentiles of history.
pub fn metrics(harm: Option<f64>) -> Result<Vec<Metric>, NameError> {
    let metric = |name: &str, role, usual_harm| {
        Ok(Metric {
            name: MetricName::new(name)?,
            measure: Measure::Rate,
            worse: Worse::Higher,
            role,
            weight: 1.0,
            critical: true,
            margin: 1.1,
            harm: harm.unwrap_or(usual_harm),
            negligible: 0.0,
        })
    };
    Ok(vec![
        metric("errors", Role::Errors, 2.0)?,
        metric("slow-p90", Role::Slow, 1.5)?,
        metric("slow-p99", Role::Slow, 1.5)?,
    ])
}

/// The rules of the simulation.
pub fn spec(setup: &Setup) -> Result<Spec, NameError> {
    let mut spec = Spec::new(metrics(setup.harm)?);
    spec.tick = Duration::from_secs_f64(setup.tick);
    spec.window = Duration::from_secs_f64(setup.length);
    if let Some(warmup) = setup.warmup {
        spec.warmup = Duration::from_secs_f64(warmup);
    }
    Ok(spec)
}

/// The names of the members, in the order of the servers.
pub fn names(servers: usize) -> Result<Vec<MemberName>, NameError> {
    (0..servers).map(|server| MemberName::new(format!("web{server:04}"))).collect()
}

/// Simulates one deployment. The same setup and seed give the same outcome.
pub fn run(setup: &Setup, seed: u64) -> Result<Outcome, NameError> {
    let mut chance = Generator::new(seed);
    let mut world = World::new(setup.fleet, setup.noise, &mut chance);
    let names = names(setup.fleet.servers)?;
    let spec = spec(setup)?;
    let baseline = past::baseline(&mut world, &spec, &names, &mut chance);
    if let Fault::Drift(sd) = setup.fault {
        world.drift(sd, &mut chance);
    }
    world.set_noise(setup.fault.noise(setup.noise));
    let warm = spec.warmup;
    let planned = planned(setup, &spec, &baseline);
    let onset = setup.onset + setup.tick * chance.uniform();
    let mut judge = Judge::new(spec, baseline);
    judge.apply(&Entry::Stage { at: Time::default() });
    let mut stream = Stream::new(setup, &names, warm, onset);
    let (mut outcome, mut peers) = (Outcome { onset, planned, ..Outcome::default() }, Peers::new());
    let (mut control, mut canary, mut in_minute) = (Minute::default(), Minute::default(), 0.0);
    while stream.at + setup.tick <= setup.length + 1e-9 {
        let counts = stream.next(&mut world, &mut chance);
        for (server, counts) in counts.iter().enumerate() {
            if server < setup.fleet.canaries { canary.add(*counts) } else { control.add(*counts) }
        }
        if outcome.cleared.is_none() {
            judge.apply(&stream.entry);
            stream.hear(&judge, &mut outcome);
        } else if !setup.peers {
            break;
        }
        in_minute += setup.tick;
        if setup.peers && in_minute >= 60.0 - 1e-9 {
            peers.hear(control, canary);
            (control, canary, in_minute) = (Minute::default(), Minute::default(), 0.0);
        }
    }
    let seconds =
        |minute: Option<usize>| minute.and_then(|m| u32::try_from(m).ok()).map(|m| f64::from(m) * 60.0);
    outcome.rank_test = seconds(peers.rank_test);
    outcome.flagger = seconds(peers.flagger());
    outcome.argo = seconds(peers.argo());
    Ok(outcome)
}

/// When the planner expects this fault to be seen.
fn planned(setup: &Setup, spec: &Spec, baseline: &Baseline) -> Option<f64> {
    let Fault::Errors(times) = setup.fault else { return None };
    let size = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let stage = StageSize {
        canaries: size(setup.fleet.canaries),
        controls: size(setup.fleet.servers - setup.fleet.canaries),
    };
    let traffic = Traffic { per_instance: setup.fleet.rate, stages: vec![stage] };
    let outlook = planner::outlook(spec, baseline, &traffic);
    let errors = outlook.stages.first()?.metrics.first()?;
    errors.detections.iter().find(|seen| seen.ratio == times)?.after.map(|after| after.as_secs_f64())
}

/// The stream of ticks of one deployment.
struct Stream<'a> {
    setup: &'a Setup,
    names: &'a [MemberName],
    entry: Entry,
    counts: Vec<Counts>,
    /// Which servers still take part.
    present: Vec<bool>,
    at: f64,
    /// When the trouble begins: somewhere in the tick after the one that the setup names.
    onset: f64,
    /// The age of new instances at the beginning.
    born: Duration,
}

impl<'a> Stream<'a> {
    fn new(setup: &'a Setup, names: &'a [MemberName], warm: Duration, onset: f64) -> Self {
        let members: BTreeMap<MemberName, Seen> = names
            .iter()
            .enumerate()
            .map(|(server, name)| {
                let arm = if server < setup.fleet.canaries { Arm::Canary } else { Arm::Control };
                (name.clone(), Seen { arm, age: None, readings: Vec::new(), alarms: Vec::new() })
            })
            .collect();
        let over = Duration::from_secs_f64(setup.tick);
        let entry = Entry::Tick(Tick { at: Time::default(), over, members, silent: Vec::new() });
        let born = if setup.fresh { Duration::ZERO } else { warm };
        Self {
            setup,
            names,
            entry,
            counts: Vec::new(),
            present: vec![true; names.len()],
            at: 0.0,
            onset,
            born,
        }
    }

    /// Makes the next tick.
    fn next(&mut self, world: &mut World, chance: &mut Generator) -> &[Counts] {
        let setup = self.setup;
        self.at += setup.tick;
        let at = self.at;
        let effect = |server| setup.fault.effect(setup.fleet, server, self.onset, setup.tick, at);
        world.tick(setup.tick, effect, chance, &mut self.counts);
        let Entry::Tick(tick) = &mut self.entry else { return &self.counts };
        let began = Duration::from_secs_f64(at);
        tick.at = Time::default() + began;
        for (server, name) in self.names.iter().enumerate() {
            let Some(seen) = tick.members.get_mut(name) else { continue };
            let canary = server < setup.fleet.canaries;
            let counts = self.counts[server];
            seen.age = canary.then(|| self.born + began);
            seen.readings.clear();
            seen.readings.extend(counts.events.map(|events| Reading::Count { events, of: counts.requests }));
            seen.alarms.clear();
            if setup.fault == Fault::Crash && canary && at > self.onset {
                seen.alarms.push(Alarm::Restarted { times: 1, how: "it ended with exit code 1".to_owned() });
            }
        }
        &self.counts
    }

    /// Notes what the judge says, and pulls the instances that it suspects, as a deployment would.
    fn hear(&mut self, judge: &Judge, outcome: &mut Outcome) {
        let standing = judge.standing();
        match standing.verdict {
            Some(Verdict::Fail) => {
                outcome.failed = Some(self.at);
                outcome.why = Some(standing.sentence);
                outcome.cleared = Some(self.at);
                return;
            }
            Some(Verdict::Pass) => outcome.passed = outcome.passed.or(Some(self.at)),
            _ => {}
        }
        let Entry::Tick(tick) = &mut self.entry else { return };
        for suspect in &standing.suspects {
            if tick.members.remove(&suspect.member).is_some() {
                outcome.suspected = outcome.suspected.or(Some(self.at));
                if let Some(server) = self.names.iter().position(|name| *name == suspect.member) {
                    self.present[server] = false;
                }
            }
        }
        if !self.present[..self.setup.fleet.canaries].contains(&true) {
            outcome.cleared = Some(self.at);
        }
    }
}
