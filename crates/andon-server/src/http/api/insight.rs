//! What is known of deployments and hosts as a whole: the four keys, deployments per day, what hosts really run.

use std::sync::Arc;

use andon_core::chronicle::Query;
use andon_core::chronicle::dora::Key;
use andon_core::name::{EnvironmentName, HostName, ServiceName};
use andon_page::hosts::{Row, Service};
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answers::{
    DayAnswer, DoraAnswer, FourKeys, HostAnswer, HostService, KeyDefinition, ServiceKeys, StripAnswer,
    insight as words,
};
use crate::clock;
use crate::http::asked::{AskedPath, AskedQuery};
use crate::http::insight::{self, days, dora, hosts};
use crate::http::pages::hosts::no_host;
use crate::http::reply::{ErrorCode, Refused, as_json};
use crate::http::{Desk, moment::rfc3339};

/// Days of an answer to somebody who does not say how many.
const USUAL_DAYS: u32 = 30;

/// Which of the four keys are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Keys {
    /// The length of the span in days; 28 without it.
    #[param(minimum = 1, maximum = 3660)]
    days: Option<u32>,
    /// Only this environment; without it `production` where there is one, else all.
    #[param(value_type = Option<String>, pattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length = 253)]
    environment: Option<EnvironmentName>,
    /// All environments, whatever else is said.
    every_environment: Option<bool>,
    /// Only this service.
    #[param(value_type = Option<String>, pattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length = 253)]
    service: Option<ServiceName>,
}

/// Which days are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Days {
    /// How many, today included; 30 without it.
    #[param(minimum = 1, maximum = 3660)]
    days: Option<u32>,
    /// The zone whose days they are, by its IANA name; UTC without it.
    #[param(max_length = 64, example = "Europe/Berlin")]
    zone: Option<String>,
    /// Only deployments that fit these words, as on the timeline: `@ana www ERROR`.
    q: Option<String>,
}

/// Which service is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Only this service.
    #[param(value_type = Option<String>, pattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length = 253)]
    service: Option<ServiceName>,
}

/// Which hosts are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Find {
    /// Only hosts that fit these words: a part of a name, a group, a service, a release; `out`, `unknown`, `behind`.
    q: Option<String>,
}

/// The four keys of DORA: over a span, over the span before, in parts, and service by service.
#[utoipa::path(get, path = "/v1/dora", tag = "insight", params(Keys), responses((status = OK, body = DoraAnswer)))]
pub(super) async fn keys(
    State(desk): State<Arc<Desk>>,
    AskedQuery(keys): AskedQuery<Keys>,
) -> Result<Response<Body>, Refused> {
    within(keys.days, "days")?;
    let environment = match (keys.every_environment, keys.environment) {
        (Some(true), _) => Some(None),
        (_, Some(name)) => Some(Some(name)),
        _ => None,
    };
    let ask = dora::Ask { days: keys.days, environment, service: keys.service };
    let dora = dora::gather(&desk, ask, clock::now()).await;
    let answer = DoraAnswer {
        environment: dora.environment.map(String::from),
        service: dora.service.map(String::from),
        now: FourKeys::of(dora.span, &dora.now),
        before: FourKeys::of(dora.span.before(), &dora.before),
        parts: dora.parts.iter().map(|(span, measures)| FourKeys::of(*span, measures)).collect(),
        services: dora
            .by_service
            .into_iter()
            .map(|(service, measures)| ServiceKeys {
                service: service.into(),
                keys: FourKeys::of(dora.span, &measures),
            })
            .collect(),
        definitions: Key::ALL
            .into_iter()
            .map(|key| KeyDefinition { name: key.name().into(), definition: key.definition().into() })
            .collect(),
    };
    Ok(as_json(StatusCode::OK, &answer))
}

/// How the deployments of each day came out, the oldest day first.
#[utoipa::path(get, path = "/v1/deployments/per-day", tag = "insight", params(Days),
    responses((status = OK, body = [DayAnswer])))]
