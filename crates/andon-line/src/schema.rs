//! The constructors of the language as data: names, parameters, defaults, documentation, examples.
//!
//! The checking of arguments, the reference page and `andon help` all read this one table.

use crate::call::Call;
use crate::constructor::{
    balancer, blue_green, environment, group, health, host, probe, release, rollout, run, server, service,
    site, tell, watch,
};
use crate::kind::Kind;
use crate::value::Thing;

/// One constructor.
pub(crate) struct Constructor {
    pub(crate) name: &'static str,
    /// One sentence.
    pub(crate) summary: &'static str,
    /// What else there is to know; may be empty.
    pub(crate) details: &'static str,
    /// A piece of a line that uses it and loads.
    pub(crate) example: &'static str,
    /// How many parameters may be given without their names.
    pub(crate) positional: usize,
    pub(crate) parameters: &'static [Parameter],
    /// Makes the thing out of checked arguments; `None` after it has recorded why not.
    pub(crate) build: fn(&Call<'_>) -> Option<Thing>,
}

/// One parameter of a constructor.
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) default: Default,
    pub(crate) doc: &'static str,
}

/// What happens when an argument is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Default {
    /// It must be.
    Required,
    /// Nothing is set; writing `None` means the same.
    Absent,
    /// It is as if this had been written.
    Is(&'static str),
}

impl Constructor {
    pub(crate) fn parameter(&self, name: &str) -> Option<&'static Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }
}

/// All constructors, in the order in which a reader meets them.
pub(crate) const CONSTRUCTORS: [&Constructor; 33] = [
    &host::HOST,
    &group::GROUP,
    &site::SITE,
    &service::SERVICE,
    &environment::ENVIRONMENT,
    &server::SERVER,
    &release::ARCHIVE,
    &release::DIRECTORY,
    &run::SYSTEMD,
    &run::PROCESS,
    &health::HEALTH,
    &probe::HTTP,
    &probe::TCP,
    &probe::SCRIPT,
    &probe::NAGIOS,
    &balancer::HAPROXY,
    &balancer::AGENT_CHECK,
    &balancer::NGINX,
    &balancer::PROXY,
    &blue_green::BLUE_GREEN,
    &rollout::ROLLOUT,
    &watch::ERRORS,
    &watch::LATENCY,
    &watch::VITALS,
    &watch::PROMETHEUS,
    &watch::PUSHED,
    &watch::COUNTED,
    &watch::JUDGE,
    &tell::TELL,
    &tell::SMTP,
    &tell::SLACK,
    &tell::WEBHOOK,
    &tell::SECRET,
];
