//! nginx, open source, through an included file with the servers of an upstream.

use std::path::Path;

use andon_core::balance::{BalancerFailure, FailureKind, Pool, PoolSight, Wishes};

use super::failure;

/// See [`super::balance`]. `records` is a directory for what must be remembered of this pool.
pub(super) fn balance(_pool: &Pool, _wishes: &Wishes, _records: &Path) -> Result<PoolSight, BalancerFailure> {
    Err(failure(FailureKind::Missing, "this agent does not speak with nginx yet"))
}
