//! One server as HAProxy knows it: what must be said to make it as wished, and what Andon makes of it. Pure.

use andon_core::balance::{Counters, ServerSight, ServerState, Traffic};

use super::table::Row;
use crate::probe::legible;

/// Bits of `srv_admin_state`: in maintenance by hand or by configuration, by the server that it tracks, or because its
/// name has no address.
const MAINTENANCE: u64 = 0x01 | 0x02 | 0x20;

/// It was the configuration that put it into maintenance at the start. Stays set when that has ended.
const DISABLED: u64 = 0x04;

/// Drained through the runtime API.
const DRAINED: u64 = 0x08;

/// Drained because the server that it tracks is.
const DRAINED_BY_ANOTHER: u64 = 0x10;

/// The longest words of a balancer that are passed on, in bytes.
const MAX_WORDS: usize = 300;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Server {
    name: String,
    /// Bits, as in `show servers state`.
    admin: u64,
    /// The weight at this moment.
    weight: u64,
    /// The weight in the configuration.
    full_weight: u64,
    /// Such as `UP 1/3`, `no check` or `DOWN (agent)`.
    status: String,
    /// What the last check found, such as `L4CON: Connection refused`.
    check: String,
    sessions: u64,
    queued: u64,
    counters: Counters,
}

impl Server {
    /// Joins what the two tables say.
    pub(super) fn of(state: &Row<'_>, statistics: &Row<'_>) -> Self {
        let status = statistics.get("status").unwrap_or("unknown").to_owned();
        let columns = if status.contains("(agent)") {
            ["agent_status", "last_agt", "agent_desc"]
        } else {
            ["check_status", "last_chk", "check_desc"]
        };
        let [code, words, description] = columns.map(|column| statistics.get(column));
        let check: Vec<&str> = [code, words.or(description)].into_iter().flatten().collect();
        Self {
            name: state.get("srv_name").unwrap_or_default().to_owned(),
            admin: state.number("srv_admin_state"),
            weight: state.number("srv_uweight"),
            full_weight: state.number("srv_iweight"),
            // A check that runs is marked by a star.
            check: check.join(": ").trim_start_matches("* ").to_owned(),
            status,
            sessions: statistics.number("scur"),
            queued: statistics.number("qcur"),
            counters: counters(statistics),
        }
    }

    /// Whether it is drained through the runtime API, by whomever.
    pub(super) fn is_drained(&self) -> bool {
        self.admin & DRAINED != 0
    }

    /// What makes it as wished; nothing when it is. Traffic is wished only for what Andon took out, or for a set of
    /// instances that waits for its first: a drain is ended, and so is the maintenance that the configuration began.
    /// One that a person began is not.
    pub(super) fn commands(&self, backend: &str, traffic: Traffic) -> Vec<String> {
        let Self { name, .. } = self;
        let maintained = self.admin & MAINTENANCE != 0;
        let disabled = self.admin & MAINTENANCE == 0x01 && self.admin & DISABLED != 0;
        let mut commands = Vec::new();
        match traffic {
            // Both `ready` and `drain` would end the maintenance that somebody has asked for.
            Traffic::In(_) if maintained && !disabled => {}
            Traffic::In(share) => {
                let weight = self.weight_of(share);
                if self.weight != weight {
                    commands.push(format!("set server {backend}/{name} weight {weight}"));
                }
                if self.is_drained() || disabled {
                    commands.push(format!("set server {backend}/{name} state ready"));
                }
            }
            Traffic::Out | Traffic::Cut => {
                if !maintained && !self.is_drained() {
                    commands.push(format!("set server {backend}/{name} state drain"));
                }
                if traffic == Traffic::Cut && self.sessions > 0 {
                    commands.push(format!("shutdown sessions server {backend}/{name}"));
                }
            }
        }
        commands
    }

    /// A share of the full weight, never rounded down to nothing: a weight of 0 would be a drain.
    fn weight_of(&self, share: u8) -> u64 {
        let share = u64::from(share.clamp(1, 100));
        (self.full_weight.saturating_mul(share).saturating_add(50) / 100).max(1).min(self.full_weight)
    }

    /// What Andon makes of it.
    pub(super) fn sight(&self) -> ServerSight {
        let state = self.state();
        let weight = match (&state, self.full_weight) {
            (ServerState::Out, _) | (_, 0) => 0,
            (_, full) => u8::try_from((self.weight.saturating_mul(100) / full).max(1)).unwrap_or(u8::MAX),
        };
        ServerSight {
            state,
            weight,
            sessions: Some(self.sessions),
            queued: self.queued,
            counters: Some(self.counters.clone()),
        }
    }

    fn state(&self) -> ServerState {
        let taken_out = self.admin & (MAINTENANCE | DRAINED | DRAINED_BY_ANOTHER) != 0;
        if taken_out || self.weight == 0 {
            return ServerState::Out;
        }
        // `UP 1/3` has failed some checks and still gets traffic, `DOWN 1/2` has passed some and does not yet.
        if self.status == "UP" || self.status.starts_with("UP ") || self.status == "no check" {
            return ServerState::Up;
        }
        let why = match (self.status.as_str(), self.check.as_str()) {
            ("NOLB", _) => "NOLB: it answers its check with 404".to_owned(),
            (status, "") => status.to_owned(),
            (status, check) => format!("{status}, {check}"),
        };
        ServerState::Down { why: legible(why.as_bytes(), MAX_WORDS) }
    }
}

