//! Two sets of instances, of which one serves.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::name::HostName;

/// How a service is released from one set of instances to the other. The set that the service describes is blue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlueGreen {
    /// The other set.
    pub green: Green,
    /// The shares of traffic, in hundredths, that the new set gets one after another; the last is 100.
    pub steps: Vec<u8>,
    /// How long each share but the last stays.
    #[serde(with = "crate::time::millis")]
    pub step_time: Duration,
    /// How long the old set is kept running after it was left, so that traffic can go back at once.
    #[serde(with = "crate::time::millis")]
    pub keep: Duration,
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
