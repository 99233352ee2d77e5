//! Runs the program that a line is: parses, loads other files, evaluates within the budget, and turns
//! what goes wrong into diagnostics. Knows nothing of hosts and services.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use andon_core::suggest;
use starlark::ErrorKind;
use starlark::analysis::AstModuleLint;
use starlark::environment::{FrozenModule, Globals, GlobalsBuilder, Module};
use starlark::eval::{BeforeStmtFunc, Evaluator, FileLoader};
use starlark::syntax::{AstModule, Dialect};

use crate::budget::{self, MAX_CALL_DEPTH, MAX_HEAP, MAX_LOADED_HEAP, MAX_TICKS, Watch};
use crate::diagnostic::Diagnostic;
use crate::nesting;
use crate::notebook::Notebook;
use crate::rewrite::{METHODS, rewrite};
use crate::schema::CONSTRUCTORS;
use crate::source::{MAX_FILES, Place};
use crate::value::{Callable, Placeholder};

/// Functions of the language that make no sense in a line: they would only widen what must be bounded.
const HIDDEN: [&str; 3] = ["dir", "getattr", "hash"];

/// The dialect of a line: Starlark with statements at the top level.
fn dialect() -> Dialect {
    Dialect { enable_top_level_stmt: true, enable_keyword_only_arguments: true, ..Dialect::Standard }
}

/// One evaluation of a line, with all files that it loads.
pub(crate) struct Evaluation<'a> {
    notebook: &'a Notebook,
    cancelled: &'a Arc<AtomicBool>,
    loaded: RefCell<BTreeMap<String, File>>,
}

/// A file that was loaded, or was tried to.
struct File {
    /// What the evaluator gets to see: with stand-ins for whatever is asked for and missing.
    module: FrozenModule,
    /// The names that the file defines; `None` if it has mistakes, so that nobody knows.
    names: Option<BTreeSet<String>>,
}

impl<'a> Evaluation<'a> {
    pub(crate) fn new(notebook: &'a Notebook, cancelled: &'a Arc<AtomicBool>) -> Self {
        Self { notebook, cancelled, loaded: RefCell::default() }
    }

    /// Evaluates the first file, which the notebook has as source 0. All that goes wrong is recorded.
    pub(crate) fn run(&self, id: &str) {
        let Some(module) = self.parse(0) else { return };
        self.load_all(&module, 0, &mut vec![id.to_owned()]);
        Module::with_temp_heap(|environment| self.evaluate(module, 0, &environment));
    }

    fn parse(&self, index: usize) -> Option<AstModule> {
        let source = self.notebook.sources.get(index)?;
        if let Some(at) = nesting::too_deep_at(&source.text) {
            let place = Place { source: index, begin: at, end: at };
            let error =
                self.notebook.error_at(place, "this is nested too deeply, or too long without a comma");
            self.notebook.record(error.help("give its parts names and put it together from them"));
            return None;
        }
        let module = self.parse_text(index, source.text.clone())?;
        self.notebook.sites.borrow_mut().collect(index, &module);
        match rewrite(&module, &source.text) {
            Ok(None) => Some(module),
            Ok(Some((text, shift))) => {
                self.notebook.shift(index, shift);
                // That the text is right was seen above: only comments in odd places can spoil this.
                let advice = "write the methods of texts, like `join`, without comments between their parts";
                let before = self.notebook.recorded();
                let parsed = self.parse_text(index, text);
                self.notebook.explain_since(before, |one| one.help(advice));
                parsed
            }
            Err(refusals) => {
                for refusal in refusals {
                    let place = Place { source: index, begin: refusal.begin, end: refusal.end };
                    self.notebook.record(self.notebook.error_at(place, refusal.message).help(refusal.help));
                }
                // Evaluated as it stands it could take any amount of memory.
                None
            }
        }
    }

    fn parse_text(&self, index: usize, text: String) -> Option<AstModule> {
        let parsed = AstModule::parse(&index.to_string(), text, &dialect());
        parsed.map_err(|error| self.record(&error, index)).ok()
    }

    /// Loads what a module names in `load()`. `path` is the chain of files that led here.
    fn load_all(&self, module: &AstModule, index: usize, path: &mut Vec<String>) {
        let mut wanted: BTreeMap<&str, (Place, BTreeSet<&str>)> = BTreeMap::new();
        for load in module.loads() {
            let place = self.notebook.place(&load.span).unwrap_or(Place { source: index, begin: 0, end: 0 });
            let symbols = &mut wanted.entry(load.module_id).or_insert((place, BTreeSet::new())).1;
            symbols.extend(load.symbols.values());
        }
        for (id, (place, symbols)) in wanted {
            let known = self.loaded.borrow_mut().remove(id);
            let Some(file) = known.or_else(|| File::of(self.load(id, place, path))) else { continue };
            self.check_symbols(&file, id, place, &symbols);
            if let Some(file) = file.with_stand_ins(&symbols) {
                self.loaded.borrow_mut().insert(id.to_owned(), file);
            }
        }
    }

