//! What the hosts of a deployment say of their processes, as alarms and readings of one tick.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use andon_core::analysis::Alarm;
use andon_core::analysis::gathering::{HostLook, Look};
use andon_core::name::{HostName, InstanceName};
use andon_core::plan::Plan;
use andon_core::vitals::{Exit, InstanceChange, Trend, VitalsChange, VitalsMeter};
use tokio::task::JoinSet;

use crate::hosts::Hosts;

/// How long hosts may take to answer; those that take longer are heard in a later look.
const MOMENT: Duration = Duration::from_millis(800);
/// Growth that would reach its limit within this time is told of.
const SOON: Duration = Duration::from_secs(600);
/// A process that starts grows: growth means something only when it was seen for so long.
const LONG: Duration = Duration::from_secs(60);
/// The free share of a disk below which it is told of.
const LOW: f64 = 0.05;

/// How often an instance has ended by itself since it was seen first. Its end and its new start are one crash, although
/// a supervisor that waits in between shows them in two looks.
#[derive(Default)]
struct Crashes {
    restarts: u64,
    ends: u64,
    told: u64,
    exit: Option<Exit>,
}

impl Crashes {
    fn heard(&mut self, instance: &InstanceChange) -> Option<Alarm> {
        self.restarts = self.restarts.saturating_add(instance.restarts);
        self.ends = self.ends.saturating_add(instance.ends);
        self.exit = instance.exit.or(self.exit.take());
        let all = self.restarts.max(self.ends);
        let times = all.saturating_sub(std::mem::replace(&mut self.told, all));
        let how = match self.exit {
            Some(Exit::Code(code)) => format!("it ended with exit code {code}"),
            Some(Exit::Signal(signal)) => format!("signal {signal} ended it"),
            None => "it ended".to_owned(),
        };
        (times > 0).then(|| Alarm::Restarted { times: u32::try_from(times).unwrap_or(u32::MAX), how })
    }
}

/// Looks at processes.
pub(super) struct Vitals {
    wanted: bool,
    meters: BTreeMap<HostName, VitalsMeter>,
    crashes: BTreeMap<HostName, BTreeMap<InstanceName, Crashes>>,
    /// Disks that were nearly full before anything was changed are nobody's fault here.
    full_before: BTreeSet<HostName>,
}

impl Vitals {
    pub(super) fn new(wanted: bool) -> Self {
        Self { wanted, meters: BTreeMap::new(), crashes: BTreeMap::new(), full_before: BTreeSet::new() }
    }

    /// Asks these hosts at once. One that does not answer is absent: not to be heard is no failure of a release, and
    /// that it serves nobody is seen by its balancers.
    pub(super) async fn look(&mut self, ways: &Arc<dyn Hosts>, plan: &Arc<Plan>, hosts: &[HostName]) -> Look {
        let mut look = Look::default();
        if !self.wanted {
            return look;
        }
        let mut asked = JoinSet::new();
        for name in hosts {
            let (ways, plan, name) = (Arc::clone(ways), Arc::clone(plan), name.clone());
            asked.spawn(async move {
                let (planned, placement) = (plan.hosts.get(&name)?, plan.placement(&name)?);
                let seen = ways.vitals(&planned.host, &placement).await.ok()?;
                Some((name, seen))
            });
        }
        let mut heard = Vec::new();
        let all = async {
            while let Some(answered) = asked.join_next().await {
                heard.extend(answered.ok().flatten());
            }
        };
        // Whoever is late has not been heard.
        let _ = tokio::time::timeout(MOMENT, all).await;
        for (host, seen) in heard {
            let known = self.meters.contains_key(&host);
            let change = self.meters.entry(host.clone()).or_default().read(&seen);
            let full = change.disk_free.is_some_and(|free| free < LOW);
            if full && !known {
                self.full_before.insert(host.clone());
            }
            let tells_of_disk = full && !self.full_before.contains(&host);
            let crashes = self.crashes.entry(host.clone()).or_default();
            look.hosts.insert(host, host_look(&change, crashes, tells_of_disk));
        }
        look
    }
}

