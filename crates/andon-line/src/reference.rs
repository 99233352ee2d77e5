//! The constructors for people: the reference page and `andon help CONSTRUCTOR`.

use std::fmt::Write as _;

use serde::Serialize;

use crate::schema::{CONSTRUCTORS, Constructor, Default, Parameter};

/// One constructor of the language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConstructorDoc {
    /// The name by which a line calls it.
    pub name: &'static str,
    /// What it is, in one sentence.
    pub summary: &'static str,
    /// What else there is to know; may be empty.
    pub details: &'static str,
    /// How it is called, with all parameters: `host(name, address = None, ...)`.
    pub signature: String,
    /// The parameters, those that may be given without a name first.
    pub parameters: Vec<ParameterDoc>,
    /// A piece of a line that uses it.
    pub example: &'static str,
}

/// One parameter of a constructor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ParameterDoc {
    /// Its name.
    pub name: &'static str,
    /// What it may be, in words.
    pub expects: String,
    /// What it is when it is not given, as one would write it; `None` when it must be given.
    pub default: Option<&'static str>,
    /// What it means.
    pub doc: &'static str,
}

/// All constructors, in the order in which a reader meets them.
pub fn reference() -> Vec<ConstructorDoc> {
    CONSTRUCTORS.iter().map(|constructor| document(constructor)).collect()
}

fn document(constructor: &Constructor) -> ConstructorDoc {
    let signature: Vec<String> = constructor.parameters.iter().map(signature).collect();
    ConstructorDoc {
        name: constructor.name,
        summary: constructor.summary,
        details: constructor.details,
        signature: format!("{}({})", constructor.name, signature.join(", ")),
        parameters: constructor.parameters.iter().map(parameter).collect(),
        example: constructor.example,
    }
}

fn signature(parameter: &Parameter) -> String {
    match default(parameter) {
        Some(default) => format!("{} = {default}", parameter.name),
        None => parameter.name.to_owned(),
    }
}

fn default(parameter: &Parameter) -> Option<&'static str> {
    match parameter.default {
        Default::Required => None,
        Default::Absent => Some("None"),
        Default::Is(text) => Some(text),
    }
}

fn parameter(parameter: &Parameter) -> ParameterDoc {
    ParameterDoc {
        name: parameter.name,
        expects: parameter.kind.expected(),
        default: default(parameter),
        doc: parameter.doc,
    }
}

/// The reference page, in Markdown.
pub fn reference_page() -> String {
    let mut page = PREFACE.to_owned();
    for constructor in reference() {
        let _ = write!(page, "\n## {}\n\n{}", constructor.name, constructor.summary);
        if !constructor.details.is_empty() {
            let _ = write!(page, " {}", constructor.details);
        }
        let _ = write!(page, "\n\n```python\n{}\n```\n\n", constructor.example);
        page.push_str("| parameter | default | expects | meaning |\n|---|---|---|---|\n");
        for parameter in &constructor.parameters {
            let default = parameter.default.map_or("required".to_owned(), |text| format!("`{text}`"));
            let expects = parameter.expects.replace('|', "\\|");
            let _ = writeln!(page, "| `{}` | {default} | {expects} | {} |", parameter.name, parameter.doc);
        }
    }
    page
}

const PREFACE: &str = "<!-- Generated from the constructors in crates/andon-line. To renew it:
     UPDATE_DOCS=1 cargo test -p andon-line reference -->

# The language of `line.star`

A line is a [Starlark](https://github.com/bazelbuild/starlark/blob/master/spec.md) program that calls the constructors
below. It can use variables, functions, loops and comprehensions; it cannot read the clock, the network, the
environment or random numbers. `load(\"hosts.star\", \"web\")` brings in names from another file below the directory
of the line; paths are relative to that directory.

Durations are written `\"300ms\"`, `\"30s\"`, `\"5m\"`, `\"2h\"`, `\"1d\"` or together (`\"1h30m\"`). Names consist of
letters, digits, `-`, `_` and `.`.

A line has at most 64 files of 1 MiB each. It is evaluated within 200,000 calls and turns of loops and 32 MiB of
memory; a file that is loaded within 8 MiB.
";
