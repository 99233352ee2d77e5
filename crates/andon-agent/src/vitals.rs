//! Looks at the processes of a service, its log and this host: cheap, bounded, and without asking the service. Changes
//! nothing, and decides nothing from what it sees.
//!
//! What must be remembered from look to look, as how far a log was read, lives in [`Looks`] and ends with the
//! conversation. A later one counts from nought, in another [`Life`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use andon_core::host::Placement;
use andon_core::line::Supervision;
use andon_core::name::ServiceName;
use andon_core::vitals::{Counter, HostVitals, InstanceVitals, Life};

use crate::layout::{Layout, LayoutError};
use crate::run::process::{self, ProcessId};

mod family;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod journal;
mod log_file;
mod machine;
mod own;
mod units;

/// Services that may be looked at in one conversation.
const MOST_SERVICES: usize = 64;

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum VitalsError {
    /// The placement has no usable root.
    #[error("{0}")]
    Root(String),
    /// Too much would have to be remembered.
    #[error("more than {MOST_SERVICES} services are looked at in one conversation")]
    TooMany,
}

impl From<LayoutError> for VitalsError {
    fn from(error: LayoutError) -> Self {
        Self::Root(error.to_string())
    }
}

/// What is remembered between the looks of one conversation.
#[derive(Debug, Default)]
pub struct Looks {
    services: Mutex<Services>,
}

/// By the service and its root.
type Services = BTreeMap<(ServiceName, PathBuf), Arc<Mutex<Memory>>>;

/// What is remembered of one service.
#[derive(Debug)]
struct Memory {
    /// Of all that is counted here.
    life: Life,
    logs: own::Logs,
    journal: journal::Journal,
    /// Units whose cgroups have shown that systemd hears of kills for want of memory.
    oom_told: BTreeSet<String>,
    /// Processor time that was reached: it must not shrink when a process ends that nobody waits for.
    cpu: BTreeMap<String, Counter>,
}

impl Looks {
    /// Looks once. Two looks at one service wait for each other.
    ///
    /// # Errors
    /// When the placement has no usable root, or too many services are looked at. What cannot be read is `None` in the
    /// answer.
    pub fn look(&self, placement: &Placement) -> Result<HostVitals, VitalsError> {
        let layout = Layout::of(placement)?;
        let memory = self.memory(placement)?;
        let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
        let mut instances = match &placement.run.by {
            Supervision::Own { .. } => own::look(placement, &mut memory),
            Supervision::Systemd(unit) => units::look(placement, unit, &mut memory),
        };
        for (name, vitals) in &mut instances {
            memory.keep_growing(name.as_str(), vitals);
        }
        Ok(machine::vitals(layout.root(), instances))
    }

    fn memory(&self, placement: &Placement) -> Result<Arc<Mutex<Memory>>, VitalsError> {
        let mut services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (placement.service.clone(), placement.root.clone());
        if services.len() >= MOST_SERVICES && !services.contains_key(&key) {
            return Err(VitalsError::TooMany);
        }
        Ok(Arc::clone(services.entry(key).or_default()))
    }
}

impl Default for Memory {
    fn default() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed).to_string();
        let own = i32::try_from(std::process::id()).ok().and_then(ProcessId::of);
        let life = match own {
            Some(own) => Life::of(&[&process::boot_id(), &mark(own), &number]),
            None => Life::of(&[&process::boot_id(), &number]),
        };
        Self {
            life,
            logs: own::Logs::default(),
            journal: journal::Journal::default(),
            oom_told: BTreeSet::new(),
            cpu: BTreeMap::new(),
        }
    }
}

impl Memory {
    fn keep_growing(&mut self, name: &str, vitals: &mut InstanceVitals) {
        let Some(now) = &mut vitals.cpu_us else { return };
        if let Some(before) = self.cpu.get(name).filter(|before| before.life == now.life) {
            now.value = now.value.max(before.value);
        }
        self.cpu.insert(name.to_owned(), *now);
    }
}

/// What no other process of this boot has.
fn mark(process: ProcessId) -> String {
    format!("{}.{}", process.pid, process.started)
}

/// The life of a process.
fn life_of(process: ProcessId) -> Life {
    Life::of(&[&process::boot_id(), &mark(process)])
}
