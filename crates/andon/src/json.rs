//! What programs read: the shapes of [`andon_server::answers`], as the values that commands print.

use andon_core::cord::Cord;
use andon_core::deployment::{Deployment, Summary};
use andon_core::time::Time;
use andon_server::answers::{DeploymentAnswer, DeploymentRow, LineAnswer};
use serde::Serialize;
use serde_json::Value;

/// One row of `history`.
pub(crate) fn summary(summary: &Summary) -> Value {
    value(&DeploymentRow::from(summary))
}

/// One deployment with its hosts.
pub(crate) fn deployment(deployment: &Deployment, now: Time) -> Value {
    value(&DeploymentAnswer::of(deployment, now))
}

/// The line.
pub(crate) fn cord(cord: &Cord) -> Value {
    value(&LineAnswer::from(cord))
}

/// None of these shapes has a key that is no text, so that each can be written.
fn value(shape: &impl Serialize) -> Value {
    serde_json::to_value(shape).unwrap_or_default()
}
