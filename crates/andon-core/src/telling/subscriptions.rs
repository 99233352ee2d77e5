//! What people asked to be told, each for themselves: about which services and environments, on which occasions, and by
//! which way. A fold of facts; who is told of something is read off it. It sends nothing, and knows of no message that the
//! line itself sends but that nobody gets one twice by the same way.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Kind, Route, Telling};
use crate::line::tell::{HookUrlError, MailAddressError, hook_host};
use crate::line::{Hook, HookUrl, MailAddress};
use crate::name::{EnvironmentName, ServiceName};
use crate::scope::ScopeName;
use crate::time::Time;

/// The stream of these facts.
pub const STREAM: &str = "subscriptions";
/// The most subscriptions of one person.
pub const MOST_EACH: usize = 20;
/// The most subscriptions of all.
pub const MOST: usize = 2_000;
/// The most services, and the most environments, that one subscription names.
const MOST_NAMED: usize = 50;
/// The longest name of a person, in bytes.
const LONGEST_PERSON: usize = 64;
/// A secret that holds the address of a person's hook begins so: nobody gets the server to use another one.
const SECRET: &str = "tell-";

/// What people may want to hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Occasion {
    /// A deployment began.
    Began,
    /// A deployment ended as it was meant to.
    EndedWell,
    /// A deployment was put back or failed, or waits for a decision.
    RolledBack,
    /// The line was stopped.
    LineStopped,
    /// The line runs again.
    LineStarted,
    /// A deployment waits for somebody's approval.
    ApprovalAsked,
}

impl Occasion {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Began,
        Self::EndedWell,
        Self::RolledBack,
        Self::LineStopped,
        Self::LineStarted,
        Self::ApprovalAsked,
    ];

    /// Its name, for programs and at the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Began => "began",
            Self::EndedWell => "ended-well",
            Self::RolledBack => "rolled-back",
            Self::LineStopped => "line-stopped",
            Self::LineStarted => "line-started",
            Self::ApprovalAsked => "approval-asked",
        }
    }

    /// What it means, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Began => "a deployment began",
            Self::EndedWell => "a deployment ended well",
            Self::RolledBack => "a deployment was put back, failed, or needs a decision",
            Self::LineStopped => "the line was stopped",
            Self::LineStarted => "the line runs again",
            Self::ApprovalAsked => "a deployment waits for an approval",
        }
    }

    /// The occasion of a message; a test has none.
    pub fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Began => Some(Self::Began),
            Kind::Succeeded => Some(Self::EndedWell),
            Kind::PutBack
            | Kind::NotPutBack
            | Kind::Failed
            | Kind::Undone
            | Kind::Paused
            | Kind::SuspectHost => Some(Self::RolledBack),
            Kind::LineStopped => Some(Self::LineStopped),
            Kind::LineRunning => Some(Self::LineStarted),
            Kind::ApprovalAsked => Some(Self::ApprovalAsked),
            Kind::Test => None,
        }
    }
}

impl std::str::FromStr for Occasion {
    type Err = SubscriptionError;
    fn from_str(text: &str) -> Result<Self, SubscriptionError> {
        let found = Self::ALL.into_iter().find(|occasion| occasion.name() == text);
        found.ok_or_else(|| SubscriptionError::Occasion(text.chars().take(40).collect()))
    }
}

/// How somebody wants to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By mail.
    Mail,
    /// In a chat, as Slack, Mattermost and Rocket.Chat take it.
    Chat,
    /// By a call with everything as JSON.
    Webhook,
}

/// The number of a subscription in its ledger, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SubscriptionId(pub u64);

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One wish of one person. What names no service is about all of them; so it is with environments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// Whose it is: the name of a user.
    pub person: String,
    /// Only these services; none for all.
    #[serde(default)]
    pub services: BTreeSet<ServiceName>,
    /// Only these environments; none for all.
    #[serde(default)]
    pub environments: BTreeSet<EnvironmentName>,
    /// On which occasions.
    pub occasions: BTreeSet<Occasion>,
    /// By which way.
    pub route: Route,
}

