//! What the lines of an access log mean for the servers named in them.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use andon_core::balance::Counters;
use andon_core::name::ServerName;

use super::format::{Line, values};

/// What every server has done, as far as the log was read.
pub(in crate::balance::nginx) type Tally = BTreeMap<ServerName, Counters>;

/// Adds a line to the counters of the servers that `names` knows.
///
/// Each attempt counts for the server that it was made at. One that failed, so that the request went to the next
/// server, is a retry of the server that failed.
pub(in crate::balance::nginx) fn add(
    line: &Line<'_>,
    names: &BTreeMap<SocketAddr, ServerName>,
    tally: &mut Tally,
) {
    let attempts: Vec<(&str, bool)> = values(line.addresses).collect();
    for (index, (address, _)) in attempts.iter().enumerate() {
        let Some(name) = address.parse().ok().and_then(|address: SocketAddr| names.get(&address)) else {
            continue;
        };
        let is_last = index + 1 == attempts.len();
        let retried = attempts.get(index + 1).is_some_and(|(_, another_upstream)| !another_upstream);
        Attempt::of(line, index, is_last, attempts.len() == 1, retried)
            .count(tally.entry(name.clone()).or_default());
    }
}

/// One server's part in a request.
struct Attempt<'l> {
    /// `None` without an answer, or where nginx alone knows.
    status: Option<u16>,
    time: Option<&'l str>,
    bytes: u64,
    retried: bool,
    failure: Option<Failure>,
}

enum Failure {
    Connect,
    Response,
}

impl<'l> Attempt<'l> {
    fn of(line: &Line<'l>, index: usize, is_last: bool, is_only: bool, retried: bool) -> Self {
        let nth =
            |list: Option<&'l str>| list.and_then(|list| values(list).nth(index)).map(|(value, _)| value);
        let status = nth(line.statuses).or(line.status.filter(|_| is_last && line.statuses.is_none()));
        let status =
            status.and_then(|status| status.parse().ok()).filter(|status| (100..600).contains(status));
        let said = |status: Option<u16>| matches!(status, Some(502 | 504));
        // A time that is `-` is that of something that did not happen.
        let failure = match (nth(line.connects), nth(line.headers)) {
            (Some("-"), _) if said(status) => Some(Failure::Connect),
            (_, Some("-")) if said(status) => Some(Failure::Response),
            (Some(_), Some(_)) => None,
            // Without these times, only what nginx did not take for an answer was surely none.
            _ if !retried => None,
            _ => match status {
                Some(502) => Some(Failure::Connect),
                Some(504) => Some(Failure::Response),
                _ => None,
            },
        };
        // The user left: that is no answer of the server's.
        let status = status.filter(|status| failure.is_none() && *status != 499);
        let time = nth(line.times).or(line.time.filter(|_| is_only && line.times.is_none()));
        let bytes = nth(line.lengths).or(line.length.filter(|_| is_last && line.lengths.is_none()));
        let bytes = bytes.and_then(|bytes| bytes.parse().ok()).unwrap_or(0);
        Self { status, time: time.filter(|_| status.is_some()), bytes, retried, failure }
    }

    fn count(&self, counters: &mut Counters) {
        counters.requests += 1;
        let class = self.status.map_or(0, |status| usize::from(status / 100));
        if let Some(responses) = counters.responses.get_mut(class) {
            *responses += 1;
        }
        counters.retries += u64::from(self.retried);
        match self.failure {
            Some(Failure::Connect) => counters.connect_failures += 1,
            Some(Failure::Response) => counters.response_failures += 1,
            None => {}
        }
        counters.bytes = counters.bytes.saturating_add(self.bytes);
        let latency = counters.latency.get_or_insert_default();
        if let Some(us) = self.time.and_then(microseconds) {
            latency.add(us);
        }
    }
}

/// `0.012`: seconds with three digits behind the point.
fn microseconds(text: &str) -> Option<u64> {
    let (seconds, thousandths) = text.split_once('.')?;
    let thousandths: u64 = thousandths.parse().ok().filter(|_| thousandths.len() == 3)?;
    Some(seconds.parse::<u64>().ok()?.saturating_mul(1_000_000).saturating_add(thousandths * 1000))
}

