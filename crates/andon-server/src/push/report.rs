//! A push as data for other programs: what `andon run --json` prints. Pure.

use serde::Serialize;

use super::{CommandLine, HostOutcome};

/// What became of a command on all hosts.
#[derive(Debug, Clone, Serialize)]
pub struct Report<'a> {
    /// The line that the hosts' shells got.
    pub command: &'a str,
    /// Hosts on which it ended with exit code 0.
    pub succeeded: usize,
    /// Hosts on which it ended otherwise.
    pub failed: usize,
    /// Hosts on which it did not run, or nobody knows how it ended.
    pub unknown: usize,
    /// Each host, in the order in which they were asked for.
    pub hosts: &'a [HostOutcome],
}

impl<'a> Report<'a> {
    /// Counts the outcomes of `command`.
    pub fn new(command: &'a CommandLine, hosts: &'a [HostOutcome]) -> Self {
        let succeeded = hosts.iter().filter(|host| host.status.is_success()).count();
        let ended = hosts.iter().filter(|host| host.status.has_ended()).count();
        let (failed, unknown) = (ended - succeeded, hosts.len() - ended);
        Self { command: command.as_str(), succeeded, failed, unknown, hosts }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::push::{Output, Status};
    use crate::ssh::Failure;

    #[test]
    fn the_report_is_flat_and_honest_about_bytes() {
        let outcome = |host: &str, status, output: &[u8]| HostOutcome {
            host: andon_core::name::HostName::new(host).unwrap(),
            status,
            next: None,
            output: Output { head: output.to_vec(), ..Output::default() },
            errors: Output::default(),
            took: Duration::from_millis(12),
        };
        let hosts = [
            outcome("a", Status::Exited { code: 0 }, b"\xff"),
            outcome("b", Status::Signalled { signal: 9 }, b""),
            outcome("c", Status::Unreachable { failure: Failure::TimedOut }, b""),
        ];
        let command = CommandLine::new(&["uname -r".to_owned()]).unwrap();
        let json = serde_json::to_value(Report::new(&command, &hosts)).unwrap();
        assert_eq!(json["command"], "uname -r");
        assert_eq!(
            (&json["succeeded"], &json["failed"], &json["unknown"]),
            (&1.into(), &1.into(), &1.into())
        );
        assert_eq!(json["hosts"][0]["status"], "exited");
        assert_eq!(json["hosts"][0]["code"], 0);
        assert_eq!(json["hosts"][0]["took_ms"], 12);
        assert_eq!(json["hosts"][0]["output"]["is_text"], false);
        assert_eq!(json["hosts"][0]["output"]["bytes"], 1);
        assert_eq!(json["hosts"][1]["signal"], 9);
        assert_eq!(json["hosts"][2]["failure"], "timed_out");
    }
}