/// Why a subscription is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubscriptionError {
    /// Not one of the occasions.
    #[error(
        "there is no occasion \"{0}\"; there are began, ended-well, rolled-back, line-stopped, line-started, approval-asked"
    )]
    Occasion(String),
    /// No occasion was named.
    #[error("a subscription names at least one occasion")]
    NoOccasion,
    /// Too many names.
    #[error(
        "a subscription names at most {MOST_NAMED} services and {MOST_NAMED} environments; none means all"
    )]
    TooLong,
    /// The person's name cannot stand in the ledger.
    #[error(
        "the name of a person has 1 to {LONGEST_PERSON} bytes, none of them a control character or a slash"
    )]
    Person,
    /// Not one of the ways.
    #[error("the ways are mail, chat and webhook")]
    NoWay,
    /// The address of a mailbox is none.
    #[error(transparent)]
    Mail(#[from] MailAddressError),
    /// The line has no server for mail.
    #[error(
        "no mail can be sent: no service of the line names a server, as tell = tell(mail = smtp(...)) does"
    )]
    NoMail,
    /// Neither an address nor the name of a secret.
    #[error(
        "this is neither an address like https://chat.example.com/hooks/ana nor the name of a secret like tell-ana"
    )]
    Nowhere,
    /// The address of a hook is none.
    #[error(transparent)]
    Hook(#[from] HookUrlError),
    /// The hook is on the machine of the server.
    #[error(
        "a person's hook is not on the machine that calls it; for one on a machine of your own, have its address kept as a secret"
    )]
    ThisMachine,
    /// The secret is not a person's.
    #[error("the secret of a person's hook has a name that begins with {SECRET}, not \"{0}\"")]
    Secret(String),
    /// The person has too many.
    #[error("{0} has {MOST_EACH} subscriptions already, the most that one person may have; end one first")]
    TooManyOfOne(String),
    /// There are too many.
    #[error("there are {MOST} subscriptions already, the most that there may be")]
    TooMany,
    /// The same wish stands already.
    #[error("subscription {0} says the same already")]
    Twice(SubscriptionId),
    /// There is none with this number.
    #[error("there is no subscription {0}")]
    Unknown(SubscriptionId),
}

impl Subscription {
    /// Whether it can be taken, whoever else has which.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), SubscriptionError> {
        let person = &self.person;
        let unfit = |c: char| c.is_control() || c == '/';
        if person.trim().is_empty() || person.len() > LONGEST_PERSON || person.chars().any(unfit) {
            return Err(SubscriptionError::Person);
        }
        if self.occasions.is_empty() {
            return Err(SubscriptionError::NoOccasion);
        }
        if self.services.len() > MOST_NAMED || self.environments.len() > MOST_NAMED {
            return Err(SubscriptionError::TooLong);
        }
        match &self.route {
            Route::Mail { .. } => Ok(()),
            Route::Hook(Hook { url: HookUrl::Said(url), .. }) => {
                if may_be_this_machine(hook_host(url)?) {
                    return Err(SubscriptionError::ThisMachine);
                }
                Ok(())
            }
            Route::Hook(Hook { url: HookUrl::Secret(name), .. }) => {
                if name.as_str().starts_with(SECRET) {
                    Ok(())
                } else {
                    Err(SubscriptionError::Secret(name.to_string()))
                }
            }
        }
    }

    /// Whether it is about a scope.
    pub fn is_about(&self, scope: &ScopeName) -> bool {
        (self.services.is_empty() || self.services.contains(&scope.service))
            && (self.environments.is_empty() || self.environments.contains(&scope.environment))
    }

    /// Whether it is about this. The line is everybody's.
    fn wants(&self, occasion: Occasion, scope: Option<&ScopeName>) -> bool {
        scope.is_none_or(|scope| self.is_about(scope)) && self.occasions.contains(&occasion)
    }

    /// What it is about, for people: `www in production`, `everything`.
    pub fn about(&self) -> String {
        let list = |names: Vec<&str>| names.join(", ");
        let services = list(self.services.iter().map(ServiceName::as_str).collect());
        let environments = list(self.environments.iter().map(EnvironmentName::as_str).collect());
        match (services.is_empty(), environments.is_empty()) {
            (true, true) => "everything".to_owned(),
            (true, false) => format!("every service in {environments}"),
            (false, true) => services,
            (false, false) => format!("{services} in {environments}"),
        }
    }
}

/// Something that happened to subscriptions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionFact {
    /// A person wants to be told.
    Subscribed {
        /// Its number.
        id: SubscriptionId,
        /// What.
        subscription: Subscription,
    },
    /// Nobody is told for this one any more.
    Unsubscribed {
        /// Its number.
        id: SubscriptionId,
    },
}

/// A subscription that stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// What is wanted.
    pub subscription: Subscription,
    /// Since when: nothing that was before is told.
    pub since: Time,
}

/// Every subscription that stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Subscriptions {
    all: BTreeMap<SubscriptionId, Standing>,
    /// The highest number that was ever given.
    last: u64,
}

impl Subscriptions {
    /// Adds a fact. Any sequence of facts is accepted: what was recorded has happened.
    pub fn apply(&mut self, at: Time, fact: &SubscriptionFact) {
        match fact {
            SubscriptionFact::Subscribed { id, subscription } => {
                self.last = self.last.max(id.0);
                self.all.insert(*id, Standing { subscription: subscription.clone(), since: at });
            }
            SubscriptionFact::Unsubscribed { id } => {
                self.all.remove(id);
            }
        }
    }

    /// What is to be recorded for a new one.
    ///
    /// # Errors
    /// It cannot be taken, says what another one of the same person says, or there are too many.
    pub fn subscribe(&self, subscription: Subscription) -> Result<SubscriptionFact, SubscriptionError> {
        subscription.check()?;
        let same = self.all.iter().find(|(_, standing)| standing.subscription == subscription);
        if let Some((id, _)) = same {
            return Err(SubscriptionError::Twice(*id));
        }
        if self.of(&subscription.person).count() >= MOST_EACH {
            return Err(SubscriptionError::TooManyOfOne(subscription.person));
        }
        if self.all.len() >= MOST {
            return Err(SubscriptionError::TooMany);
        }
        Ok(SubscriptionFact::Subscribed { id: SubscriptionId(self.last + 1), subscription })
    }

