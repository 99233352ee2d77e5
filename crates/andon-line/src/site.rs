//! Where the parts of each call stand in the text: names, arguments and the elements of lists in them.
//! The evaluation only knows the span of a call as a whole.

use std::collections::BTreeMap;
use std::rc::Rc;

use starlark::codemap::Span;
use starlark::syntax::AstModule;
use starlark::syntax::ast::{ArgumentP, AstExpr, AstLiteral, CallArgsP, Expr, ExprP};

use crate::source::Place;

/// All calls of the files read so far.
#[derive(Debug, Default)]
pub(crate) struct Sites {
    calls: BTreeMap<Place, Rc<Site>>,
}

/// One call.
#[derive(Debug)]
pub(crate) struct Site {
    /// The name before the parenthesis.
    pub(crate) callee: Place,
    /// The positional arguments that precede a `*list`.
    positional: Vec<Shape>,
    named: BTreeMap<String, (Place, Shape)>,
}

/// The place of an expression, and of the elements that are written out in it.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) place: Place,
    /// Elements of a list or tuple; values of a dictionary, with the places of their keys.
    elements: Vec<(Place, Shape)>,
    /// What a comprehension makes each element of.
    every: Option<Box<(Place, Shape)>>,
}

impl Shape {
    pub(crate) fn at(place: Place) -> Self {
        Self { place, elements: Vec::new(), every: None }
    }

    /// The element of the given index: as exact as the text allows.
    pub(crate) fn element(&self, index: usize) -> Shape {
        self.pair(index).map_or_else(|| Shape::at(self.place), |(_, shape)| shape.clone())
    }

    /// The key of the given index of a dictionary.
    pub(crate) fn key(&self, index: usize) -> Place {
        self.pair(index).map_or(self.place, |(key, _)| *key)
    }

    fn pair(&self, index: usize) -> Option<&(Place, Shape)> {
        self.elements.get(index).or(self.every.as_deref())
    }

    fn of(expression: &AstExpr, source: usize) -> Self {
        let place = at(expression.span, source);
        let mut shape = Shape::at(place);
        let whole = |inner: &AstExpr| (at(inner.span, source), Shape::of(inner, source));
        match &expression.node {
            ExprP::List(inner) | ExprP::Tuple(inner) => shape.elements = inner.iter().map(whole).collect(),
            ExprP::Dict(pairs) => {
                let pair =
                    |(key, value): &(AstExpr, AstExpr)| (at(key.span, source), Shape::of(value, source));
                shape.elements = pairs.iter().map(pair).collect();
            }
            ExprP::ListComprehension(each, ..) => shape.every = Some(Box::new(whole(each))),
            ExprP::DictComprehension(each, ..) => {
                shape.every = Some(Box::new((at(each.0.span, source), Shape::of(&each.1, source))));
            }
            _ => {}
        }
        shape
    }
}

impl Site {
    pub(crate) fn positional(&self, index: usize) -> Option<&Shape> {
        self.positional.get(index)
    }

    /// The value of a named argument.
    pub(crate) fn named(&self, name: &str) -> Option<&Shape> {
        self.named.get(name).map(|(_, shape)| shape)
    }

    /// The name of a named argument.
    pub(crate) fn name(&self, name: &str) -> Option<Place> {
        self.named.get(name).map(|(place, _)| *place)
    }

    fn of(
        callee: &AstExpr,
        arguments: &CallArgsP<starlark::syntax::ast::AstNoPayload>,
        source: usize,
    ) -> Self {
        let mut site =
            Site { callee: at(callee.span, source), positional: Vec::new(), named: BTreeMap::new() };
        for argument in &arguments.args {
            match &argument.node {
                ArgumentP::Positional(value) => site.positional.push(Shape::of(value, source)),
                ArgumentP::Named(name, value) => {
                    let pair = (at(name.span, source), Shape::of(value, source));
                    site.named.insert(name.node.clone(), pair);
                }
                ArgumentP::Args(_) => {}
                ArgumentP::KwArgs(value) => site.splat(value, source),
            }
        }
        site
    }

    /// `**{"user": ...}` written out in place is as exact as named arguments.
    fn splat(&mut self, value: &AstExpr, source: usize) {
        let ExprP::Dict(pairs) = &value.node else { return };
        for (key, value) in pairs {
            if let ExprP::Literal(AstLiteral::String(name)) = &key.node {
                self.named.insert(name.node.clone(), (at(key.span, source), Shape::of(value, source)));
            }
        }
    }
}

impl Sites {
    /// Adds the calls of one file.
    pub(crate) fn collect(&mut self, source: usize, module: &AstModule) {
        module.statement().visit_expr(|expression| self.visit(expression, source));
    }

    /// The call at a place, if it is one.
    pub(crate) fn call(&self, place: Place) -> Option<Rc<Site>> {
        self.calls.get(&place).cloned()
    }

    fn visit(&mut self, expression: &AstExpr, source: usize) {
        if let Expr::Call(callee, arguments) = &expression.node {
            let site = Site::of(callee, arguments, source);
            self.calls.insert(at(expression.span, source), Rc::new(site));
        }
        expression.node.visit_expr(|inner| self.visit(inner, source));
    }
}

fn at(span: Span, source: usize) -> Place {
    Place { source, begin: span.begin().get() as usize, end: span.end().get() as usize }
}
