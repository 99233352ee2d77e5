//! How errors of the agent's parts are told to a controller.

use andon_api::agent::Refusal;

use crate::facts::FactsError;
use crate::journal::JournalError;
use crate::layout::LayoutError;
use crate::upload::UploadError;

impl From<LayoutError> for Refusal {
    fn from(error: LayoutError) -> Self {
        match error {
            LayoutError::Root(_) => Refusal::Malformed(error.to_string()),
            LayoutError::Create { .. } | LayoutError::Foreign(_) => Refusal::Storage(error.to_string()),
        }
    }
}

impl From<JournalError> for Refusal {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Fenced(holder) => Refusal::Fenced(holder),
            JournalError::Busy(token) => Refusal::Busy(token),
            JournalError::Layout(error) => error.into(),
            JournalError::Storage { .. } | JournalError::Fence(_) => Refusal::Storage(error.to_string()),
        }
    }
}

impl From<FactsError> for Refusal {
    fn from(error: FactsError) -> Self {
        match error {
            FactsError::Layout(error) => error.into(),
            FactsError::Journal(error) => error.into(),
            FactsError::Release(_) | FactsError::BootId(_) => Refusal::Storage(error.to_string()),
        }
    }
}

impl From<UploadError> for Refusal {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::Journal(error) => error.into(),
            UploadError::WrongDigest => Refusal::WrongDigest,
            UploadError::Misplaced { .. } => Refusal::Malformed(error.to_string()),
            UploadError::Release(_) | UploadError::Space(_) | UploadError::Io { .. } => {
                Refusal::Storage(error.to_string())
            }
        }
    }
}
