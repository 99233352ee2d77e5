//! What people asked to be told, as programs read and write it.

use std::collections::BTreeSet;

use andon_core::line::MailServer;
use andon_core::name::{EnvironmentName, ServiceName};
use andon_core::telling::subscriptions::{
    Occasion, Standing, Subscription, SubscriptionError, SubscriptionId, Way,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A wish to be told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Asking {
    /// Only about these services; none for all.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub services: BTreeSet<ServiceName>,
    /// Only about these environments; none for all.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub environments: BTreeSet<EnvironmentName>,
    /// When: `began`, `ended-well`, `rolled-back`, `line-stopped`, `line-started`, `approval-asked`.
    pub on: Vec<String>,
    /// By which way: `mail`, `chat` or `webhook`.
    pub how: String,
    /// Where to: an address of a mailbox, a URL, or the name of a secret that holds one.
    pub to: String,
}

/// A wish that stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubscriptionRow {
    /// Its number.
    pub subscription: u64,
    /// Whose it is.
    pub person: String,
    /// The services that it is about; none for all.
    pub services: Vec<String>,
    /// The environments that it is about; none for all.
    pub environments: Vec<String>,
    /// On which occasions.
    pub on: Vec<String>,
    /// Where to, without what is as good as a password.
    pub to: String,
    /// Since when.
    #[schema(format = DateTime)]
    pub since: String,
}

impl Asking {
    /// The wish of a person. Mail is sent by `server`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn of(&self, person: &str, server: Option<&MailServer>) -> Result<Subscription, SubscriptionError> {
        let way: Way = self.how.parse()?;
        Ok(Subscription {
            person: person.to_owned(),
            services: self.services.clone(),
            environments: self.environments.clone(),
            occasions: self.on.iter().map(|name| name.parse::<Occasion>()).collect::<Result<_, _>>()?,
            route: way.to(&self.to, server)?,
        })
    }
}

impl SubscriptionRow {
    /// A wish that stands, by its number.
    pub fn of(id: SubscriptionId, standing: &Standing) -> Self {
        let subscription = &standing.subscription;
        Self {
            subscription: id.0,
            person: subscription.person.clone(),
            services: subscription.services.iter().map(ToString::to_string).collect(),
            environments: subscription.environments.iter().map(ToString::to_string).collect(),
            on: subscription.occasions.iter().map(|occasion| occasion.name().to_owned()).collect(),
            to: subscription.route.address().to_string(),
            since: standing.since.iso(),
        }
    }
}
