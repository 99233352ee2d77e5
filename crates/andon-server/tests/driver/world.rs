//! A fleet that runs a good release, a ledger, and controllers of several people over both, in simulated time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use andon_core::deployment::{Deployment, DeploymentId, Kind, State};
use andon_core::digest::Digest;
use andon_core::line::{
    Balancer, BalancerKind, Host, ReleaseSource, Rollout, Run, Service, Supervision, Template, Transport,
};
use andon_core::name::{EnvironmentName, HostName, ServiceName};
use andon_core::person::Person;
use andon_core::plan::pools;
use andon_core::quantity::{ByteSize, Share};
use andon_core::release::{Packing, Release, ReleaseId};
use andon_core::scope::{Lock, Scope, ScopeName};
use andon_core::time::Time;
use andon_server::{Controller, Entry, Records, Sweep, Wish};
use andon_store::{Ledger, MemoryLedger};
use tokio::time::Instant;

use crate::fleet::Fleet;
use crate::ledger::{Intents, TestLedger};

/// The moment, in the time of the test's own runtime.
fn now() -> Time {
    static BASE: LazyLock<Instant> = LazyLock::new(Instant::now);
    Time(1_700_000_000_000) + Instant::now().saturating_duration_since(*BASE)
}

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

fn scope() -> ScopeName {
    ScopeName {
        service: ServiceName::new("www").unwrap(),
        environment: EnvironmentName::new("production").unwrap(),
    }
}

