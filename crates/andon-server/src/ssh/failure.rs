//! Reads from what `ssh` wrote why a host could not be reached. Pure; it knows OpenSSH's English messages.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::SshTarget;

/// Why `ssh` did not reach a host, or lost it. The sentence says why; [`Failure::next`] what to do.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "failure", rename_all = "snake_case")]
pub enum Failure {
    /// The host was never contacted from here, so nobody knows whether it is the right one.
    HostKeyUnknown,
    /// The host shows another key than before.
    HostKeyChanged {
        /// `FILE:LINE` of the key that it should have.
        known: Option<String>,
    },
    /// The host does not let this user in with these keys.
    AuthenticationRefused {
        /// The methods that the host would have taken, for example `publickey`.
        offered: Option<String>,
    },
    /// Nothing listens on the port.
    ConnectionRefused,
    /// No answer came in time.
    TimedOut,
    /// No way leads there.
    NoRoute,
    /// No address belongs to the name.
    NameUnknown,
    /// The connection came about and then ended.
    ConnectionLost,
    /// `ssh` does not understand its configuration or arguments.
    Misconfigured {
        /// What it said, one line.
        said: String,
    },
    /// Something else.
    Other {
        /// What `ssh` said, one line; empty when it said nothing.
        said: String,
    },
}

/// The longest line of `ssh` that is repeated, in characters.
const MAX_SAID: usize = 200;

impl Failure {
    /// Reads the standard error of an `ssh` that ended with status 255.
    pub fn from_stderr(stderr: &str) -> Self {
        let has = |text: &str| stderr.contains(text);
        let line_with = |text: &str| stderr.lines().find(|line| line.contains(text));
        // From the particular to the general: ssh often adds "Host key verification failed" and the like.
        if has("HOST IDENTIFICATION HAS CHANGED") || has("host key for ") && has("has changed") {
            let known =
                line_with("Offending ").and_then(|line| line.split_once(" key in ")).map(|(_, at)| said(at));
            return Self::HostKeyChanged { known };
        }
        if has("Host key verification failed") || has("host key is known for") {
            return Self::HostKeyUnknown;
        }
        if let Some(line) = line_with("Permission denied (") {
            let offered = line.rsplit_once('(').and_then(|(_, rest)| rest.split_once(')'));
            return Self::AuthenticationRefused { offered: offered.map(|(methods, _)| said(methods)) };
        }
        if has("Too many authentication failures") || has("No more authentication methods") {
            return Self::AuthenticationRefused { offered: None };
        }
        if let Some(line) = stderr.lines().find(|line| {
            line.contains("Bad configuration option")
                || line.contains("Can't open user config file")
                || line.contains("command-line: line ")
                || line.contains("terminating, ")
                || line.contains("Bad owner or permissions on")
        }) {
            return Self::Misconfigured { said: said(line) };
        }
        if has("Could not resolve hostname") {
            return Self::NameUnknown;
        }
        if has(": Connection refused") {
            return Self::ConnectionRefused;
        }
        if has("timed out") || has("not responding") {
            return Self::TimedOut;
        }
        if has("No route to host") || has("Network is unreachable") || has("Host is down") {
            return Self::NoRoute;
        }
        let lost = [
            "closed by remote host",
            "Connection reset",
            "Broken pipe",
            "Connection closed by",
            "closed by ",
        ];
        if lost.iter().any(|text| has(text)) || has("read from master failed") {
            return Self::ConnectionLost;
        }
        let last = stderr.lines().rev().find(|line| !line.trim().is_empty());
        Self::Other { said: last.map(said).unwrap_or_default() }
    }

