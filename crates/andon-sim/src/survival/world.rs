//! One story's world: hosts, balancer, network, ledger, machines and the processes of controllers on them.
//!
//! Puts the real controller over all of it, and lets troubles strike. Judges nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use andon_core::deployment::{Deployment, DeploymentId, Kind};
use andon_core::digest::Digest;
use andon_core::guard::Guard;
use andon_core::line::{Host, Transport};
use andon_core::name::HostName;
use andon_core::person::Person;
use andon_core::plan::pools;
use andon_core::release::Release;
use andon_server::{Controller, Records, Sweep, Wish};

use super::balancer::Balancer;
use super::clock;
use super::host::SimulatedHost;
use super::invariant::Invariant;
use super::ledger::{Handle, Store};
use super::log::Log;
use super::network::{Mishap, Ways, Weather};
use super::observer::Observer;
use super::process::{Doom, Machine, Process};
use super::sabotage::Sabotage;
use super::story::{BALANCER, Dice, Story};
use super::trouble::{PEOPLE, Spoken, Trouble, host_name};

/// Why a world cannot be made: a name in the story is not one.
pub type Malformed = Box<dyn std::error::Error + Send + Sync>;

/// A world.
pub struct World {
    /// What happens in it.
    pub story: Arc<Story>,
    /// What has happened in it.
    pub log: Arc<Log>,
    /// Who sees everything.
    pub observer: Arc<Observer>,
    /// The hosts, by name.
    pub hosts: BTreeMap<String, Arc<SimulatedHost>>,
    /// The balancer.
    pub balancer: Arc<Balancer>,
    /// The ledger.
    pub store: Arc<Store>,
    weather: Arc<Weather>,
    machines: Vec<Arc<Machine>>,
    processes: Mutex<Vec<Arc<Process>>>,
    struck: Mutex<BTreeMap<&'static str, u64>>,
    template: Wish,
}

impl World {
    /// The world of a story in which nothing has happened yet. To be made in a runtime whose time is simulated.
    ///
    /// # Errors
    /// Never for a story from a seed.
    pub fn new(story: &Arc<Story>, sabotage: Option<Sabotage>) -> Result<Arc<Self>, Malformed> {
        clock::begin();
        let log = Arc::new(Log::default());
        let observer = Observer::new(story, &log);
        let host = |name: String| {
            let host = SimulatedHost::new(&name, story, &log, sabotage);
            host.watched_by(&observer);
            (name, host)
        };
        let hosts: BTreeMap<String, Arc<SimulatedHost>> = story.host_names().into_iter().map(host).collect();
        let balancer = Balancer::new(&hosts, &observer, &log, sabotage, Dice::new(story.seed, 1));
        let balancer = Arc::new(balancer);
        observer.sees(&hosts, &balancer);
        Ok(Arc::new(Self {
            template: template(story)?,
            story: Arc::clone(story),
            log,
            observer,
            hosts,
            balancer,
            store: Store::new(sabotage),
            weather: Arc::new(Weather::new(Dice::new(story.seed, 2))),
            machines: PEOPLE.iter().map(|_| Arc::default()).collect(),
            processes: Mutex::default(),
            struck: Mutex::default(),
        }))
    }

    /// A new process of a controller on somebody's machine.
    pub fn process(&self, machine: usize) -> (Controller, Arc<Process>) {
        let on = self.machines.get(machine).cloned().unwrap_or_default();
        let process = Process::new(machine, &on);
        let handle = Handle {
            process: Arc::clone(&process),
            store: Arc::clone(&self.store),
            observer: Arc::clone(&self.observer),
        };
        let ways = Ways {
            process: Arc::clone(&process),
            weather: Arc::clone(&self.weather),
            hosts: self.hosts.clone(),
            balancer: Arc::clone(&self.balancer),
        };
        let name = PEOPLE.get(machine).copied().unwrap_or("somebody");
        let me = Person { name: name.to_owned(), at: format!("{name}s-laptop") };
        let records = Records::new(Arc::new(handle));
        // No artifact is read and no output is written: nothing is below this.
        let nowhere = PathBuf::from("/nonexistent/andon-sim");
        let controller = Controller::new(records, Arc::new(ways), nowhere, me).with_clock(clock::of(machine));
        lock(&self.processes).push(Arc::clone(&process));
        (controller, process)
    }

    /// What somebody wants who deploys a release.
    pub fn wish(&self, release: Release, kind: Kind, fixes: Option<DeploymentId>) -> Wish {
        Wish { release, kind, fixes, ..self.template.clone() }
    }

    /// What is swept: the whole scope.
    pub fn sweep(&self) -> Sweep {
        let Wish { scope, service, hosts, pools, .. } = self.template.clone();
        Sweep { scope, service, hosts, pools }
    }

    /// Counts something that has truly struck.
    pub fn count(&self, kind: &'static str) {
        *lock(&self.struck).entry(kind).or_default() += 1;
    }

