//! What a server says of what it does: one line for each request and each turn of a deployment. On a terminal as text, else
//! as JSON. Nothing secret is told, and what others wrote does nothing to a terminal.

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::SystemTime;

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogForm {
    /// For programs: one object a line.
    Json,
    /// For people.
    Text,
}

/// Begins to log, to the standard error. `ANDON_LOG` says how much: `info` without it, `debug` tells of reads as well.
pub(crate) fn begin(form: Option<LogForm>) {
    let terminal = std::io::stderr().is_terminal();
    let form = form.unwrap_or(if terminal { LogForm::Text } else { LogForm::Json });
    let wanted = std::env::var("ANDON_LOG").ok().and_then(|words| EnvFilter::try_new(words).ok());
    let filter = wanted.unwrap_or_else(|| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_timer(SystemTime)
        .with_ansi(terminal)
        .with_target(false);
    // A second server in the same process, as in the demo, logs into the first one's log.
    let _ = match form {
        LogForm::Json => log.json().flatten_event(true).with_current_span(false).try_init(),
        LogForm::Text => log.try_init(),
    };
}
