//! The line as its users describe it: hosts, groups, services and how they are rolled out.
//!
//! Values of these types are valid by construction: names exist, ranges hold, templates name known
//! placeholders. Reading and validating `line.star` is `andon-line`'s work.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::name::{EnvironmentName, GroupName, HostName, ServiceName};

pub use probe::{Health, Probe, ProductionTest};
pub use rollout::{OnConflict, Rollout};
pub use run::{Instance, Run, Supervision, SystemdUnit, Template};

pub mod probe;
pub mod rollout;
pub mod run;

/// A whole `line.star`, validated.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Line {
    /// All hosts, those inside of groups included.
    pub hosts: BTreeMap<HostName, Host>,
    /// Named sets of hosts. Nested groups are flattened here, in the order of the file.
    pub groups: BTreeMap<GroupName, Vec<HostName>>,
    /// All services.
    pub services: BTreeMap<ServiceName, Service>,
}

/// One machine and the way to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// The name by which Andon speaks of it.
    pub name: HostName,
    /// How orders reach it.
    pub transport: Transport,
    /// Added to every port of every service on this host. Lets one machine stand in for several.
    pub port_offset: u16,
}

/// How orders reach a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// Through the system's own `ssh`.
    Ssh {
        /// What `ssh` is asked to reach: a name, an address, or an alias of `~/.ssh/config`.
        address: String,
        /// The remote user; `None` leaves it to `ssh`.
        user: Option<String>,
        /// The remote port; `None` leaves it to `ssh`.
        port: Option<u16>,
        /// Run the agent as root through `sudo -n`.
        sudo: bool,
    },
    /// This machine, as the user who runs Andon, below a directory of its own.
    Local,
}

/// Something that runs on hosts and is released as one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Its name.
    pub name: ServiceName,
    /// The hosts of each environment, in the order of the file.
    pub environments: BTreeMap<EnvironmentName, Vec<HostName>>,
    /// Where its releases come from.
    pub release: ReleaseSource,
    /// The directory on the host that holds `releases/`, `current` and `shared/`. Absolute, or below `~`.
    /// On a [`Transport::Local`] host it lies below the host's own directory.
    pub root: PathBuf,
    /// How it runs.
    pub run: Run,
    /// "Is it up?", asked of every instance. `None` only checks that the process stays alive.
    pub health: Option<Health>,
    /// "Does it do its job?", asked of every instance after it is healthy.
    pub tests: Vec<ProductionTest>,
    /// How a release spreads.
    pub rollout: Rollout,
}

/// Where releases come from, relative to the directory of `line.star` unless absolute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseSource {
    /// A `.tar`, `.tar.gz` or `.tar.zst` file.
    Archive(PathBuf),
    /// A directory, packed reproducibly.
    Directory(PathBuf),
}