    /// What is to be recorded to end one.
    ///
    /// # Errors
    /// There is none with this number.
    pub fn unsubscribe(&self, id: SubscriptionId) -> Result<SubscriptionFact, SubscriptionError> {
        if self.all.contains_key(&id) {
            Ok(SubscriptionFact::Unsubscribed { id })
        } else {
            Err(SubscriptionError::Unknown(id))
        }
    }

    /// One of them.
    pub fn get(&self, id: SubscriptionId) -> Option<&Standing> {
        self.all.get(&id)
    }

    /// All of them, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (SubscriptionId, &Standing)> {
        self.all.iter().map(|(id, standing)| (*id, standing))
    }

    /// Those of one person.
    pub fn of(&self, person: &str) -> impl Iterator<Item = (SubscriptionId, &Standing)> {
        self.iter().filter(move |(_, standing)| standing.subscription.person == person)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Who wants to hear of something that happened at `at`, if anybody.
    pub fn interested<'a>(
        &'a self,
        occasion: Occasion,
        scope: Option<&'a ScopeName>,
        at: Time,
    ) -> BTreeSet<&'a str> {
        let wanting = self.wanting(occasion, scope, at);
        wanting.map(|(_, standing)| standing.subscription.person.as_str()).collect()
    }

    /// The message for each person who wants it, with its ways. A way that is in `taken` already, because the line
    /// itself tells there, is left out; who has no other is not told twice.
    pub fn letters(&self, telling: &Telling, taken: &[Route]) -> Vec<(Telling, Vec<Route>)> {
        let Some(occasion) = Occasion::of(telling.kind) else { return Vec::new() };
        let mut people: BTreeMap<&str, (Vec<SubscriptionId>, Vec<Route>)> = BTreeMap::new();
        for (id, standing) in self.wanting(occasion, telling.scope.as_ref(), telling.at) {
            let Subscription { person, route, .. } = &standing.subscription;
            let (ids, routes) = people.entry(person).or_default();
            if !routes.iter().chain(taken).any(|other| leads_to_the_same(other, route)) {
                ids.push(id);
                routes.push(route.clone());
            }
        }
        let letters = people.into_iter().filter(|(_, (_, routes))| !routes.is_empty());
        letters.map(|(person, (ids, routes))| (telling.to(person, &ids), routes)).collect()
    }

    fn wanting<'a>(
        &'a self,
        occasion: Occasion,
        scope: Option<&'a ScopeName>,
        at: Time,
    ) -> impl Iterator<Item = (SubscriptionId, &'a Standing)> {
        self.iter()
            .filter(move |(_, standing)| standing.since <= at && standing.subscription.wants(occasion, scope))
    }
}

/// Whether an address, with or without a port, leads to the machine that calls it, in any of the ways to write that. What
/// systems read as numbers although it is not written as an address may be any.
fn may_be_this_machine(authority: &str) -> bool {
    let (host, bracketed) = match authority.strip_prefix('[') {
        Some(inner) => (inner.split_once(']').map_or(inner, |(host, _)| host), true),
        None => (authority.split_once(':').map_or(authority, |(host, _)| host), false),
    };
    let host = host.to_ascii_lowercase();
    let host = host.strip_suffix('.').unwrap_or(&host);
    if let Ok(address) = host.parse::<IpAddr>() {
        let address = address.to_canonical();
        return address.is_loopback() || address.is_unspecified();
    }
    let last = host.rsplit('.').next().unwrap_or_default();
    let hexadecimal = last.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_hexdigit()));
    let number = hexadecimal || last.bytes().all(|byte| byte.is_ascii_digit());
    bracketed || number || host == "localhost" || host.ends_with(".localhost")
}

/// Two mails to one mailbox are the same, whichever server sends them.
fn leads_to_the_same(a: &Route, b: &Route) -> bool {
    let mailbox = |route: &Route| -> Option<MailAddress> {
        match route {
            Route::Mail { to, .. } => Some(to.clone()),
            Route::Hook(_) => None,
        }
    };
    match (mailbox(a), mailbox(b)) {
        (Some(a), Some(b)) => a.as_str().eq_ignore_ascii_case(b.as_str()),
        (None, None) => a == b,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

impl Telling {
    /// The key of this message for one person: whoever queues it twice tells once.
    pub fn key_for(key: &str, person: &str) -> String {
        format!("{key}/to/{person}")
    }

    /// The same message for somebody who asked for it.
    fn to(&self, person: &str, ids: &[SubscriptionId]) -> Self {
        let ends: Vec<String> = ids.iter().map(|id| format!("andon tell unsubscribe {id}")).collect();
        let asked = format!(
            "You get this because {person} asked for it. To end it: {}, or on the page /settings/notifications.",
            ends.join("; ")
        );
        Self { key: Self::key_for(&self.key, person), asked: Some(asked), ..self.clone() }
    }
}

#[cfg(test)]
mod tests;
mod way;
