//! `GET /metrics`: how the line, its deployments and this server stand, as text of OpenMetrics.

use std::fmt::{Display, Write};
use std::sync::Arc;

use andon_core::telling::Dispatch;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Response, header};

use super::Desk;
use super::meter::{BOUNDS, Meter, Tally};
use super::reply::Refused;

mod outcomes;

pub(super) use outcomes::Outcomes;

use outcomes::Counted;

/// Messages that are looked at: those that wait come first.
const MESSAGES: usize = 1000;

/// How the line, its deployments and this server stand, as text of OpenMetrics.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "server",
    responses((status = OK, body = String, content_type = "application/openmetrics-text")))]
pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(meter): Extension<Meter>,
    Extension(outcomes): Extension<Outcomes>,
) -> Result<Response<Body>, Refused> {
    let records = desk.controller.records();
    let counted = outcomes.count(records).await?;
    let (cord, head) = (records.cord().await?.value, records.ledger().head().await?);
    let scopes = records.scopes().await?;
    let messages = desk.controller.outbox().list("", MESSAGES).await?;
    let mut text = Text::default();
    text.deployments(&counted);
    text.family("andon_deployments_driven", "gauge", "Deployments that this server drives.");
    text.sample("andon_deployments_driven", &[], desk.workshop.under_way().len());
    text.family("andon_line_running", "gauge", "1 while the line runs, 0 while it is stopped.");
    text.sample("andon_line_running", &[], u8::from(!cord.is_stopped()));
    text.family("andon_hosts_left_out", "gauge", "Hosts that were left out of their balancers.");
    for (name, known) in &scopes {
        let labels = [("service", name.service.as_str()), ("environment", name.environment.as_str())];
        text.sample("andon_hosts_left_out", &labels, known.scope.held.len());
    }
    text.family("andon_messages_waiting", "gauge", "Messages to people that are not delivered yet.");
    text.sample("andon_messages_waiting", &[], messages.iter().map(Dispatch::waiting).sum::<usize>());
    text.family("andon_ledger_head", "gauge", "The position of the newest record of the ledger.");
    text.sample("andon_ledger_head", &[], head);
    text.family("andon_build", "info", "Which Andon this is.");
    text.sample("andon_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    text.requests(&meter.tally());
    let mut response = Response::new(Body::from(text.end()));
    let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Text of OpenMetrics, family after family.
#[derive(Debug, Default)]
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing into a string does not fail.
        let _ = writeln!(self.0, "# TYPE {name} {kind}\n# HELP {name} {help}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        if !labels.is_empty() {
            let labels: Vec<String> =
                labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
            let _ = write!(self.0, "{{{}}}", labels.join(","));
        }
        let _ = writeln!(self.0, " {value}");
    }

    fn deployments(&mut self, counted: &Counted) {
        self.family("andon_deployments", "counter", "Deployments that have ended, by how they did.");
        for ((scope, outcome), count) in &counted.ended {
            let labels = [
                ("service", scope.service.as_str()),
                ("environment", scope.environment.as_str()),
                ("outcome", outcome),
            ];
            self.sample("andon_deployments_total", &labels, count);
        }
        self.family(
            "andon_deployments_under_way",
            "gauge",
            "Deployments that have not ended, by their states.",
        );
        for ((scope, state), count) in &counted.under_way {
            let labels = [
                ("service", scope.service.as_str()),
                ("environment", scope.environment.as_str()),
                ("state", state),
            ];
            self.sample("andon_deployments_under_way", &labels, count);
        }
        let name = "andon_last_deployment_end_timestamp_seconds";
        self.family(name, "gauge", "When the newest deployment that has ended did so.");
        for (scope, at) in &counted.last {
            let labels = [("service", scope.service.as_str()), ("environment", scope.environment.as_str())];
            self.sample(
                name,
                &labels,
                format_args!("{}.{:03}", at.0.div_euclid(1000), at.0.rem_euclid(1000)),
            );
        }
    }

    fn requests(&mut self, tally: &Tally) {
        self.family("andon_http_requests", "counter", "Requests that were answered.");
        for ((method, route, status), count) in &tally.requests {
            let status = status.to_string();
            let labels = [("method", method.as_str()), ("route", route), ("status", &status)];
            self.sample("andon_http_requests_total", &labels, count);
        }
        let name = "andon_http_request_duration_seconds";
        self.family(name, "histogram", "How long it took until an answer began.");
        for (route, times) in &tally.times {
            let mut within = 0;
            for (bound, count) in BOUNDS.iter().zip(times.within) {
                within += count;
                self.sample(
                    &format!("{name}_bucket"),
                    &[("route", route), ("le", &format!("{bound:?}"))],
                    within,
                );
            }
            self.sample(&format!("{name}_bucket"), &[("route", route), ("le", "+Inf")], times.count);
            self.sample(&format!("{name}_count"), &[("route", route)], times.count);
            self.sample(&format!("{name}_sum"), &[("route", route)], times.sum.as_secs_f64());
        }
    }

    fn end(mut self) -> String {
        self.0.push_str("# EOF\n");
        self.0
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
