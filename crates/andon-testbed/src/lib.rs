//! Real things for tests to talk to: OpenSSH daemons, balancers, Prometheus and an OpenID provider on loopback, browsers, and
//! Debian machines with systemd.
//!
//! Everything here is made by the test that asks for it and is gone when its value is dropped, also after a failed
//! assertion. Nothing here touches a process, an interface or a file that it did not make itself. The code is plain
//! synchronous `std`, so that any test can use it. It is never part of what users run.

pub mod balancer;
pub mod browser;
mod client;
pub mod corpus;
pub mod deadline;
mod keys;
pub mod machine;
pub mod oidc;
pub mod packages;
pub mod process;
pub mod program;
pub mod prometheus;
pub mod smtp;
pub mod sshd;
pub mod tripwire;

pub use balancer::{Backend, BalancerError, Haproxy, Nginx, Proxy, Retries};
pub use browser::{Browser, BrowserError, Scheme, Screen};
pub use machine::{Fleet, Machine, MachineError};
pub use oidc::{Account, OidcError, OidcProvider};
pub use packages::{PackagesError, PythonTool};
pub use program::{MissingPrograms, require};
pub use prometheus::{Exposition, PrometheusServer};
pub use smtp::{Manners, SmtpError, SmtpServer};
pub use sshd::{KnownHosts, Sshd, SshdError, SshdHost};
pub use tripwire::{Deed, Tripwire, Wire};
