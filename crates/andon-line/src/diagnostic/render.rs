//! Draws diagnostics for a terminal: the lines of the file, the place underlined, what to do.
//! Text from the file never reaches the terminal with control characters in it.

use std::fmt::Write as _;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceSpan};

use super::{Diagnostic, Diagnostics, Location, Severity};

/// Lines longer than this are not drawn: a snippet of them would help nobody.
const MAX_DRAWN_LINE: usize = 400;
/// Lines of a long call that are underlined at most.
const MAX_DRAWN_SPAN: usize = 600;

impl Diagnostics {
    /// Draws all of them, `width` columns wide.
    pub fn render(&self, color: bool, width: usize) -> String {
        self.0.iter().map(|one| one.render(color, width)).collect::<Vec<_>>().join("\n")
    }
}

impl Diagnostic {
    /// Draws it, `width` columns wide.
    pub fn render(&self, color: bool, width: usize) -> String {
        let theme = if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler =
            GraphicalReportHandler::new_themed(theme).with_width(width.clamp(40, 400)).with_links(false);
        let mut drawn = String::new();
        match handler.render_report(&mut drawn, &Report::new(self)) {
            Ok(()) => drawn,
            Err(_) => format!("{self}\n"),
        }
    }
}

/// One diagnostic in the shape that `miette` draws.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct Report {
    message: String,
    severity: miette::Severity,
    help: Option<String>,
    drawn: Option<NamedSource<String>>,
    labels: Vec<LabeledSpan>,
}

impl Report {
    fn new(diagnostic: &Diagnostic) -> Self {
        let location = &diagnostic.location;
        let mut help = Vec::new();
        if let Some(word) = &diagnostic.suggestion {
            help.push(format!("did you mean `{word}`?"));
        }
        help.extend(diagnostic.help.clone());
        let drawable = location.source.as_ref().filter(|_| lines_are_short(location));
        let mut labels = Vec::new();
        let mut message = diagnostic.message.clone();
        if drawable.is_some() {
            labels.push(LabeledSpan::new_primary_with_span(None, span(location)));
        } else {
            message = format!("{location}: {message}");
        }
        for related in &diagnostic.related {
            let same_file = related.location.file == location.file;
            if drawable.is_some() && same_file && lines_are_short(&related.location) {
                let text = plain(&related.message);
                labels.push(LabeledSpan::new_with_span(Some(text), span(&related.location)));
            } else {
                help.push(format!("{}: {}", related.location, related.message));
            }
        }
        let drawn =
            drawable.map(|source| NamedSource::new(plain(&location.file), blank_controls(&source.text)));
        let severity = match diagnostic.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        };
        let help = (!help.is_empty()).then(|| plain(&help.join("\n")));
        Self { message: plain(&message), severity, help, drawn, labels }
    }
}

impl miette::Diagnostic for Report {
    fn severity(&self) -> Option<miette::Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn std::fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.drawn.as_ref().map(|source| source as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        (!self.labels.is_empty()).then(|| Box::new(self.labels.iter().cloned()) as Box<_>)
    }
}

fn span(location: &Location) -> SourceSpan {
    let drawn = location.text().map_or(0, |text| text.len().min(MAX_DRAWN_SPAN));
    (location.start, drawn).into()
}

fn lines_are_short(location: &Location) -> bool {
    let Some(source) = &location.source else { return false };
    let begin =
        source.text.get(..location.start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    let around = source.text.get(begin..).unwrap_or_default();
    let until = location.end.saturating_sub(begin).min(MAX_DRAWN_SPAN) + MAX_DRAWN_LINE;
    around
        .bytes()
        .take(until)
        .collect::<Vec<_>>()
        .split(|byte| *byte == b'\n')
        .all(|line| line.len() < MAX_DRAWN_LINE)
}

/// Control characters become `?`, as many as they have bytes, so that spans stay right.
fn blank_controls(text: &str) -> String {
    let mut blanked = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => blanked.push(character),
            control if control.is_control() => blanked.extend(std::iter::repeat_n('?', control.len_utf8())),
            visible => blanked.push(visible),
        }
    }
    blanked
}

/// Control characters are written as escapes.
fn plain(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && character != '\n' {
            let _ = write!(written, "{}", character.escape_default());
        } else {
            written.push(character);
        }
    }
    written
}