pub(super) async fn per_day(
    State(desk): State<Arc<Desk>>,
    AskedQuery(asked): AskedQuery<Days>,
) -> Result<Response<Body>, Refused> {
    within(asked.days, "days")?;
    let zone = match &asked.zone {
        None => jiff::tz::TimeZone::UTC,
        Some(name) => jiff::tz::TimeZone::get(name).map_err(|_| {
            let what = format!("there is no time zone {:?}", name.chars().take(64).collect::<String>());
            Refused::new(ErrorCode::InvalidRequest, what, "use a name such as Europe/Berlin")
        })?,
    };
    let bounds = days::bounds(clock::now(), asked.days.unwrap_or(USUAL_DAYS), &zone);
    let known = desk.chronicle.fresh().await;
    let query = Query::parse(asked.q.as_deref().unwrap_or_default());
    let counts = known.deployments.per_day(&query, &bounds);
    let day = |(bounds, counts): (&[_], _)| DayAnswer::of(bounds[0], bounds[1], counts);
    let answer: Vec<DayAnswer> = bounds.windows(2).zip(&counts).map(day).collect();
    Ok(as_json(StatusCode::OK, &answer))
}

/// What every host of a service really runs, as the hosts say.
#[utoipa::path(get, path = "/v1/dna", tag = "insight", params(Which), responses((status = OK, body = [StripAnswer])))]
pub(super) async fn dna(
    State(desk): State<Arc<Desk>>,
    AskedQuery(which): AskedQuery<Which>,
) -> Result<Response<Body>, Refused> {
    let dna = insight::dna(&desk, which.service).await;
    let strips = dna.strips.iter().map(|asked| StripAnswer::of(&asked.strip, asked.at));
    Ok(as_json(StatusCode::OK, &strips.collect::<Vec<_>>()))
}

/// Every host of the line: what it runs, and whether it is out of traffic or does not answer. At most 1,000.
#[utoipa::path(get, path = "/v1/hosts", tag = "insight", params(Find), responses((status = OK, body = [HostAnswer])))]
pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    AskedQuery(find): AskedQuery<Find>,
) -> Result<Response<Body>, Refused> {
    let hosts = hosts::gather(&desk, find.q.as_deref().unwrap_or_default()).await;
    let rows = hosts.groups.iter().flat_map(|(_, rows)| rows).map(host);
    Ok(as_json(StatusCode::OK, &rows.collect::<Vec<_>>()))
}

/// One host.
#[utoipa::path(get, path = "/v1/hosts/{name}", tag = "insight",
    params(("name" = String, Path, description = "Its name", pattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length = 253)),
    responses((status = OK, body = HostAnswer)))]
pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    AskedPath(name): AskedPath<String>,
) -> Result<Response<Body>, Refused> {
    let row = match HostName::new(name.as_str()) {
        Ok(name) => hosts::row(&desk, &name).await,
        Err(_) => None,
    };
    let row = row.ok_or_else(|| no_host(&name))?;
    Ok(as_json(StatusCode::OK, &host(&row)))
}

fn host(row: &Row) -> HostAnswer {
    let service = |service: &Service| HostService {
        service: service.scope.service.to_string(),
        environment: service.scope.environment.to_string(),
        releases: words::releases(&service.runs),
        standing: words::standing(service.standing),
        serving: service.serving.map(|(serving, _)| serving),
        instances: service.serving.map(|(_, all)| all),
        out: row.out.iter().find(|out| out.scope == service.scope).map(|out| out.reason.clone()),
    };
    HostAnswer {
        host: row.host.to_string(),
        groups: row.groups.iter().map(ToString::to_string).collect(),
        answered: row.answered.map(rfc3339),
        silent: row.silence.as_ref().map(|(_, why)| why.clone()),
        services: row.services.iter().map(service).collect(),
    }
}

fn within(days: Option<u32>, name: &str) -> Result<(), Refused> {
    match days {
        Some(days) if !(1..=dora::LONGEST).contains(&days) => {
            let what = format!("{name} is 1 to {}, not {days}", dora::LONGEST);
            Err(Refused::new(ErrorCode::InvalidRequest, what, "ask for fewer days"))
        }
        _ => Ok(()),
    }
}
