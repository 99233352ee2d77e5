//! Grants as people write them, and what two of them have in common.

use std::fmt;
use std::str::FromStr;

use super::{Grant, Role};
use crate::name::{EnvironmentName, NameError, ServiceName};

/// A text that is no grant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// There is no such role.
    #[error("there is no role {0:?}: the roles are deploy, line and admin")]
    Role(String),
    /// The place is not written as a service and an environment.
    #[error(
        "{0:?} is no place: write a grant as deploy, deploy:SERVICE, deploy:SERVICE/ENVIRONMENT or deploy:*/ENVIRONMENT ({1})"
    )]
    Place(String, NameError),
    /// The role holds everywhere or not at all.
    #[error("the line is one for all services: write the grant as line, without a place")]
    Everywhere,
}

impl Role {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Line => "line",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for Grant {
    type Err = GrantError;

    /// `admin`, `deploy:www`, `deploy:www/production`, `deploy:*/staging`.
    fn from_str(text: &str) -> Result<Self, GrantError> {
        let (role, place) = match text.split_once(':') {
            Some((role, place)) => (role, Some(place)),
            None => (text, None),
        };
        let role = match role {
            "deploy" => Role::Deploy,
            "line" => Role::Line,
            "admin" => Role::Admin,
            other => return Err(GrantError::Role(other.chars().take(40).collect())),
        };
        let Some(place) = place else { return Ok(Self::everywhere(role)) };
        let wrong = |error| GrantError::Place(place.chars().take(80).collect(), error);
        let (service, environment) = match place.split_once('/') {
            Some((service, environment)) => (service, environment),
            None => (place, "*"),
        };
        let service = (service != "*").then(|| ServiceName::new(service)).transpose().map_err(wrong)?;
        let environment =
            (environment != "*").then(|| EnvironmentName::new(environment)).transpose().map_err(wrong)?;
        if role == Role::Line && (service.is_some() || environment.is_some()) {
            return Err(GrantError::Everywhere);
        }
        Ok(Self { role, service, environment })
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = self.role.name();
        match (&self.service, &self.environment) {
            (None, None) => f.write_str(role),
            (Some(service), None) => write!(f, "{role}:{service}"),
            (None, Some(environment)) => write!(f, "{role}:*/{environment}"),
            (Some(service), Some(environment)) => write!(f, "{role}:{service}/{environment}"),
        }
    }
}

impl Grant {
    /// What both allow; `None` when that is nothing.
    pub(super) fn meet(&self, other: &Self) -> Option<Self> {
        let role = match (self.role, other.role) {
            (Role::Admin, role) | (role, Role::Admin) => role,
            (one, two) if one == two => one,
            _ => return None,
        };
        let service = narrower(self.service.as_ref(), other.service.as_ref())?.cloned();
        let environment = narrower(self.environment.as_ref(), other.environment.as_ref())?.cloned();
        Some(Self { role, service, environment })
    }

    /// Whether `other` allows all of this.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        self.meet(other).as_ref() == Some(self)
    }
}

/// The narrower of two places, where `None` is everywhere; outer `None` when they have nothing in common.
fn narrower<'a, T: PartialEq>(one: Option<&'a T>, two: Option<&'a T>) -> Option<Option<&'a T>> {
    match (one, two) {
        (None, place) | (place, None) => Some(place),
        (Some(one), Some(two)) => (one == two).then_some(Some(one)),
    }
}
