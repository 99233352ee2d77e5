//! The line as its users describe it: hosts, groups, services and how they are rolled out.
//!
//! Values of these types are valid by construction: names exist, ranges hold, templates name known
//! placeholders. Reading and validating `line.star` is `andon-line`'s work.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::name::{EnvironmentName, GroupName, HostName, ServiceName, SiteName};
use crate::signature::PublicKey;

pub use balancer::{Balancer, BalancerKind, HaproxyApi};
pub use blue_green::{BlueGreen, Green, Set};
pub use environment::Environment;
pub use probe::{Health, Probe, ProductionTest, Variable, VariableError};
pub use rollout::{OnConflict, Rollout};
pub use run::{Instance, Run, Supervision, SystemdUnit, Template};
pub use server::{ServerUrl, ServerUrlError};
pub use tell::{Hook, HookForm, HookUrl, Login, MailAddress, MailServer, Tell};
pub use watch::{PrometheusQuery, Source, Watch, WatchRules, Watched};

pub mod balancer;
pub mod blue_green;
pub mod environment;
pub mod probe;
pub mod rollout;
pub mod run;
pub mod server;
pub mod tell;
pub mod watch;

/// A whole `line.star`, validated.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Line {
    /// All hosts, those inside of groups included.
    pub hosts: BTreeMap<HostName, Host>,
    /// Named sets of hosts. Nested groups are flattened here, in the order of the file.
    pub groups: BTreeMap<GroupName, Vec<HostName>>,
    /// The sites that hosts stand in.
    #[serde(default)]
    pub sites: BTreeMap<SiteName, Site>,
    /// All services.
    pub services: BTreeMap<ServiceName, Service>,
    /// What the line says of environments beyond their hosts.
    #[serde(default)]
    pub environments: BTreeMap<EnvironmentName, Environment>,
    /// The server that deploys it; `None` leaves that to whoever gives a command.
    #[serde(default)]
    pub server: Option<ServerUrl>,
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
    /// The name or address at which balancers reach it, where that is not the one of its transport.
    #[serde(default)]
    pub serves_at: Option<String>,
    /// The site that it stands in: a datacenter, a room, a zone.
    #[serde(default)]
    pub site: Option<SiteName>,
    /// It stands for the green instances beside those of the host whose name it begins with.
    #[serde(default)]
    pub twin: bool,
}

impl Host {
    /// A host that is nothing but reachable.
    pub fn new(name: HostName, transport: Transport) -> Self {
        Self { name, transport, port_offset: 0, serves_at: None, site: None, twin: false }
    }
}

/// A place where hosts stand, that can be taken out of traffic as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Its name.
    pub name: SiteName,
    /// What keeps users away from it, beyond the balancers: a command for the controller's machine, word by word,
    /// started in the directory of `line.star`. It must work when it is repeated.
    pub out: Option<Vec<String>>,
    /// What brings them back.
    pub back: Option<Vec<String>>,
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
    /// What stands between users and its instances; none for a service that nobody calls.
    #[serde(default)]
    pub balancers: Vec<Balancer>,
    /// Two sets of instances, of which one serves: releases go to the idle one, then traffic moves.
    #[serde(default)]
    pub blue_green: Option<BlueGreen>,
    /// How a release spreads.
    pub rollout: Rollout,
    /// What a release is judged by while it spreads; `None` leaves it to health checks and production tests.
    #[serde(default)]
    pub watch: Option<Watch>,
    /// Who is told when something needs people; `None` tells nobody.
    #[serde(default)]
    pub tell: Option<Tell>,
}

/// Where releases come from, relative to the directory of `line.star` unless absolute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseSource {
    /// A `.tar`, `.tar.gz` or `.tar.zst` file.
    Archive(PathBuf),
    /// Such a file, together with the signature beside it.
    Signed {
        /// The file. Its signature has the same name with `.minisig` added.
        archive: PathBuf,
        /// Who may have signed it; at least one.
        by: Vec<PublicKey>,
    },
    /// A directory, packed reproducibly.
    Directory(PathBuf),
}
