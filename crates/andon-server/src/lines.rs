//! The line as it lies on a disk, and the wishes that are made of it. What a deployment does stands in the line; the few
//! words that people add are exceptions, and each is recorded.

use std::path::{Path, PathBuf};

use andon_core::deployment::{DeploymentId, Kind};
use andon_core::guard::{Confirmation, Guard, Passes};
use andon_core::line::{Host, Line, Service};
use andon_core::name::{EnvironmentName, ServiceName};
use andon_core::plan::PlannedPool;
use andon_core::release::Release;
use andon_core::scope::ScopeName;
use andon_line::{Diagnostics, Loaded};

use crate::Wish;
use crate::artifacts::{ArtifactError, Artifacts};
use crate::history::Sampled;
use crate::revision;

pub use keeper::{FindLine, LineKeeper, Reread};

mod keeper;

/// A line that was read, and where it lies.
#[derive(Debug)]
pub struct LineOnDisk {
    /// What was read.
    pub loaded: Loaded,
    /// The directory of the line: relative paths begin here.
    pub dir: PathBuf,
}

/// What people may add to a wish: never what it does, only that it may pass.
#[derive(Debug, Clone, Default)]
pub struct Exceptions {
    /// Why, in the person's words.
    pub why: Option<String>,
    /// The deployment whose damage this repairs.
    pub fixes: Option<DeploymentId>,
    /// Why a bad release may pass once more.
    pub allow_bad: Option<String>,
    /// Why more hosts may change at one go than the environment allows.
    pub allow_wide: Option<String>,
    /// Hosts that belong to another ledger are taken over.
    pub take_over: bool,
    /// The environment's name, said once more.
    pub confirmed: Option<Confirmation>,
}

/// Why the line has no such scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoScope {
    /// No service has that name.
    #[error("there is no service \"{0}\" in the line")]
    Service(ServiceName),
    /// The service has no such environment.
    #[error("{0} has no environment \"{1}\"")]
    Environment(ServiceName, EnvironmentName),
    /// The service has several environments, and none was named.
    #[error("{0} has several environments: {1}")]
    Several(ServiceName, String),
}

impl LineOnDisk {
    /// Reads the line at `path`.
    ///
    /// # Errors
    /// Every mistake of the line at once.
    pub fn read(path: &Path) -> Result<Self, Diagnostics> {
        let dir = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        Ok(Self { loaded: andon_line::load(path)?, dir })
    }

    /// The line.
    pub fn line(&self) -> &Line {
        &self.loaded.line
    }

    /// The directory of the line, absolute: what is started there finds its files wherever the process was started.
    pub fn directory(&self) -> PathBuf {
        std::path::absolute(&self.dir).unwrap_or_else(|_| self.dir.clone())
    }

    /// The scope that is meant; without an environment, the only one of the service.
    ///
    /// # Errors
    /// [`NoScope`].
    pub fn scope(
        &self,
        service: &ServiceName,
        environment: Option<&EnvironmentName>,
    ) -> Result<ScopeName, NoScope> {
        let known = self.line().services.get(service).ok_or_else(|| NoScope::Service(service.clone()))?;
        let mut all = known.environments.keys();
        let environment = match (environment, all.next(), all.next()) {
            (Some(name), ..) => match known.environments.get_key_value(name) {
                Some((name, _)) => name,
                None => return Err(NoScope::Environment(service.clone(), name.clone())),
            },
            (None, Some(only), None) => only,
            (None, ..) => {
                let names: Vec<&str> = known.environments.keys().map(EnvironmentName::as_str).collect();
                return Err(NoScope::Several(service.clone(), names.join(", ")));
            }
        };
        Ok(ScopeName { service: service.clone(), environment: environment.clone() })
    }

    /// The service of a scope and its hosts, in the line's order. `None` when the line has no such scope.
    pub fn parts(&self, scope: &ScopeName) -> Option<(&Service, Vec<&Host>)> {
        let service = self.line().services.get(&scope.service)?;
        let names = service.environments.get(&scope.environment)?;
        let hosts = names.iter().filter_map(|name| self.line().hosts.get(name)).collect();
        Some((service, hosts))
    }

    /// The balancers that send traffic to a scope.
    pub fn pools(&self, scope: &ScopeName) -> Vec<PlannedPool> {
        let Some((service, hosts)) = self.parts(scope) else { return Vec::new() };
        andon_core::plan::pools(&self.line().hosts, service, &scope.environment, &hosts)
    }

    /// Every scope of the line.
    pub fn scopes(&self) -> impl Iterator<Item = ScopeName> {
        self.line().services.values().flat_map(|service| {
            service.environments.keys().map(|environment| ScopeName {
                service: service.name.clone(),
                environment: environment.clone(),
            })
        })
    }

    /// Every scope of the line that stands behind a balancer, with its balancers.
    pub fn sampled(&self) -> Vec<Sampled> {
        let with_pools = self.scopes().map(|scope| Sampled { pools: self.pools(&scope), scope });
        with_pools.filter(|sampled| !sampled.pools.is_empty()).collect()
    }

    /// The release that the line describes, packed and kept, ready to be sent.
    ///
    /// # Errors
    /// [`ArtifactError`]; a task that was cancelled counts as one that could not be kept.
    pub async fn release(&self, artifacts: &Artifacts, service: &Service) -> Result<Release, ArtifactError> {
        let revision = revision::head(&self.dir).await;
        let (artifacts, source, dir) = (artifacts.clone(), service.release.clone(), self.dir.clone());
        // Reading and packing a large release would hold the runtime up.
        tokio::task::spawn_blocking(move || artifacts.keep(&source, &dir, revision))
            .await
            .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }

    /// The wish to bring `release` to a scope as the line says. `None` when the line has no such scope.
    pub fn wish(&self, scope: &ScopeName, kind: Kind, release: Release, more: Exceptions) -> Option<Wish> {
        let (service, hosts) = self.parts(scope)?;
        let passes = Passes { confirmed: more.confirmed, allow_wide: more.allow_wide };
        Some(Wish {
            pools: self.pools(scope),
            sites: self.line().sites.clone(),
            directory: self.directory(),
            guard: Guard { environment: self.line().environments.get(&scope.environment).cloned(), passes },
            scope: scope.clone(),
            kind,
            release,
            service: service.clone(),
            hosts: hosts.into_iter().cloned().collect(),
            config: self.loaded.digest,
            why: more.why,
            fixes: more.fixes,
            allow_bad: more.allow_bad,
            take_over: more.take_over,
        })
    }
}
