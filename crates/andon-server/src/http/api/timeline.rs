//! `/v1/timeline`: deployments of a span that fit some words, and how they came out; `/v1/deployments/{number}/traffic`:
//! what was seen of one.

use std::sync::Arc;

use andon_chart::ratio::Row as MetricRow;
use andon_chart::traffic::{Event, EventMark};
use andon_core::chronicle::{Outcome, Query, Row};
use andon_core::deployment::DeploymentId;
use andon_core::time::Time;
use andon_page::timeline::found::USUAL;
use andon_page::view::{View, WrongView};
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::clock;
use crate::http::Desk;
use crate::http::asked::{AskedPath, AskedQuery, Whole};
use crate::http::moment::rfc3339;
use crate::http::pages::evidence;
use crate::http::reply::{ErrorCode, Refused, as_json};

/// At most so many in one answer.
const MOST: usize = 500;

/// Which deployments are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Words that a deployment fits: `@ana`, a service, an environment, a host, a revision, `ERROR`.
    #[param(max_length = 200)]
    q: Option<String>,
    /// `all`, or a number of days until now: `7d`.
    span: Option<String>,
    /// From when on, as RFC 3339.
    from: Option<String>,
    /// Until when, as RFC 3339.
    to: Option<String>,
    /// Only those with a lower number.
    #[param(value_type = Option<u64>, maximum = 9_007_199_254_740_991u64)]
    before: Option<Whole>,
    /// At most so many; 100 without it.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
}

/// The deployments of a span.
#[derive(Debug, Serialize, ToSchema)]
struct Timeline {
    /// The begin of the span.
    #[schema(format = DateTime)]
    from: String,
    /// Its end.
    #[schema(format = DateTime)]
    to: String,
    /// All that fit, also those that are not in this answer.
    total: u32,
    /// How they came out.
    outcomes: Vec<Count>,
    /// Some of them, the newest first.
    deployments: Vec<Deployment>,
    /// Whether there are older ones: ask again with `before`.
    more: bool,
}

/// How many came out in one way.
#[derive(Debug, Serialize, ToSchema)]
struct Count {
    /// The way: `succeeded`, `rolled-back`, `failed`, `aborted`, `cancelled`, `under-way` or `unknown`.
    outcome: &'static str,
    /// How many.
    count: u32,
}

/// A deployment on the timeline.
#[derive(Debug, Serialize, ToSchema)]
struct Deployment {
    /// Its number.
    deployment: u64,
    /// The service.
    service: String,
    /// The environment.
    environment: String,
    /// The release.
    release: String,
    /// The commit, where it is known.
    revision: Option<String>,
    /// Who asked.
    by: String,
    /// How it came out.
    outcome: &'static str,
    /// When it was accepted.
    #[schema(format = DateTime)]
    accepted: String,
    /// When it ended.
    #[schema(format = DateTime)]
    ended: Option<String>,
}

/// Deployments of a span that fit some words, the newest first.
#[utoipa::path(get, path = "/v1/timeline", tag = "deployments", params(Wanted),
    responses((status = OK, body = Timeline)))]
pub(super) async fn look(
    State(desk): State<Arc<Desk>>,
    AskedQuery(wanted): AskedQuery<Wanted>,
) -> Result<Response<Body>, Refused> {
    let Wanted { q, span, from, to, before, limit } = wanted;
    let limit = limit.unwrap_or(100);
    if !(1..=MOST).contains(&limit) {
        let what = format!("limit is 1 to {MOST}, not {limit}");
        return Err(Refused::new(ErrorCode::InvalidRequest, what, "ask again with before"));
    }
    let view = View::read(q.as_deref(), span.as_deref(), from.as_deref(), to.as_deref(), &TimeZone::UTC)
        .map_err(|WrongView { what, next }| Refused::new(ErrorCode::InvalidRequest, what, next))?;
    let known = desk.chronicle.fresh().await;
    let span = view.span(&known.deployments, clock::now(), USUAL);
    let before = before.map(|Whole(number)| DeploymentId(number));
    let page = known.deployments.page(&Query::parse(&view.query), span, before, limit);
    let count = |outcome: Outcome| Count { outcome: outcome.slug(), count: page.counts.of(outcome) };
    Ok(as_json(
        StatusCode::OK,
        &Timeline {
            from: rfc3339(span.from),
            to: rfc3339(span.until),
            total: page.counts.total(),
            outcomes: Outcome::ALL.into_iter().map(count).filter(|count| count.count > 0).collect(),
            deployments: page.rows.iter().map(|row| shown(row)).collect(),
            more: page.more,
        },
    ))
}