    /// What has truly struck, and how often.
    pub fn struck(&self) -> BTreeMap<&'static str, u64> {
        let mut struck = lock(&self.struck).clone();
        for (what, count) in self.weather.befallen() {
            *struck.entry(what).or_default() += count;
        }
        struck
    }

    /// Deployments that have not ended.
    pub fn open(&self) -> Vec<Deployment> {
        self.observer.deployments().into_iter().filter(|deployment| !deployment.state.is_terminal()).collect()
    }

    /// The processes of a machine that live.
    fn living(&self, machine: usize) -> Vec<Arc<Process>> {
        let processes = lock(&self.processes);
        processes.iter().filter(|process| process.machine == machine && !process.is_dead()).cloned().collect()
    }

    /// A process has ended by itself.
    pub fn ended(&self, process: &Arc<Process>) {
        lock(&self.processes).retain(|other| !Arc::ptr_eq(other, process));
    }

    /// A trouble strikes; what people do is for them. Its number makes its chance its own.
    pub fn strike(&self, number: u64, trouble: &Trouble) {
        self.log.say(format!("[{number}] {}", Spoken(trouble, self.story.hosts)));
        let dice = Dice::new(self.story.seed, 100 + number);
        let name = |place: &usize| host_name(*place, self.story.hosts);
        let host = |place: &usize| self.hosts.get(&name(place));
        let mut counts = !self.open().is_empty();
        match trouble {
            // Counted when they come true.
            Trouble::DiesAtAppend { machine, nth, after } => {
                counts = false;
                for process in self.living(*machine) {
                    process.is_doomed(Doom { nth: *nth, after: *after });
                }
            }
            Trouble::Killed { machine } => {
                counts = !self.living(*machine).is_empty();
                for process in self.living(*machine) {
                    process.is_killed();
                }
            }
            Trouble::Sleeps { machine, span } => {
                counts = !self.living(*machine).is_empty();
                if let Some(machine) = self.machines.get(*machine) {
                    machine.sleeps(*span);
                }
            }
            Trouble::ClockJumps { machine, millis } => clock::jump(*machine, *millis),
            Trouble::LedgerFull { span } => self.store.is_full_for(*span),
            Trouble::Partition { machine, host, span } => {
                self.weather.partition(*machine, &name(host), *span);
            }
            Trouble::Loses { percent, span } => {
                counts = false;
                self.weather.spell(Mishap::Lost, *percent, *span, dice);
            }
            Trouble::Delays { percent, by, span } => {
                counts = false;
                self.weather.spell(Mishap::Late(*by), *percent, *span, dice);
            }
            Trouble::Doubles { percent, by, span } => {
                counts = false;
                self.weather.spell(Mishap::Twice(*by), *percent, *span, dice);
            }
            Trouble::Breaks { host } => self.weather.breaks(&name(host)),
            Trouble::Reboots { host: place, span } => {
                host(place).into_iter().for_each(|host| host.goes_down(false, *span));
            }
            Trouble::PowerCut { host: place, span } => {
                host(place).into_iter().for_each(|host| host.goes_down(true, *span));
            }
            Trouble::AgentKilled { host: place } => {
                host(place).into_iter().for_each(|host| host.agent_is_killed());
            }
            Trouble::DiskFull { host: place, span } => {
                host(place).into_iter().for_each(|host| host.is_full_for(*span));
            }
            Trouble::Slow { host: place, factor, span } => {
                host(place).into_iter().for_each(|host| host.is_slow_for(*factor, *span));
            }
            Trouble::ServiceDies { host: place } => {
                host(place).into_iter().for_each(|host| host.service_dies());
            }
            Trouble::UsersStay { host, span } => self.balancer.users_stay(&name(host), *span),
            Trouble::Person { .. } => counts = false,
        }
        if counts {
            self.count(trouble.kind());
        }
    }

    /// Checks the ledger as a whole; its last hash.
    pub async fn verify_ledger(&self) -> String {
        use andon_store::Ledger;
        match self.store.inner.verify().await {
            Ok(found) => {
                if let Some(fault) = &found.fault {
                    self.observer.violated(Invariant::LedgerIsWhole, format!("{fault:?}"));
                }
                found.hash.to_string()
            }
            Err(error) => {
                self.observer.violated(Invariant::LedgerIsWhole, error.to_string());
                String::new()
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn template(story: &Story) -> Result<Wish, Malformed> {
    let (scope, service, hosts) = (story.scope()?, story.service()?, story.line_hosts()?);
    let lb = Host::new(HostName::new(BALANCER)?, Transport::Local);
    let all = BTreeMap::from([(lb.name.clone(), lb)]);
    let pools = pools(&all, &service, &scope.environment, &hosts.iter().collect::<Vec<_>>());
    Ok(Wish {
        pools,
        sites: BTreeMap::new(),
        directory: PathBuf::from("/nonexistent/line"),
        scope,
        kind: Kind::Deploy,
        release: story.release(0),
        service,
        hosts,
        config: Digest::of(b"line"),
        why: None,
        fixes: None,
        allow_bad: None,
        take_over: false,
        guard: Guard::default(),
    })
}
