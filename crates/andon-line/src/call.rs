//! One call of a constructor: arguments matched with parameters and checked, each at its place.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use andon_core::quantity::Share;
use andon_core::suggest;
use starlark::eval::{Arguments, Evaluator};
use starlark::values::Value;

use crate::diagnostic::Diagnostic;
use crate::kind::{Argument, Given};
use crate::notebook::Notebook;
use crate::schema::{Constructor, Default, Parameter};
use crate::site::{Shape, Site};
use crate::source::Place;
use crate::value::{Description, Thing};

/// So many callers are named when the mistake may be theirs.
const MAX_CALLERS: usize = 3;

/// One call of a constructor with checked arguments.
pub(crate) struct Call<'a> {
    pub(crate) notebook: &'a Notebook,
    pub(crate) constructor: &'static Constructor,
    /// The name before the parenthesis.
    pub(crate) place: Place,
    callers: Vec<Place>,
    written: Vec<(&'static str, Place)>,
    given: BTreeMap<&'static str, Given>,
}

impl<'a> Call<'a> {
    /// Takes the name of what is described here, `key` being its kind and its name; records the mistake and gives
    /// `None` when something of that kind has it already.
    pub(crate) fn claim(&self, key: String) -> Option<()> {
        let mut draft = self.notebook.draft.borrow_mut();
        let place = self.place_of("name");
        let Some(first) = draft.origins.get(&key).copied() else {
            draft.origins.insert(key, place);
            return Some(());
        };
        drop(draft);
        let error = self.error_at(place, format!("the {key} is described twice"));
        let first = self.notebook.location(first);
        self.notebook
            .record(error.related(first, "described here first").help("give one of them another name"));
        None
    }

    /// Matches and checks the arguments of a running call.
    pub(crate) fn read<'v>(
        notebook: &'a Notebook,
        constructor: &'static Constructor,
        arguments: &Arguments<'v, '_>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Self> {
        let mut frames = (0..=MAX_CALLERS).filter_map(|depth| eval.call_stack_nth_location(depth));
        let whole = frames.next().and_then(|span| notebook.place(&span));
        let whole = whole.unwrap_or(Place { source: 0, begin: 0, end: 0 });
        let callers = frames.filter_map(|span| notebook.place(&span)).collect();
        let site = notebook.sites.borrow().call(whole);
        let place = site.as_ref().map_or(whole, |site| site.callee);
        let mut call =
            Self { notebook, constructor, place, callers, written: Vec::new(), given: BTreeMap::new() };
        call.positional(arguments.positions(eval.heap())?, site.as_ref());
        for (name, value) in arguments.names_map()? {
            call.named(name.as_str(), value, site.as_ref());
        }
        call.defaults();
        Ok(call)
    }

