//! The Prometheus text format, written from numbers. Pure.

use std::fmt::Write;
use std::time::Duration;

use andon_core::balance::{Counters, Histogram, PoolSight, ServerSight, ServerState};
use andon_core::name::ServerName;

/// All numbers of one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// How long the proxy has been serving.
    pub serving: Duration,
    /// Open connections of clients.
    pub connections: u64,
    /// Lines that the access log has lost.
    pub lines_dropped: u64,
    /// All pools, in order.
    pub pools: Vec<PoolNumbers>,
}

/// The numbers of a pool.
#[derive(Debug, Clone, Default)]
pub struct PoolNumbers {
    /// Its name, which needs no escaping.
    pub name: String,
    /// Requests that wait for any server.
    pub queued: u64,
    /// Its servers.
    pub sight: PoolSight,
}

/// Every so many buckets of a [`Histogram`] there is one here: its bounds then grow by a power of two.
const STRIDE: u8 = 4;

/// The last of them: 128 s.
const LAST: u8 = 80;

const NO_COUNTERS: Counters = Counters {
    requests: 0,
    responses: [0; 6],
    retries: 0,
    connect_failures: 0,
    response_failures: 0,
    bytes: 0,
    latency: None,
    mean_latency_us: None,
};

impl Snapshot {
    /// The text. Writing to a string cannot fail.
    pub fn render(&self) -> String {
        let mut text = String::new();
        head(&mut text, "build_info", "gauge", "Always 1; the version is the label.");
        let _ = writeln!(text, "andon_proxy_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"));
        let whole: [(&str, &str, &str, u64); 3] = [
            ("serving_seconds", "gauge", "How long this process has been serving.", self.serving.as_secs()),
            ("connections", "gauge", "Open connections of clients.", self.connections),
            (
                "access_log_dropped_total",
                "counter",
                "Lines that the access log has lost.",
                self.lines_dropped,
            ),
        ];
        for (name, kind, help, value) in whole {
            head(&mut text, name, kind, help);
            let _ = writeln!(text, "andon_proxy_{name} {value}");
        }
        head(&mut text, "pool_queue", "gauge", "Requests that wait for any server of the pool.");
        for pool in &self.pools {
            let _ = writeln!(text, "andon_proxy_pool_queue{{pool=\"{}\"}} {}", pool.name, pool.queued);
        }
        self.gauges(&mut text);
        self.counters(&mut text);
        self.histograms(&mut text);
        text
    }

    fn servers(&self) -> impl Iterator<Item = (&str, &ServerName, &ServerSight)> {
        self.pools
            .iter()
            .flat_map(|pool| pool.sight.servers.iter().map(|(name, sight)| (pool.name.as_str(), name, sight)))
    }

    fn gauges(&self, text: &mut String) {
        type Gauge = fn(&ServerSight) -> u64;
        let gauges: [(&str, &str, Gauge); 4] = [
            ("server_up", "Whether the server is well and in traffic.", |s| {
                u64::from(s.state == ServerState::Up)
            }),
            ("server_out", "Whether the server was taken out.", |s| u64::from(s.state == ServerState::Out)),
            ("server_weight_percent", "The present share of the full weight.", |s| u64::from(s.weight)),
            ("server_in_flight", "Requests and tunnels under way.", |s| s.sessions.unwrap_or(0)),
        ];
        for (name, help, value) in gauges {
            head(text, name, "gauge", help);
            for (pool, server, sight) in self.servers() {
                let value = value(sight);
                let _ = writeln!(text, "andon_proxy_{name}{{pool=\"{pool}\",server=\"{server}\"}} {value}");
            }
        }
    }

    fn counters(&self, text: &mut String) {
        type Counter = fn(&Counters) -> u64;
        let counters: [(&str, &str, Counter); 5] = [
            ("requests_total", "Requests that were sent to the server and ended.", |c| c.requests),
            ("retries_total", "Requests that were sent to this server after another one.", |c| c.retries),
            ("connect_failures_total", "Connections that could not be opened.", |c| c.connect_failures),
            ("response_failures_total", "Responses cut short or without sense.", |c| c.response_failures),
            ("response_bytes_total", "Bytes that the server sent.", |c| c.bytes),
        ];
        for (name, help, value) in counters {
            head(text, name, "counter", help);
            for (pool, server, sight) in self.servers() {
                let value = value(sight.counters.as_ref().unwrap_or(&NO_COUNTERS));
                let _ = writeln!(text, "andon_proxy_{name}{{pool=\"{pool}\",server=\"{server}\"}} {value}");
            }
        }
        head(text, "responses_total", "counter", "Responses by class; `none` where there was no status.");
        for (pool, server, sight) in self.servers() {
            let responses = sight.counters.as_ref().unwrap_or(&NO_COUNTERS).responses;
            for (class, count) in ["none", "1xx", "2xx", "3xx", "4xx", "5xx"].iter().zip(responses) {
                let _ = writeln!(
                    text,
                    "andon_proxy_responses_total{{pool=\"{pool}\",server=\"{server}\",class=\"{class}\"}} {count}"
                );
            }
        }
    }

    fn histograms(&self, text: &mut String) {
        head(text, "response_seconds", "histogram", "From the request to the head of the response.");
        for (pool, server, sight) in self.servers() {
            let labels = format!("pool=\"{pool}\",server=\"{server}\"");
            let empty = Histogram::default();
            let latency = sight.counters.as_ref().and_then(|c| c.latency.as_ref()).unwrap_or(&empty);
            for bucket in (0..=LAST).step_by(usize::from(STRIDE)) {
                let up_to = latency.buckets.range(..=bucket).map(|(_, count)| count).sum::<u64>();
                let bound = Histogram::bound_us(bucket) / 1e6;
                let _ =
                    writeln!(text, "andon_proxy_response_seconds_bucket{{{labels},le=\"{bound}\"}} {up_to}");
            }
            let (count, sum) = (latency.count(), Duration::from_micros(latency.sum_us).as_secs_f64());
            let _ = writeln!(text, "andon_proxy_response_seconds_bucket{{{labels},le=\"+Inf\"}} {count}");
            let _ = writeln!(text, "andon_proxy_response_seconds_sum{{{labels}}} {sum}");
            let _ = writeln!(text, "andon_proxy_response_seconds_count{{{labels}}} {count}");
        }
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP andon_proxy_{name} {help}\n# TYPE andon_proxy_{name} {kind}");
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn snapshot() -> Snapshot {
        let mut latency = Histogram::default();
        [100, 400, 3_000, 200_000_000].into_iter().for_each(|us| latency.add(us));
        let counters = Counters {
            requests: 4,
            responses: [1, 0, 2, 0, 0, 1],
            latency: Some(latency),
            ..Counters::default()
        };
        let sight = ServerSight {
            state: ServerState::Up,
            weight: 25,
            sessions: Some(3),
            queued: 0,
            counters: Some(counters),
        };
        let servers = BTreeMap::from([(ServerName::new("web1").unwrap(), sight)]);
        let sight = PoolSight { servers, changed: BTreeSet::new() };
        Snapshot { pools: vec![PoolNumbers { name: "www".into(), queued: 7, sight }], ..Snapshot::default() }
    }

    #[test]
    fn every_number_has_its_line() {
        let text = snapshot().render();
        for line in [
            "andon_proxy_pool_queue{pool=\"www\"} 7",
            "andon_proxy_server_in_flight{pool=\"www\",server=\"web1\"} 3",
            "andon_proxy_server_weight_percent{pool=\"www\",server=\"web1\"} 25",
            "andon_proxy_responses_total{pool=\"www\",server=\"web1\",class=\"2xx\"} 2",
            "andon_proxy_response_seconds_bucket{pool=\"www\",server=\"web1\",le=\"0.000125\"} 1",
            "andon_proxy_response_seconds_bucket{pool=\"www\",server=\"web1\",le=\"0.0005\"} 2",
            "andon_proxy_response_seconds_bucket{pool=\"www\",server=\"web1\",le=\"+Inf\"} 4",
            "andon_proxy_response_seconds_count{pool=\"www\",server=\"web1\"} 4",
            "andon_proxy_response_seconds_sum{pool=\"www\",server=\"web1\"} 200.0035",
        ] {
            assert!(text.lines().any(|own| own == line), "{line} is not in:\n{text}");
        }
    }

    #[test]
    fn buckets_only_grow_and_every_series_is_described_once() {
        let text = snapshot().render();
        let buckets: Vec<u64> = text
            .lines()
            .filter(|line| line.contains("_bucket{"))
            .map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
            .collect();
        assert!(buckets.is_sorted() && buckets.len() == usize::from(LAST / STRIDE) + 2);
        let mut described = BTreeSet::new();
        for line in text.lines().filter(|line| line.starts_with("# TYPE ")) {
            assert!(described.insert(line), "{line} twice");
        }
    }
}
