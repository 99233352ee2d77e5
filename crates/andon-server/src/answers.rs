//! What the API answers, as programs read it: small, stable objects, times in RFC 3339, spans in seconds. The commands print
//! the same objects with `--json`, so that there is one shape for one thing. Only shapes: nothing is looked up here.

pub(crate) mod insight;
mod ledger;

pub use insight::{
    DayAnswer, DoraAnswer, DurationSpread, FourKeys, HostAnswer, HostService, KeyDefinition, ServiceKeys,
    StrandAnswer, StripAnswer,
};
pub use ledger::{LedgerHead, LedgerRecord, LedgerRow, LedgerValue, LedgerVerification};
