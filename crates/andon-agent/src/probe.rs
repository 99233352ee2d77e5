//! Asks one question of one instance, within a bound of time and memory. What comes back is somebody else's text:
//! it is made legible here, so that nobody after this needs to mistrust it.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use andon_api::secret::Secrets;
use andon_core::host::Placement;
use andon_core::line::{Instance, Probe, Template};

use crate::run::order::{Filling, base_environment};

pub use text::{legible, legible_lines};

#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod http;
mod nagios;
pub(crate) mod rounds;
mod script;
mod tcp;
mod text;

/// The most bytes of a message.
const MAX_MESSAGE: usize = 300;

/// The most bytes of a detail.
const MAX_DETAIL: usize = 4096;

/// The most bytes of a program's output that are read.
const MAX_OUTPUT: usize = 64 * 1024;

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whether the probe passed.
    pub passed: bool,
    /// One line, at most 300 bytes, without control characters.
    pub message: String,
    /// Whatever else was said, at most 4 KiB. Without control characters other than line breaks.
    pub detail: String,
    /// Whether the answer was a warning, passed or not.
    pub warning: bool,
}

impl Answer {
    fn new(passed: bool, message: &str, detail: &[u8]) -> Self {
        Self {
            passed,
            message: legible(message.as_bytes(), MAX_MESSAGE),
            detail: legible_lines(detail, MAX_DETAIL),
            warning: false,
        }
    }

    fn failed(message: &str) -> Self {
        Self::new(false, message, b"")
    }
}

/// Asks `probe` of `instance`; takes no longer than `timeout`.
pub fn ask(probe: &Probe, placement: &Placement, instance: &Instance, timeout: Duration) -> Answer {
    ask_with(&Secrets::default(), probe, placement, instance, timeout)
}

/// The same of a probe that may name `secrets`. What comes back holds none of them.
pub fn ask_with(
    secrets: &Secrets,
    probe: &Probe,
    placement: &Placement,
    instance: &Instance,
    timeout: Duration,
) -> Answer {
    match probe {
        Probe::Http { path, status, contains, host_header, port } => {
            let Some(port) = port.or(instance.port) else { return no_port() };
            http::Question {
                port,
                path,
                status: *status,
                contains: contains.as_deref(),
                host_header: host_header.as_deref(),
            }
            .ask(timeout)
        }
        Probe::Tcp { port } => match port.or(instance.port) {
            Some(port) => tcp::ask(port, timeout),
            None => no_port(),
        },
        Probe::Script { content, args, secrets: named, .. } => {
            let mut environment = environment(placement, instance);
            for (variable, name) in named {
                let Some(value) = secrets.get(name) else {
                    return Answer::failed(&format!(
                        "needs the secret {name}, which its controller did not send"
                    ));
                };
                environment.insert(variable.as_str().to_owned(), value.reveal().to_owned());
            }
            script::ask(content, &filled(args, placement, instance), &environment, &secrets.mask(), timeout)
        }
        Probe::Nagios { command, warning_passes } => {
            let command = filled(command, placement, instance);
            nagios::ask(&command, &environment(placement, instance), *warning_passes, timeout)
        }
    }
}

/// One health check; `None` where the service has none.
pub fn health_once(placement: &Placement, instance: &Instance) -> Option<Result<(), String>> {
    let health = placement.health.as_ref()?;
    let answer = ask(&health.probe, placement, instance, health.timeout);
    Some(if answer.passed { Ok(()) } else { Err(format!("{} {}", health.probe.title(), answer.message)) })
}

/// What keeps `probe` from ever passing on this host, as a sentence.
pub fn obstacle(probe: &Probe) -> Option<String> {
    match probe {
        Probe::Nagios { command, .. } => nagios::obstacle(command),
        Probe::Script { name, content, .. } => script::obstacle(name, content),
        Probe::Http { .. } | Probe::Tcp { .. } => None,
    }
}

fn no_port() -> Answer {
    Answer::failed("has no port to ask; give the probe or the service one")
}

/// Words that name a placeholder are filled, so that a plugin can be told the instance's port. All others are
/// passed on as they are, braces included.
fn filled(words: &[String], placement: &Placement, instance: &Instance) -> Vec<String> {
    let filling = Filling::stable(placement, instance);
    let fill = |word: &String| match Template::new(word.as_str()) {
        Ok(template) if andon_core::line::run::PLACEHOLDERS.iter().any(|name| template.names(name)) => {
            filling.fill(&template)
        }
        _ => word.clone(),
    };
    words.iter().map(fill).collect()
}

fn environment(placement: &Placement, instance: &Instance) -> BTreeMap<String, String> {
    let current = fs::read_link(placement.root.join("current")).ok();
    let release = current.and_then(|target| Some(target.file_name()?.to_str()?.to_owned()));
    let mut all = base_environment();
    all.extend([
        ("ANDON_HOST".to_owned(), placement.host.to_string()),
        ("ANDON_PORT".to_owned(), instance.port.map(|port| port.to_string()).unwrap_or_default()),
        ("ANDON_RELEASE".to_owned(), release.unwrap_or_default()),
        ("ANDON_SERVICE".to_owned(), placement.service.to_string()),
        ("ANDON_INSTANCE".to_owned(), instance.name.to_string()),
        ("ANDON_ROOT".to_owned(), placement.root.display().to_string()),
    ]);
    all
}
