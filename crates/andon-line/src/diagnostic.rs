//! What is wrong with a line, and where. Built while reading; never printed here.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::source::{Source, Sources};

mod render;

/// How much a diagnostic matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The line cannot be used.
    Error,
    /// The line can be used, but probably does not say what its author means.
    Warning,
}

/// A stretch of a file.
#[derive(Clone, Serialize)]
pub struct Location {
    /// The file, as the user would name it.
    pub file: String,
    /// The line of the first character, from 1.
    pub line: usize,
    /// The column of the first character, from 1, in characters.
    pub column: usize,
    /// The first byte.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
    #[serde(skip)]
    source: Option<Arc<Source>>,
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} [{}..{}]", self.start, self.end)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl PartialEq for Location {
    fn eq(&self, other: &Self) -> bool {
        (&self.file, self.start, self.end) == (&other.file, other.start, other.end)
    }
}

impl Eq for Location {}

impl Location {
    /// The location of bytes of a source.
    pub(crate) fn within(source: &Arc<Source>, start: usize, end: usize) -> Self {
        let (line, column) = source.position(start);
        let end = end.max(start).min(source.text.len());
        Self { file: source.name.clone(), line, column, start, end, source: Some(Arc::clone(source)) }
    }

    /// A file as a whole, when it could not even be read.
    pub(crate) fn file(name: impl Into<String>) -> Self {
        Self { file: name.into(), line: 1, column: 1, start: 0, end: 0, source: None }
    }

    /// The text at this location, where the file could be read.
    pub fn text(&self) -> Option<&str> {
        self.source.as_ref()?.text.get(self.start..self.end)
    }
}

/// A second place that a diagnostic speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Related {
    /// What is there.
    pub message: String,
    /// Where it is.
    #[serde(flatten)]
    pub location: Location,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Whether the line can be used in spite of it.
    pub severity: Severity,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// Where it is.
    #[serde(flatten)]
    pub location: Location,
    /// The word that was probably meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Other places that play a part.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<Related>,
}

impl Diagnostic {
    pub(crate) fn error(location: Location, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            severity: Severity::Error,
            message,
            location,
            suggestion: None,
            help: None,
            related: Vec::new(),
        }
    }

    pub(crate) fn warning(location: Location, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(location, message) }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn suggest(mut self, word: Option<&str>) -> Self {
        self.suggestion = word.map(str::to_owned);
        self
    }

    pub(crate) fn related(mut self, location: Location, message: impl Into<String>) -> Self {
        self.related.push(Related { message: message.into(), location });
        self
    }
}

impl fmt::Display for Diagnostic {
    /// One line for logs: `line.star:3:12: error: ...; did you mean ...?`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{}: {severity}: {}", self.location, self.message)?;
        match &self.suggestion {
            Some(word) => write!(f, "; did you mean `{word}`?"),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong with a line, in the order of its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(transparent)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            fmt::Display::fmt(diagnostic, f)?;
        }
        Ok(())
    }
}

impl Diagnostics {
    /// A single error about a file as a whole.
    pub(crate) fn about_file(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self(vec![Diagnostic::error(Location::file(name), message)])
    }

    /// How many of them are errors.
    pub fn errors(&self) -> usize {
        self.0.iter().filter(|one| one.severity == Severity::Error).count()
    }

    /// Puts them into the order of the files and of the text.
    pub(crate) fn sort(&mut self, sources: &Sources) {
        let names: Vec<String> = sources.all().iter().map(|source| source.name.clone()).collect();
        let file = |name: &str| names.iter().position(|known| known == name);
        self.0.sort_by_key(|one| (file(&one.location.file), one.location.start));
    }
}
