//! `prometheus(...)`, `pushed(...)` and `counted(...)`: numbers that no balancer knows.

use std::path::PathBuf;
use std::time::Duration;

use andon_core::analysis::{Measure, Role, Worse};
use andon_core::line::{PrometheusQuery, Source, Watched};

use super::{Look, MARGIN, WEIGHT, critical, harm, metric};
use crate::call::Call;
use crate::constructor::command::{COMMAND, bare_words};
use crate::kind::Kind;
use crate::schema::{Constructor, Default, Parameter};
use crate::value::Thing;

const NAME: Parameter = Parameter {
    name: "name",
    kind: Kind::Name,
    default: Default::Required,
    doc: "What people call the number; unique in the service.",
};
const WORSE: Parameter = Parameter {
    name: "worse",
    kind: Kind::Choice(&["higher", "lower", "either"]),
    default: Default::Is("\"higher\""),
    doc: "Which change is harm: of orders, a lower number is.",
};
const KIND: Parameter = Parameter {
    name: "kind",
    kind: Kind::Choice(&["count", "level"]),
    default: Default::Is("\"count\""),
    doc: "A count only grows, and its growth is compared; a level goes up and down.",
};

const fn every(default: &'static str, doc: &'static str) -> Parameter {
    let kind = Kind::SpanUpTo { most: Duration::from_secs(300) };
    Parameter { name: "every", kind, default: Default::Is(default), doc }
}

pub(crate) const PROMETHEUS: Constructor = Constructor {
    name: "prometheus",
    summary: "Watch a number that a Prometheus server knows of every host.",
    details: "In the queries `{members}` stands for a matcher that selects the hosts which are compared, as in \
              `sum by (instance) (orders_total{{members}})`. A host that the answer lacks is unknown, never nought.",
    example: "prometheus(\"orders\", query = \"sum by (instance) (orders_total{{members}})\", worse = \"lower\", critical = True)",
    positional: 1,
    parameters: &[
        NAME,
        Parameter {
            name: "query",
            kind: Kind::Text,
            default: Default::Required,
            doc: "PromQL with one value for each host: for a count the counter itself, without `rate()`.",
        },
        Parameter {
            name: "url",
            kind: Kind::Word,
            default: Default::Is("\"http://127.0.0.1:9090\""),
            doc: "Where the server answers the machine of Andon.",
        },
        Parameter {
            name: "of",
            kind: Kind::Text,
            default: Default::Absent,
            doc: "PromQL for what a count is a part of. Otherwise the requests that balancers count, or time where there are none.",
        },
        Parameter {
            name: "label",
            kind: Kind::Text,
            default: Default::Is("\"instance\""),
            doc: "The label that tells hosts apart.",
        },
        Parameter {
            name: "value",
            kind: Kind::Text,
            default: Default::Is("\"{host}\""),
            doc: "The value of the label for a host, without a port; `{host}` stands for its name.",
        },
        every("\"15s\"", "How often a number is taken: a whole multiple of the time between two scrapes."),
        WORSE,
        KIND,
        critical("False"),
        MARGIN,
        harm("1.5"),
        WEIGHT,
        Parameter {
            name: "token_file",
            kind: Kind::Text,
            default: Default::Absent,
            doc: "A file with a bearer token, absolute or relative to `line.star`, for a server that asks for one.",
        },
    ],
    build: prometheus,
};

pub(crate) const PUSHED: Constructor = Constructor {
    name: "pushed",
    summary: "Watch a number that programs push to `andon server`, as OpenMetrics text or by StatsD.",
    details: "What is pushed names its host in a label or tag `host`.",
    example: "pushed(\"logins\", worse = \"lower\")",
    positional: 1,
    parameters: &[
        Parameter {
            name: "name",
            kind: Kind::Name,
            default: Default::Required,
            doc: "The name under which it is pushed, with or without `_total` at its end.",
        },
        Parameter {
            name: "of",
            kind: Kind::Name,
            default: Default::Absent,
            doc: "The pushed number that a count is a part of. Otherwise the requests that balancers count, or time where there are none.",
        },
        every("\"5s\"", "How often a number is taken: as often as programs push, or seldomer."),
        WORSE,
        KIND,
        critical("False"),
        MARGIN,
        harm("1.5"),
        WEIGHT,
    ],
    build: pushed,
};

