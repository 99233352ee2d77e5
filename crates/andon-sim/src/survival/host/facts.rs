//! What a simulated host says about itself.

use andon_core::host::{Authority, HostFacts, InstanceFacts, InstanceState, Placement, Token};
use andon_core::quantity::ByteSize;

use super::SimulatedHost;
use crate::survival::clock;
use crate::survival::disk::{Content, Name};
use crate::survival::story::Flaw;

/// Restarts from which on an instance counts as ending again and again.
const LOOPING: u32 = 3;

impl SimulatedHost {
    /// Everything that it knows, with the fate of `tokens`.
    pub fn facts(&self, placement: &Placement, tokens: &[Token]) -> HostFacts {
        let fates = tokens.iter().map(|token| (token.clone(), self.fate(token))).collect();
        let state = self.state();
        let current = match state.disk.get(&Name::Current) {
            Some(Content::Link(release)) => Some(release.clone()),
            _ => None,
        };
        let marker = match state.disk.get(&Name::Marker) {
            Some(Content::Marker(marker)) => Some(marker.clone()),
            _ => None,
        };
        let authority: Option<Authority> = match state.disk.get(&Name::Authority) {
            Some(Content::Authority(authority)) => Some(authority.clone()),
            _ => None,
        };
        let named = state.disk.names().filter_map(|name| match name {
            Name::Release(release) => Some(release.clone()),
            _ => None,
        });
        let recorded = |release: &_| state.disk.get(&Name::Recorded(Clone::clone(release))).is_some();
        let releases = named.filter(recorded).collect();
        let seen = state.instance.as_ref().map(|instance| {
            let restarts = instance.restarts();
            let looping = matches!(instance.flaw, Some(Flaw::Dies(_))) && restarts >= LOOPING;
            let seen = if looping { InstanceState::CrashLooping } else { InstanceState::Running };
            let health = if instance.is_healthy() { Ok(()) } else { Err("connection refused".to_owned()) };
            (seen, instance.release.clone(), restarts, health)
        });
        let instance = |instance: &andon_core::line::Instance| match &seen {
            Some((seen, release, restarts, health)) => InstanceFacts {
                name: instance.name.clone(),
                state: *seen,
                release: Some(release.clone()),
                restarts: *restarts,
                health: Some(health.clone()),
            },
            None => InstanceFacts {
                name: instance.name.clone(),
                state: InstanceState::Stopped,
                release: None,
                restarts: 0,
                health: Some(Err("connection refused".to_owned())),
            },
        };
        HostFacts {
            boot_id: format!("boot-{}", state.boot),
            arch: "x86_64".into(),
            free: ByteSize(if clock::elapsed() < state.full_until { 0 } else { 1 << 40 }),
            current,
            releases,
            marker,
            instances: placement.instances.iter().map(instance).collect(),
            authority,
            tokens: fates,
            obstacles: Vec::new(),
        }
    }
}
