//! Pools for tests.

use andon_core::balance::{Pool, Server};
use andon_core::line::BalancerKind;
use andon_core::name::{HostName, ServerName, ServiceName};

/// The upstream `www` with servers on this machine.
pub(super) fn pool(servers: &[(&str, u16)]) -> Pool {
    let host = HostName::new("lb1").unwrap();
    let server = |(name, port): &(&str, u16)| Server {
        name: ServerName::new(*name).unwrap(),
        host: host.clone(),
        address: "127.0.0.1".to_owned(),
        port: *port,
    };
    Pool {
        service: ServiceName::new("www").unwrap(),
        host: host.clone(),
        balancer: BalancerKind::Nginx {
            upstream: "www".to_owned(),
            include: "/nowhere".into(),
            program: vec!["nginx".to_owned()],
            access_log: None,
            log_format: None,
        },
        servers: servers.iter().map(server).collect(),
        root: "/nowhere".into(),
    }
}
