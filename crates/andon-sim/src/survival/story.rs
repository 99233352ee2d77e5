//! A story from a seed: a fleet, releases good and bad, and a list of troubles. Decides what happens, and plays nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use andon_core::digest::Digest;
use andon_core::line::{
    Balancer, BalancerKind, Health, Host, OnConflict, Probe, ReleaseSource, Rollout, Run, Service,
    Supervision, Template, Transport,
};
use andon_core::name::{EnvironmentName, HostName, NameError, ServiceName};
use andon_core::quantity::{ByteSize, Share};
use andon_core::release::{Packing, Release, ReleaseId};
use andon_core::scope::ScopeName;

use super::trouble::{Act, Place, Timed, Trouble, host_name};
use crate::generator::{Generator, spread};

/// The name of the host that the balancer runs on.
pub const BALANCER: &str = "lb1";

/// The people who do things while troubles last. One more has patience afterwards.
const RASH: usize = 3;

/// What is wrong with a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Its process does not start.
    NeverStarts,
    /// Its process runs and is never healthy.
    NeverHealthy,
    /// Its process ends again and again, the first time after this.
    Dies(Duration),
}

/// How good a release is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quality {
    /// It works everywhere.
    Good,
    /// It works nowhere.
    Bad(Flaw),
    /// It works everywhere but on one host.
    BadOn(Place, Flaw),
}

/// Everything that a story is made of.
#[derive(Debug, Clone)]
pub struct Story {
    /// Where it comes from.
    pub seed: u64,
    /// How many hosts.
    pub hosts: usize,
    /// Whether they stand behind a balancer.
    pub balanced: bool,
    /// Whether an earlier release runs when the story begins.
    pub has_past: bool,
    /// How releases are rolled out.
    pub rollout: Rollout,
    /// The releases, by number. 0 is the one that runs at first, and good; 1 is deployed at the beginning; the last is
    /// good, and never deployed while troubles last.
    pub releases: Vec<Quality>,
    /// What goes wrong, in the order of time.
    pub troubles: Vec<Timed>,
}

/// Chance, asked in small whole numbers.
pub struct Dice(Generator);

impl Dice {
    /// The dice of a seed and a purpose.
    pub fn new(seed: u64, purpose: u64) -> Self {
        Self(Generator::new(spread(seed ^ spread(purpose))))
    }

    /// One of the numbers below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.0.bits() % n.max(1)
    }

    /// One of the places below `n`.
    pub fn place(&mut self, n: usize) -> usize {
        usize::try_from(self.below(n as u64)).unwrap_or(0)
    }

    /// Whether something happens that happens in so many of a hundred cases.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// A time between two, in milliseconds.
    pub fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to.saturating_sub(from) + 1))
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> Option<T> {
        choices.get(self.place(choices.len())).copied()
    }
}

