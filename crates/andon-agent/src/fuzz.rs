//! What must hold for what comes from outside of the agent, whatever it is. Called by fuzzing and by the replay of its
//! corpora. The checks stand beside the code that reads.

use andon_api::agent::Order;
use andon_core::host::{Authority, Outcome};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use crate::balance::fuzz::{access_log, haproxy, nginx_dump, nginx_include};
pub use crate::probe::fuzz::nagios;
pub use crate::vitals::fuzz::journald;

use crate::run::process::Stat;
use crate::run::systemd::state::parse_all;

/// `data` is a file of a step's record, or of whom the host obeys.
pub fn step_record(data: &[u8]) {
    record::<Order>(data);
    record::<Outcome>(data);
    record::<Authority>(data);
}

/// What is read is what is written again.
fn record<R: Serialize + DeserializeOwned>(data: &[u8]) {
    let Ok(record) = serde_json::from_slice::<R>(data) else { return };
    let Ok(written) = serde_json::to_vec(&record) else { return };
    let again = serde_json::from_slice::<R>(&written).ok().and_then(|again| serde_json::to_vec(&again).ok());
    assert_eq!(again, Some(written), "a record changes when it is read");
}

/// `data` is what `systemctl show` prints.
pub fn systemd(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for unit in parse_all(&text).values() {
        let _ = (unit.comes_back(), unit.instance_state(0), unit.instance_state(u64::MAX));
    }
}

/// `data` is what the kernel says of connections and processes.
pub fn kernel(data: &[u8]) {
    crate::sockets::fuzz::sockets(data);
    let _ = Stat::parse(data);
}

#[cfg(test)]
mod tests {
    use andon_testbed::corpus::replay;

    #[test]
    fn answers_of_balancers_that_were_found_do_no_harm() {
        replay("access-log", super::access_log);
        replay("haproxy", super::haproxy);
        replay("nginx-dump", super::nginx_dump);
        replay("nginx-include", super::nginx_include);
    }

    #[test]
    fn words_of_the_host_that_were_found_do_no_harm() {
        replay("journald", super::journald);
        replay("kernel", super::kernel);
        replay("nagios", super::nagios);
        replay("step-record", super::step_record);
        replay("systemd", super::systemd);
    }
}