    /// Loads one file; `None` after its mistakes were recorded.
    fn load(&self, id: &str, place: Place, path: &mut Vec<String>) -> Option<FrozenModule> {
        if path.iter().any(|file| file == id) {
            let message = format!("{} loads itself: {} -> {id}", id, path.join(" -> "));
            self.notebook.error(place, message);
            return None;
        }
        if self.notebook.sources.len() >= MAX_FILES {
            self.notebook.error(place, format!("a line consists of at most {MAX_FILES} files"));
            return None;
        }
        let text = match self.notebook.sources.read(id) {
            Ok(text) => text,
            Err(error) => {
                let error = self.notebook.error_at(place, error.to_string());
                self.notebook.record(error.help("paths are relative to the directory of the first file"));
                return None;
            }
        };
        let index = self.notebook.sources.add(id, self.notebook.sources.shown(id), text);
        let module = self.parse(index)?;
        path.push(id.to_owned());
        self.load_all(&module, index, path);
        path.pop();
        Module::with_temp_heap(|environment| {
            if !self.evaluate(module, index, &environment) {
                return None;
            }
            if environment.heap().allocated_bytes() > MAX_LOADED_HEAP {
                self.notebook.error(place, format!("the values of {id} take more than 8 MiB of memory"));
                return None;
            }
            environment.freeze().ok()
        })
    }

    /// Symbols that a file lacks are reported where they are asked for.
    fn check_symbols(&self, file: &File, id: &str, place: Place, symbols: &BTreeSet<&str>) {
        let Some(names) = &file.names else { return };
        for symbol in symbols.iter().filter(|symbol| !names.contains(**symbol)) {
            let error = self.notebook.error_at(place, format!("{id} has no `{symbol}`"));
            self.notebook.record(error.suggest(nearest(symbol, names.iter().map(String::as_str))));
        }
    }

    /// Whether the evaluation came to its end.
    fn evaluate(&self, mut module: AstModule, index: usize, environment: &Module<'_>) -> bool {
        let globals = self.globals(&module);
        budget::check_operators(&mut module);
        let mut eval = Evaluator::new(environment);
        eval.extra = Some(self.notebook);
        eval.set_loader(self);
        // Values are few and the evaluation is short: without a collector, memory is the same in every run.
        eval.disable_gc();
        let limits = eval
            .set_max_callstack_size(MAX_CALL_DEPTH)
            .and_then(|()| eval.set_max_heap_size(MAX_HEAP))
            .and_then(|()| eval.set_max_tick_count(MAX_TICKS));
        let statement = Rc::new(Cell::new(None));
        let watch = Watch(Rc::clone(&statement));
        eval.before_stmt_for_dap(BeforeStmtFunc::from_dyn(Box::new(watch)));
        let cancelled = Arc::clone(self.cancelled);
        eval.set_check_cancelled(Box::new(move || cancelled.load(Ordering::Relaxed)));
        let result = limits.map_err(starlark::Error::from).and_then(|()| eval.eval_module(module, &globals));
        match result {
            Ok(_) => true,
            Err(error) => {
                let statement = statement.get().map(|place| self.notebook.original(place));
                self.record_runtime(&error, &eval, statement, index);
                false
            }
        }
    }

    /// The functions of the language. Unknown names are reported and then defined, so that the
    /// evaluation goes on and finds what else is wrong.
    fn globals(&self, module: &AstModule) -> Globals {
        let standard = Globals::standard();
        let mut known: HashSet<String> = standard.names().map(|name| name.as_str().to_owned()).collect();
        known.retain(|name| !HIDDEN.contains(&name.as_str()));
        known.extend(METHODS.iter().map(|(_, function)| (*function).to_owned()));
        known.extend(CONSTRUCTORS.iter().map(|constructor| constructor.name.to_owned()));
        let mut builder = GlobalsBuilder::new();
        for (name, value) in standard.iter().filter(|(name, _)| known.contains(*name)) {
            builder.set(name, value);
        }
        budget::add_functions(&mut builder);
        for constructor in CONSTRUCTORS {
            builder.set(constructor.name, Callable(constructor));
        }
        // In order: of two that are equally near, always the same is named.
        let candidates: BTreeSet<String> =
            known.iter().filter(|name| !name.starts_with('_')).cloned().chain(defined(module)).collect();
        for lint in module.lint(Some(&known)) {
            let Some(place) =
                self.notebook.place(&lint.location).filter(|_| lint.short_name == "using-undefined")
            else {
                continue;
            };
            let name = &lint.original;
            let mut error = self.notebook.error_at(place, format!("there is no `{name}`"));
            error = error.suggest(nearest(name, candidates.iter().map(String::as_str)));
            self.notebook.record(error);
            builder.set(name, Placeholder);
        }
        builder.build()
    }