    fn positional<'v>(&mut self, values: impl Iterator<Item = Value<'v>>, site: Option<&Rc<Site>>) {
        for (index, value) in values.enumerate() {
            let shape = site.and_then(|site| site.positional(index)).cloned();
            let shape = shape.unwrap_or_else(|| Shape::at(self.place));
            match self.constructor.parameters.get(index) {
                Some(parameter) if index < self.constructor.positional => self.take(parameter, value, &shape),
                parameter => {
                    let name = self.constructor.name;
                    let mut error = self
                        .error_at(shape.place, format!("`{name}` takes no more arguments without a name"));
                    if let Some(parameter) = parameter {
                        error = error.help(format!("write `{} = ...`", parameter.name));
                    }
                    self.notebook.record(error);
                }
            }
        }
    }

    fn named(&mut self, name: &str, value: Value<'_>, site: Option<&Rc<Site>>) {
        let shape = site.and_then(|site| site.named(name)).cloned();
        let shape = shape.unwrap_or_else(|| Shape::at(self.place));
        match self.constructor.parameter(name) {
            Some(parameter) if self.given.contains_key(parameter.name) => {
                self.error(shape.place, format!("`{name}` is given twice"));
            }
            Some(parameter) => self.take(parameter, value, &shape),
            None => {
                let place = site.and_then(|site| site.name(name)).unwrap_or(self.place);
                let known = self.constructor.parameters.iter().map(|parameter| parameter.name);
                let message = format!("`{}` has no parameter `{name}`", self.constructor.name);
                let mut error = self.error_at(place, message).suggest(suggest::nearest(name, known.clone()));
                if error.suggestion.is_none() {
                    error = error.help(format!("it has {}", known.collect::<Vec<_>>().join(", ")));
                }
                self.notebook.record(error);
            }
        }
    }

    fn take(&mut self, parameter: &'static Parameter, value: Value<'_>, shape: &Shape) {
        if value.is_none() && parameter.default == Default::Absent {
            return;
        }
        let before = self.notebook.recorded();
        let given = parameter.kind.check(value, shape, self.notebook);
        self.notebook.explain_since(before, |one| self.with_callers(one));
        self.written.push((parameter.name, shape.place));
        self.given.insert(parameter.name, given);
    }

    fn defaults(&mut self) {
        for parameter in self.constructor.parameters {
            if self.given.contains_key(parameter.name) {
                continue;
            }
            match parameter.default {
                Default::Absent => {}
                Default::Is(text) => {
                    let argument = parameter.kind.read_default(text).unwrap_or(Argument::Broken);
                    self.given.insert(parameter.name, Given { argument, place: self.place });
                }
                Default::Required => {
                    let message = format!("`{}` needs `{}`", self.constructor.name, parameter.name);
                    let help = format!("it is {}: {}", parameter.kind.expected(), parameter.doc);
                    self.notebook.record(self.error_at(self.place, message).help(help));
                    self.given
                        .insert(parameter.name, Given { argument: Argument::Broken, place: self.place });
                }
            }
        }
    }

    /// Builds what the constructor describes.
    pub(crate) fn build(self) -> Option<Description> {
        let thing: Thing = (self.constructor.build)(&self)?;
        Some(Description {
            thing,
            constructor: self.constructor.name,
            place: self.place,
            arguments: self.written,
        })
    }

    /// An error at a place of this call, with those who called the function around it.
    pub(crate) fn error_at(&self, place: Place, message: impl Into<String>) -> Diagnostic {
        self.with_callers(self.notebook.error_at(place, message))
    }

    /// Records an error that needs no further words.
    pub(crate) fn error(&self, place: Place, message: impl Into<String>) {
        self.notebook.record(self.error_at(place, message));
    }

    fn with_callers(&self, mut diagnostic: Diagnostic) -> Diagnostic {
        for caller in &self.callers {
            diagnostic = diagnostic.related(self.notebook.location(*caller), "called from here");
        }
        diagnostic
    }

    /// Whether an argument was written, and is not `None`.
    pub(crate) fn says(&self, name: &str) -> bool {
        self.written.iter().any(|(written, _)| *written == name)
    }

    /// Where an argument was written; the name of the constructor if it was not.
    pub(crate) fn place_of(&self, name: &str) -> Place {
        self.written.iter().find(|(written, _)| *written == name).map_or(self.place, |(_, place)| *place)
    }

    /// The argument or its default, `None` if there is none or it is broken.
    pub(crate) fn given(&self, name: &str) -> Option<&Given> {
        self.given.get(name).filter(|given| !matches!(given.argument, Argument::Broken))
    }

    /// Whether an argument was written and is wrong.
    pub(crate) fn is_broken(&self, name: &str) -> bool {
        self.given.get(name).is_some_and(|given| matches!(given.argument, Argument::Broken))
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.given(name)?.text()
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        match self.given(name)?.argument {
            Argument::Flag(flag) => Some(flag),
            _ => None,
        }
    }

    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        match self.given(name)?.argument {
            Argument::Number(number) => Some(number),
            _ => None,
        }
    }

    pub(crate) fn decimal(&self, name: &str) -> Option<f64> {
        match self.given(name)?.argument {
            Argument::Decimal(number) => Some(number),
            _ => None,
        }
    }

    pub(crate) fn port(&self, name: &str) -> Option<u16> {
        self.number(name).and_then(|number| u16::try_from(number).ok())
    }

    pub(crate) fn span(&self, name: &str) -> Option<Duration> {
        match self.given(name)?.argument {
            Argument::Span(span) => Some(span),
            _ => None,
        }
    }

    pub(crate) fn share(&self, name: &str) -> Option<Share> {
        self.given(name)?.share()
    }

    pub(crate) fn list(&self, name: &str) -> &[Given] {
        match self.given(name).map(|given| &given.argument) {
            Some(Argument::List(elements)) => elements,
            _ => &[],
        }
    }

    pub(crate) fn map(&self, name: &str) -> &[(Place, String, Given)] {
        match self.given(name).map(|given| &given.argument) {
            Some(Argument::Map(entries)) => entries,
            _ => &[],
        }
    }

    pub(crate) fn made(&self, name: &str) -> Option<&Arc<Description>> {
        self.given(name)?.made()
    }
}

impl Given {
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.argument {
            Argument::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn share(&self) -> Option<Share> {
        match self.argument {
            Argument::Share(share) => Some(share),
            _ => None,
        }
    }

    pub(crate) fn made(&self) -> Option<&Arc<Description>> {
        match &self.argument {
            Argument::Made(made) => Some(made),
            _ => None,
        }
    }
}
