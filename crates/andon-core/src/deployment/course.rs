//! What a summary tells of the way that a deployment went, beyond its end: enough to measure by, and to be found by a host.
//!
//! All of it is optional. What was recorded before it was kept says nothing, and nothing is made of that.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Deployment, DeploymentId, Phase, State, count};
use crate::digest::Digest;
use crate::name::HostName;
use crate::time::Time;

/// Names a set of hosts by its content: the first eight bytes of BLAKE3 over its names in order, as 16 hexadecimal
/// characters. Deployments of a thousand hosts name the same few sets again and again, so that each is kept once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FleetId(u64);

/// A text that is not 16 lower-case hexadecimal characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a set of hosts is named by 16 hexadecimal characters")]
pub struct FleetIdError;

impl FleetId {
    /// The name of a set of hosts, given in the order of their names.
    pub fn of<'a>(hosts: impl IntoIterator<Item = &'a HostName>) -> Self {
        let mut text = String::new();
        for host in hosts {
            text.push_str(host.as_str());
            text.push('\n');
        }
        let digest = Digest::of(text.as_bytes());
        let (first, _) = digest.as_bytes().split_at(8);
        Self(first.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// The name as a number, for whoever keeps very many names.
    pub(crate) fn number(self) -> u64 {
        self.0
    }

    /// The name with this number.
    pub(crate) fn of_number(number: u64) -> Self {
        Self(number)
    }
}

impl std::str::FromStr for FleetId {
    type Err = FleetIdError;
    fn from_str(text: &str) -> Result<Self, FleetIdError> {
        let good = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let number = u64::from_str_radix(text, 16).ok().filter(|_| good);
        number.map(Self).ok_or(FleetIdError)
    }
}

impl TryFrom<String> for FleetId {
    type Error = FleetIdError;
    fn try_from(text: String) -> Result<Self, FleetIdError> {
        text.parse()
    }
}

impl From<FleetId> for String {
    fn from(id: FleetId) -> String {
        id.to_string()
    }
}

impl fmt::Display for FleetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for FleetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The way that a deployment went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Course {
    /// The deployment whose damage this one repairs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixes: Option<DeploymentId>,
    /// The hosts of its plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleet: Option<FleetId>,
    /// Hosts of its first wave, which is the canary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<u32>,
    /// Hosts on which users met the release, or may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposed: Option<u32>,
    /// When the release served on every host that it was meant for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub everywhere: Option<Time>,
    /// When it was seen that it does not get through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Time>,
}

impl Course {
    /// Whether it says nothing: nothing is written then.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Moments of a deployment that its present state does not hold any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Milestones {
    everywhere: Option<Time>,
    trouble: Option<Time>,
}

impl Milestones {
    /// A state was entered. The first time counts.
    pub(super) fn pass(&mut self, at: Time, state: &State) {
        let everywhere = match state {
            State::Succeeded | State::Baking { .. } => true,
            State::Paused { at, .. } => matches!(at, Phase::Bake { .. }),
            _ => false,
        };
        if everywhere {
            self.everywhere.get_or_insert(at);
        }
        if state.cause().is_some() {
            self.trouble.get_or_insert(at);
        }
    }
}

impl Deployment {
    /// The way that it went, so far.
    pub fn course(&self) -> Course {
        let plan = self.plan.as_deref();
        Course {
            fixes: self.request.fixes,
            fleet: plan.map(|plan| FleetId::of(plan.hosts.keys())),
            canary: plan.and_then(|plan| plan.waves.first()).map(|wave| count(wave.iter())),
            exposed: plan.map(|_| count(self.hosts.values().filter(|run| run.exposed))),
            everywhere: self.milestones.everywhere,
            trouble: self.milestones.trouble,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployment::Summary;

    #[test]
    fn a_set_of_hosts_is_named_by_what_is_in_it() {
        let hosts = |names: &[&str]| -> Vec<HostName> {
            names.iter().map(|name| HostName::new(*name).unwrap()).collect()
        };
        let id = FleetId::of(&hosts(&["web1", "web2"]));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_ne!(id, FleetId::of(&hosts(&["web1", "web3"])));
        assert_ne!(id, FleetId::of(&hosts(&["web1web2"])));
        for text in ["", "0123456789abcde", "0123456789ABCDEF", "0123456789abcdef0", "+123456789abcdef"] {
            assert_eq!(text.parse::<FleetId>(), Err(FleetIdError), "{text:?}");
        }
    }

    /// Ledgers from before the course was kept have rows without it, and such rows are written as they were.
    #[test]
    fn a_summary_without_a_course_is_read_and_written_as_before() {
        let old = r#"{"id":7,"scope":{"service":"www","environment":"production"},"kind":"deploy","release":"r-51bc07e2a944",
            "from":null,"revision":null,"by":"ana","why":null,"state":"succeeded","reason":null,"accepted":5,"started":6,
            "ended":9,"hosts":{"total":3,"changed":3,"succeeded":3,"restored":0,"failed":0,"unreachable":0,"skipped":0}}"#;
        let summary: Summary = serde_json::from_str(old).unwrap();
        assert!(summary.course.is_empty());
        assert!(!serde_json::to_string(&summary).unwrap().contains("course"));
        let course = Course { fleet: Some(FleetId(1)), exposed: Some(0), ..Course::default() };
        let told = serde_json::to_value(Summary { course, ..summary }).unwrap();
        assert_eq!(told["course"], serde_json::json!({ "fleet": "0000000000000001", "exposed": 0 }));
        assert_eq!(serde_json::from_value::<Summary>(told).unwrap().course, course);
    }
}