fn counters(row: &Row<'_>) -> Counters {
    let classes = ["hrsp_other", "hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx"];
    let http = row.get("mode").map_or_else(|| row.get("hrsp_2xx").is_some(), |mode| mode == "http");
    let responses = if http { classes.map(|column| row.number(column)) } else { [0; 6] };
    let answered = responses.iter().fold(0_u64, |sum, count| sum.saturating_add(*count));
    let requests = if http { answered } else { row.number("stot") };
    Counters {
        requests,
        responses,
        retries: row.number("wretr").saturating_add(row.number("wredis")),
        connect_failures: row.number("econ"),
        response_failures: row.number("eresp"),
        bytes: row.number("bout"),
        latency: None,
        // Over the last 1024 responses, in milliseconds.
        mean_latency_us: (http && requests > 0).then(|| row.number("rtime").saturating_mul(1000)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::table;
    use super::*;

    /// A server with the words that matter; `rest` are columns of `show stat`, as `name=value`.
    fn server(admin: u64, weight: u64, full: u64, rest: &[&str]) -> Server {
        let states = format!(
            "1\n# be_id srv_name srv_admin_state srv_uweight srv_iweight\n3 web1 {admin} {weight} {full}\n"
        );
        let (columns, values): (Vec<&str>, Vec<&str>) =
            rest.iter().map(|pair| pair.split_once('=').unwrap()).unzip();
        let statistics = format!("# pxname,svname,{}\nwww,web1,{}\n", columns.join(","), values.join(","));
        let (states, statistics) = (table::states(&states).unwrap(), table::statistics(&statistics).unwrap());
        Server::of(&states[0], &statistics[0])
    }

    fn state(status: &str) -> ServerState {
        server(0, 1, 1, &[&format!("status={status}"), "check_status=L4CON", "last_chk=refused"]).state()
    }

    #[test]
    fn up_is_what_gets_traffic_at_this_moment() {
        for status in ["UP", "UP 1/3", "no check"] {
            assert_eq!(state(status), ServerState::Up, "{status}");
        }
        for status in ["DOWN", "DOWN 1/2", "DOWN (agent)", "NOLB", "", "UPSIDE"] {
            assert!(matches!(state(status), ServerState::Down { .. }), "{status}");
        }
        assert_eq!(state("DOWN"), ServerState::Down { why: "DOWN, L4CON: refused".into() });
    }

    #[test]
    fn whoever_took_it_out_it_is_out() {
        for admin in [0x01, 0x02, 0x05, 0x08, 0x10, 0x20, 0x28] {
            assert_eq!(server(admin, 1, 1, &["status=UP"]).state(), ServerState::Out, "{admin:#x}");
        }
        assert_eq!(server(0, 0, 100, &["status=UP"]).state(), ServerState::Out);
        // It began in maintenance, which has ended; its name was changed at run time.
        for admin in [0x04, 0x40] {
            assert_eq!(server(admin, 1, 1, &["status=UP"]).state(), ServerState::Up);
        }
    }

    #[test]
    fn only_what_is_not_as_wished_is_set() {
        let commands = |admin, weight, traffic| {
            server(admin, weight, 200, &["status=UP", "scur=2"]).commands("www", traffic).join(";")
        };
        let (full, out) = (Traffic::FULL, Traffic::Out);
        assert_eq!(commands(0, 200, full), "");
        assert_eq!(commands(0, 200, out), "set server www/web1 state drain");
        assert_eq!(commands(8, 200, out), "");
        assert_eq!(commands(8, 200, full), "set server www/web1 state ready");
        assert_eq!(
            commands(8, 200, Traffic::In(10)),
            "set server www/web1 weight 20;set server www/web1 state ready",
            "the weight first, so that it never gets more than its share"
        );
        assert_eq!(commands(8, 200, Traffic::Cut), "shutdown sessions server www/web1");
    }

    #[test]
    fn what_somebody_else_took_out_stays_out() {
        let commands = |admin, traffic| server(admin, 1, 1, &["status=MAINT"]).commands("www", traffic);
        for admin in [0x01, 0x02, 0x20] {
            assert!(commands(admin, Traffic::FULL).is_empty(), "{admin:#x}");
            assert!(commands(admin, Traffic::Out).is_empty(), "{admin:#x}");
        }
    }

    #[test]
    fn what_the_configuration_left_out_is_put_in_when_traffic_is_wished() {
        let idle = server(0x05, 1, 1, &["status=MAINT"]);
        assert_eq!(idle.commands("www", Traffic::FULL), ["set server www/web1 state ready"]);
        assert!(idle.commands("www", Traffic::Out).is_empty());
    }

    #[test]
    fn a_small_share_is_never_nothing() {
        let weight = |full, share| server(0, full, full, &[]).weight_of(share);
        assert_eq!((weight(1, 1), weight(1, 100)), (1, 1));
        assert_eq!((weight(100, 1), weight(100, 35), weight(256, 100)), (1, 35, 256));
        assert_eq!(weight(0, 100), 0, "out by configuration");
        assert_eq!(server(0, 20, 200, &["status=UP"]).sight().weight, 10);
    }

    #[test]
    fn weights_that_no_haproxy_has_do_no_harm() {
        let server = server(0, u64::MAX, u64::MAX, &["status=UP"]);
        assert!(server.weight_of(100) > 0);
        assert_eq!(server.sight().weight, 1);
    }

    #[test]
    fn counters_are_those_of_http_where_it_is_http() {
        let row =
            ["mode=http", "stot=9", "hrsp_1xx=1", "hrsp_2xx=5", "hrsp_5xx=2", "hrsp_other=1", "rtime=7"];
        let counters = server(0, 1, 1, &row).counters;
        assert_eq!(counters.responses, [1, 1, 5, 0, 0, 2]);
        assert_eq!((counters.requests, counters.mean_latency_us), (9, Some(7000)));
        let counters = server(0, 1, 1, &["mode=tcp", "stot=9", "rtime=0"]).counters;
        assert_eq!((counters.requests, counters.mean_latency_us), (9, None));
    }
}
