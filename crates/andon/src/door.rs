//! The controller, wherever it is: in this process, or at a server. Commands ask through here, and need not know.

use andon_core::analysis::planner::Outlook;
use andon_core::cord::Cord;
use andon_core::deployment::{Ask, DeploymentId};
use andon_core::digest::Digest;
use andon_core::guard::GuardFact;
use andon_core::line::{Host, Service};
use andon_core::name::{EnvironmentName, HostName, ServiceName};
use andon_core::plan::{Observations, Plan, PlannedPool, Sights};
use andon_core::release::ReleaseId;
use andon_core::scope::ScopeName;
use andon_server::{Controller, Going, Outbox, Problem, Records, Sweep, Trial, Wish};
use tokio::io::AsyncReadExt;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::context::me;
use crate::exit;
use crate::failure::Failure;
use crate::remote::wire::Wrong;
use crate::remote::{Remote, Swept};

/// The most of a host's output that is shown, in bytes.
const MOST: u64 = 4 << 20;

/// The way to whoever decides.
#[derive(Clone)]
pub(crate) enum Door {
    /// This process does.
    Here(Box<Controller>),
    /// A server does.
    Server(Remote),
}

impl Door {
    /// The same; what is being planned is given up when `signal` becomes true.
    pub(crate) fn given_up_at(self, signal: watch::Receiver<bool>) -> Self {
        match self {
            Self::Here(controller) => Self::Here(Box::new(controller.given_up_at(signal))),
            Self::Server(remote) => Self::Server(remote.given_up_at(signal)),
        }
    }

    /// The ledger, typed. Over a server it can only be read.
    pub(crate) fn records(&self) -> &Records {
        match self {
            Self::Here(controller) => controller.records(),
            Self::Server(remote) => remote.records(),
        }
    }

    /// Messages to people. Over a server they can only be read.
    pub(crate) fn outbox(&self) -> &Outbox {
        match self {
            Self::Here(controller) => controller.outbox(),
            Self::Server(remote) => remote.outbox(),
        }
    }

    /// Everything that a deployment would do, and, where it is wanted, what its analyses could see.
    pub(crate) async fn plan(&self, wish: &Wish, outlook: bool) -> Result<(Plan, Option<Outlook>), Failure> {
        match self {
            Self::Here(controller) => {
                let plan = controller.plan(wish).await?;
                let outlook = if outlook { controller.outlook(&plan).await } else { None };
                Ok((plan, outlook))
            }
            Self::Server(remote) => remote.plan(wish, outlook).await,
        }
    }

    /// Begins a deployment, or queues it.
    pub(crate) async fn deploy(&self, wish: Wish) -> Result<Going, Failure> {
        match self {
            Self::Here(controller) => Ok(controller.deploy(wish).await?),
            Self::Server(remote) => remote.deploy(&wish).await,
        }
    }

    /// Records a wish, if it makes sense now.
    pub(crate) async fn wish(&self, id: DeploymentId, ask: Ask, why: Option<String>) -> Result<(), Failure> {
        match self {
            Self::Here(controller) => Ok(controller.wish(id, ask, why).await?),
            Self::Server(remote) => Ok(remote.wish(id, &ask, why).await.map(drop)?),
        }
    }

    /// The same while the deployment is watched: that it makes no sense now, or that a server cannot be reached at this
    /// moment, is no reason to watch no longer. It is said in words then.
    pub(crate) async fn hint(
        &self,
        id: DeploymentId,
        ask: Ask,
        why: Option<String>,
    ) -> Result<Option<String>, Failure> {
        match self {
            Self::Here(controller) => match controller.wish(id, ask, why).await {
                Ok(()) => Ok(None),
                Err(Problem::NotNow(why)) => Ok(Some(why)),
                Err(problem) => Err(problem.into()),
            },
            Self::Server(remote) => match remote.wish(id, &ask, why).await {
                Ok(_) => Ok(None),
                Err(Wrong::Problem(Problem::NotNow(why))) => Ok(Some(why)),
                Err(Wrong::Broken(failure)) => Ok(Some(failure.what)),
                Err(wrong) => Err(wrong.into()),
            },
        }
    }

    /// Goes on with a deployment. `None` when somebody else drives it and has been told.
    pub(crate) async fn resume(&self, id: DeploymentId, take_over: bool) -> Result<Option<Going>, Failure> {
        match self {
            Self::Here(controller) => Ok(controller.resume(id, take_over).await?),
            Self::Server(remote) => remote.resume(id, take_over).await,
        }
    }

    /// Asks for something. `None` when somebody else drives it and has been told.
    pub(crate) async fn ask(
        &self,
        id: DeploymentId,
        ask: Ask,
        why: Option<String>,
    ) -> Result<Option<Going>, Failure> {
        match self {
            Self::Here(controller) => Ok(controller.ask(id, ask, why).await?),
            Self::Server(remote) => remote.ask(id, &ask, why).await,
        }
    }

    /// Pulls the cord. Gives the line as it was before.
    pub(crate) async fn stop_line(&self, why: String) -> Result<Cord, Failure> {
        match self {
            Self::Here(controller) => Ok(controller.stop_line(me(), why).await?),
            Self::Server(remote) => remote.pull(true, why).await,
        }
    }

