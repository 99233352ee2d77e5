//! `nginx(...)`: nginx, told through a file of servers that it includes.

use std::path::PathBuf;

use super::super::command::{COMMAND, bare_words};
use super::{ON_HOSTS, Reach, SERVER, Unassigned, absolute, hosts, server};
use crate::call::Call;
use crate::kind::{Argument, Kind};
use crate::schema::{Constructor, Default, Parameter};
use crate::value::Thing;

pub(crate) const NGINX: Constructor = Constructor {
    name: "nginx",
    summary: "nginx, open source, told through a file of servers that it includes.",
    details: "Andon writes that file, has nginx test its configuration, and reloads it. The rest of the configuration \
              stays yours; it includes the file inside of an `upstream`.",
    example: "nginx(host(\"lb1\", sudo = True), upstream = \"www\", access_log = \"/var/log/nginx/www.log\")",
    positional: 1,
    parameters: &[
        ON_HOSTS,
        Parameter {
            name: "upstream",
            kind: Kind::Name,
            default: Default::Absent,
            doc: "The name of the upstream. Otherwise the name of the service.",
        },
        Parameter {
            name: "include",
            kind: Kind::Text,
            default: Default::Absent,
            doc: "The file with the servers, which belongs to Andon. Otherwise `/etc/nginx/andon/UPSTREAM.conf`.",
        },
        Parameter {
            name: "program",
            kind: COMMAND,
            default: Default::Is("\"nginx\""),
            doc: "The program, with the options that every call of it needs, as in `nginx -c /opt/nginx.conf`.",
        },
        Parameter {
            name: "access_log",
            kind: Kind::Either(&[Kind::Text, Kind::Nothing]),
            default: Default::Is("\"/var/log/nginx/access.log\""),
            doc: "The log from which requests are counted for each instance. `None` counts nothing.",
        },
        Parameter {
            name: "log_format",
            kind: Kind::Text,
            default: Default::Absent,
            doc: "The `log_format` of that log: its text, or its name in the configuration of nginx. Otherwise it is detected.",
        },
        SERVER,
    ],
    build,
};

fn build(call: &Call<'_>) -> Option<Thing> {
    let hosts = hosts(call);
    let server = server(call);
    let program = bare_words(call, "program");
    let include = absolute(call, "include", "the file that nginx includes");
    let access_log = absolute(call, "access_log", "the access log");
    let log_format = log_format(call);
    let broken = |name: &str, path: &Option<PathBuf>| call.says(name) && path.is_none();
    let counts = !matches!(call.given("access_log").map(|given| &given.argument), Some(Argument::Nothing));
    if broken("include", &include) || (counts && access_log.is_none()) {
        return None;
    }
    Some(Thing::Balancer(Unassigned {
        reach: Reach::Nginx { include, program: program?, access_log, log_format: log_format.ok()? },
        hosts: hosts?,
        pool: call.text("upstream").map(str::to_owned),
        server: server.ok()?,
    }))
}

/// The format of the log: `Ok(None)` if there is none, `Err` after what is wrong was recorded.
fn log_format(call: &Call<'_>) -> Result<Option<String>, ()> {
    let Some(text) = call.text("log_format") else {
        return if call.is_broken("log_format") { Err(()) } else { Ok(None) };
    };
    let place = call.place_of("log_format");
    if matches!(call.given("access_log").map(|given| &given.argument), Some(Argument::Nothing)) {
        let error = call.error_at(place, "this is the format of a log, and `access_log` is None");
        call.notebook.record(error.help("name the log, or leave out its format"));
        return Err(());
    }
    // Without any variable it is the name of a format, which only nginx knows.
    if text.contains('$') && !text.contains("upstream_addr") {
        let error = call.error_at(place, "a log of this format does not say which instance answered");
        call.notebook.record(error.help("add $upstream_addr to the `log_format`, in nginx and here"));
        return Err(());
    }
    Ok(Some(text.to_owned()))
}
