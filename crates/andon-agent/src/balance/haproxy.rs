//! HAProxy 2.6 and newer, through its runtime API.

use std::path::Path;

use andon_core::balance::{BalancerFailure, FailureKind, Pool, PoolSight, Wishes};
use andon_core::line::HaproxyApi;

use super::failure;

/// See [`super::balance`].
pub(super) fn balance(
    _pool: &Pool,
    _api: &HaproxyApi,
    _backend: &str,
    _wishes: &Wishes,
    _records: &Path,
) -> Result<PoolSight, BalancerFailure> {
    Err(failure(FailureKind::Missing, "this agent does not speak with HAProxy yet"))
}
