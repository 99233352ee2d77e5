//! Services of the line, and what is known of each in its environments.

use std::collections::BTreeMap;

use andon_core::deployment::Summary;
use andon_core::line::Service;
use andon_core::name::HostName;
use andon_core::scope::{HeldOut, Lock, Scope, ScopeName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::DeploymentRow;

/// One service in one environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ScopeRow {
    /// The service.
    pub service: String,
    /// The environment.
    pub environment: String,
    /// The release that its hosts should run.
    pub current: Option<String>,
    /// Who may change its hosts: `"free"`, `{"owned": …}` or `{"held": …}`.
    #[schema(value_type = Value)]
    pub lock: Lock,
    /// The deployment that waits for the lock.
    pub waiting: Option<u64>,
    /// Hosts that were left out of their balancers, each with why.
    #[schema(value_type = Object)]
    pub held: BTreeMap<HostName, HeldOut>,
    /// The newest deployment.
    pub last: Option<DeploymentRow>,
}

/// A service of the line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServiceRow {
    /// Its name.
    pub service: String,
    /// Its environments, each with the names of its hosts in the line's order.
    pub environments: BTreeMap<String, Vec<String>>,
}

impl ScopeRow {
    /// A scope with its newest deployment, where there is one.
    pub fn of(name: &ScopeName, scope: &Scope, newest: Option<&Summary>) -> Self {
        Self {
            service: name.service.to_string(),
            environment: name.environment.to_string(),
            current: scope.current.as_ref().map(ToString::to_string),
            lock: scope.lock.clone(),
            waiting: scope.waiting.map(|id| id.0),
            held: scope.held.clone(),
            last: newest.map(DeploymentRow::from),
        }
    }
}

impl From<&Service> for ServiceRow {
    fn from(service: &Service) -> Self {
        let environments = service
            .environments
            .iter()
            .map(|(name, hosts)| (name.to_string(), hosts.iter().map(ToString::to_string).collect()));
        Self { service: service.name.to_string(), environments: environments.collect() }
    }
}
