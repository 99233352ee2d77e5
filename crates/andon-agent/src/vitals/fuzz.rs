//! What must hold for whatever stands in systemd's journal.

use std::collections::BTreeMap;

use andon_core::vitals::{Life, LogScan};

use super::journal::{Journal, MOST_ENTRIES, UnitCount, entries};

/// `data` is what `journalctl --output=json` prints.
pub fn journald(data: &[u8]) {
    let found = entries(data);
    assert!(found.len() <= MOST_ENTRIES, "{} entries", found.len());
    let count = UnitCount { scan: LogScan::new(Life::default()), ends: 0, last_exit: None, oom_kills: 0 };
    let mut journal = Journal::of(BTreeMap::from([("www@8080.service".to_owned(), count)]));
    found.iter().for_each(|entry| journal.take(entry));
}
