//! Two sets of instances, of which one serves.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Host, Line, Run, Service};
use crate::name::{HostName, ServiceName};

/// How a service is released from one set of instances to the other. The set that the service describes is blue.
/// The set that was left goes on running what it ran, without traffic, until the next release takes its place: so
/// long, traffic can go back at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlueGreen {
    /// The other set.
    pub green: Green,
    /// The shares of traffic, in hundredths, that the new set gets one after another; the last is 100.
    pub steps: Vec<u8>,
    /// How long each share but the last stays.
    #[serde(with = "crate::time::millis")]
    pub step_time: Duration,
}

/// The instances of the green set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Green {
    /// A second instance beside each one, on the same hosts: as many ports as the service has.
    Ports(Vec<u16>),
    /// Hosts of their own, which belong to the environment too.
    Hosts(Vec<HostName>),
}

/// One of the two sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Set {
    /// The one that the service describes.
    Blue,
    /// The other one.
    Green,
}

impl Set {
    /// The set that is not this one.
    pub fn other(self) -> Self {
        match self {
            Set::Blue => Set::Green,
            Set::Green => Set::Blue,
        }
    }
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Set::Blue => "blue",
            Set::Green => "green",
        })
    }
}

impl Line {
    /// Adds the green instances that stand beside blue ones, each as a host of its own: `web1.green` is reached as
    /// `web1` is, and is deployed to as any other host.
    pub fn add_twins(&mut self) {
        for service in self.services.values_mut() {
            let Some(BlueGreen { green: Green::Ports(_), .. }) = &service.blue_green else { continue };
            for names in service.environments.values_mut() {
                let twins: Vec<Host> = names.iter().filter_map(|name| self.hosts.get(name)?.twin()).collect();
                for twin in twins {
                    names.push(twin.name.clone());
                    self.hosts.entry(twin.name.clone()).or_insert(twin);
                }
            }
        }
    }
}

impl Host {
    /// Where the green instances beside this host's own ones run; `None` for a name that is too long for one.
    fn twin(&self) -> Option<Self> {
        let name = HostName::new(format!("{}.green", self.name)).ok()?;
        Some(Self { name, twin: true, ..self.clone() })
    }
}

impl Service {
    /// The set that a host belongs to; `None` for a service that has only one.
    pub fn set_of(&self, host: &Host) -> Option<Set> {
        let green = match &self.blue_green.as_ref()?.green {
            Green::Ports(_) => host.twin,
            Green::Hosts(hosts) => hosts.contains(&host.name),
        };
        Some(if green { Set::Green } else { Set::Blue })
    }

    /// The name that the service goes by on a host. Green instances beside blue ones have everything of their own.
    pub fn name_on(&self, host: &Host) -> ServiceName {
        let green = ServiceName::new(format!("{}-green", self.name));
        green.ok().filter(|_| host.twin).unwrap_or_else(|| self.name.clone())
    }

    /// The directory of the service on a host.
    pub fn root_on(&self, host: &Host) -> PathBuf {
        let mut root = self.root.clone().into_os_string();
        if host.twin {
            root.push("-green");
        }
        root.into()
    }

    /// How the service runs on a host.
    pub fn run_on(&self, host: &Host) -> Cow<'_, Run> {
        match &self.blue_green {
            Some(BlueGreen { green: Green::Ports(ports), .. }) if host.twin => {
                Cow::Owned(Run { ports: ports.clone(), ..self.run.clone() })
            }
            _ => Cow::Borrowed(&self.run),
        }
    }
}
