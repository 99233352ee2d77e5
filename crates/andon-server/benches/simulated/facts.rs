//! What a simulated host of a bench says of itself: that it is well, and runs what it was given.

use std::collections::BTreeMap;

use andon_core::host::{HostFacts, InstanceFacts, InstanceState, Placement};
use andon_core::line::Instance;
use andon_core::quantity::ByteSize;
use andon_core::release::ReleaseId;

/// The facts of a host that runs `current`, and has heard of no step.
pub(crate) fn facts(placement: &Placement, current: Option<&ReleaseId>) -> HostFacts {
    let instance = |instance: &Instance| InstanceFacts {
        name: instance.name.clone(),
        state: InstanceState::Running,
        release: current.cloned(),
        restarts: 0,
        health: Some(Ok(())),
    };
    HostFacts {
        boot_id: "simulated".into(),
        arch: "x86_64".into(),
        free: ByteSize(1 << 40),
        current: current.cloned(),
        releases: current.into_iter().cloned().collect(),
        marker: None,
        instances: placement.instances.iter().map(instance).collect(),
        authority: None,
        tokens: BTreeMap::new(),
        obstacles: Vec::new(),
    }
}