pub(crate) const COUNTED: Constructor = Constructor {
    name: "counted",
    summary: "Watch a number that a command on the machine of Andon prints.",
    details: "It is run in the directory of the line, without a shell, with the names of the hosts in \
              `ANDON_HOSTS_NEW` and `ANDON_HOSTS_OLD`. It prints a line for each host, `HOST EVENTS OF`, where both numbers only \
              grow; `HOST LEVEL` for a level; or OpenMetrics text with a label `host`.",
    example: "counted(\"orders\", [\"smoke/orders\", \"--shop\", \"nl\"], worse = \"lower\")",
    positional: 2,
    parameters: &[
        NAME,
        Parameter {
            name: "command",
            kind: COMMAND,
            default: Default::Required,
            doc: "Program and arguments: a text split like a shell would, or a list of words.",
        },
        Parameter {
            name: "timeout",
            kind: Kind::SpanUpTo { most: Duration::from_secs(60) },
            default: Default::Is("\"5s\""),
            doc: "How long it may take.",
        },
        every("\"15s\"", "How often it is run."),
        WORSE,
        KIND,
        critical("False"),
        MARGIN,
        harm("1.5"),
        WEIGHT,
    ],
    build: counted,
};

fn prometheus(call: &Call<'_>) -> Option<Thing> {
    let url = url(call);
    let label = label(call);
    let value = value(call);
    let query = query(call, "query");
    if call.says("of") {
        query_of(call);
    }
    let token_file = token_file(call);
    let source = Source::Prometheus(PrometheusQuery {
        url: url?,
        query: query?,
        of: call.text("of").map(str::to_owned),
        label: label?,
        value: value?,
        token_file: token_file?,
        every: pace(call)?,
    });
    watched(call, source)
}

fn pushed(call: &Call<'_>) -> Option<Thing> {
    only_of_counts(call);
    let name = call.text("name")?.to_owned();
    watched(call, Source::Pushed { name, of: call.text("of").map(str::to_owned), every: pace(call)? })
}

fn counted(call: &Call<'_>) -> Option<Thing> {
    let command = bare_words(call, "command");
    let timeout = positive(call, "timeout");
    watched(call, Source::Script { command: command?, timeout: timeout?, every: pace(call)? })
}

fn positive(call: &Call<'_>, name: &str) -> Option<Duration> {
    let span = call.span(name)?;
    if span.is_zero() {
        call.error(call.place_of(name), "this duration must be longer than zero");
    }
    (!span.is_zero()).then_some(span)
}

fn pace(call: &Call<'_>) -> Option<Duration> {
    positive(call, "every")
}

fn watched(call: &Call<'_>, source: Source) -> Option<Thing> {
    let worse = match call.text("worse")? {
        "lower" => Worse::Lower,
        "either" => Worse::Either,
        _ => Worse::Higher,
    };
    let measure = if is_level(call) { Measure::Level } else { Measure::Rate };
    let metric = metric(call, call.text("name")?, measure, worse, Role::Other)?;
    Some(Thing::Look(Look::Numbers(vec![Watched { metric, source }])))
}

fn is_level(call: &Call<'_>) -> bool {
    call.text("kind") == Some("level")
}

fn only_of_counts(call: &Call<'_>) {
    if call.says("of") && is_level(call) {
        let error = call.error_at(call.place_of("of"), "a level is not a part of anything");
        call.notebook.record(error.help("leave `of` out, or `kind`"));
    }
}

fn query_of(call: &Call<'_>) {
    only_of_counts(call);
    query(call, "of");
}

/// Functions of PromQL whose results are not counters.
const NOT_COUNTERS: [&str; 5] = ["rate", "irate", "increase", "delta", "idelta"];