fn host_look(change: &VitalsChange, crashes: &mut BTreeMap<InstanceName, Crashes>, disk: bool) -> HostLook {
    let instances = || change.instances.values();
    let cores: Vec<f64> = instances().filter_map(|instance| instance.cpu_share).collect();
    let errors: Vec<u64> =
        instances().filter_map(|instance| Some(instance.errors.as_ref()?.errors)).collect();
    let crashed =
        |(name, instance): (&InstanceName, _)| crashes.entry(name.clone()).or_default().heard(instance);
    let mut alarms: Vec<Alarm> = change.instances.iter().filter_map(crashed).collect();
    alarms.extend(instances().flat_map(alarms_of));
    if disk {
        let percent = change.disk_free.unwrap_or_default() * 100.0;
        alarms.push(Alarm::DiskLow {
            free_percent: (0..=100).rfind(|n| f64::from(*n) <= percent).unwrap_or(0),
        });
    }
    let memory: u64 = instances().map(|instance| instance.rss.0).fold(0, u64::saturating_add);
    let running = instances().any(|instance| instance.running);
    HostLook {
        cores: (!cores.is_empty()).then(|| cores.iter().sum()),
        memory: running.then_some(memory as f64),
        log_errors: (!errors.is_empty()).then(|| errors.iter().copied().fold(0, u64::saturating_add)),
        alarms,
        readings: Vec::new(),
    }
}

fn alarms_of(instance: &InstanceChange) -> Vec<Alarm> {
    let mut alarms = Vec::new();
    if instance.oom_kills.is_some_and(|kills| kills > 0) {
        alarms.push(Alarm::OutOfMemory);
    }
    let exhausting = |what: &str, trend: &Option<Trend>| {
        let within = trend.as_ref().filter(|trend| trend.span >= LONG)?.full_in?;
        (within < SOON).then(|| Alarm::Exhausting { what: what.to_owned(), within })
    };
    alarms.extend(exhausting("memory", &instance.memory));
    alarms.extend(exhausting("open files", &instance.files_trend));
    for (fingerprint, seen) in instance.errors.iter().flat_map(|errors| &errors.new) {
        alarms.push(Alarm::NewException {
            fingerprint: fingerprint.to_string(),
            sample: seen.sample.clone(),
            times: u32::try_from(seen.count).unwrap_or(u32::MAX),
        });
    }
    alarms
}

#[cfg(test)]
mod tests {
    use andon_core::quantity::ByteSize;

    use super::*;

    fn change(instance: InstanceChange) -> VitalsChange {
        let name = InstanceName::new("8080").unwrap();
        VitalsChange { instances: [(name, instance)].into(), ..VitalsChange::default() }
    }

    #[test]
    fn what_is_not_known_is_missing_and_what_happened_is_an_alarm() {
        let quiet = host_look(&change(InstanceChange::default()), &mut BTreeMap::new(), false);
        assert_eq!((quiet.cores, quiet.memory, quiet.log_errors), (None, None, None));
        assert!(quiet.alarms.is_empty());
        let trend = |seconds| Trend {
            per_second: 1e6,
            span: Duration::from_secs(seconds),
            full_in: Some(Duration::from_secs(90)),
        };
        let crashing = InstanceChange {
            running: true,
            restarts: 2,
            exit: Some(Exit::Signal(11)),
            cpu_share: Some(0.5),
            rss: ByteSize(1 << 20),
            memory: Some(trend(70)),
            files_trend: Some(trend(10)),
            ..InstanceChange::default()
        };
        let look = host_look(&change(crashing), &mut BTreeMap::new(), true);
        assert_eq!((look.cores, look.memory), (Some(0.5), Some(f64::from(1 << 20))));
        let restarted = Alarm::Restarted { times: 2, how: "signal 11 ended it".into() };
        let exhausting = Alarm::Exhausting { what: "memory".into(), within: Duration::from_secs(90) };
        assert_eq!(look.alarms, [restarted, exhausting, Alarm::DiskLow { free_percent: 0 }]);
    }

    #[test]
    fn an_end_and_the_start_after_it_are_one_crash() {
        let mut crashes = BTreeMap::new();
        let mut told = |restarts, ends, exit| {
            let instance = InstanceChange { restarts, ends, exit, ..InstanceChange::default() };
            host_look(&change(instance), &mut crashes, false).alarms
        };
        let crashed = [Alarm::Restarted { times: 1, how: "signal 9 ended it".into() }];
        assert_eq!(told(0, 1, Some(Exit::Signal(9))), crashed);
        assert_eq!(told(1, 0, None), []);
        assert_eq!(told(1, 0, None), crashed, "one whose end nobody has seen");
        assert_eq!(told(0, 1, Some(Exit::Signal(9))), []);
    }
}