impl Story {
    /// The story of a seed.
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 0);
        let hosts = 2 + dice.place(4) + if dice.percent(25) { dice.place(5) } else { 0 };
        let balanced = dice.percent(70);
        let rollout = rollout(&mut dice);
        let mut releases = vec![Quality::Good];
        for _ in 0..3 {
            releases.push(quality(&mut dice, hosts));
        }
        releases.push(Quality::Good);
        let has_past = dice.percent(90);
        let count = dice.place(9);
        let mut troubles: Vec<Timed> = (0..count).map(|_| timed(&mut dice, hosts, balanced)).collect();
        troubles.sort_by_key(|trouble| trouble.at);
        Self { seed, hosts, balanced, has_past, rollout, releases, troubles }
    }

    /// The same with only these of its troubles, by their numbers.
    pub fn only(mut self, numbers: &BTreeSet<usize>) -> Self {
        let mut number = 0;
        self.troubles.retain(|_| {
            number += 1;
            numbers.contains(&(number - 1))
        });
        self
    }

    /// Where everything happens.
    ///
    /// # Errors
    /// Never: the names are names.
    pub fn scope(&self) -> Result<ScopeName, NameError> {
        Ok(ScopeName { service: ServiceName::new("www")?, environment: EnvironmentName::new("production")? })
    }

    /// The names of the hosts.
    pub fn host_names(&self) -> Vec<String> {
        (0..self.hosts).map(|place| host_name(place, self.hosts)).collect()
    }

    /// The hosts, as the line names them.
    ///
    /// # Errors
    /// Never: the names are names.
    pub fn line_hosts(&self) -> Result<Vec<Host>, NameError> {
        self.host_names()
            .into_iter()
            .map(|name| Ok(Host::new(HostName::new(name)?, Transport::Local)))
            .collect()
    }

    /// A release, by its number.
    pub fn release(&self, number: usize) -> Release {
        let digest = Digest::of(format!("release {number}").as_bytes());
        Release {
            id: ReleaseId::of(&digest),
            digest,
            packing: Packing::TarZst,
            packed: ByteSize(1 << 20),
            unpacked: ByteSize(4 << 20),
            revision: None,
            signed: None,
        }
    }

    /// How good a release is on a host: what is wrong with it there.
    pub fn flaw(&self, release: &ReleaseId, host: &str) -> Option<Flaw> {
        let number = (0..self.releases.len()).find(|number| self.release(*number).id == *release)?;
        match *self.releases.get(number)? {
            Quality::Bad(flaw) => Some(flaw),
            Quality::BadOn(place, flaw) if host_name(place, self.hosts) == host => Some(flaw),
            Quality::Good | Quality::BadOn(..) => None,
        }
    }

    /// The service, as the line describes it.
    ///
    /// # Errors
    /// Never: the names are names.
    pub fn service(&self) -> Result<Service, Box<dyn std::error::Error + Send + Sync>> {
        let scope = self.scope()?;
        let hosts = self.line_hosts()?.into_iter().map(|host| host.name).collect();
        let balancer = Balancer {
            kind: BalancerKind::Proxy { control: "/run/proxy.sock".into(), pool: "www".into() },
            hosts: vec![HostName::new(BALANCER)?],
            server: Template::new("{host}")?,
            environments: BTreeSet::new(),
        };
        Ok(Service {
            name: scope.service,
            environments: BTreeMap::from([(scope.environment, hosts)]),
            release: ReleaseSource::Directory(PathBuf::from("build")),
            root: PathBuf::from("/srv/www"),
            run: Run {
                by: Supervision::Own { command: vec![Template::new("{release}/www")?] },
                ports: vec![8080],
                environment: BTreeMap::new(),
                stop_timeout: Duration::from_secs(30),
            },
            health: Some(Health {
                probe: Probe::Tcp { port: None },
                interval: Duration::from_secs(1),
                timeout: Duration::from_secs(5),
                in_a_row: 3,
            }),
            tests: Vec::new(),
            balancers: if self.balanced { vec![balancer] } else { Vec::new() },
            blue_green: None,
            rollout: self.rollout.clone(),
            watch: None,
            tell: None,
        })
    }

    /// What the story is about, in one line for each thing.
    pub fn describe(&self) -> Vec<String> {
        let rollout = &self.rollout;
        let behind = if self.balanced { "behind a balancer" } else { "without a balancer" };
        let past = if self.has_past { "they run release 0" } else { "they run nothing yet" };
        vec![
            format!("{} hosts {behind}; {past}, and release 1 is deployed at 0 s", self.hosts),
            format!(
                "waves {:?}, at once {}, floor {:?}, unreachable {}, conflicts {:?}, back by itself: {}",
                rollout.waves.iter().map(ToString::to_string).collect::<Vec<_>>(),
                rollout.max_parallel,
                rollout.min_available.map(|share| share.to_string()),
                rollout.max_unreachable,
                rollout.on_conflict,
                rollout.auto_rollback
            ),
            format!("releases: {:?}", self.releases),
        ]
    }
}

fn rollout(dice: &mut Dice) -> Rollout {
    let waves = match dice.below(4) {
        0 => vec![Share::Percent(100)],
        1 => vec![Share::Hosts(1), Share::Hosts(2), Share::Percent(100)],
        _ => vec![Share::Hosts(1), Share::Percent(100)],
    };
    Rollout {
        waves,
        max_parallel: dice
            .of(&[Share::Hosts(1), Share::Hosts(2), Share::Percent(50)])
            .unwrap_or(Share::Hosts(1)),
        min_available: dice.of(&[None, Some(Share::Percent(50)), Some(Share::Hosts(1)), None]).flatten(),
        max_failed: Share::Percent(5),
        max_unreachable: dice
            .of(&[Share::Percent(5), Share::Hosts(0), Share::Hosts(2)])
            .unwrap_or(Share::Percent(5)),
        correlated_failures: 2,
        by_site: false,
        drain_timeout: dice.millis(3_000, 8_000),
        slow_start: dice.of(&[Duration::ZERO, Duration::ZERO, Duration::from_secs(2)]).unwrap_or_default(),
        healthy_deadline: dice.millis(6_000, 15_000),
        min_healthy_time: dice.millis(500, 3_000),
        progress_deadline: dice.millis(60_000, 120_000),
        step_timeout: dice.millis(20_000, 60_000),
        reconnect_window: dice.millis(10_000, 40_000),
        bake: dice.of(&[Duration::ZERO, Duration::from_secs(2), Duration::from_secs(5)]).unwrap_or_default(),
        auto_rollback: dice.percent(90),
        on_conflict: dice
            .of(&[OnConflict::Queue, OnConflict::Queue, OnConflict::Supersede, OnConflict::Reject])
            .unwrap_or(OnConflict::Queue),
        keep_releases: 1 + u32::try_from(dice.below(3)).unwrap_or(0),
    }
}