    /// Records why an evaluation stopped. Limits are noticed late: the statement says more than the error.
    fn record_runtime(
        &self,
        error: &starlark::Error,
        eval: &Evaluator<'_, '_, '_>,
        statement: Option<Place>,
        index: usize,
    ) {
        let statement = statement.unwrap_or_else(|| self.place(error, index));
        let (place, message) = if eval.get_total_tick_count() > MAX_TICKS {
            (statement, format!("this line takes more than {MAX_TICKS} steps; does it loop for very long?"))
        } else if eval.heap().allocated_bytes() > MAX_HEAP {
            (statement, budget::BudgetError::Heap.to_string())
        } else if let ErrorKind::StackOverflow(_) = error.kind() {
            (self.place(error, index), "functions call each other too deeply here".to_owned())
        } else {
            return self.record(error, index);
        };
        let advice = "a line is a description: make lists with a few short loops";
        self.notebook.record(self.notebook.error_at(place, message).help(advice));
    }

    fn record(&self, error: &starlark::Error, index: usize) {
        let text = error.without_diagnostic().to_string();
        let (said, otherwise) = match error.kind() {
            ErrorKind::Parser(_) => (text.strip_prefix("Parse error: "), "this cannot be read"),
            ErrorKind::Fail(_) => (text.strip_prefix("fail:"), "`fail` was called without a reason"),
            _ => (None, "this cannot be evaluated"),
        };
        let mut lines = said.unwrap_or(&text).lines().map(|line| line.trim().trim_end_matches('.'));
        let message = lines.find(|line| !line.is_empty()).unwrap_or(otherwise);
        let shortened: String = message.chars().take(300).collect();
        let mut diagnostic: Diagnostic = self.notebook.error_at(self.place(error, index), shortened);
        for frame in error.call_stack().frames.iter().rev().take(3) {
            let caller = frame.location.as_ref().and_then(|span| self.notebook.place(span));
            if let Some(caller) = caller.filter(|caller| *caller != self.place(error, index)) {
                diagnostic = diagnostic.related(self.notebook.location(caller), "called from here");
            }
        }
        self.notebook.record(diagnostic);
    }

    fn place(&self, error: &starlark::Error, index: usize) -> Place {
        let start = Place { source: index, begin: 0, end: 0 };
        error.span().and_then(|span| self.notebook.place(span)).unwrap_or(start)
    }
}

impl FileLoader for Evaluation<'_> {
    fn load(&self, path: &str) -> starlark::Result<FrozenModule> {
        let module = self.loaded.borrow().get(path).map(|file| file.module.clone());
        module.ok_or_else(|| starlark::Error::new_other(NotLoaded(path.to_owned())))
    }
}

/// A file that was not loaded beforehand.
#[derive(Debug, thiserror::Error)]
#[error("{0} could not be loaded")]
struct NotLoaded(String);

impl File {
    /// What loading a file came to; `None` only if not even an empty module can be made.
    fn of(loaded: Option<FrozenModule>) -> Option<Self> {
        match loaded {
            Some(module) => {
                let names = module.names().map(|name| name.as_str().to_owned()).collect();
                Some(Self { module, names: Some(names) })
            }
            None => {
                let module = Module::with_temp_heap(|environment| environment.freeze().ok())?;
                Some(Self { module, names: None })
            }
        }
    }

    /// Lets the symbols that are missing stand for anything.
    fn with_stand_ins(self, symbols: &BTreeSet<&str>) -> Option<Self> {
        let missing: Vec<&&str> = symbols.iter().filter(|symbol| self.module.get(symbol).is_err()).collect();
        if missing.is_empty() {
            return Some(self);
        }
        let module = Module::with_temp_heap(|environment| {
            environment.import_public_symbols(&self.module);
            for symbol in missing {
                environment.set(symbol, environment.heap().alloc(Placeholder));
            }
            environment.freeze().ok()
        })?;
        Some(Self { module, ..self })
    }
}

/// Between names of one letter everything is near.
fn nearest<'n>(wrong: &str, candidates: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    if wrong.len() > 1 { suggest::nearest(wrong, candidates) } else { None }
}

/// The names that the statements of a module define at its top level.
fn defined(module: &AstModule) -> Vec<String> {
    use starlark::syntax::ast::StmtP;
    let mut names = Vec::new();
    let mut note = |statement: &starlark::syntax::ast::AstStmt| match &statement.node {
        StmtP::Assign(assign) => assign.lhs.visit_lvalue(|name| names.push(name.ident.clone())),
        StmtP::Def(def) => names.push(def.name.ident.clone()),
        StmtP::Load(load) => names.extend(load.args.iter().map(|argument| argument.local.ident.clone())),
        _ => {}
    };
    note(module.statement());
    module.statement().visit_stmt(note);
    names
}
