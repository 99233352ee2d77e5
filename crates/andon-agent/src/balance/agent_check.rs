//! HAProxy's `agent-check`, answered on the host where the service runs.

use std::path::Path;

use andon_core::balance::{BalancerFailure, FailureKind, Pool, PoolSight, Wishes};

use super::failure;
use crate::run::SelfExe;

/// See [`super::balance`]. `port` is the one that HAProxy asks on.
pub(super) fn balance(
    _pool: &Pool,
    _port: u16,
    _wishes: &Wishes,
    _records: &Path,
    _exe: &SelfExe,
) -> Result<PoolSight, BalancerFailure> {
    Err(failure(FailureKind::Missing, "this agent does not answer agent-checks yet"))
}
