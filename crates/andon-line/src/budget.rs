//! Keeps an evaluation small. The language has no endless loop of its own, but a few characters can ask
//! for gigabytes; what can is checked before it is done.
//!
//! Three limits of the evaluator (ticks, heap, call depth) catch what grows step by step. They are only
//! looked at between steps, so whatever can grow a lot within one is replaced by [`checked`] functions:
//! operators, `range`, `str`, `repr`, and the methods of [`crate::rewrite`].

use std::cell::Cell;
use std::rc::Rc;

use starlark::codemap::FileSpanRef;
use starlark::eval::{BeforeStmtFuncDyn, Evaluator};

use crate::source::Place;

pub(crate) use checked::{add_functions, check_operators};

mod checked;

/// Calls and turns of loops that a line may take. A line of 1,000 hosts takes less than ten thousand.
pub(crate) const MAX_TICKS: u64 = 200_000;
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
