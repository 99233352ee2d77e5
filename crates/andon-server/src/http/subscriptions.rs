//! Who may have which subscription, as the page and the API ask it: everybody their own, and who looks after users all.

use andon_core::access::Deed;
use andon_core::line::MailServer;
use andon_core::telling::subscriptions::{SubscriptionError, SubscriptionId};

use super::Desk;
use super::gate::Asker;
use super::reply::{ErrorCode, Refused};
use crate::records::SubscribingError;

/// The server that the line names for mail.
pub(super) fn mail_server(desk: &Desk) -> Option<MailServer> {
    desk.line.current().ok()?.line().everybody()?.mail
}

/// Insists that a subscription is theirs, or that they look after users.
pub(super) async fn own(desk: &Desk, asker: &Asker, id: SubscriptionId) -> Result<(), Refused> {
    let all = desk.controller.records().subscriptions().await?.value;
    let standing = all.get(id).ok_or_else(|| refused(&SubscriptionError::Unknown(id)))?;
    if standing.subscription.person == asker.person().name {
        return Ok(());
    }
    asker.may(&Deed::Administer)
}

/// A refusal as an answer.
pub(super) fn refused(error: &SubscriptionError) -> Refused {
    let code = match error {
        SubscriptionError::Unknown(_) => ErrorCode::NotFound,
        SubscriptionError::Twice(_) => ErrorCode::Conflict,
        SubscriptionError::TooMany | SubscriptionError::TooManyOfOne(_) => ErrorCode::TooMany,
        _ => ErrorCode::InvalidRequest,
    };
    Refused::new(code, error.to_string(), "see /settings/notifications, or: andon tell list")
}

impl From<SubscribingError> for Refused {
    fn from(error: SubscribingError) -> Self {
        match error {
            SubscribingError::Refused(error) => refused(&error),
            SubscribingError::Records(error) => error.into(),
        }
    }
}
