//! An order for tests.

use std::time::Duration;

use andon_api::agent::Order;
use andon_core::host::{Authority, Fence, Placement, Stage, Step, Token};
use andon_core::line::{Run, Supervision};
use andon_core::name::{HostName, ServiceName};
use andon_core::release::ReleaseId;

/// An order to activate a release of a service without instances.
pub(crate) fn order() -> Order {
    let host = HostName::new("web1").unwrap();
    let by = Supervision::Own { command: vec![] };
    let run = Run { by, ports: vec![], environment: Default::default(), stop_timeout: Duration::ZERO };
    Order {
        token: Token::new(7, Fence(1), &host, Stage::Activate, false, 1),
        authority: Authority {
            ledger: "ours".to_owned(),
            fence: Fence(1),
            deployment: 7,
            by: "ada".to_owned(),
            at: "desk".to_owned(),
            since: None,
            take_over: false,
            round: 0,
        },
        placement: Placement {
            service: ServiceName::new("www").unwrap(),
            host,
            root: "/nowhere/www".into(),
            run,
            instances: vec![],
            health: None,
            tests: vec![],
        },
        step: Step::Activate { release: "r-0123456789ab".parse::<ReleaseId>().unwrap() },
        timeout: Duration::from_secs(60),
    }
}
