//! Production tests outside of a deployment: `andon test`.

use std::sync::Arc;
use std::time::Duration;

use andon_api::agent::Order;
use andon_core::host::{Authority, Fence, Outcome, Stage, Step, TestMode, Token};
use andon_core::line::{Host, Service};
use andon_core::name::HostName;
use andon_core::plan::placement;
use andon_core::release::ReleaseId;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::Controller;
use crate::hosts::{HostError, Hosts, Supplies};
use crate::secrets::Secrets;

/// How long an instance may take to become healthy when it is only tested.
const HEALTHY: Duration = Duration::from_secs(30);

/// What the tests of a service said on one host.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Trial {
    /// Where.
    pub host: HostName,
    /// The release that was tested.
    pub release: Option<ReleaseId>,
    /// What was found: an outcome, or why there is none.
    pub result: Result<Outcome, String>,
}

impl Controller {
    /// Runs health checks and production tests on all `hosts` at once. Changes nothing that runs.
    pub async fn test(&self, service: &Service, hosts: &[&Host]) -> Vec<Trial> {
        let mut trials = JoinSet::new();
        for host in hosts {
            let (controller, service, host) = (self.clone(), service.clone(), (*host).clone());
            trials.spawn(async move { controller.test_one(&service, host).await });
        }
        let mut found = trials.join_all().await;
        let place = |trial: &Trial| hosts.iter().position(|host| host.name == trial.host);
        found.sort_by_key(place);
        found
    }

    async fn test_one(&self, service: &Service, host: Host) -> Trial {
        let placement = placement(service, &host);
        let ways: &Arc<dyn Hosts> = &self.ways;
        let mut release = None;
        let result = async {
            let facts = ways.probe(&host, &placement, &[]).await?;
            let running = facts.uniform_release().cloned();
            release.clone_from(&running);
            let Some(running) = running else {
                return Err(HostError::Unable("its instances do not all run the current release".to_owned()));
            };
            let authority = facts.authority.unwrap_or_else(|| self.visitor());
            // Every trial is a step of its own: the moment makes its name.
            let attempt = u32::try_from((self.clock)().0.rem_euclid(i64::from(u32::MAX))).unwrap_or(0);
            let order = Order {
                token: Token::new(0, authority.fence, &host.name, Stage::Verify, false, attempt),
                authority,
                timeout: service.rollout.step_timeout + HEALTHY,
                step: Step::Verify { release: running, healthy_deadline: HEALTHY, tests: TestMode::Decide },
                placement,
            };
            let secrets = Secrets::new(&self.data).of_tests(service);
            let secrets = secrets.map_err(|error| HostError::Unable(error.to_string()))?;
            ways.carry_out(&host, order, &Supplies { secrets, ..Supplies::default() }).await
        }
        .await;
        Trial { host: host.name, release, result: result.map_err(|error| error.to_string()) }
    }

    /// Who gives orders outside of a deployment, as a host knows them already.
    pub(super) fn visitor(&self) -> Authority {
        Authority {
            ledger: self.records.ledger().id().to_owned(),
            fence: Fence(0),
            deployment: 0,
            by: self.me.name.clone(),
            at: self.me.at.clone(),
            since: None,
            take_over: false,
            round: 0,
        }
    }
}