#[cfg(test)]
mod tests {
    use super::super::format::Format;
    use super::*;

    fn tally(format: &str, lines: &[&str]) -> (Counters, Counters) {
        let name = |text: &str| ServerName::new(text).unwrap();
        let names = BTreeMap::from([
            ("10.0.0.1:80".parse().unwrap(), name("web1")),
            ("10.0.0.2:80".parse().unwrap(), name("web2")),
        ]);
        let (format, mut tally) = (Format::new(format, "default").unwrap(), Tally::new());
        for line in lines {
            add(&format.read(line).unwrap(), &names, &mut tally);
        }
        let mut of = |text: &str| tally.remove(&name(text)).unwrap_or_default();
        (of("web1"), of("web2"))
    }

    #[test]
    fn a_retried_request_counts_at_both_servers() {
        let format = "$upstream_addr $upstream_status $upstream_response_time $status $bytes_sent";
        let (web1, web2) = tally(format, &["10.0.0.1:80, 10.0.0.2:80 502, 200 0.001, 0.013 200 77"]);
        assert_eq!(
            (web1.requests, web1.responses, web1.retries, web1.connect_failures),
            (1, [1, 0, 0, 0, 0, 0], 1, 1)
        );
        assert_eq!(web1.latency.unwrap().count(), 0, "no answer has no time");
        assert_eq!(
            (web2.requests, web2.responses, web2.retries, web2.connect_failures),
            (1, [0, 0, 1, 0, 0, 0], 0, 0)
        );
        assert_eq!((web2.latency.unwrap().sum_us, web2.bytes), (13_000, 77));
    }

    #[test]
    fn another_upstream_is_no_retry() {
        let format = "$upstream_addr $upstream_status $upstream_response_time";
        let (web1, web2) = tally(format, &["10.0.0.1:80 : 10.0.0.2:80 404 : 200 0.001 : 0.002"]);
        assert_eq!((web1.responses, web1.retries), ([0, 0, 0, 0, 1, 0], 0));
        assert_eq!(web2.responses, [0, 0, 1, 0, 0, 0]);
    }

    #[test]
    fn the_times_of_connecting_tell_nginx_s_own_errors_from_the_server_s() {
        let format = "$upstream_addr $upstream_status $upstream_connect_time $upstream_header_time";
        let (web1, _) = tally(
            format,
            &[
                "10.0.0.1:80 502 - -",
                "10.0.0.1:80 502 0.001 -",
                "10.0.0.1:80 504 0.001 -",
                "10.0.0.1:80 502 0.001 0.002",
                "10.0.0.1:80 - 0.001 -",
            ],
        );
        assert_eq!((web1.requests, web1.connect_failures, web1.response_failures), (5, 1, 2));
        assert_eq!(web1.responses, [4, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn the_request_s_own_status_and_time_stand_in() {
        let format = "$upstream_addr $status $request_time";
        let lines = [
            "10.0.0.1:80 500 1.500",
            "10.0.0.1:80, 10.0.0.2:80 200 0.200",
            "10.0.0.2:80 499 9.000",
            "- 400 0.000",
            "www 502 0.000",
            "10.0.0.9:80 200 0.001",
        ];
        let (web1, web2) = tally(format, &lines);
        assert_eq!((web1.requests, web1.responses, web1.retries), (2, [1, 0, 0, 0, 0, 1], 1));
        assert_eq!(web1.latency.unwrap().sum_us, 1_500_000);
        assert_eq!((web2.requests, web2.responses), (2, [1, 0, 1, 0, 0, 0]));
        assert_eq!(web2.latency.unwrap().count(), 0);
    }

    #[test]
    fn numbers_without_sense_are_no_numbers() {
        let format = "$upstream_addr $upstream_status $upstream_response_time $upstream_bytes_received";
        let lines = [
            "10.0.0.1:80 999 1.2 99999999999999999999",
            "10.0.0.1:80 200 99999999999999999.000 18446744073709551615",
            "10.0.0.1:80 200 0.0001 1",
            "10.0.0.1:80 ... ... ...",
        ];
        let (web1, _) = tally(format, &lines);
        assert_eq!((web1.requests, web1.responses[0], web1.responses[2], web1.bytes), (4, 2, 2, u64::MAX));
    }
}
