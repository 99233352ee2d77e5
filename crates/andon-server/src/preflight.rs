//! Before a plan: every host of a scope is asked at once what it runs and what it could take. Changes nothing.

use std::sync::Arc;

use andon_core::line::{Host, Service};
use andon_core::plan::{Observation, Observations, placement};
use tokio::task::JoinSet;

use crate::hosts::{HostError, Hosts};

/// Asks all `hosts` of a service at once.
pub(crate) async fn observe(ways: &Arc<dyn Hosts>, service: &Service, hosts: &[&Host]) -> Observations {
    let mut asked = JoinSet::new();
    for host in hosts {
        let (ways, host, placement) = (Arc::clone(ways), (*host).clone(), placement(service, host));
        asked.spawn(async move {
            let mut answer = ways.probe(&host, &placement, &[]).await;
            if let Err(HostError::Lost(_)) = answer {
                // A connection that was cut in the middle says nothing about the host, and asking changes nothing.
                answer = ways.probe(&host, &placement, &[]).await;
            }
            let observation = match answer {
                Ok(facts) => Observation::Reached(Box::new(facts)),
                Err(error) => Observation::Unreachable(error.to_string()),
            };
            (host.name, observation)
        });
    }
    let mut observations = Observations::new();
    while let Some(answer) = asked.join_next().await {
        // A task that panicked leaves its host out: the plan takes it for unreachable.
        if let Ok((host, observation)) = answer {
            observations.insert(host, observation);
        }
    }
    observations
}