fn shown(row: &Row) -> Deployment {
    Deployment {
        deployment: row.id().0,
        service: row.scope().service.to_string(),
        environment: row.scope().environment.to_string(),
        release: row.release().to_string(),
        revision: row.revision().map(|revision| revision.commit.clone()),
        by: row.by().to_owned(),
        outcome: row.outcome().slug(),
        accepted: rfc3339(row.accepted()),
        ended: row.ended().map(rfc3339),
    }
}

/// What was seen of a deployment.
#[derive(Debug, Serialize, ToSchema)]
struct Seen {
    /// The unit of the traffic.
    unit: Option<String>,
    /// The traffic of the hosts on the new release.
    new: Vec<Point>,
    /// The traffic of the hosts on the old release.
    old: Vec<Point>,
    /// What happened meanwhile.
    events: Vec<Happened>,
    /// Each metric, new against old.
    metrics: Vec<Metric>,
}

/// How much there was at a moment.
#[derive(Debug, Serialize, ToSchema)]
struct Point {
    /// The moment.
    #[schema(format = DateTime)]
    at: String,
    /// How much.
    value: f64,
}

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
struct Happened {
    /// When.
    #[schema(format = DateTime)]
    at: String,
    /// What, in a few words.
    what: String,
    /// `step`, `pause`, `against` or `for` the release.
    kind: &'static str,
}

/// A metric, new against old.
#[derive(Debug, Serialize, ToSchema)]
struct Metric {
    /// Its name.
    name: String,
    /// New as a multiple of old; nothing when it cannot be said.
    ratio: Option<f64>,
    /// It is at least so much.
    low: Option<f64>,
    /// It is at most so much.
    high: Option<f64>,
    /// From this multiple on it is harm.
    harm_from: Option<f64>,
    /// Below this multiple it is harm.
    harm_below: Option<f64>,
    /// What that says, in words.
    says: &'static str,
}

/// The traffic, the events and the metrics of a deployment, at most some hundred points of each.
#[utoipa::path(get, path = "/v1/deployments/{number}/traffic", tag = "deployments",
    params(("number" = u64, Path, description = "Its number", maximum = 9_007_199_254_740_991u64)),
    responses((status = OK, body = Seen)))]
pub(super) async fn traffic(
    State(desk): State<Arc<Desk>>,
    AskedPath(number): AskedPath<u64>,
) -> Result<Response<Body>, Refused> {
    let id = DeploymentId(number);
    let (known, entries) = desk.controller.records().deployment_with_entries(id).await?;
    let deployment = known.value;
    let live = desk.workshop.progress(id).and_then(|progress| progress.borrow().standing.clone());
    let standing = live.as_deref().or(deployment.analysis());
    let seen = evidence::gather(&desk, &deployment, &entries, standing, clock::now()).await;
    let (unit, new, old, events) = match seen.traffic {
        Some(traffic) => (Some(traffic.unit), traffic.new, traffic.old, traffic.events),
        None => (None, Vec::new(), Vec::new(), Vec::new()),
    };
    let points = |line: Vec<(Time, f64)>| {
        line.into_iter().map(|(at, value)| Point { at: rfc3339(at), value }).collect()
    };
    let rows = seen.rows.map(|rows| rows.rows).unwrap_or_default();
    Ok(as_json(
        StatusCode::OK,
        &Seen {
            unit,
            new: points(new),
            old: points(old),
            events: events.into_iter().map(happened).collect(),
            metrics: rows.into_iter().map(metric).collect(),
        },
    ))
}

fn happened(event: Event) -> Happened {
    let kind = match event.mark {
        EventMark::Step => "step",
        EventMark::Pause => "pause",
        EventMark::Against => "against",
        EventMark::For => "for",
    };
    Happened { at: rfc3339(event.at), what: event.name, kind }
}

fn metric(row: MetricRow) -> Metric {
    let says = row.says().words();
    let (harm_from, harm_below) = row.harm;
    Metric { name: row.name, ratio: row.ratio, low: row.low, high: row.high, harm_from, harm_below, says }
}
