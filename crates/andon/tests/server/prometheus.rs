//! A real Prometheus, two groups that labels tell apart, and a verdict.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use andon_testbed::deadline::wait_until;
use andon_testbed::prometheus::{Exposition, PrometheusServer};
use serde_json::{Value, json};

use crate::site::{LIMIT, Site};

/// Counters of both versions, that grow with real time until it is dropped.
struct Shop {
    page: Arc<Exposition>,
    over: Arc<AtomicBool>,
    growth: Option<thread::JoinHandle<()>>,
}

impl Shop {
    /// Both versions answer about 1,000 requests a second, of which the old one fails 1 in 500, and the new one
    /// `failing` in 500.
    fn open(failing: u64) -> Self {
        let page = Arc::new(Exposition::start("").unwrap());
        let over = Arc::new(AtomicBool::new(false));
        let (served, end) = (Arc::clone(&page), Arc::clone(&over));
        let growth = thread::spawn(move || {
            let begun = std::time::Instant::now();
            while !end.load(Ordering::Relaxed) {
                let requests = u64::try_from(begun.elapsed().as_millis()).unwrap();
                let mut text = String::new();
                for (version, failing) in [("1", 1), ("2", failing)] {
                    let failed = requests * failing / 500;
                    writeln!(
                        text,
                        "requests_total{{version=\"{version}\",code=\"200\"}} {}",
                        requests - failed
                    )
                    .unwrap();
                    writeln!(text, "requests_total{{version=\"{version}\",code=\"500\"}} {failed}").unwrap();
                }
                served.say(&text);
                wait_until(Duration::from_millis(50), || end.load(Ordering::Relaxed));
            }
        });
        Self { page, over, growth: Some(growth) }
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.growth.take().unwrap().join().unwrap();
    }
}

fn asked(id: &str, url: &str) -> Value {
    json!({
        "id": id,
        "canary": { "matcher": "version=\"2\"" },
        "control": { "matcher": "version=\"1\"" },
        "metrics": [{
            "name": "errors",
            "kind": "errors",
            "query": "sum(requests_total{code=~\"5..\",{members}})",
            "of": "sum(requests_total{{members}})",
            "url": url,
            "every": "1s",
        }],
        "rules": { "tick": "1s", "warmup": "0s", "observe": "5s", "window": "2m" },
    })
}

#[test]
fn a_harmful_version_is_recognised_by_what_prometheus_knows() {
    let shop = Shop::open(100);
    let prometheus = PrometheusServer::start(&[("shop", shop.page.address())]).unwrap();
    let mut site = Site::start();
    site.post("/v1/evaluations", &asked("bad", &prometheus.url())).is(201);
    // A server that asks is not told.
    site.post("/v1/evaluations/bad/ticks", &crate::comparison::tick(1, 1))
        .is(409)
        .refuses("conflict", "asks for its numbers itself");
    let compared = wait_until(LIMIT, || {
        let view = site.get("/v1/evaluations/bad").json();
        view["metrics"][0]["canary"]["of"].as_u64() > Some(0) || view["state"] != "running"
    });
    assert!(compared, "{}", site.get("/v1/evaluations/bad").body);
    site.kill_and_start();
    let over = site.until_over("bad");
    assert_eq!(over["verdict"], "fail", "{over:#}");
    assert!(over["metrics"][0]["ratio"].as_f64().unwrap() > 10.0, "{over:#}");
}

#[test]
fn a_prometheus_that_is_down_is_no_verdict_against_the_release() {
    let shop = Shop::open(1);
    let mut prometheus = PrometheusServer::start(&[("shop", shop.page.address())]).unwrap();
    let url = prometheus.url();
    prometheus.kill();
    let site = Site::start();
    let mut request = asked("dark", &url);
    request["rules"]["window"] = json!("10s");
    site.post("/v1/evaluations", &request).is(201);
    let over = site.until_over("dark");
    assert_eq!((&over["verdict"], &over["advice"]), (&json!("none"), &json!("hold")), "{over:#}");
}
