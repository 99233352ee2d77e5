//! `/metrics`, scraped by a real Prometheus.

use andon_testbed::PrometheusServer;
use andon_testbed::deadline::wait_until;
use serde_json::{Value, json};

use crate::client;
use crate::house::House;
use crate::project::LIMIT;

#[test]
fn prometheus_reads_how_the_line_and_its_deployments_stand() {
    let house = House::open();
    house.until_ended(house.deploy());
    house.post("/v1/line/stop", &json!({ "why": "orders fell" })).is(200);
    let text = house.get("/metrics").is(200);
    let kind = text.header("content-type");
    assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"), "{kind}");
    assert!(text.body.ends_with("# EOF\n"), "{}", text.body);
    let prometheus = PrometheusServer::start(&[("andon", house.address())]).unwrap();
    let ask = |query: &str| -> Value {
        let address = prometheus.url().split_once("//").unwrap().1.parse().unwrap();
        let query: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let answer = client::ask(address, "GET", &format!("/api/v1/query?query={query}"), "", b"");
        serde_json::from_str::<Value>(&answer.body).unwrap_or(Value::Null)["data"]["result"][0]["value"][1]
            .clone()
    };
    for (query, value) in [
        ("andon_line_running", "0"),
        ("andon_deployments_total{service=\"www\",outcome=\"succeeded\"}", "1"),
        ("andon_hosts_left_out{service=\"www\"}", "0"),
        ("andon_http_requests_total{route=\"/v1/line/stop\",status=\"200\"}", "1"),
        ("andon_http_request_duration_seconds_count{route=\"/v1/line/stop\"}", "1"),
        ("andon_http_request_duration_seconds_bucket{route=\"/v1/line/stop\",le=\"+Inf\"}", "1"),
        ("time() - andon_last_deployment_end_timestamp_seconds < bool 600", "1"),
    ] {
        let mut last = Value::Null;
        let held = wait_until(LIMIT, || {
            last = ask(query);
            last == value
        });
        assert!(held, "{query} is {last}, not {value}: {}", text.body);
    }
}
