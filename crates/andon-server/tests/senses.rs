//! Senses against the real thing: Prometheus with pages of our own, StatsD over real sockets, scripts that misbehave.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "senses/prometheus.rs"]
mod prometheus;
#[path = "senses/pushed.rs"]
mod pushed;
#[path = "senses/script.rs"]
mod script;

use std::collections::BTreeSet;

use andon_core::analysis::{Measure, Metric, Role, Worse};
use andon_core::line::{Source, Watched};
use andon_core::name::{HostName, MemberName, MetricName};
use andon_server::senses::Arms;

fn member(name: &str) -> MemberName {
    MemberName::new(name).unwrap()
}

/// `web1` on the new release, `web2` on the old one.
fn arms() -> Arms {
    let set = |name: &str| BTreeSet::from([HostName::new(name).unwrap()]);
    Arms::Hosts { canary: set("web1"), control: set("web2") }
}

/// Orders, of which fewer are worse.
fn orders(measure: Measure, source: Source) -> Watched {
    let metric = Metric {
        name: MetricName::new("orders").unwrap(),
        measure,
        worse: Worse::Lower,
        role: Role::Other,
        weight: 1.0,
        critical: true,
        margin: 1.1,
        harm: 1.5,
        negligible: 0.0,
    };
    Watched { metric, source }
}