    /// Starts the line. Gives the line as it was before.
    pub(crate) async fn start_line(&self, why: String) -> Result<Cord, Failure> {
        match self {
            Self::Here(controller) => Ok(controller.start_line(me(), why).await?),
            Self::Server(remote) => remote.pull(false, why).await,
        }
    }

    /// Agrees to a release that waits. Gives its whole digest.
    pub(crate) async fn approve(
        &self,
        scope: &ScopeName,
        release: &ReleaseId,
        why: Option<String>,
    ) -> Result<Digest, Failure> {
        match self {
            Self::Here(controller) => Ok(controller.approve(scope, release, why).await?),
            Self::Server(remote) => remote.approve(scope, release, why).await,
        }
    }

    /// Asks the hosts of a scope what they run.
    pub(crate) async fn observe(
        &self,
        scope: &ScopeName,
        service: &Service,
        hosts: &[&Host],
    ) -> Result<Observations, Failure> {
        match self {
            Self::Here(controller) => Ok(controller.observe(service, hosts).await),
            Self::Server(remote) => remote.observe(scope).await,
        }
    }

    /// Asks the balancers of a scope what they see.
    pub(crate) async fn look(&self, scope: &ScopeName, pools: &[PlannedPool]) -> Result<Sights, Failure> {
        match self {
            Self::Here(controller) => Ok(controller.look(pools).await),
            Self::Server(_) if pools.is_empty() => Ok(Sights::new()),
            Self::Server(remote) => remote.look(scope).await,
        }
    }

    /// Runs health checks and production tests.
    pub(crate) async fn test(
        &self,
        scope: &ScopeName,
        service: &Service,
        hosts: &[&Host],
    ) -> Result<Vec<Trial>, Failure> {
        match self {
            Self::Here(controller) => Ok(controller.test(service, hosts).await),
            Self::Server(remote) => {
                let names: Vec<&HostName> = hosts.iter().map(|host| &host.name).collect();
                remote.test(scope, &names).await
            }
        }
    }

    /// One pass over the scopes that `wanted` are, all at once; they are those of `service` and `environment`.
    pub(crate) async fn sweep(
        &self,
        wanted: Vec<Sweep>,
        service: Option<ServiceName>,
        environment: Option<EnvironmentName>,
    ) -> Result<Swept, Failure> {
        let controller = match self {
            Self::Here(controller) => controller,
            Self::Server(remote) => return remote.sweep(service, environment).await,
        };
        let mut sweeping = JoinSet::new();
        for sweep in wanted {
            let controller = controller.clone();
            // One scope that waits for a slow balancer keeps no other one waiting.
            sweeping.spawn(async move { (sweep.scope.clone(), controller.sweep(&sweep).await) });
        }
        let mut swept = sweeping.join_all().await;
        swept.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(swept)
    }

    /// Records that a command of this machine is about to run on hosts of a guarded environment.
    pub(crate) async fn record_run(
        &self,
        environment: &EnvironmentName,
        fact: GuardFact,
    ) -> Result<(), Failure> {
        match self {
            Self::Here(controller) => {
                let (now, name) = (andon_server::clock::now(), me().name);
                Ok(controller.records().record_guarded(now, &name, environment, &fact).await?)
            }
            Self::Server(remote) => remote.record_run(environment, fact).await,
        }
    }

    /// What a host's steps printed in a deployment, at most 4 MiB of it; where that is not kept, where it would be.
    pub(crate) async fn log(
        &self,
        id: DeploymentId,
        host: &HostName,
    ) -> Result<Result<Vec<u8>, String>, Failure> {
        let controller = match self {
            Self::Here(controller) => controller,
            Self::Server(remote) => {
                let kept = remote.log(id, host).await?;
                return Ok(kept.ok_or_else(|| format!("{} has nothing of it", remote.url())));
            }
        };
        let path = controller.output_path(id, host);
        let read = async {
            let mut bytes = Vec::new();
            tokio::fs::File::open(&path).await?.take(MOST).read_to_end(&mut bytes).await?;
            Ok::<_, std::io::Error>(bytes)
        };
        Ok(read.await.map_err(|_| format!("{} is not there", path.display())))
    }

    /// What keeps a server from being heard at this moment.
    pub(crate) fn trouble(&self) -> Option<String> {
        match self {
            Self::Here(_) => None,
            Self::Server(remote) => remote.trouble(),
        }
    }

    /// The server, where there is one: what goes on, goes on there.
    pub(crate) fn server(&self) -> Option<&Remote> {
        match self {
            Self::Here(_) => None,
            Self::Server(remote) => Some(remote),
        }
    }
}

/// A command was left while a server was asked to begin something.
pub(crate) fn left_asking(url: &str) -> Failure {
    Failure {
        code: exit::LEFT,
        ..Failure::refused(format!("left while {url} was asked: whether it begins is not known"))
            .why("a server goes on by itself")
            .next("andon history, then: andon abort NUMBER")
    }
}
