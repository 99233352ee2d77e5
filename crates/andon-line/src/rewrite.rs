//! Brings under the budget what the evaluator offers no hook for: the methods that multiply texts.
//!
//! `a.replace(b, c)` becomes a call of a checked function, `__text_replace(a, b, c)`, before the text is
//! parsed for good. [`Shift`] leads from places in the rewritten text back to what the user wrote.

use starlark::syntax::AstModule;
use starlark::syntax::ast::{AssignOp, AstExpr, AstStmt, Expr, StmtP};

/// The methods that can make much out of little, and the functions that stand in for them.
pub(crate) const METHODS: [(&str, &str); 3] =
    [("format", "__text_format"), ("join", "__text_join"), ("replace", "__text_replace")];

/// Assignments that would go around the checked operators.
const REFUSED: [(AssignOp, &str); 3] =
    [(AssignOp::Multiply, "*="), (AssignOp::Percent, "%="), (AssignOp::LeftShift, "<<=")];

/// Something that cannot be brought under the budget, and where it is, in bytes.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) begin: usize,
    pub(crate) end: usize,
    pub(crate) message: String,
    pub(crate) help: &'static str,
}

/// The way from a rewritten text back to the text of the user.
#[derive(Debug, Default)]
pub(crate) struct Shift {
    /// Begins of stretches, first in the rewritten text, then in the original; the last field says
    /// whether the stretch is the user's own.
    stretches: Vec<(usize, usize, bool)>,
}

impl Shift {
    /// The byte of the original text that a byte of the rewritten one comes from.
    pub(crate) fn original(&self, byte: usize) -> usize {
        let after = self.stretches.partition_point(|(begin, ..)| *begin <= byte);
        match after.checked_sub(1).and_then(|at| self.stretches.get(at)) {
            Some((begin, original, true)) => original + (byte - begin),
            Some((_, original, false)) => *original,
            None => byte,
        }
    }
}

/// One replacement of a stretch of the original text.
#[derive(Debug)]
struct Edit {
    begin: usize,
    end: usize,
    text: String,
}

/// The rewritten text, `None` if nothing has to be; or everything that is refused.
pub(crate) fn rewrite(module: &AstModule, text: &str) -> Result<Option<(String, Shift)>, Vec<Refusal>> {
    let mut finder = Finder { text, edits: Vec::new(), refusals: Vec::new() };
    finder.statement(module.statement());
    module.statement().visit_expr(|expression| finder.expression(expression));
    if !finder.refusals.is_empty() {
        return Err(finder.refusals);
    }
    Ok((!finder.edits.is_empty()).then(|| apply(text, finder.edits)))
}

fn apply(text: &str, mut edits: Vec<Edit>) -> (String, Shift) {
    // Of several insertions at one place, that of the outermost call was found first, and stays first.
    edits.sort_by_key(|edit| edit.begin);
    let mut written = String::with_capacity(text.len() + 24 * edits.len());
    let mut shift = Shift::default();
    let mut from = 0;
    for edit in edits {
        shift.stretches.push((written.len(), from, true));
        written.push_str(text.get(from..edit.begin).unwrap_or_default());
        shift.stretches.push((written.len(), edit.begin, false));
        written.push_str(&edit.text);
        from = edit.end;
    }
    shift.stretches.push((written.len(), from, true));
    written.push_str(text.get(from..).unwrap_or_default());
    (written, shift)
}

struct Finder<'a> {
    text: &'a str,
    edits: Vec<Edit>,
    refusals: Vec<Refusal>,
}

