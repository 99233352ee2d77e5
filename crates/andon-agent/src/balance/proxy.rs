//! The built-in proxy, through its control socket.

use std::path::Path;

use andon_core::balance::{BalancerFailure, FailureKind, Pool, PoolSight, Wishes};

use super::failure;

/// See [`super::balance`]. `control` is the proxy's socket and `name` its name for the pool.
pub(super) fn balance(
    _pool: &Pool,
    _control: &Path,
    _name: &str,
    _wishes: &Wishes,
    _records: &Path,
) -> Result<PoolSight, BalancerFailure> {
    Err(failure(FailureKind::Missing, "this agent does not speak with the built-in proxy yet"))
}
