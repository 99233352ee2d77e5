//! What one evaluation writes down: mistakes, and the parts of the line described so far.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use andon_core::line::{Environment, Host, ServerUrl, Service, Site};
use andon_core::name::{EnvironmentName, GroupName, HostName, ServiceName, SiteName};
use starlark::codemap::FileSpan;
use starlark::eval::Evaluator;
use starlark::values::ProvidesStaticType;

use crate::diagnostic::{Diagnostic, Location};
use crate::rewrite::Shift;
use crate::site::Sites;
use crate::source::{Place, Sources};
use crate::value::Description;

/// So many mistakes are told; whoever made more has made the same one many times.
const MAX_DIAGNOSTICS: usize = 100;
/// What a line may be made of altogether, in bytes: texts, lists, scripts and memberships.
const MAX_WEIGHT: usize = 64 << 20;

/// The line so far.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) hosts: BTreeMap<HostName, Host>,
    pub(crate) groups: BTreeMap<GroupName, Vec<HostName>>,
    pub(crate) sites: BTreeMap<SiteName, Site>,
    pub(crate) services: BTreeMap<ServiceName, Service>,
    pub(crate) environments: BTreeMap<EnvironmentName, Environment>,
    pub(crate) server: Option<ServerUrl>,
    pub(crate) origins: BTreeMap<String, Place>,
    /// The keys of `origins` of the balancers of each service, in their order.
    pub(crate) balancers: BTreeMap<ServiceName, Vec<String>>,
}

impl Draft {
    /// Notes where something that a constructor made was written, and each of its arguments.
    pub(crate) fn explain(&mut self, key: &str, made: &Description) {
        for (argument, place) in &made.arguments {
            self.origins.insert(format!("{key}.{argument}"), *place);
        }
        self.origins.insert(key.to_owned(), made.place);
    }
}

/// What one evaluation writes down.
#[derive(Debug, ProvidesStaticType)]
pub(crate) struct Notebook {
    pub(crate) sources: Sources,
    pub(crate) sites: RefCell<Sites>,
    pub(crate) draft: RefCell<Draft>,
    shifts: RefCell<BTreeMap<usize, Shift>>,
    diagnostics: RefCell<Vec<Diagnostic>>,
    seen: RefCell<BTreeSet<(String, usize, String)>>,
    unheard: Cell<usize>,
    weight: Cell<usize>,
}

impl Notebook {
    pub(crate) fn new(sources: Sources) -> Self {
        Self {
            sources,
            sites: RefCell::default(),
            draft: RefCell::default(),
            shifts: RefCell::default(),
            diagnostics: RefCell::default(),
            seen: RefCell::default(),
            unheard: Cell::new(0),
            weight: Cell::new(0),
        }
    }

    /// The notebook of a running evaluation.
    pub(crate) fn of<'a>(eval: &Evaluator<'_, 'a, '_>) -> Option<&'a Notebook> {
        eval.extra.and_then(|extra| extra.downcast_ref::<Notebook>())
    }

    /// A place in a source, from what the evaluator calls one.
    pub(crate) fn place(&self, span: &FileSpan) -> Option<Place> {
        let source = span.file.filename().parse().ok()?;
        let (begin, end) = (span.span.begin().get() as usize, span.span.end().get() as usize);
        Some(self.original(Place { source, begin, end }))
    }

    /// A place in the text as it was written, from one in the text that is evaluated.
    pub(crate) fn original(&self, place: Place) -> Place {
        match self.shifts.borrow().get(&place.source) {
            Some(shift) => {
                Place { begin: shift.original(place.begin), end: shift.original(place.end), ..place }
            }
            None => place,
        }
    }

    /// From now on, places of a source are those of a rewritten text.
    pub(crate) fn shift(&self, source: usize, shift: Shift) {
        self.shifts.borrow_mut().insert(source, shift);
    }

    pub(crate) fn location(&self, place: Place) -> Location {
        match self.sources.get(place.source) {
            Some(source) => Location::within(&source, place.begin, place.end),
            None => Location::file("line.star"),
        }
    }

    pub(crate) fn error_at(&self, place: Place, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(self.location(place), message)
    }

    pub(crate) fn warning_at(&self, place: Place, message: impl Into<String>) -> Diagnostic {
        Diagnostic::warning(self.location(place), message)
    }

    /// Records an error that needs no further words.
    pub(crate) fn error(&self, place: Place, message: impl Into<String>) {
        self.record(self.error_at(place, message));
    }

    /// Records a diagnostic, once.
    pub(crate) fn record(&self, diagnostic: Diagnostic) {
        let mut diagnostics = self.diagnostics.borrow_mut();
        if diagnostics.len() >= MAX_DIAGNOSTICS {
            self.unheard.set(self.unheard.get() + 1);
            return;
        }
        let Location { file, start, .. } = &diagnostic.location;
        if self.seen.borrow_mut().insert((file.clone(), *start, diagnostic.message.clone())) {
            diagnostics.push(diagnostic);
        }
    }

    /// How many diagnostics there are.
    pub(crate) fn recorded(&self) -> usize {
        self.diagnostics.borrow().len()
    }

    /// Adds to the diagnostics that were recorded after the first `count`.
    pub(crate) fn explain_since(&self, count: usize, explain: impl Fn(Diagnostic) -> Diagnostic) {
        let mut diagnostics = self.diagnostics.borrow_mut();
        let since = count.min(diagnostics.len());
        let explained = diagnostics.split_off(since).into_iter().map(explain);
        diagnostics.extend(explained);
    }

    /// Counts what the line is made of. [`Notebook::is_overweight`] says when it is too much.
    pub(crate) fn charge(&self, bytes: usize) {
        self.weight.set(self.weight.get().saturating_add(bytes));
    }

    pub(crate) fn is_overweight(&self) -> bool {
        self.weight.get() > MAX_WEIGHT
    }

    /// All that was recorded, and the line as far as it came.
    pub(crate) fn close(self) -> (Vec<Diagnostic>, Draft, Sources) {
        let mut diagnostics = self.diagnostics.into_inner();
        if let (Some(last), more @ 1..) = (diagnostics.last_mut(), self.unheard.get()) {
            last.help = Some(format!("{more} more mistakes are not shown"));
        }
        (diagnostics, self.draft.into_inner(), self.sources)
    }
}