impl Finder<'_> {
    fn statement(&mut self, statement: &AstStmt) {
        if let StmtP::AssignModify(_, operator, _) = &statement.node
            && let Some((_, written)) = REFUSED.iter().find(|(refused, _)| refused == operator)
        {
            let operator = written.trim_end_matches('=');
            let message = format!("`{written}` is not part of the language of a line");
            let help = match operator {
                "*" => "write `x = x * y`",
                "%" => "write `x = x % y`",
                _ => "write `x = x << y`",
            };
            let (begin, end) = bytes(statement.span);
            self.refusals.push(Refusal { begin, end, message, help });
        }
        statement.visit_stmt(|inner| self.statement(inner));
    }

    fn expression(&mut self, expression: &AstExpr) {
        match &expression.node {
            Expr::Call(callee, arguments) => match &callee.node {
                Expr::Dot(receiver, name) if method(&name.node).is_some() => {
                    match self.outside(self.begin(receiver), receiver) {
                        Some(begin) => self.call(begin, bytes(name.span), &name.node),
                        None => self.refuse(bytes(name.span), &name.node),
                    }
                    self.expression(receiver);
                    arguments.args.iter().for_each(|argument| self.expression(argument.node.expr()));
                }
                _ => expression.node.visit_expr(|inner| self.expression(inner)),
            },
            Expr::Dot(receiver, name) => {
                if method(&name.node).is_some() {
                    self.refuse(bytes(name.span), &name.node);
                }
                self.expression(receiver);
            }
            _ => expression.node.visit_expr(|inner| self.expression(inner)),
        }
    }

    /// Where an expression begins, with the parentheses around its first part, which spans leave out.
    fn begin(&self, expression: &AstExpr) -> usize {
        let begin = bytes(expression.span).0;
        let first = match &expression.node {
            Expr::Dot(first, _) | Expr::Call(first, _) | Expr::Slice(first, ..) => first,
            Expr::Index(parts) => &parts.0,
            Expr::Index2(parts) => &parts.0,
            _ => return begin,
        };
        self.outside(self.begin(first), first).unwrap_or(begin)
    }

    /// Where the parentheses around an expression begin that is followed by `.`, `(` or `[`.
    fn outside(&self, begin: usize, expression: &AstExpr) -> Option<usize> {
        let rest = self.text.get(bytes(expression.span).1..)?;
        let between = rest.chars().take_while(|c| c.is_whitespace() || *c == ')');
        let mut before = self.text.get(..begin)?;
        for _ in between.filter(|c| *c == ')') {
            before = before.trim_end().strip_suffix('(')?;
        }
        Some(before.len())
    }

    fn call(&mut self, begin: usize, (name_begin, name_end): (usize, usize), name: &str) {
        let before = self.text.get(..name_begin).unwrap_or_default().trim_end();
        let rest = self.text.get(name_end..).unwrap_or_default();
        let blanks = rest.len() - rest.trim_start().len();
        match (before.strip_suffix('.'), rest.trim_start().starts_with('('), method(name)) {
            (Some(receiver), true, Some(function)) => {
                self.edits.push(Edit { begin, end: begin, text: format!("{function}(") });
                self.edits.push(Edit {
                    begin: receiver.len(),
                    end: name_end + blanks + 1,
                    text: ", ".to_owned(),
                });
            }
            _ => self.refuse((name_begin, name_end), name),
        }
    }

    fn refuse(&mut self, (begin, end): (usize, usize), name: &str) {
        let message = format!("`{name}` can only be called right away");
        self.refusals.push(Refusal {
            begin,
            end,
            message,
            help: "write `text.method(...)` without comments between its parts",
        });
    }
}

/// The function that stands in for a method.
fn method(name: &str) -> Option<&'static str> {
    METHODS.iter().find(|(method, _)| *method == name).map(|(_, function)| *function)
}

fn bytes(span: starlark::codemap::Span) -> (usize, usize) {
    (span.begin().get() as usize, span.end().get() as usize)
}

#[cfg(test)]
mod tests {
    use starlark::syntax::{AstModule, Dialect};

    use super::rewrite;

    fn rewritten(text: &str) -> (String, super::Shift) {
        let module = AstModule::parse("x", text.to_owned(), &Dialect::Standard).unwrap();
        rewrite(&module, text).unwrap().unwrap()
    }

    #[test]
    fn calls_of_text_methods_become_calls_of_checked_functions() {
        for (text, expected) in [
            ("x = a.replace(b, c)", "x = __text_replace(a, b, c)"),
            ("x = \" \".join(a)", "x = __text_join(\" \", a)"),
            ("x = (\"a\" + b).join([c])", "x = __text_join((\"a\" + b), [c])"),
            ("x = ( (a) ).b((c))[(d)].join(e)", "x = __text_join(( (a) ).b((c))[(d)], e)"),
            ("x = [(a + b)\n  .join(c)]", "x = [__text_join((a + b)\n  , c)]"),
            ("x = ((a.join(b)).join(c))", "x = (__text_join((__text_join(a, b)), c))"),
            ("x = \"{}\".format()", "x = __text_format(\"{}\", )"),
            ("x = a . join (b)", "x = __text_join(a , b)"),
            (
                "x = a.join(b).replace(c.join(d), e)",
                "x = __text_replace(__text_join(a, b), __text_join(c, d), e)",
            ),
            (
                "def f(a):\n    return [x.join(a) for x in a]",
                "def f(a):\n    return [__text_join(x, a) for x in a]",
            ),
        ] {
            assert_eq!(rewritten(text).0, expected);
        }
    }

    #[test]
    fn places_lead_back_to_what_was_written() {
        let text = "x = a.join(bb).replace(ccc, d); y = zz";
        let (written, shift) = rewritten(text);
        for word in ["a", "bb", "ccc", "zz"] {
            let at = written.find(&format!("{word}{}", if word == "a" { "," } else { "" })).unwrap();
            assert_eq!(
                text.get(shift.original(at)..).map(|rest| rest.starts_with(word)),
                Some(true),
                "{word}"
            );
        }
        assert_eq!(shift.original(written.find("__text_replace").unwrap()), 4);
        assert_eq!(shift.original(written.len()), text.len());
    }

    #[test]
    fn what_would_go_around_the_budget_is_refused() {
        for text in
            ["m = a.join", "x = (a.replace)(b, c)", "a *= 2", "a %= 2", "a <<= 2", "def f():\n    b.c *= 2"]
        {
            let module = AstModule::parse("x", text.to_owned(), &Dialect::Standard).unwrap();
            assert_eq!(rewrite(&module, text).unwrap_err().len(), 1, "{text}");
        }
    }
}
