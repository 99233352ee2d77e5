//! What the API answers, as programs read it: small, stable objects, times in RFC 3339, spans in seconds. The commands print
//! the same objects with `--json`, so that there is one shape for one thing. Only shapes: nothing is looked up here.

mod deployment;
pub(crate) mod insight;
mod ledger;
mod line;
mod message;
mod scope;
mod subscription;

pub use deployment::{
    AnalysisAnswer, Commit, DeploymentAnswer, DeploymentEntry, DeploymentEvent, DeploymentRow, HostRunRow,
    HostsAtEnd,
};
pub use insight::{
    DayAnswer, DoraAnswer, DurationSpread, FourKeys, HostAnswer, HostService, KeyDefinition, ServiceKeys,
    StrandAnswer, StripAnswer,
};
pub use ledger::{LedgerHead, LedgerRecord, LedgerRow, LedgerValue, LedgerVerification};
pub use line::{LineAnswer, LineChange, StopRow};
pub use message::{LetterRow, MessageRow};
pub use scope::{ScopeRow, ServiceRow};
pub use subscription::{Asking, SubscriptionRow};
