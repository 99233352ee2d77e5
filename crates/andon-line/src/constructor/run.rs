//! `systemd(...)` and `process(...)`: how a service runs on a host.

use std::collections::{BTreeMap, BTreeSet};

use andon_core::line::run::PLACEHOLDERS;
use andon_core::line::{Run, Supervision, SystemdUnit, Template};
use andon_core::suggest;

use super::command::{COMMAND, words};
use crate::call::Call;
use crate::kind::{Argument, Given, Kind, PORT};
use crate::schema::{Constructor, Default, Parameter};
use crate::source::Place;
use crate::value::Thing;

const EXEC_DOC: &str = "Program and arguments: a text split like a shell would, or a list of words. No shell is involved. \
                        Each word may name {release}, {current}, {shared}, {root}, {port}, {host} and {instance}.";
const PORTS: Parameter = Parameter {
    name: "ports",
    kind: Kind::List(&PORT),
    default: Default::Is("[]"),
    doc: "One instance per port. Without ports there is one instance, called `main`.",
};
const ENVIRONMENT: Parameter = Parameter {
    name: "environment",
    kind: Kind::Map(&Kind::Text),
    default: Default::Is("{}"),
    doc: "Environment variables of the processes; values may name the same placeholders as `exec`.",
};
const STOP_TIMEOUT: Parameter = Parameter {
    name: "stop_timeout",
    kind: Kind::Span { zero: false },
    default: Default::Is("\"30s\""),
    doc: "How long a process may take from `SIGTERM` until it is killed.",
};

pub(crate) const SYSTEMD: Constructor = Constructor {
    name: "systemd",
    summary: "systemd looks after the processes.",
    details: "Give either `exec`, and Andon writes a unit with one instance per port; or `unit`, and a unit that exists \
              already is restarted when a release becomes current.",
    example: "systemd(exec = \"{release}/bin/www --port {port}\", ports = [8080, 8081], user = \"www\")",
    positional: 0,
    parameters: &[
        Parameter { name: "exec", kind: COMMAND, default: Default::Absent, doc: EXEC_DOC },
        Parameter {
            name: "unit",
            kind: Kind::Word,
            default: Default::Absent,
            doc: "A unit that exists already, for example `nginx.service`.",
        },
        PORTS,
        Parameter {
            name: "user",
            kind: Kind::Word,
            default: Default::Absent,
            doc: "The user that the processes run as. Otherwise root.",
        },
        ENVIRONMENT,
        Parameter {
            name: "extra",
            kind: Kind::List(&Kind::Text),
            default: Default::Is("[]"),
            doc: "Further lines of the `[Service]` section, for example `LimitNOFILE=65536`.",
        },
        STOP_TIMEOUT,
    ],
    build: systemd,
};

pub(crate) const PROCESS: Constructor = Constructor {
    name: "process",
    summary: "Andon's own supervisor looks after the processes, for hosts or users without systemd.",
    details: "",
    example: "process(exec = \"{release}/bin/www --port {port}\", ports = [8080])",
    positional: 0,
    parameters: &[
        Parameter { name: "exec", kind: COMMAND, default: Default::Required, doc: EXEC_DOC },
        PORTS,
        ENVIRONMENT,
        STOP_TIMEOUT,
    ],
    build: |call| {
        let command = command(call);
        run(call, Supervision::Own { command: command? })
    },
};

fn systemd(call: &Call<'_>) -> Option<Thing> {
    match (call.says("exec"), call.says("unit")) {
        (true, true) => {
            let error = call.error_at(call.place_of("unit"), "give either `exec` or `unit`, not both");
            call.notebook
                .record(error.help("with `exec` Andon writes the unit; with `unit` it exists already"));
            None
        }
        (false, false) => {
            let help = "with `exec` Andon writes the unit; with `unit` it exists already";
            call.notebook
                .record(call.error_at(call.place, "`systemd` needs either `exec` or `unit`").help(help));
            None
        }
        (true, false) => {
            let extra = extra(call);
            let user = call.text("user").map(str::to_owned);
            let command = command(call);
            run(call, Supervision::Systemd(SystemdUnit::Written { command: command?, user, extra }))
        }
        (false, true) => existing(call),
    }
}

