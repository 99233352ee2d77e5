//! What an argument may be: checked at its exact place, explained in the same words everywhere.

use std::sync::Arc;
use std::time::Duration;

use andon_core::name::HostName;
use andon_core::quantity::{Share, format_duration, parse_duration};
use andon_core::suggest;
use starlark::values::dict::DictRef;
use starlark::values::float::UnpackFloat;
use starlark::values::list::ListRef;
use starlark::values::tuple::TupleRef;
use starlark::values::{UnpackValue, Value};

use crate::notebook::Notebook;
use crate::site::Shape;
use crate::source::Place;
use crate::value::{Described, Description, Placeholder, Sort};

/// The longest text that an argument may be, in bytes.
const MAX_TEXT: usize = 64 << 10;

/// What an argument may be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// A name of the alphabet of `andon_core::name`.
    Name,
    /// Any text without NUL.
    Text,
    /// A word that is handed to other programs: not empty, no blanks, no leading `-`.
    Word,
    Flag,
    Number {
        min: i64,
        max: i64,
    },
    /// A number that may have a fraction.
    Decimal {
        min: f64,
        max: f64,
    },
    /// A span of time; `zero` says whether none at all is one.
    Span {
        zero: bool,
    },
    /// A span of time from none at all up to `most`.
    SpanUpTo {
        most: Duration,
    },
    /// A number of hosts or a percentage.
    Share {
        zero: bool,
    },
    /// A percentage above 0.
    Percentage,
    /// `None`, where that is another thing than nothing said.
    Nothing,
    Choice(&'static [&'static str]),
    List(&'static Kind),
    Map(&'static Kind),
    /// What a constructor made, of one of these sorts.
    Made(&'static [Sort]),
    /// The first kind that has the shape of the value.
    Either(&'static [Kind]),
}

/// A TCP port.
pub(crate) const PORT: Kind = Kind::Number { min: 1, max: 65_535 };

/// A checked argument.
#[derive(Debug, Clone)]
pub(crate) enum Argument {
    Text(String),
    Flag(bool),
    Number(i64),
    Decimal(f64),
    Span(Duration),
    Share(Share),
    List(Vec<Given>),
    Map(Vec<(Place, String, Given)>),
    Made(Arc<Description>),
    Nothing,
    /// Was wrong, or depends on something that was; already recorded.
    Broken,
}

/// A checked argument and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub(crate) argument: Argument,
    pub(crate) place: Place,
}

impl Kind {
    /// The kind in words, with an article: "a duration like "30s"".
    pub(crate) fn expected(&self) -> String {
        match self {
            Kind::Name => "a name".to_owned(),
            Kind::Text => "a text".to_owned(),
            Kind::Word => "a word without blanks".to_owned(),
            Kind::Flag => "True or False".to_owned(),
            Kind::Number { min, max } => format!("a number from {min} to {max}"),
            Kind::Decimal { min, max } => format!("a number from {min} to {max}"),
            Kind::Span { .. } => "a duration like \"30s\" or \"5m\"".to_owned(),
            Kind::SpanUpTo { most } => {
                format!("a duration like \"30s\", at most {}", format_duration(*most))
            }
            Kind::Share { .. } => "a number of hosts or a share like \"25%\"".to_owned(),
            Kind::Percentage => "a percentage like \"25%\"".to_owned(),
            Kind::Nothing => "None".to_owned(),
            Kind::Choice(words) => {
                let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
                quoted.join(" or ")
            }
            Kind::List(inner) => format!("a list (each element {})", inner.expected()),
            Kind::Map(inner) => format!("a dictionary (each value {})", inner.expected()),
            Kind::Made(_) | Kind::Either(_) => {
                let mut words = self.alternatives();
                match (words.pop(), words.is_empty()) {
                    (Some(only), true) => only,
                    (last, _) => format!("{} or {}", words.join(", "), last.unwrap_or_default()),
                }
            }
        }
    }

    fn alternatives(&self) -> Vec<String> {
        match self {
            Kind::Made(sorts) => sorts.iter().map(|sort| sort.with_article().to_owned()).collect(),
            Kind::Either(kinds) => kinds.iter().flat_map(Kind::alternatives).collect(),
            other => vec![other.expected()],
        }
    }

    /// Checks a value, recording what is wrong with it.
    pub(crate) fn check(&self, value: Value<'_>, shape: &Shape, notebook: &Notebook) -> Given {
        let argument = if Placeholder::from_value(value).is_some() {
            Argument::Broken
        } else {
            self.read(value, shape, notebook).unwrap_or_else(|message| {
                if let Some(message) = message {
                    notebook.error(shape.place, message);
                }
                Argument::Broken
            })
        };
        Given { argument, place: shape.place }
    }

    /// An argument, or what is wrong; `Err(None)` when that is recorded already.
    fn read(&self, value: Value<'_>, shape: &Shape, notebook: &Notebook) -> Result<Argument, Option<String>> {
        let mismatch = || Some(format!("expected {}, got {}", self.expected(), describe(value)));
        match self {
            Kind::Name | Kind::Text | Kind::Word => {
                self.read_text(value.unpack_str().ok_or_else(mismatch)?).map(Argument::Text).map_err(Some)
            }
            Kind::Flag => value.unpack_bool().map(Argument::Flag).ok_or_else(mismatch),
            Kind::Number { min, max } => match integer(value).ok_or_else(mismatch)? {
                number if (*min..=*max).contains(&number) => Ok(Argument::Number(number)),
                _ => Err(mismatch()),
            },
            Kind::Decimal { min, max } => match decimal(value).ok_or_else(mismatch)? {
                number if (*min..=*max).contains(&number) => Ok(Argument::Decimal(number)),
                _ => Err(mismatch()),
            },
            Kind::Span { zero } => {
                let span = parse_duration(value.unpack_str().ok_or_else(mismatch)?)
                    .map_err(|e| Some(e.to_string()))?;
                if span.is_zero() && !zero {
                    return Err(Some("this duration must be longer than zero".to_owned()));
                }
                Ok(Argument::Span(span))
            }
            Kind::SpanUpTo { most } => {
                let text = value.unpack_str().ok_or_else(mismatch)?;
                match parse_duration(text).map_err(|error| Some(error.to_string()))? {
                    span if span <= *most => Ok(Argument::Span(span)),
                    _ => Err(mismatch()),
                }
            }
            Kind::Share { zero } => read_share(value, *zero).ok_or_else(mismatch)?.map_err(Some),
            Kind::Percentage => match value.unpack_str().map(|text| (text, read_share(value, false))) {
                Some((text, Some(share))) if text.trim().ends_with('%') => share.map_err(Some),
                _ => Err(mismatch()),
            },
            Kind::Nothing => value.is_none().then_some(Argument::Nothing).ok_or_else(mismatch),
            Kind::Choice(words) => {
                self.read_choice(value, words, shape.place, notebook).ok_or_else(mismatch)?
            }
            Kind::List(inner) => {
                let elements = elements(value).ok_or_else(mismatch)?;
                notebook.charge(elements.len() * 32);
                let check = |(index, element): (usize, &Value)| {
                    inner.check(*element, &shape.element(index), notebook)
                };
                Ok(Argument::List(elements.iter().enumerate().map(check).collect()))
            }
            Kind::Map(inner) => inner.read_map(value, shape, notebook).ok_or_else(mismatch),
            Kind::Made(sorts) => match Described::from_value(value) {
                Some(made) if sorts.contains(&made.0.sort()) => Ok(Argument::Made(Arc::clone(&made.0))),
                _ => Err(mismatch()),
            },
            Kind::Either(kinds) => match kinds.iter().find(|kind| kind.has_shape_of(value)) {
                Some(kind) => kind.read(value, shape, notebook),
                None => Err(mismatch()),
            },
        }
    }

    fn read_text(&self, text: &str) -> Result<String, String> {
        if text.len() > MAX_TEXT {
            return Err(format!("this text has {} bytes, at most {MAX_TEXT} are allowed", text.len()));
        }
        if text.contains('\0') {
            return Err("a text cannot contain a NUL character".to_owned());
        }
        match self {
            Kind::Name => HostName::new(text).map(String::from).map_err(|error| error.to_string()),
            Kind::Word if text.is_empty() => Err("this cannot be empty".to_owned()),
            Kind::Word if text.starts_with('-') => Err(format!("this cannot start with `-`, got {text:?}")),
            Kind::Word if text.chars().any(|c| c.is_whitespace() || c.is_control()) => {
                Err(format!("this cannot contain blanks, got {}", quoted(text)))
            }
            _ => Ok(text.to_owned()),
        }
    }

    /// `None` when the value is no text at all.
    fn read_choice(
        &self,
        value: Value<'_>,
        words: &[&str],
        place: Place,
        notebook: &Notebook,
    ) -> Option<Result<Argument, Option<String>>> {
        let text = value.unpack_str()?;
        if words.contains(&text) {
            return Some(Ok(Argument::Text(text.to_owned())));
        }
        let message = format!("expected {}, got {}", self.expected(), quoted(text));
        let nearest = suggest::nearest(text, words.iter().copied());
        notebook.record(notebook.error_at(place, message).suggest(nearest));
        Some(Err(None))
    }

    /// `self` is the kind of the dictionary's values. `None` when the value is no dictionary.
    fn read_map(&self, value: Value<'_>, shape: &Shape, notebook: &Notebook) -> Option<Argument> {
        let dictionary = DictRef::from_value(value)?;
        notebook.charge(dictionary.len() * 64);
        let mut entries = Vec::new();
        for (index, (key, value)) in dictionary.iter().enumerate() {
            let place = shape.key(index);
            let given = self.check(value, &shape.element(index), notebook);
            if Placeholder::from_value(key).is_some() {
                continue;
            }
            match key.unpack_str() {
                Some(key) if key.len() <= MAX_TEXT => entries.push((place, key.to_owned(), given)),
                _ => notebook.error(place, format!("expected a name, got {}", describe(key))),
            }
        }
        Some(Argument::Map(entries))
    }

    /// Whether a value is at least of the right type, so that its contents are worth a message.
    fn has_shape_of(&self, value: Value<'_>) -> bool {
        match self {
            Kind::Name
            | Kind::Text
            | Kind::Word
            | Kind::Span { .. }
            | Kind::SpanUpTo { .. }
            | Kind::Percentage
            | Kind::Choice(_) => value.unpack_str().is_some(),
            Kind::Nothing => value.is_none(),
            Kind::Flag => value.unpack_bool().is_some(),
            Kind::Number { .. } => integer(value).is_some(),
            Kind::Decimal { .. } => decimal(value).is_some(),
            Kind::Share { .. } => value.unpack_str().is_some() || integer(value).is_some(),
            Kind::List(_) => elements(value).is_some(),
            Kind::Map(_) => DictRef::from_value(value).is_some(),
            Kind::Made(sorts) => {
                Described::from_value(value).is_some_and(|made| sorts.contains(&made.0.sort()))
            }
            Kind::Either(kinds) => kinds.iter().any(|kind| kind.has_shape_of(value)),
        }
    }

    /// Reads a default out of the schema.
    pub(crate) fn read_default(&self, text: &str) -> Option<Argument> {
        let bare = text.trim_matches('"');
        Some(match self {
            Kind::Flag => Argument::Flag(text == "True"),
            Kind::Number { .. } => Argument::Number(text.parse().ok()?),
            Kind::Decimal { .. } => Argument::Decimal(text.parse().ok()?),
            Kind::Span { .. } | Kind::SpanUpTo { .. } => Argument::Span(parse_duration(bare).ok()?),
            Kind::Share { .. } | Kind::Percentage => Argument::Share(bare.parse().ok()?),
            Kind::Nothing => Argument::Nothing,
            Kind::Name | Kind::Text | Kind::Word | Kind::Choice(_) => Argument::Text(bare.to_owned()),
            Kind::List(inner) => {
                let place = Place { source: 0, begin: 0, end: 0 };
                let inside = text.strip_prefix('[')?.strip_suffix(']')?;
                let parts = inside.split(',').map(str::trim).filter(|part| !part.is_empty());
                let given = |part| Some(Given { argument: inner.read_default(part)?, place });
                Argument::List(parts.map(given).collect::<Option<_>>()?)
            }
            Kind::Map(_) => Argument::Map(Vec::new()),
            Kind::Either(kinds) => return kinds.first()?.read_default(text),
            Kind::Made(_) => return None,
        })
    }
}

fn integer(value: Value<'_>) -> Option<i64> {
    if value.unpack_bool().is_some() {
        return None;
    }
    i64::unpack_value(value).ok().flatten()
}

fn decimal(value: Value<'_>) -> Option<f64> {
    if value.unpack_bool().is_some() {
        return None;
    }
    UnpackFloat::unpack_value(value).ok().flatten().map(|UnpackFloat(number)| number)
}

fn elements<'v>(value: Value<'v>) -> Option<&'v [Value<'v>]> {
    ListRef::from_value(value)
        .map(|list| list.content())
        .or_else(|| TupleRef::from_value(value).map(|t| t.content()))
}

