//! The kinds of deployments.

use serde::{Deserialize, Serialize};

/// What a deployment is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Forward, to a release from the line.
    Deploy,
    /// Back, to a release that was good before. As wide as the floor allows; tests inform only.
    Rollback,
}