fn existing(call: &Call<'_>) -> Option<Thing> {
    for written in ["user", "environment", "extra", "stop_timeout"] {
        if call.says(written) {
            let message = format!("`{written}` has no effect on a unit that exists already");
            let help = "say it in the unit itself, or give `exec` and let Andon write the unit";
            call.notebook.record(call.error_at(call.place_of(written), message).help(help));
        }
    }
    let unit = call.text("unit")?;
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_' | '.' | '\\' | '@');
    let stem = unit.strip_suffix(".service");
    if !unit.chars().all(legal) || stem.is_none_or(|stem| stem.is_empty() || stem.starts_with('.')) {
        let error =
            call.error_at(call.place_of("unit"), format!("{unit:?} is not the name of a service unit"));
        let suggestion = format!("{unit}.service");
        let simple = unit.len() < 60 && unit.chars().all(legal) && stem.is_none();
        call.notebook.record(error.suggest(simple.then_some(suggestion.as_str())));
        return None;
    }
    run(call, Supervision::Systemd(SystemdUnit::Existing(unit.to_owned())))
}

/// Checks what all ways of running have in common.
fn run(call: &Call<'_>, by: Supervision) -> Option<Thing> {
    let mut seen = BTreeSet::new();
    let mut ports = Vec::new();
    for given in call.list("ports") {
        let Argument::Number(number) = given.argument else { continue };
        let Ok(port) = u16::try_from(number) else { continue };
        if !seen.insert(port) {
            call.error(given.place, format!("the port {port} is listed twice"));
        }
        ports.push(port);
    }
    let environment = environment(call);
    let exec = call.place_of("exec");
    let run = Run { by, ports, environment, stop_timeout: call.span("stop_timeout").unwrap_or_default() };
    let names_port = |text: &Template| text.names("port");
    let named = command_of(&run).iter().chain(run.environment.values()).any(names_port);
    if named && call.list("ports").is_empty() && !call.is_broken("ports") {
        let error = call.error_at(exec, "this names {port}, but the service has no ports");
        call.notebook.record(error.help("add `ports = [8080]`, one port for each instance"));
    }
    if run.ports.len() > 1 && !tells_instances_apart(&run) {
        let message =
            format!("all {} instances run the same command, which does not name {{port}}", run.ports.len());
        let warning = call.notebook.warning_at(exec, message);
        call.notebook.record(warning.help("pass the port to the program, or list only one"));
    }
    Some(Thing::Run(run))
}

fn command_of(run: &Run) -> &[Template] {
    match &run.by {
        Supervision::Systemd(SystemdUnit::Written { command, .. }) | Supervision::Own { command } => command,
        Supervision::Systemd(SystemdUnit::Existing(_)) => &[],
    }
}

/// Whether two instances would be started with different words. Of a unit that exists already, nobody knows.
pub(super) fn tells_instances_apart(run: &Run) -> bool {
    let command = command_of(run);
    let names = |text: &Template| text.names("port") || text.names("instance");
    command.is_empty() || command.iter().chain(run.environment.values()).any(names)
}

fn command(call: &Call<'_>) -> Option<Vec<Template>> {
    let words = words(call, "exec")?;
    let templates: Vec<Option<Template>> =
        words.iter().map(|(word, place)| template(call, word, *place)).collect();
    templates.into_iter().collect()
}

fn template(call: &Call<'_>, text: &str, place: Place) -> Option<Template> {
    if text.chars().any(|c| c.is_control() && c != '\t') {
        call.error(place, "this text must stand on one line");
        return None;
    }
    match Template::new(text) {
        Ok(template) => Some(template),
        Err(error) => {
            let unknown = match &error {
                andon_core::line::run::TemplateError::Unknown(name) => suggest::nearest(name, PLACEHOLDERS),
                andon_core::line::run::TemplateError::Unbalanced => None,
            };
            let suggestion = unknown.map(|name| format!("{{{name}}}"));
            call.notebook.record(call.error_at(place, error.to_string()).suggest(suggestion.as_deref()));
            None
        }
    }
}

fn environment(call: &Call<'_>) -> BTreeMap<String, Template> {
    let mut environment = BTreeMap::new();
    for (place, name, given) in call.map("environment") {
        let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !starts_well || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            call.error(
                *place,
                format!("{} is not the name of an environment variable", crate::kind::quoted(name)),
            );
        } else if let Some(value) = given.text().and_then(|text| template(call, text, given.place)) {
            environment.insert(name.clone(), value);
        }
    }
    environment
}

fn extra(call: &Call<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for line in call.list("extra") {
        let Some(text) = Given::text(line) else { continue };
        let is_setting = text
            .split_once('=')
            .is_some_and(|(key, _)| !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric()));
        if !is_setting || text.chars().any(char::is_control) {
            let error = call.error_at(line.place, format!("{} is not a setting", crate::kind::quoted(text)));
            call.notebook.record(error.help("write one `Key=value` for each element"));
        } else {
            lines.push(text.to_owned());
        }
    }
    lines
}
