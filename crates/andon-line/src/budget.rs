//! Keeps an evaluation small. The language has no endless loop of its own, but a few characters can ask
//! for gigabytes; what can is checked here before it is done.
//!
//! Three limits of the evaluator (ticks, heap, call depth) catch what grows step by step. They are only
//! looked at between steps, so whatever can grow a lot within one is replaced: operators, `range`, `str`, `repr`.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroI32;
use std::rc::Rc;

use allocative::Allocative;
use starlark::codemap::FileSpanRef;
use starlark::environment::GlobalsBuilder;
use starlark::eval::{Arguments, BeforeStmtFuncDyn, Evaluator};
use starlark::starlark_simple_value;
use starlark::syntax::AstModule;
use starlark::values::dict::DictRef;
use starlark::values::list::ListRef;
use starlark::values::range::Range;
use starlark::values::tuple::TupleRef;
use starlark::values::{
    Heap, NoSerialize, ProvidesStaticType, StarlarkPagablePanic, StarlarkValue, UnpackValue, Value,
    starlark_value,
};

use crate::notebook::Notebook;
use crate::source::Place;
use crate::value::Placeholder;

/// Calls and turns of loops that a line may take. A line of 1,000 hosts takes less than ten thousand.
pub(crate) const MAX_TICKS: u64 = 400_000;
/// The memory of the values of a line, in bytes. It bounds the depth of values, too, which are walked recursively.
pub(crate) const MAX_HEAP: usize = 32 << 20;
/// The memory of a file that another one loads. What is loaded is walked recursively, so that this bounds its depth.
pub(crate) const MAX_LOADED_HEAP: usize = 8 << 20;
/// Functions that may have called each other.
pub(crate) const MAX_CALL_DEPTH: usize = 200;
/// The largest `range`, and the longest list that an operator makes.
const MAX_ELEMENTS: usize = 20_000;
/// The longest text that an operator makes, in bytes.
const MAX_TEXT: usize = 256 << 10;

/// A limit that a line has run into.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BudgetError {
    #[error("this would make a list of more than {MAX_ELEMENTS} elements")]
    Elements,
    #[error("this would make a text of more than 256 KiB")]
    Text,
    #[error("this would make a very large number")]
    Number,
    #[error("the values of this line take more than 32 MiB of memory")]
    Heap,
    #[error("this line describes too much: its texts, lists and scripts make more than 64 MiB")]
    Weight,
}

impl From<BudgetError> for starlark::Error {
    fn from(error: BudgetError) -> Self {
        starlark::Error::new_other(error)
    }
}

/// What is done in place of the evaluator's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Add,
    Multiply,
    Percent,
    ShiftLeft,
    Range,
    Str,
    Repr,
}

/// The operators that are replaced, by a name that no program can write.
const OPERATORS: [(&str, &str, Operation); 4] = [
    ("+", "operator +", Operation::Add),
    ("*", "operator *", Operation::Multiply),
    ("%", "operator %", Operation::Percent),
    ("<<", "operator <<", Operation::ShiftLeft),
];

/// Puts the checked functions in place of the usual ones.
pub(crate) fn add_functions(globals: &mut GlobalsBuilder) {
    for (_, name, operation) in OPERATORS {
        globals.set(name, Checked(operation));
    }
    globals.set("range", Checked(Operation::Range));
    globals.set("str", Checked(Operation::Str));
    globals.set("repr", Checked(Operation::Repr));
}

/// Makes a module use the checked operators.
pub(crate) fn check_operators(module: &mut AstModule) {
    let names = OPERATORS.iter().map(|(operator, name, _)| ((*operator).to_owned(), (*name).to_owned()));
    module.replace_binary_operators(&names.collect::<HashMap<_, _>>());
}

/// Looks at the memory before each statement: `x += x` doubles it, and takes no tick.
/// Remembers the statement, because the evaluator does not know where it stopped.
pub(crate) struct Watch(pub(crate) Rc<Cell<Option<Place>>>);

