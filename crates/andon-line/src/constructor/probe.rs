//! `http(...)`, `tcp(...)`, `script(...)` and `nagios(...)`: questions to one instance.

use std::collections::BTreeMap;

use andon_core::line::{Probe, Variable};
use andon_core::name::SecretName;

use super::command::{COMMAND, bare_words};
use crate::call::Call;
use crate::kind::{Given, Kind, PORT};
use crate::schema::{Constructor, Default, Parameter};
use crate::value::{Question, Sort, Thing};

const TIMEOUT: Parameter = Parameter {
    name: "timeout",
    kind: Kind::Span { zero: false },
    default: Default::Absent,
    doc: "Time for the answer. Otherwise 30s for a test and 5s for a health check.",
};
const NAME: Parameter = Parameter {
    name: "name",
    kind: Kind::Text,
    default: Default::Absent,
    doc: "The name of the test in messages; unique within the service. Otherwise what the probe asks.",
};
const OTHER_PORT: Parameter = Parameter {
    name: "port",
    kind: PORT,
    default: Default::Absent,
    doc: "Ask at this port. Otherwise at the port of the instance.",
};

pub(crate) const HTTP: Constructor = Constructor {
    name: "http",
    summary: "An HTTP GET to the instance, asked on its own host.",
    details: "Without `status`, 200 to 399 pass.",
    example: "http(\"/healthz\", status = 200, contains = \"ok\", timeout = \"2s\")",
    positional: 1,
    parameters: &[
        Parameter {
            name: "path",
            kind: Kind::Text,
            default: Default::Required,
            doc: "Path and query, starting with `/`.",
        },
        Parameter {
            name: "status",
            kind: Kind::Number { min: 100, max: 599 },
            default: Default::Absent,
            doc: "The one status that passes.",
        },
        Parameter {
            name: "contains",
            kind: Kind::Text,
            default: Default::Absent,
            doc: "A text that the first MiB of the body must contain.",
        },
        Parameter {
            name: "host",
            kind: Kind::Word,
            default: Default::Absent,
            doc: "The `Host` header. Otherwise `localhost`.",
        },
        OTHER_PORT,
        TIMEOUT,
        NAME,
    ],
    build: http,
};

pub(crate) const TCP: Constructor = Constructor {
    name: "tcp",
    summary: "A TCP connection to the instance, opened on its own host.",
    details: "",
    example: "tcp(port = 5432)",
    positional: 1,
    parameters: &[OTHER_PORT, TIMEOUT, NAME],
    build: |call| question(call, Probe::Tcp { port: call.port("port") }),
};

pub(crate) const SCRIPT: Constructor = Constructor {
    name: "script",
    summary: "A script from beside the line, run on the host of the instance; exit code 0 passes.",
    details: "The script is read together with the line: at most 1 MiB, below the directory of `line.star`. Its `#!` line \
              chooses the interpreter. Its environment holds `ANDON_HOST`, `ANDON_PORT`, `ANDON_INSTANCE`, \
              `ANDON_RELEASE`, `ANDON_SERVICE` and `ANDON_ROOT`.",
    example: "script(\"smoke/checkout.sh\", args = [\"--fast\"], timeout = \"30s\")",
    positional: 1,
    parameters: &[
        Parameter {
            name: "path",
            kind: Kind::Text,
            default: Default::Required,
            doc: "Relative to the directory of `line.star`.",
        },
        Parameter {
            name: "args",
            kind: Kind::List(&Kind::Text),
            default: Default::Is("[]"),
            doc: "Arguments for the script.",
        },
        Parameter {
            name: "secrets",
            kind: Kind::Map(&Kind::Made(&[Sort::Secret])),
            default: Default::Absent,
            doc: "Environment variables of this script alone, each a `secret(...)`. Only a production test takes secrets. Their values are hidden in what it prints.",
        },
        TIMEOUT,
        NAME,
    ],
    build: script,
};

pub(crate) const NAGIOS: Constructor = Constructor {
    name: "nagios",
    summary: "A Nagios plugin, unchanged, run on the host of the instance.",
    details: "OK passes. A bare name is looked for in the usual plugin directories. No shell is involved.",
    example: "nagios(\"check_procs -c 1: -C www\", warning_passes = True)",
    positional: 1,
    parameters: &[
        Parameter {
            name: "command",
            kind: COMMAND,
            default: Default::Required,
            doc: "Program and arguments: a text split like a shell would, or a list of words.",
        },
        Parameter {
            name: "warning_passes",
            kind: Kind::Flag,
            default: Default::Is("False"),
            doc: "Whether WARNING passes, too.",
        },
        TIMEOUT,
        NAME,
    ],
    build: nagios,
};

fn question(call: &Call<'_>, probe: Probe) -> Option<Thing> {
    let name = call.text("name").map(str::to_owned);
    if name.as_ref().is_some_and(|name| name.trim().is_empty() || name.chars().any(char::is_control)) {
        call.error(call.place_of("name"), "a name is not empty and stands on one line");
    }
    Some(Thing::Probe(Question { probe, name, timeout: call.span("timeout") }))
}

fn http(call: &Call<'_>) -> Option<Thing> {
    let path = call.text("path")?;
    if !path.starts_with('/') {
        let error = call.error_at(call.place_of("path"), format!("a path starts with `/`, got {path:?}"));
        let suggestion = format!("/{path}");
        let simple = !path.contains("://") && path.len() < 60;
        call.notebook.record(error.suggest(simple.then_some(suggestion.as_str())));
    } else if let Some(wrong) = path.chars().find(|c| !c.is_ascii_graphic()) {
        let error = call.error_at(call.place_of("path"), format!("a path cannot contain {wrong:?}"));
        call.notebook.record(error.help("write it percent-encoded, for example %20 for a blank"));
    }
    let status = call.number("status").and_then(|status| u16::try_from(status).ok());
    let probe = Probe::Http {
        path: path.to_owned(),
        status,
        contains: call.text("contains").map(str::to_owned),
        host_header: call.text("host").map(str::to_owned),
        port: call.port("port"),
    };
    question(call, probe)
}

fn script(call: &Call<'_>) -> Option<Thing> {
    let path = call.text("path")?;
    let content = match call.notebook.sources.read(path) {
        Ok(content) => content,
        Err(error) => {
            call.error(call.place_of("path"), error.to_string());
            return None;
        }
    };
    call.notebook.charge(content.len());
    let args = call.list("args").iter().filter_map(Given::text).map(str::to_owned).collect();
    let secrets = secrets(call)?;
    question(call, Probe::Script { name: path.to_owned(), content, args, secrets })
}

/// The secrets by variable; `None` after what is wrong with one was recorded.
fn secrets(call: &Call<'_>) -> Option<BTreeMap<Variable, SecretName>> {
    let mut secrets = BTreeMap::new();
    let mut whole = !call.is_broken("secrets");
    for (place, variable, given) in call.map("secrets") {
        let Some(Thing::Secret(name)) = given.made().map(|made| &made.thing) else {
            whole = false;
            continue;
        };
        match Variable::new(variable.as_str()) {
            Ok(variable) => drop(secrets.insert(variable, name.clone())),
            Err(error) => {
                call.error(*place, error.to_string());
                whole = false;
            }
        }
    }
    whole.then_some(secrets)
}

fn nagios(call: &Call<'_>) -> Option<Thing> {
    let command = bare_words(call, "command")?;
    question(call, Probe::Nagios { command, warning_passes: call.flag("warning_passes").unwrap_or_default() })
}