/// A service that runs on `hosts`.
pub(crate) fn service(hosts: &[Host], rollout: &Rollout) -> Service {
    Service {
        name: scope().service,
        environments: BTreeMap::from([(
            scope().environment,
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
        rollout: rollout.clone(),
        watch: None,
        tell: None,
    }
}

pub(crate) struct World {
    pub(crate) fleet: Fleet,
    pub(crate) rollout: Rollout,
    balanced: bool,
    ledger: MemoryLedger,
    intents: Intents,
    hosts: Vec<Host>,
    data: tempfile::TempDir,
}

impl World {
    /// `n` hosts named `web1` and so on, that run the release `old`.
    pub(crate) async fn new(n: usize) -> Self {
        Self::of(n, false).await
    }

    /// The same, behind a balancer.
    pub(crate) async fn balanced(n: usize) -> Self {
        Self::of(n, true).await
    }

    async fn of(n: usize, balanced: bool) -> Self {
        let intents = Intents::default();
        let host = |n| Host::new(HostName::new(format!("web{n}")).unwrap(), Transport::Local);
        let world = Self {
            fleet: Fleet::new(&intents),
            rollout: Rollout {
                waves: vec![Share::Hosts(1), Share::Percent(100)],
                max_parallel: Share::Hosts(2),
                min_available: Some(Share::Percent(50)),
                min_healthy_time: Duration::from_secs(2),
                bake: Duration::from_secs(5),
                ..Rollout::default()
            },
            balanced,
            ledger: MemoryLedger::new("test"),
            intents,
            hosts: (1..=n).map(host).collect(),
            data: tempfile::tempdir().unwrap(),
        };
        let (first, _) = world.person("first");
        let ended = first.deploy(world.wish("old")).await.unwrap().end.await.unwrap().unwrap();
        assert_eq!(ended.state, State::Succeeded);
        world
    }

    /// A controller of somebody on a machine of their own, and its handle on the ledger.
    pub(crate) fn person(&self, name: &str) -> (Controller, Arc<TestLedger>) {
        let handle = TestLedger::new(&self.ledger, &self.intents);
        let me = Person { name: name.into(), at: format!("{name}s-laptop") };
        let records = Records::new(Arc::<TestLedger>::clone(&handle));
        let ways = Arc::new(self.fleet.clone());
        (Controller::new(records, ways, self.data.path().to_owned(), me).with_clock(now), handle)
    }

    pub(crate) fn wish(&self, content: &str) -> Wish {
        let mut service = service(&self.hosts, &self.rollout);
        let lb = Host::new(HostName::new("lb1").unwrap(), Transport::Local);
        if self.balanced {
            service.run.ports = vec![8080];
            service.balancers = vec![Balancer {
                kind: BalancerKind::Proxy { control: "/run/proxy.sock".into(), pool: "www".into() },
                hosts: vec![lb.name.clone()],
                server: Template::new("{host}").unwrap(),
                environments: BTreeSet::new(),
            }];
        }
        let hosts: Vec<&Host> = self.hosts.iter().collect();
        let all = BTreeMap::from([(lb.name.clone(), lb)]);
        let pools = pools(&all, &service, &scope().environment, &hosts);
        Wish {
            pools,
            sites: BTreeMap::new(),
            directory: self.data.path().to_owned(),
            scope: scope(),
            kind: Kind::Deploy,
            release: release(content),
            service,
            hosts: self.hosts.clone(),
            config: Digest::of(b"line"),
            why: None,
            fixes: None,
            allow_bad: None,
            take_over: false,
            guard: Default::default(),
        }
    }

    /// What is swept: the whole scope.
    pub(crate) fn sweep(&self) -> Sweep {
        let Wish { scope, service, hosts, pools, .. } = self.wish("old");
        Sweep { scope, service, hosts, pools }
    }

    pub(crate) fn rollback(&self, content: &str) -> Wish {
        Wish { kind: Kind::Rollback, ..self.wish(content) }
    }

    fn records(&self) -> Records {
        Records::new(Arc::new(self.ledger.clone()))
    }

    /// The newest position in the ledger.
    pub(crate) async fn head(&self) -> u64 {
        self.ledger.head().await.unwrap()
    }

    pub(crate) async fn scope(&self) -> Scope {
        self.records().scope(&scope()).await.unwrap().value
    }

    pub(crate) async fn deployment(&self, id: u64) -> Deployment {
        self.records().deployment(DeploymentId(id)).await.unwrap().value
    }

    pub(crate) async fn entries(&self, id: u64) -> Vec<Entry> {
        self.records().entries(DeploymentId(id), 0).await.unwrap()
    }

    /// Returns once a deployment is as wanted; everything else goes on meanwhile.
    pub(crate) async fn until(&self, id: u64, wanted: impl Fn(&Deployment) -> bool) -> Deployment {
        let (records, mut head, mut latest) = (self.records(), 0, None);
        for _ in 0..100_000 {
            let newest = self.ledger.head().await.unwrap();
            if newest != head {
                (head, latest) = (newest, records.deployment(DeploymentId(id)).await.ok());
            }
            if let Some(deployment) = latest.take_if(|deployment| wanted(&deployment.value)) {
                return deployment.value;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("#{id} never came to that: {:?}", self.deployment(id).await.state);
    }

    /// What holds whatever happened: intents before effects, no activation twice, an end that is true.
    pub(crate) async fn check_end(&self, id: u64, what: &str) -> State {
        let deployment = self.deployment(id).await;
        assert_eq!(self.fleet.violations(), Vec::<String>::new(), "{what}");
        assert!(deployment.state.is_terminal(), "{what}: {:?}", deployment.state);
        assert!(!deployment.busy(), "{what}");
        let (old, new) = (release("old").id, deployment.request.release.id.clone());
        for (host, runs) in self.fleet.running() {
            let (forward, back) =
                (self.fleet.activations(&host, &new), self.fleet.activations(&host, &old) - 1);
            assert!(forward <= 1 && back <= 1, "{what}: {host} was activated {forward} and {back} times");
            match deployment.state {
                State::Succeeded => assert_eq!(runs.as_ref(), Some(&new), "{what}: {host}"),
                State::RolledBack { .. } | State::Cancelled { .. } => {
                    assert_eq!(runs.as_ref(), Some(&old), "{what}: {host}");
                }
                _ => {}
            }
        }
        assert_eq!(self.scope().await.lock, Lock::Free, "{what}");
        deployment.state
    }
}