impl<'e> BeforeStmtFuncDyn<'e> for Watch {
    fn call<'v>(
        &mut self,
        span: FileSpanRef<'_>,
        _continued: bool,
        eval: &mut Evaluator<'v, '_, 'e>,
    ) -> starlark::Result<()> {
        if eval.heap().allocated_bytes() > MAX_HEAP {
            return Err(BudgetError::Heap.into());
        }
        let source = span.filename().parse().unwrap_or(0);
        let (begin, end) = (span.span.begin().get() as usize, span.span.end().get() as usize);
        self.0.set(Some(Place { source, begin, end }));
        Ok(())
    }
}

/// A function or operator that looks at the size of its result before it makes it.
#[derive(Debug, Clone, Copy, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
struct Checked(#[allocative(skip)] Operation);
starlark_simple_value!(Checked);

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

#[starlark_value(type = "function")]
impl<'v> StarlarkValue<'v> for Checked {
    fn invoke(
        &self,
        _me: Value<'v>,
        arguments: &Arguments<'v, '_>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Value<'v>> {
        let heap = eval.heap();
        arguments.no_named_args()?;
        let values: Vec<Value<'v>> = arguments.positions(heap)?.take(4).collect();
        if values.iter().any(|value| Placeholder::from_value(*value).is_some()) {
            return Ok(heap.alloc(Placeholder));
        }
        let result = match (self.0, values.as_slice()) {
            (Operation::Add, [left, right]) => add(*left, *right, heap),
            (Operation::Multiply, [left, right]) => multiply(*left, *right, heap),
            (Operation::Percent, [left, right]) => percent(*left, *right, heap),
            (Operation::ShiftLeft, [left, right]) => shift_left(*left, *right, heap),
            (Operation::Range, [end]) => range(0, integer(*end)?, 1, heap),
            (Operation::Range, [start, end]) => range(integer(*start)?, integer(*end)?, 1, heap),
            (Operation::Range, [start, end, step]) => {
                range(integer(*start)?, integer(*end)?, integer(*step)?, heap)
            }
            (Operation::Str, [value]) => {
                within_text(written_size(*value)).map(|()| heap.alloc(value.to_str()))
            }
            (Operation::Repr, [value]) => {
                within_text(written_size(*value)).map(|()| heap.alloc(value.to_repr()))
            }
            _ => Err(wrong("a wrong number of arguments")),
        }?;
        let notebook = Notebook::of(eval);
        if let Some(notebook) = notebook {
            notebook.charge(size(result));
            if notebook.is_overweight() {
                return Err(BudgetError::Weight.into());
            }
        }
        Ok(result)
    }
}

fn wrong(message: &str) -> starlark::Error {
    starlark::Error::new_value(WrongValue(message.to_owned()))
}

/// A value that an operation cannot work with.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct WrongValue(String);

fn integer(value: Value<'_>) -> starlark::Result<i64> {
    let number = i64::unpack_value(value).ok().flatten().filter(|_| value.unpack_bool().is_none());
    number.ok_or_else(|| wrong(&format!("expected a number, got {}", crate::kind::describe(value))))
}

fn add<'v>(left: Value<'v>, right: Value<'v>, heap: Heap<'v>) -> starlark::Result<Value<'v>> {
    match (length(left), length(right)) {
        (Some(a), Some(b)) => within(left, a.saturating_add(b))?,
        _ => within_number(left, right)?,
    }
    left.add(right, heap)
}

fn multiply<'v>(left: Value<'v>, right: Value<'v>, heap: Heap<'v>) -> starlark::Result<Value<'v>> {
    let times = |value: Value<'v>| match i64::unpack_value(value).ok().flatten() {
        Some(number) => usize::try_from(number.max(0)).unwrap_or(usize::MAX),
        None => usize::MAX,
    };
    match (length(left), length(right)) {
        (Some(length), None) => within(left, length.saturating_mul(times(right)))?,
        (None, Some(length)) => within(right, length.saturating_mul(times(left)))?,
        _ => within_number(left, right)?,
    }
    left.mul(right, heap)
}

