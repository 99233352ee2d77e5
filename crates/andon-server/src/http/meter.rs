//! What is asked, how often, and how long it takes: counted for `/metrics`, and told in one line of the log.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use andon_core::legible::neutral;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, Response};
use axum::middleware::Next;

use super::gate::Asker;

/// The upper bounds of the times that are told apart, in seconds.
pub(super) const BOUNDS: [f64; 10] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];
/// The name of what is asked for where there is nothing.
const NOTHING: &str = "none";

/// How long requests of one kind took.
#[derive(Debug, Clone, Default)]
pub(super) struct Times {
    /// How many took at most so long as [`BOUNDS`] says, each counted once.
    pub(super) within: [u64; BOUNDS.len()],
    /// All of them.
    pub(super) count: u64,
    /// All of them together.
    pub(super) sum: Duration,
}

/// What was asked since this process began.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    /// By method, pattern of the path, and status.
    pub(super) requests: BTreeMap<(String, String, u16), u64>,
    /// By pattern of the path.
    pub(super) times: BTreeMap<String, Times>,
}

/// Counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Meter(Arc<Mutex<Tally>>);

impl Meter {
    /// What was counted so far.
    pub(super) fn tally(&self) -> Tally {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count(&self, method: &Method, route: &str, status: u16, took: Duration) {
        let mut tally = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever asks chooses the method: of strange ones there may be many.
        let known = matches!(
            *method,
            Method::GET | Method::HEAD | Method::POST | Method::PUT | Method::DELETE | Method::OPTIONS
        );
        let method = if known { method.as_str() } else { "other" };
        *tally.requests.entry((method.to_owned(), route.to_owned(), status)).or_default() += 1;
        let times = tally.times.entry(route.to_owned()).or_default();
        times.count += 1;
        times.sum += took;
        let place = BOUNDS.iter().position(|bound| took.as_secs_f64() <= *bound);
        if let Some(within) = place.and_then(|place| times.within.get_mut(place)) {
            *within += 1;
        }
    }
}

/// Counts a request, and tells of it: changes always, what is only read when somebody wants to know.
pub(super) async fn measure(State(meter): State<Meter>, request: Request, next: Next) -> Response<Body> {
    let (began, method) = (Instant::now(), request.method().clone());
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let route = route.unwrap_or(NOTHING).to_owned();
    let path: String = neutral(request.uri().path().as_bytes()).chars().take(200).collect();
    let response = next.run(request).await;
    let (took, status) = (began.elapsed(), response.status().as_u16());
    meter.count(&method, &route, status, took);
    let visitor = response.extensions().get::<Asker>().map(|asker| neutral(asker.0.name.as_bytes()));
    let visitor = visitor.unwrap_or_else(|| "nobody".to_owned());
    let ms = (took.as_secs_f64() * 1e5).round() / 100.0;
    if method.is_safe() {
        tracing::debug!(%method, %route, %path, status, ms, visitor, "request");
    } else {
        tracing::info!(%method, %route, %path, status, ms, visitor, "request");
    }
    response
}

/// Notes in the answer who asked, for whoever tells of it.
pub(super) async fn name(request: Request, next: Next) -> Response<Body> {
    let asker = request.extensions().get::<Asker>().cloned();
    let mut response = next.run(request).await;
    if let Some(asker) = asker {
        response.extensions_mut().insert(asker);
    }
    response
}
