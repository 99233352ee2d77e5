//! `/settings/notifications`: what somebody asked to be told, for themselves; and those of all for who looks after users.

use std::sync::Arc;

use andon_core::access::Deed;
use andon_core::name::{EnvironmentName, ServiceName};
use andon_core::telling::subscriptions::{Occasion, Subscription, SubscriptionError, SubscriptionId};
use andon_page::frame::Frame;
use andon_page::notifications::{Notifications, Typed};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};

use super::page;
use super::setting::{Framed, go_to};
use crate::clock;
use crate::http::Desk;
use crate::http::body::form;
use crate::http::gate::{Asker, own_change};
use crate::http::reply::{ErrorCode, Refused};
use crate::http::subscriptions::{mail_server, own};
use crate::records::SubscribingError;
use crate::registers::places;

const PATH: &str = "/settings/notifications";
/// The most fields of a form.
const MOST_FIELDS: usize = 200;

pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    Framed(frame): Framed,
) -> Result<Response<Body>, Refused> {
    shown(&desk, &asker, &frame, None, None).await
}

/// Takes a wish. What cannot be is said on the page, with what was typed.
pub(super) async fn subscribe(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    Framed(frame): Framed,
    request: Request,
) -> Result<Response<Body>, Refused> {
    let fields = Fields(form(request).await?);
    own_change(&desk.doors, &asker)?;
    let taken = match wish(&desk, &asker, &fields) {
        Ok(subscription) => {
            desk.controller.records().subscribe(clock::now(), &asker.person().name, subscription).await
        }
        Err(error) => Err(error.into()),
    };
    match taken {
        Ok(_) => Ok(go_to(PATH)),
        Err(SubscribingError::Refused(error)) => {
            shown(&desk, &asker, &frame, Some(Err(error.to_string())), Some(fields.typed())).await
        }
        Err(SubscribingError::Records(error)) => Err(error.into()),
    }
}

/// Ends a wish.
pub(super) async fn end(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    Framed(frame): Framed,
    request: Request,
) -> Result<Response<Body>, Refused> {
    let fields = Fields(form(request).await?);
    let id =
        fields.one("id").parse().map(SubscriptionId).map_err(|_| {
            Refused::new(ErrorCode::InvalidRequest, "a wish has a number", "load the page again")
        })?;
    own(&desk, &asker, id).await?;
    match desk.controller.records().unsubscribe(clock::now(), &asker.person().name, id).await {
        Ok(()) => Ok(go_to(PATH)),
        Err(SubscribingError::Refused(error)) => {
            shown(&desk, &asker, &frame, Some(Err(error.to_string())), None).await
        }
        Err(SubscribingError::Records(error)) => Err(error.into()),
    }
}

/// The fields of a form, in their order.
struct Fields(Vec<(String, String)>);

impl Fields {
    fn one<'a>(&'a self, name: &'a str) -> &'a str {
        self.all(name).next().unwrap_or_default()
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let fields = self.0.iter().take(MOST_FIELDS);
        fields.filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// What is put into the form again.
    fn typed(&self) -> Typed {
        let all = |name| self.all(name).map(str::to_owned).collect();
        Typed {
            occasions: all("on"),
            services: all("service"),
            environments: all("environment"),
            how: self.one("how").to_owned(),
            to: self.one("to").chars().take(500).collect(),
        }
    }
}

fn wish(desk: &Desk, asker: &Asker, fields: &Fields) -> Result<Subscription, SubscriptionError> {
    let way: andon_core::telling::subscriptions::Way = fields.one("how").parse()?;
    let server = mail_server(desk);
    Ok(Subscription {
        person: asker.person().name,
        services: fields.all("service").filter_map(|name| ServiceName::new(name).ok()).collect(),
        environments: fields.all("environment").filter_map(|name| EnvironmentName::new(name).ok()).collect(),
        occasions: fields.all("on").map(str::parse::<Occasion>).collect::<Result<_, _>>()?,
        route: way.to(fields.one("to"), server.as_ref())?,
    })
}

async fn shown(
    desk: &Desk,
    asker: &Asker,
    frame: &Frame,
    said: Option<Result<String, String>>,
    typed: Option<Typed>,
) -> Result<Response<Body>, Refused> {
    let records = desk.controller.records();
    let all = records.subscriptions().await?.value;
    let person = asker.person().name;
    let line = desk.line.current().ok();
    let places = places::all(desk, line.as_deref()).await;
    let mut environments: Vec<EnvironmentName> =
        places.iter().map(|place| place.placed.scope.environment.clone()).collect();
    environments.sort();
    environments.dedup();
    let own = |(id, standing): (SubscriptionId, &andon_core::telling::subscriptions::Standing)| {
        (id, standing.clone())
    };
    let others = match asker.may(&Deed::Administer) {
        Ok(()) => all.iter().filter(|(_, it)| it.subscription.person != person).map(own).collect(),
        Err(_) => Vec::new(),
    };
    let status = if matches!(said, Some(Err(_))) { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let shown = Notifications {
        standing: all.of(&person).map(own).collect(),
        others,
        person,
        services: places::services(&places),
        environments,
        mails: mail_server(desk).is_some(),
        said,
        typed,
    };
    Ok(page(status, andon_page::notifications::render(&shown, frame)))
}