fn query(call: &Call<'_>, name: &str) -> Option<String> {
    let text = call.text(name)?;
    let place = call.place_of(name);
    if text.trim().is_empty() {
        call.error(place, "this query is empty");
        return None;
    }
    let called = NOT_COUNTERS.into_iter().find(|function| calls(text, function));
    if let (Some(function), false) = (called, is_level(call)) {
        let error =
            call.error_at(place, format!("a count only grows, which what `{function}()` gives does not"));
        let help = format!(
            "Andon takes the growth of the counter itself: leave `{function}()` out, or add `kind = \"level\"`"
        );
        call.notebook.record(error.help(help));
        return None;
    }
    if let Some(wrong) = braced(text).find(|word| andon_core::suggest::nearest(word, ["members"]).is_some()) {
        let error = call.error_at(place, format!("a query knows no {{{wrong}}}"));
        call.notebook.record(error.suggest(Some("{members}")));
        return None;
    }
    Some(text.to_owned())
}

/// Whether `function` is called anywhere in a query: followed by a parenthesis, and not the end of a longer name.
fn calls(query: &str, function: &str) -> bool {
    query.match_indices(function).any(|(at, _)| {
        let before = query[..at].chars().next_back();
        let after = query[at + function.len()..].trim_start();
        after.starts_with('(') && !before.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'))
    })
}

/// The bare words in braces, `members` itself left out.
fn braced(query: &str) -> impl Iterator<Item = &str> {
    let words = query.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(word, _)| word));
    let bare = |word: &&str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    words.filter(bare).filter(|word| *word != "members")
}

fn url(call: &Call<'_>) -> Option<String> {
    let text = call.text("url")?;
    let place = call.place_of("url");
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let Some(rest) = rest else {
        let error = call.error_at(place, format!("a URL starts with `http://` or `https://`, got {text:?}"));
        let guess = format!("http://{text}");
        call.notebook.record(error.suggest((!text.contains("://")).then_some(guess.as_str())));
        return None;
    };
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.contains('@') {
        let error = call.error_at(place, "a URL in a line holds no user and no password");
        call.notebook
            .record(error.help("keep a token in a file that only Andon can read: `token_file = ...`"));
        return None;
    }
    let printable = rest.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '<' | '>'));
    if authority.is_empty() || authority.starts_with(':') || !printable || rest.contains(['?', '#']) {
        let error = call.error_at(place, format!("{text:?} is not where a Prometheus server answers"));
        call.notebook.record(error.help("it looks like `http://prometheus.example.com:9090`"));
        return None;
    }
    Some(text.trim_end_matches('/').to_owned())
}

fn label(call: &Call<'_>) -> Option<String> {
    let text = call.text("label")?;
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts || text.len() > 200 || text.chars().any(|c| !(c.is_ascii_alphanumeric() || c == '_')) {
        let error =
            call.error_at(call.place_of("label"), format!("{text:?} cannot be a label of Prometheus"));
        call.notebook.record(
            error.help("a label consists of letters, digits and `_`, and does not start with a digit"),
        );
        return None;
    }
    Some(text.to_owned())
}

fn value(call: &Call<'_>) -> Option<String> {
    let text = call.text("value")?;
    let place = call.place_of("value");
    if text.matches("{host}").count() != 1 {
        let error = call.error_at(place, "hosts cannot be told apart by this value");
        call.notebook.record(error.help("name the host once, as in `value = \"{host}.example.com\"`"));
        return None;
    }
    if text.replacen("{host}", "", 1).contains(['{', '}']) || text.chars().any(char::is_control) {
        call.error(place, format!("a value knows no placeholder but {{host}}, got {text:?}"));
        return None;
    }
    Some(text.to_owned())
}

/// `None` after what is wrong with it was recorded.
fn token_file(call: &Call<'_>) -> Option<Option<PathBuf>> {
    let Some(text) = call.text("token_file") else { return Some(None) };
    if text.trim().is_empty() || text.chars().any(char::is_control) {
        call.error(call.place_of("token_file"), "this is not the name of a file");
        return None;
    }
    Some(Some(PathBuf::from(text)))
}