fn percent<'v>(left: Value<'v>, right: Value<'v>, heap: Heap<'v>) -> starlark::Result<Value<'v>> {
    if let Some(format) = left.unpack_str() {
        let uses = format.matches('%').count().max(1);
        within_text(written_size(right).saturating_mul(uses).saturating_add(format.len()))?;
    }
    left.percent(right, heap)
}

fn shift_left<'v>(left: Value<'v>, right: Value<'v>, heap: Heap<'v>) -> starlark::Result<Value<'v>> {
    if !(0..64).contains(&integer(right)?) {
        return Err(BudgetError::Number.into());
    }
    within_number(left, right)?;
    left.left_shift(right, heap)
}

fn range<'v>(start: i64, end: i64, step: i64, heap: Heap<'v>) -> starlark::Result<Value<'v>> {
    let distance = if step > 0 { end.saturating_sub(start) } else { start.saturating_sub(end) };
    let small = |number: i64| i32::try_from(number).map_err(|_| BudgetError::Number);
    let (first, last, step) = (small(start)?, small(end)?, small(step)?);
    let Some(step) = NonZeroI32::new(step) else { return Err(wrong("the step of a range cannot be 0")) };
    if distance.max(0).unsigned_abs().div_ceil(step.unsigned_abs().get().into()) > MAX_ELEMENTS as u64 {
        return Err(BudgetError::Elements.into());
    }
    Ok(heap.alloc(Range::new(first, last, step)))
}

/// Numbers that fit into 64 bits cannot become large by one operation.
fn within_number(left: Value<'_>, right: Value<'_>) -> starlark::Result<()> {
    let large =
        |value: Value<'_>| value.get_type() == "int" && i64::unpack_value(value).ok().flatten().is_none();
    if large(left) || large(right) { Err(BudgetError::Number.into()) } else { Ok(()) }
}

fn within(like: Value<'_>, length: usize) -> starlark::Result<()> {
    if like.unpack_str().is_some() {
        return within_text(length);
    }
    if length > MAX_ELEMENTS { Err(BudgetError::Elements.into()) } else { Ok(()) }
}

fn within_text(length: usize) -> starlark::Result<()> {
    if length > MAX_TEXT { Err(BudgetError::Text.into()) } else { Ok(()) }
}

fn length(value: Value<'_>) -> Option<usize> {
    match value.unpack_str() {
        Some(text) => Some(text.len()),
        None => elements(value).map(<[Value<'_>]>::len),
    }
}

fn elements<'v>(value: Value<'v>) -> Option<&'v [Value<'v>]> {
    ListRef::from_value(value)
        .map(|list| list.content())
        .or_else(|| TupleRef::from_value(value).map(|t| t.content()))
}

fn size(value: Value<'_>) -> usize {
    match value.unpack_str() {
        Some(text) => text.len(),
        None => length(value).map_or(16, |elements| elements * 8),
    }
}

/// How many bytes a value takes when written out; stops to count beyond the limit, for lists that hold
/// the same list over and over.
fn written_size(value: Value<'_>) -> usize {
    let mut waiting = vec![value];
    let mut bytes = 0;
    while let Some(value) = waiting.pop() {
        bytes += value.unpack_str().map_or(24, |text| text.len().saturating_mul(2) + 2);
        if bytes > MAX_TEXT || waiting.len() > MAX_TEXT {
            return usize::MAX;
        }
        if let Some(inner) = elements(value) {
            waiting.extend(inner);
        } else if let Some(dictionary) = DictRef::from_value(value) {
            waiting.extend(dictionary.iter().flat_map(|(key, value)| [key, value]));
        }
    }
    bytes
}