fn quality(dice: &mut Dice, hosts: usize) -> Quality {
    let flaw = match dice.below(3) {
        0 => Flaw::NeverStarts,
        1 => Flaw::NeverHealthy,
        _ => Flaw::Dies(dice.millis(1_000, 9_000)),
    };
    match dice.below(10) {
        0..=5 => Quality::Good,
        6 | 7 => Quality::Bad(flaw),
        _ => Quality::BadOn(dice.place(hosts), flaw),
    }
}

fn timed(dice: &mut Dice, hosts: usize, balanced: bool) -> Timed {
    // Most deployments take about half a minute.
    let at = if dice.percent(70) { dice.millis(0, 25_000) } else { dice.millis(0, 80_000) };
    Timed { at, what: trouble(dice, hosts, balanced) }
}

fn trouble(dice: &mut Dice, hosts: usize, balanced: bool) -> Trouble {
    let machine = if dice.percent(60) { 0 } else { dice.place(RASH) };
    let host = dice.place(hosts);
    let anywhere = if balanced && dice.percent(25) { hosts } else { host };
    let percent = 10 + dice.below(60);
    match dice.below(26) {
        0..=3 => Trouble::DiesAtAppend { machine, nth: 1 + dice.place(6), after: dice.percent(50) },
        4 => Trouble::Killed { machine },
        5 => Trouble::Sleeps { machine, span: dice.millis(2_000, 60_000) },
        6 => Trouble::ClockJumps { machine, millis: jump(dice) },
        7 => Trouble::LedgerFull { span: dice.millis(50, 20_000) },
        8 | 9 => {
            let machine = dice.percent(40).then_some(machine);
            Trouble::Partition { machine, host: anywhere, span: dice.millis(500, 70_000) }
        }
        10 => Trouble::Loses { percent, span: dice.millis(1_000, 30_000) },
        11 => Trouble::Delays { percent, by: dice.millis(500, 40_000), span: dice.millis(1_000, 30_000) },
        12 => Trouble::Doubles { percent, by: dice.millis(100, 30_000), span: dice.millis(1_000, 30_000) },
        13 => Trouble::Breaks { host: anywhere },
        14 => Trouble::Reboots { host, span: dice.millis(1_000, 50_000) },
        15 | 16 => Trouble::PowerCut { host, span: dice.millis(1_000, 50_000) },
        17 => Trouble::AgentKilled { host },
        18 => match dice.below(3) {
            0 => Trouble::DiskFull { host, span: dice.millis(500, 30_000) },
            1 => Trouble::Slow {
                host,
                factor: 2 + u32::try_from(dice.below(40)).unwrap_or(0),
                span: dice.millis(1_000, 60_000),
            },
            _ => Trouble::UsersStay { host, span: dice.millis(1_000, 30_000) },
        },
        19 => Trouble::ServiceDies { host },
        _ => Trouble::Person { machine: dice.place(RASH), act: act(dice) },
    }
}

fn jump(dice: &mut Dice) -> i64 {
    let span = match dice.below(3) {
        0 => dice.below(5_000),
        1 => dice.below(120_000),
        _ => dice.below(86_400_000),
    };
    let span = i64::try_from(span).unwrap_or(0);
    if dice.percent(50) { span } else { -span }
}

fn act(dice: &mut Dice) -> Act {
    match dice.below(12) {
        0 => Act::Abort { rollback: false },
        1 => Act::Abort { rollback: true },
        2 | 3 => Act::Pause,
        4 => Act::Resume { take_over: false },
        5 => Act::Resume { take_over: true },
        6 | 7 => Act::Deploy(2 + dice.place(2)),
        8 => Act::Rollback,
        9 => Act::Sweep,
        10 => Act::Fix(2 + dice.place(2)),
        _ if dice.percent(50) => Act::StopLine,
        _ => Act::StartLine,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_has_one_story_and_others_have_others() {
        let told = |seed| format!("{:?}", Story::of(seed));
        assert_eq!(told(7), told(7));
        let stories: BTreeSet<String> = (0..100).map(told).collect();
        assert_eq!(stories.len(), 100);
    }

    #[test]
    fn troubles_keep_their_numbers_when_others_are_left_out() {
        let whole = (0..).map(Story::of).find(|story| story.troubles.len() > 4).unwrap();
        let part = whole.clone().only(&BTreeSet::from([1, 3]));
        assert_eq!(part.troubles, [whole.troubles[1].clone(), whole.troubles[3].clone()]);
    }
}
