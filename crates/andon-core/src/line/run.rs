//! How a service runs on a host: which processes, and who looks after them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::name::InstanceName;

/// Who looks after the processes of a service, and what they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Who looks after the processes.
    pub by: Supervision,
    /// One instance per port; no port means one instance called `main`.
    pub ports: Vec<u16>,
    /// Environment variables of the processes. Values may hold placeholders.
    pub environment: BTreeMap<String, Template>,
    /// How long a process may take from `SIGTERM` until it is killed.
    #[serde(with = "crate::time::millis")]
    pub stop_timeout: Duration,
}

/// Who looks after the processes of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Supervision {
    /// systemd.
    Systemd(SystemdUnit),
    /// Andon's own supervisor, for hosts or users without systemd. The command line, word by word:
    /// no shell is involved.
    Own {
        /// Program and arguments.
        command: Vec<Template>,
    },
}

/// A systemd unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SystemdUnit {
    /// `<service>@.service`, written by Andon; one instance per port.
    Written {
        /// Program and arguments.
        command: Vec<Template>,
        /// The user that the processes run as; `None` is root.
        user: Option<String>,
        /// Further lines of the `[Service]` section, for example `LimitNOFILE=65536`.
        extra: Vec<String>,
    },
    /// A unit that exists already, for example `nginx.service`; restarted on activation.
    Existing(String),
}

/// A text with placeholders: `{release}`, `{current}`, `{shared}`, `{root}`, `{port}`, `{host}`, `{instance}`.
/// Literal braces are doubled. Valid by construction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template(String);

/// What a [`Template`] may name.
pub const PLACEHOLDERS: [&str; 7] = ["release", "current", "shared", "root", "port", "host", "instance"];

/// Why a text is not a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A placeholder that does not exist.
    #[error(
        "unknown placeholder {{{0}}}; known are {{release}}, {{current}}, {{shared}}, {{root}}, {{port}}, {{host}}, {{instance}}"
    )]
    Unknown(String),
    /// A brace without its partner.
    #[error("a brace without its partner; a literal brace is written twice: {{{{ or }}}}")]
    Unbalanced,
}

enum Piece<'a> {
    Text(&'a str),
    Name(&'a str),
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, TemplateError> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        if at > 0 {
            found.push(Piece::Text(&rest[..at]));
        }
        let tail = &rest[at..];
        if tail.starts_with("{{") || tail.starts_with("}}") {
            found.push(Piece::Text(&tail[..1]));
            rest = &tail[2..];
        } else if let Some(end) = tail.strip_prefix('{').and_then(|inner| inner.find(['{', '}'])) {
            if !tail[end + 1..].starts_with('}') {
                return Err(TemplateError::Unbalanced);
            }
            found.push(Piece::Name(&tail[1..=end]));
            rest = &tail[end + 2..];
        } else {
            return Err(TemplateError::Unbalanced);
        }
    }
    if !rest.is_empty() {
        found.push(Piece::Text(rest));
    }
    Ok(found)
}

impl Template {
    /// Checks the placeholders of `text`.
    pub fn new(text: impl Into<String>) -> Result<Self, TemplateError> {
        let text = text.into();
        for piece in pieces(&text)? {
            if let Piece::Name(name) = piece
                && !PLACEHOLDERS.contains(&name)
            {
                return Err(TemplateError::Unknown(name.to_owned()));
            }
        }
        Ok(Self(text))
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the text names `placeholder`.
    pub fn names(&self, placeholder: &str) -> bool {
        pieces(&self.0).is_ok_and(|all| {
            all.iter().any(|piece| matches!(piece, Piece::Name(name) if *name == placeholder))
        })
    }

    /// Fills the placeholders in; what `value_of` does not know stays empty.
    pub fn fill(&self, value_of: impl Fn(&str) -> Option<String>) -> String {
        let mut filled = String::with_capacity(self.0.len());
        for piece in pieces(&self.0).unwrap_or_default() {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Name(name) => filled.push_str(&value_of(name).unwrap_or_default()),
            }
        }
        filled
    }
}

impl TryFrom<String> for Template {
    type Error = TemplateError;
    fn try_from(text: String) -> Result<Self, TemplateError> {
        Self::new(text)
    }
}

impl From<Template> for String {
    fn from(template: Template) -> String {
        template.0
    }
}

/// One running copy of a service on a host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Instance {
    /// Its port as text, or `main`.
    pub name: InstanceName,
    /// The port that it listens on, the host's offset included.
    pub port: Option<u16>,
}

impl Run {
    /// The instances on a host whose ports are shifted by `port_offset`.
    ///
    /// A port beyond 65535 saturates; `andon-line` refuses such a line.
    pub fn instances(&self, port_offset: u16) -> Vec<Instance> {
        let named = |text: String, port| InstanceName::new(text).ok().map(|name| Instance { name, port });
        if self.ports.is_empty() {
            return named("main".to_owned(), None).into_iter().collect();
        }
        self.ports
            .iter()
            .map(|port| port.saturating_add(port_offset))
            .filter_map(|port| named(port.to_string(), Some(port)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_know_their_placeholders() {
        let template = Template::new("{release}/bin/www --port {port} --json {{}}").unwrap();
        assert!(template.names("port") && !template.names("host"));
        let filled = template.fill(|name| match name {
            "release" => Some("/srv/www/releases/r-1".to_owned()),
            "port" => Some("8080".to_owned()),
            _ => None,
        });
        assert_eq!(filled, "/srv/www/releases/r-1/bin/www --port 8080 --json {}");
        assert_eq!(Template::new("{prot}"), Err(TemplateError::Unknown("prot".to_owned())));
        for wrong in ["{", "}", "{port", "a}b", "{a{b}}"] {
            assert_eq!(Template::new(wrong), Err(TemplateError::Unbalanced), "{wrong:?}");
        }
    }
}
