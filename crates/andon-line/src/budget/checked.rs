//! The functions that look at the size of their result before they make it.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroI32;

use allocative::Allocative;
use starlark::environment::GlobalsBuilder;
use starlark::eval::{Arguments, Evaluator};
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

use super::{BudgetError, MAX_ELEMENTS, MAX_TEXT};
use crate::notebook::Notebook;
use crate::rewrite::METHODS;
use crate::value::Placeholder;

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
    Format,
    Join,
    Replace,
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
    for ((_, function), operation) in
        METHODS.iter().zip([Operation::Format, Operation::Join, Operation::Replace])
    {
        globals.set(function, Checked(operation));
    }
}

/// Makes a module use the checked operators.
pub(crate) fn check_operators(module: &mut AstModule) {
    let names = OPERATORS.iter().map(|(operator, name, _)| ((*operator).to_owned(), (*name).to_owned()));
    module.replace_binary_operators(&names.collect::<HashMap<_, _>>());
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
        let values: Vec<Value<'v>> = arguments.positions(heap)?.take(MAX_ELEMENTS).collect();
        if values.iter().any(|value| Placeholder::from_value(*value).is_some()) {
            return Ok(heap.alloc(Placeholder));
        }
        let result = match (self.0, values.as_slice()) {
            (Operation::Format | Operation::Join | Operation::Replace, [text, rest @ ..]) => {
                method(self.0, *text, rest, arguments, eval)
            }
            _ if arguments.no_named_args().is_err() => Err(wrong("this function has no named arguments")),
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

/// Calls a method of a text after a look at how much it would make.
fn method<'v>(
    operation: Operation,
    text: Value<'v>,
    rest: &[Value<'v>],
    arguments: &Arguments<'v, '_>,
    eval: &mut Evaluator<'v, '_, '_>,
) -> starlark::Result<Value<'v>> {
    let named = arguments.names_map()?;
    let name = match operation {
        Operation::Join => "join",
        Operation::Replace => "replace",
        _ => "format",
    };
    if let Some(receiver) = text.unpack_str() {
        within_text(match (operation, rest) {
            (Operation::Replace, [old, new, ..]) => replaced_size(receiver, *old, *new),
            (Operation::Join, [parts, ..]) => joined_size(receiver, *parts),
            _ => {
                let values = rest.iter().copied().chain(named.values().copied());
                let written = values.fold(0, |sum: usize, value| sum.saturating_add(written_size(value)));
                written.saturating_mul(receiver.matches('{').count()).saturating_add(receiver.len())
            }
        })?;
    }
    let method = text.get_attr_error(name, eval.heap())?;
    let named: Vec<(&str, Value<'v>)> = named.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    eval.eval_function(method, rest, &named)
}

fn replaced_size(text: &str, old: Value<'_>, new: Value<'_>) -> usize {
    let (Some(old), Some(new)) = (old.unpack_str(), new.unpack_str()) else { return 0 };
    text.matches(old).count().saturating_mul(new.len()).saturating_add(text.len())
}

fn joined_size(separator: &str, parts: Value<'_>) -> usize {
    let sum = |sum: usize, part: Value<'_>| {
        sum.saturating_add(part.unpack_str().map_or(0, str::len) + separator.len())
    };
    match (elements(parts), DictRef::from_value(parts)) {
        (Some(parts), _) => parts.iter().copied().fold(0, sum),
        (None, Some(dictionary)) => dictionary.keys().fold(0, sum),
        (None, None) => 0,
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