/// `None` when the value is neither a number nor a text.
fn read_share(value: Value<'_>, zero: bool) -> Option<Result<Argument, String>> {
    let share = match (integer(value), value.unpack_str()) {
        (Some(number), _) => match u32::try_from(number) {
            Ok(number) => Share::Hosts(number),
            Err(_) => return Some(Err(format!("a number of hosts is from 0 to {}, got {number}", u32::MAX))),
        },
        (None, Some(text)) => match text.parse() {
            Ok(share) => share,
            Err(error) => return Some(Err(format!("{error}"))),
        },
        (None, None) => return None,
    };
    let none = matches!(share, Share::Hosts(0) | Share::Percent(0));
    Some(if none && !zero {
        Err(format!("this must be more than {share}"))
    } else {
        Ok(Argument::Share(share))
    })
}

/// A value in a message: short, and never with control characters.
pub(crate) fn describe(value: Value<'_>) -> String {
    if let Some(text) = value.unpack_str() {
        return quoted(text);
    }
    if let Some(made) = Described::from_value(value) {
        return format!("the result of `{}(...)`", made.0.constructor);
    }
    match value.get_type() {
        "int" => integer(value).map_or_else(|| "a very large number".to_owned(), |number| number.to_string()),
        "bool" => if value.to_bool() { "True" } else { "False" }.to_owned(),
        "NoneType" => "None".to_owned(),
        "list" => "a list".to_owned(),
        "tuple" => "a tuple".to_owned(),
        "dict" => "a dictionary".to_owned(),
        "float" => decimal(value).map_or_else(|| "a number".to_owned(), |number| number.to_string()),
        "function" => "a function that is not called".to_owned(),
        "constructor" => "a constructor that is not called".to_owned(),
        other => format!("a value of type {other}"),
    }
}

/// A text in a message, shortened.
pub(crate) fn quoted(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{:?}...", &text[..at]),
        None => format!("{text:?}"),
    }
}
