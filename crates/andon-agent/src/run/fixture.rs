//! Placements for the unit tests of this crate.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use andon_core::host::Placement;
use andon_core::line::{Run, Supervision};
use andon_core::name::{HostName, ServiceName};
use andon_core::release::ReleaseId;

/// The service `www` on the host `web1`, under our own supervision, without a command.
pub(crate) fn placement(root: &Path, ports: &[u16]) -> Placement {
    let run = Run {
        by: Supervision::Own { command: Vec::new() },
        ports: ports.to_vec(),
        environment: BTreeMap::new(),
        stop_timeout: Duration::from_secs(30),
    };
    Placement {
        service: ServiceName::new("www").unwrap(),
        host: HostName::new("web1").unwrap(),
        root: root.to_owned(),
        instances: run.instances(0),
        run,
        health: None,
        tests: Vec::new(),
    }
}

/// A release with this number in its name.
pub(crate) fn release(number: u64) -> ReleaseId {
    format!("r-{number:012x}").parse().unwrap()
}
