//! How many deployments ended how. Each row is counted once: what has ended stays as it is, and only what was open, or is
//! newer, is read again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use andon_core::deployment::{DeploymentId, Summary};
use andon_core::scope::ScopeName;
use andon_core::time::Time;
use tokio::sync::Mutex;

use crate::records::{Records, RecordsError};

/// Rows that are read at once.
const PAGE: usize = 1000;

/// What was counted.
#[derive(Debug, Clone, Default)]
pub(super) struct Counted {
    /// Those that have ended, by how.
    pub(super) ended: BTreeMap<(ScopeName, String), u64>,
    /// Those that have not, by their states.
    pub(super) under_way: BTreeMap<(ScopeName, String), u64>,
    /// When the newest that has ended did so.
    pub(super) last: BTreeMap<ScopeName, Time>,
}

#[derive(Debug, Default)]
struct Counting {
    ended: BTreeMap<(ScopeName, String), u64>,
    last: BTreeMap<ScopeName, Time>,
    open: BTreeSet<DeploymentId>,
    newest: Option<DeploymentId>,
}

/// The count so far.
#[derive(Debug, Clone, Default)]
pub(in crate::http) struct Outcomes(Arc<Mutex<Counting>>);

impl Outcomes {
    /// Counts on, and gives what was counted. The first time reads every row.
    pub(super) async fn count(&self, records: &Records) -> Result<Counted, RecordsError> {
        let mut counting = self.0.lock().await;
        let mut rows = BTreeMap::new();
        let mut before = None;
        'pages: loop {
            let page = records.history(before, PAGE).await?;
            let Some(last) = page.last() else { break };
            before = Some(last.id);
            for row in page {
                if counting.newest.is_some_and(|newest| row.id <= newest) {
                    break 'pages;
                }
                rows.insert(row.id, row);
            }
        }
        for id in counting.open.iter().filter(|id| !rows.contains_key(id)).copied().collect::<Vec<_>>() {
            let above = Some(DeploymentId(id.0.saturating_add(1)));
            let row = records.history(above, 1).await?.pop().filter(|row| row.id == id);
            rows.extend(row.map(|row| (id, row)));
        }
        let mut under_way = BTreeMap::new();
        for (id, row) in rows {
            counting.newest = counting.newest.max(Some(id));
            if !counting.take(&row) {
                *under_way.entry((row.scope, row.state)).or_default() += 1;
            }
        }
        Ok(Counted { ended: counting.ended.clone(), under_way, last: counting.last.clone() })
    }
}

impl Counting {
    /// Counts a row if it has ended; whether it has.
    fn take(&mut self, row: &Summary) -> bool {
        let Some(ended) = row.ended else {
            self.open.insert(row.id);
            return false;
        };
        self.open.remove(&row.id);
        *self.ended.entry((row.scope.clone(), row.state.clone())).or_default() += 1;
        let last = self.last.entry(row.scope.clone()).or_insert(ended);
        *last = ended.max(*last);
        true
    }
}