    /// What a person does next about `target`, as a sentence that may end in a command. `config` is what was read instead
    /// of the user's own configuration.
    pub fn next(&self, target: &SshTarget, config: Option<&Path>) -> String {
        let address = match &target.user {
            Some(user) => format!("{user}@{}", target.address),
            None => target.address.clone(),
        };
        let port = target.port.map(|port| format!("-p {port} ")).unwrap_or_default();
        let quoted = if address.bytes().all(|b| b.is_ascii_alphanumeric() || b"@.-_:".contains(&b)) {
            address
        } else {
            format!("'{}'", address.escape_debug())
        };
        let config = config.map(|path| format!("-F '{}' ", path.display().to_string().escape_debug()));
        let options = config.unwrap_or_default() + &port;
        let ssh = format!("ssh {options}{quoted}");
        match self {
            Self::HostKeyUnknown => {
                format!("compare its key with the one you expect and accept it, once: {ssh} true")
            }
            Self::HostKeyChanged { known } => {
                let at = known.as_ref().map(|at| format!(", in {at},")).unwrap_or_default();
                format!(
                    "find out why before you trust it; if the host was reinstalled, remove its old key{at} \
                     and then accept the new one: {ssh} true"
                )
            }
            Self::AuthenticationRefused { .. } => {
                format!(
                    "put your public key on the host, or load the right one into your agent, then try: {ssh} true"
                )
            }
            Self::ConnectionRefused => {
                format!("see that sshd runs on the host and listens on this port: {ssh} true")
            }
            Self::TimedOut | Self::NoRoute => {
                format!("see that the host is up and that no firewall stands between: {ssh} true")
            }
            Self::NameUnknown => {
                "correct the address in the line, or add the name to ~/.ssh/config".to_owned()
            }
            Self::ConnectionLost => format!("see whether the host restarted or sshd logs why: {ssh} true"),
            Self::Misconfigured { .. } => "correct the ssh configuration that it names".to_owned(),
            Self::Other { .. } => format!("see what ssh says at length: ssh -v {options}{quoted} true"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HostKeyUnknown => f.write_str("its host key is not known"),
            Self::HostKeyChanged { .. } => f.write_str("its host key has changed"),
            Self::AuthenticationRefused { offered: Some(methods) } => {
                write!(f, "it refused the login; it accepts {methods}")
            }
            Self::AuthenticationRefused { offered: None } => f.write_str("it refused the login"),
            Self::ConnectionRefused => f.write_str("connection refused"),
            Self::TimedOut => f.write_str("no answer in time"),
            Self::NoRoute => f.write_str("no route leads there"),
            Self::NameUnknown => f.write_str("its name has no address"),
            Self::ConnectionLost => f.write_str("the connection was closed"),
            Self::Misconfigured { said } => write!(f, "ssh does not accept its configuration: {said}"),
            Self::Other { said } if said.is_empty() => f.write_str("ssh failed without saying why"),
            Self::Other { said } => write!(f, "ssh failed: {said}"),
        }
    }
}

/// One line of foreign text, harmless and not too long.
fn said(line: &str) -> String {
    let line = line.trim();
    let mut text = String::new();
    for c in line.chars().take(MAX_SAID) {
        match c {
            '"' | '\'' | '\\' => text.push(c),
            _ => text.extend(c.escape_debug()),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_openssh_are_understood() {
        let changed = "@@@@@@@\r\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r\n@@@@@@@\r\n\
            Offending ED25519 key in /root/.ssh/known_hosts:3\r\n  remove with:\r\n\
            Host key for web1 has changed and you have requested strict checking.\r\n\
            Host key verification failed.\r\n";
        let known = Some("/root/.ssh/known_hosts:3".to_owned());
        for (stderr, expected) in [
            (changed, Failure::HostKeyChanged { known }),
            ("Host key verification failed.\r\n", Failure::HostKeyUnknown),
            (
                "No ED25519 host key is known for web1 and you have requested strict checking.\r\n\
                 Host key verification failed.\r\n",
                Failure::HostKeyUnknown,
            ),
            (
                "ana@web1: Permission denied (publickey,password).\r\n",
                Failure::AuthenticationRefused { offered: Some("publickey,password".to_owned()) },
            ),
            (
                "Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures\r\n\
                 Disconnected from 10.0.0.1 port 22\r\n",
                Failure::AuthenticationRefused { offered: None },
            ),
            ("ssh: connect to host web1 port 22: Connection refused\r\n", Failure::ConnectionRefused),
            ("ssh: connect to host web1 port 22: Connection timed out\r\n", Failure::TimedOut),
            (
                "Connection timed out during banner exchange\r\nConnection to 10.0.0.1 port 22 timed out\r\n",
                Failure::TimedOut,
            ),
            ("Timeout, server web1 not responding.\r\n", Failure::TimedOut),
            ("ssh: connect to host web1 port 22: No route to host\r\n", Failure::NoRoute),
            ("ssh: Could not resolve hostname web1: Name or service not known\r\n", Failure::NameUnknown),
            ("kex_exchange_identification: Connection closed by remote host\r\n", Failure::ConnectionLost),
            ("kex_exchange_identification: read: Connection reset by peer\r\n", Failure::ConnectionLost),
            ("Connection to web1 closed by remote host.\r\n", Failure::ConnectionLost),
            ("client_loop: send disconnect: Broken pipe\r\n", Failure::ConnectionLost),
            ("mux_client_request_session: read from master failed: Broken pipe\r\n", Failure::ConnectionLost),
            (
                "/root/.ssh/config: line 3: Bad configuration option: hots\r\n\
                 /root/.ssh/config: terminating, 1 bad configuration options\r\n",
                Failure::Misconfigured {
                    said: "/root/.ssh/config: line 3: Bad configuration option: hots".to_owned(),
                },
            ),
            ("", Failure::Other { said: String::new() }),
            ("some noise\nit \u{1b}[2J broke\n\n", Failure::Other { said: "it \\u{1b}[2J broke".to_owned() }),
        ] {
            assert_eq!(Failure::from_stderr(stderr), expected, "{stderr}");
        }
    }

    #[test]
    fn the_next_step_names_the_command_that_accepts_a_key() {
        let target = SshTarget { address: "web1".into(), user: Some("deploy".into()), port: Some(2222) };
        assert!(Failure::HostKeyUnknown.next(&target, None).ends_with("ssh -p 2222 deploy@web1 true"));
        let odd = SshTarget { address: "web1;reboot".into(), user: None, port: None };
        let config = Some(Path::new("/tmp/ssh config"));
        assert!(Failure::HostKeyUnknown.next(&target, config).contains("ssh -F '/tmp/ssh config' -p 2222 "));
        assert!(Failure::HostKeyUnknown.next(&odd, None).ends_with("ssh 'web1;reboot' true"));
    }
}
