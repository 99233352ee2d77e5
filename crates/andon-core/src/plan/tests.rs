//! Plans: every number that a person would ask about, and every refusal.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;
use crate::balance::{BalancerFailure, FailureKind, PoolSight, ServerSight, ServerState};
use crate::deployment::DeploymentId;
use crate::guard::Guard;
use crate::host::{ActivationMarker, Authority, Fence, HostFacts, InstanceFacts, InstanceState};
use crate::line::{
    Balancer, BalancerKind, BlueGreen, Green, HaproxyApi, Line, ReleaseSource, Rollout, Run, Set,
    Supervision, Template,
};
use crate::name::{EnvironmentName, InstanceName, ServiceName, SiteName};
use crate::quantity::{ByteSize, Share};
use crate::release::{Packing, ReleaseStatus};
use crate::scope::{Scope, ScopeFact};
use crate::time::Time;

pub(crate) fn release(content: &str) -> Release {
    let digest = Digest::of(content.as_bytes());
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

pub(crate) fn facts(running: Option<ReleaseId>, serves: bool) -> HostFacts {
    HostFacts {
        boot_id: "boot".into(),
        arch: "x86_64".into(),
        free: ByteSize(1 << 40),
        current: running.clone(),
        releases: running.iter().cloned().collect(),
        marker: running.clone().map(|release| ActivationMarker { release, complete: true }),
        instances: vec![InstanceFacts {
            name: InstanceName::new("main").unwrap(),
            state: if serves { InstanceState::Running } else { InstanceState::Stopped },
            release: running,
            restarts: 0,
            health: None,
        }],
        authority: None,
        tokens: BTreeMap::new(),
        obstacles: Vec::new(),
    }
}

/// A server as a balancer sees it.
pub(crate) fn seen(state: ServerState, sessions: u64) -> ServerSight {
    ServerSight { state, weight: 100, sessions: Some(sessions), queued: 0, counters: None }
}

/// A fleet as a plan sees it.
pub(crate) struct Fleet {
    pub(crate) service: Service,
    pub(crate) kind: Kind,
    hosts: Vec<Host>,
    known: Scope,
    observed: Observations,
    scope: ScopeName,
    pub(crate) pools: Vec<PlannedPool>,
    pub(crate) sights: Sights,
    sites: BTreeMap<SiteName, Site>,
    pub(crate) guard: Guard,
}

impl Fleet {
    /// `n` hosts that run a good release.
    pub(crate) fn running(n: usize) -> Self {
        let mut fleet = Self::fresh(n);
        let old = release("old");
        let deployment = DeploymentId(1);
        let because = "it served".to_owned();
        let marked =
            ScopeFact::Marked { release: old.clone(), status: ReleaseStatus::Good, deployment, because };
        fleet.known.apply(Time(1), &marked);
        fleet.known.apply(Time(1), &ScopeFact::Current { release: old.id.clone() });
        for host in &fleet.hosts {
            let answer = Observation::Reached(Box::new(facts(Some(old.id.clone()), true)));
            fleet.observed.insert(host.name.clone(), answer);
        }
        fleet
    }

    /// `n` hosts that run nothing.
    pub(crate) fn fresh(n: usize) -> Self {
        let hosts: Vec<Host> =
            (1..=n).map(|n| Host::new(HostName::new(format!("web{n}")).unwrap(), Transport::Local)).collect();
        let scope = ScopeName {
            service: ServiceName::new("www").unwrap(),
            environment: EnvironmentName::new("production").unwrap(),
        };
        let service = Service {
            name: scope.service.clone(),
            environments: BTreeMap::from([(
                scope.environment.clone(),
                hosts.iter().map(|host| host.name.clone()).collect(),
            )]),
            release: ReleaseSource::Directory(PathBuf::from("build")),
            root: PathBuf::from("/srv/www"),
            run: Run {
                by: Supervision::Own { command: vec![Template::new("{release}/www").unwrap()] },
                ports: Vec::new(),
                environment: BTreeMap::new(),
                stop_timeout: Duration::from_secs(30),
            },
            health: None,
            tests: Vec::new(),
            balancers: Vec::new(),
            blue_green: None,
            rollout: Rollout { bake: Duration::ZERO, ..Rollout::default() },
            watch: None,
            tell: None,
        };
        let observed = hosts
            .iter()
            .map(|host| (host.name.clone(), Observation::Reached(Box::new(facts(None, false)))))
            .collect();
        let (known, pools, sights) = (Scope::default(), Vec::new(), Sights::new());
        let sites = BTreeMap::new();
        let guard = Guard::default();
        Self { service, kind: Kind::Deploy, hosts, known, observed, scope, pools, sights, sites, guard }
    }

    /// The same in several sites, host by host in turn, of which the first needs commands.
    pub(crate) fn in_sites(mut self, names: &[&str]) -> Self {
        for (n, host) in self.hosts.iter_mut().enumerate() {
            host.site = Some(SiteName::new(names[n % names.len()]).unwrap());
        }
        self.sites = names
            .iter()
            .enumerate()
            .map(|(n, name)| {
                let name = SiteName::new(*name).unwrap();
                let command = |what: &str| (n == 0).then(|| vec!["./dns".to_owned(), what.to_owned()]);
                (name.clone(), Site { name, out: command("out"), back: command("back") })
            })
            .collect();
        self.service.rollout.by_site = true;
        self
    }

    /// The same behind one HAProxy, which has every host in traffic.
    pub(crate) fn balanced(mut self) -> Self {
        let haproxy = BalancerKind::Haproxy {
            api: HaproxyApi::Socket(PathBuf::from("/run/haproxy/admin.sock")),
            backend: "www".into(),
        };
        let lb = Host::new(HostName::new("lb1").unwrap(), Transport::Local);
        let server = Template::new("{host}").unwrap();
        self.service.run.ports = vec![8080];
        self.service.balancers = vec![Balancer {
            kind: haproxy,
            hosts: vec![lb.name.clone()],
            server,
            environments: BTreeSet::new(),
        }];
        let all = BTreeMap::from([(lb.name.clone(), lb)]);
        self.pools =
            pools(&all, &self.service, &self.scope.environment, &self.hosts.iter().collect::<Vec<_>>());
        let servers = self.pools[0].pool.servers.iter();
        let servers = servers.map(|server| (server.name.clone(), seen(ServerState::Up, 0))).collect();
        self.sights =
            Sights::from([(self.pools[0].pool.name(), Ok(PoolSight { servers, ..PoolSight::default() }))]);
        self
    }

    /// The same behind an nginx, whose every change is a reload.
    pub(crate) fn reloading(mut self) -> Self {
        self = self.balanced();
        let (upstream, include) = ("www".to_owned(), PathBuf::from("/etc/nginx/andon/www.conf"));
        let program = vec!["nginx".to_owned()];
        let sight = self.sights.pop_first().unwrap().1;
        self.pools[0].pool.balancer =
            BalancerKind::Nginx { upstream, include, program, access_log: None, log_format: None };
        self.sights.insert(self.pools[0].pool.name(), sight);
        self
    }

    /// The same with a green set beside it on the same hosts, that has nothing and no traffic yet.
    pub(crate) fn with_green_set(self) -> Self {
        let Self { mut service, hosts, known, mut observed, scope, .. } = self.balanced();
        service.blue_green = Some(BlueGreen {
            green: Green::Ports(vec![9080]),
            steps: vec![10, 50, 100],
            step_time: Duration::from_secs(30),
        });
        let mut line = Line {
            hosts: hosts.into_iter().map(|host| (host.name.clone(), host)).collect(),
            services: BTreeMap::from([(service.name.clone(), service)]),
            ..Line::default()
        };
        line.add_twins();
        let service = line.services.pop_first().unwrap().1;
        let hosts: Vec<Host> =
            service.environments[&scope.environment].iter().map(|name| line.hosts[name].clone()).collect();
        for host in &hosts {
            let nothing = Observation::Reached(Box::new(facts(None, false)));
            observed.entry(host.name.clone()).or_insert(nothing);
        }
        let (pools, sights) = (Vec::new(), Sights::new());
        let mut fleet = Self {
            service,
            kind: Kind::Deploy,
            hosts,
            known,
            observed,
            scope,
            pools,
            sights,
            sites: BTreeMap::new(),
            guard: Guard::default(),
        }
        .balanced();
        fleet.live(Set::Blue);
        fleet
    }

    /// The balancer sends traffic to this set only.
    pub(crate) fn live(&mut self, set: Set) {
        for n in 0..self.hosts.len() {
            let live = self.service.set_of(&self.hosts[n]) == Some(set);
            self.server(n).state = if live { ServerState::Up } else { ServerState::Out };
        }
    }

    /// All hosts of a set run a release, and are healthy.
    pub(crate) fn runs(&mut self, set: Set, release: &Release) {
        for host in &self.hosts {
            if self.service.set_of(host) == Some(set) {
                let answer = Observation::Reached(Box::new(facts(Some(release.id.clone()), true)));
                self.observed.insert(host.name.clone(), answer);
            }
        }
    }

    /// What the only balancer says of a host (counted from 0).
    fn server(&mut self, host: usize) -> &mut ServerSight {
        let sight = self.sights.values_mut().next().unwrap().as_mut().unwrap();
        sight.servers.get_mut(self.hosts[host].name.as_str()).unwrap()
    }

    /// These hosts (counted from 0) answer, and do not serve.
    pub(crate) fn sick(&mut self, which: &[usize]) {
        for host in which.iter().filter_map(|n| self.hosts.get(*n)) {
            if let Some(Observation::Reached(facts)) = self.observed.get_mut(&host.name) {
                facts.instances[0].state = InstanceState::CrashLooping;
            }
        }
    }

    fn facts(&mut self, host: usize) -> &mut HostFacts {
        match self.observed.get_mut(&self.hosts[host].name).unwrap() {
            Observation::Reached(facts) => facts,
            Observation::Unreachable(_) => panic!("unreachable"),
        }
    }

    fn lose(&mut self, host: usize) {
        self.observed
            .insert(self.hosts[host].name.clone(), Observation::Unreachable("connection refused".into()));
    }

    pub(crate) fn plan_of(&self, release: &Release, allow_bad: bool) -> Result<Plan, Refusal> {
        build(
            &Proposal {
                scope: &self.scope,
                kind: self.kind,
                release,
                service: &self.service,
                hosts: self.hosts.iter().collect(),
                config: Digest::of(b"line"),
                known: &self.known,
                allow_bad,
                ledger: "ours",
                take_over: false,
                pools: &self.pools,
                sights: &self.sights,
                sites: &self.sites,
                directory: Path::new("/project"),
                guard: &self.guard,
            },
            &self.observed,
        )
    }

    pub(crate) fn plan(&self) -> Result<Plan, Refusal> {
        self.plan_of(&release("new"), false)
    }
}

#[test]
fn a_plan_prints_absolute_numbers() {
    let plan = Fleet::running(8).plan().unwrap();
    let sizes: Vec<usize> = plan.waves.iter().map(Vec::len).collect();
    assert_eq!(sizes, [1, 1, 2, 4]);
    assert_eq!((plan.floor, plan.max_parallel, plan.max_failed, plan.max_unreachable), (6, 1, 1, 1));
    assert_eq!(plan.back_to.unwrap().id, release("old").id);
    assert_eq!(plan.on_failure, OnFailure::RollBack);
}

#[test]
fn the_default_floor_lets_even_one_host_change() {
    for n in 1..=5 {
        assert!(Fleet::running(n).plan().is_ok(), "{n} hosts");
    }
}

#[test]
fn the_default_floor_lets_a_small_fleet_change_although_one_host_is_missing() {
    for (n, floor) in [(2, 0), (3, 1), (4, 2), (5, 3), (8, 6), (9, 7)] {
        for kind in [Kind::Deploy, Kind::Rollback] {
            let mut fleet = Fleet::running(n);
            fleet.kind = kind;
            fleet.lose(0);
            let plan = fleet.plan().unwrap();
            assert_eq!((plan.floor, plan.changing()), (floor, n - 1), "{n} hosts");
        }
    }
}

#[test]
fn sick_hosts_go_first_and_laggards_next() {
    let mut fleet = Fleet::running(5);
    fleet.sick(&[3]);
    let older = release("older").id;
    let laggard = facts(Some(older), true);
    *fleet.facts(2) = laggard;
    let order: Vec<String> = fleet.plan().unwrap().waves.concat().iter().map(ToString::to_string).collect();
    assert_eq!(order, ["web4", "web3", "web1", "web2", "web5"]);
}

#[test]
fn a_host_that_is_there_already_is_left_alone() {
    let mut fleet = Fleet::running(3);
    *fleet.facts(1) = facts(Some(release("new").id), true);
    let plan = fleet.plan().unwrap();
    assert_eq!(plan.changing(), 2);
    for host in 0..3 {
        *fleet.facts(host) = facts(Some(release("new").id), true);
    }
    assert!(matches!(fleet.plan(), Err(Refusal::NothingToDo { hosts: 3, .. })));
}

#[test]
fn a_floor_that_cannot_hold_is_refused_with_the_numbers() {
    let mut fleet = Fleet::running(8);
    fleet.service.rollout.min_available = Some(Share::Hosts(7));
    fleet.lose(0);
    let refusal = fleet.plan().unwrap_err();
    assert_eq!(refusal.what(), "www: 8 hosts, 1 already down, floor 7: no host may be taken out");
}

#[test]
fn unreachable_hosts_are_borne_up_to_the_budget() {
    let mut fleet = Fleet::running(8);
    fleet.lose(1);
    assert_eq!(fleet.plan().unwrap().changing(), 7);
    fleet.lose(2);
    let refusal = fleet.plan().unwrap_err();
    assert!(matches!(&refusal, Refusal::Unreachable { hosts, max: 1 } if hosts.len() == 2), "{refusal:?}");
    assert!(refusal.why().contains("connection refused"));
}

#[test]
fn a_full_disk_is_found_before_anything_is_touched() {
    let mut fleet = Fleet::running(4);
    fleet.facts(2).free = ByteSize(1 << 20);
    let refusal = fleet.plan().unwrap_err();
    assert_eq!(refusal.what(), "web3 cannot take the release: 1.0 MiB are free, 21 MiB are needed");
    let new = release("new").id;
    fleet.facts(2).releases.push(new);
    assert!(fleet.plan().is_ok(), "a release that lies there already needs no space");
}

#[test]
fn a_bad_release_is_refused_until_somebody_insists() {
    let mut fleet = Fleet::running(4);
    let because = "errors".to_owned();
    let bad = ScopeFact::Marked {
        release: release("new"),
        status: ReleaseStatus::Bad,
        deployment: DeploymentId(9),
        because,
    };
    fleet.known.apply(Time(2), &bad);
    assert!(matches!(fleet.plan(), Err(Refusal::BadRelease { deployment: DeploymentId(9), .. })));
    assert!(fleet.plan_of(&release("new"), true).is_ok());
}

#[test]
fn a_host_of_another_ledger_is_refused() {
    let mut fleet = Fleet::running(2);
    let by_bob = Authority {
        ledger: "theirs".into(),
        fence: Fence(3),
        deployment: 12,
        by: "bob".into(),
        at: "desk".into(),
        since: None,
        take_over: false,
        round: 0,
    };
    fleet.facts(0).authority = Some(by_bob);
    assert!(fleet.plan().unwrap_err().what().contains("by bob on desk"));
}

#[test]
fn a_rollback_is_one_wave_as_wide_as_the_floor_and_undoes_nothing() {
    let mut fleet = Fleet::running(8);
    fleet.kind = Kind::Rollback;
    let plan = fleet.plan().unwrap();
    assert_eq!((plan.waves.len(), plan.max_parallel, plan.floor), (1, 8, 6));
    assert_eq!((plan.back_to, plan.on_failure, plan.bake), (None, OnFailure::GoOn, Duration::ZERO));
}

#[test]
fn a_plan_survives_the_ledger() {
    let plan = Fleet::running(3).plan().unwrap();
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
}

mod reach;
mod traffic;
