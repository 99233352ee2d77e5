//! The values that constructors return inside of an evaluation.

use std::fmt;
use std::sync::Arc;

use allocative::Allocative;
use andon_core::line::{
    BlueGreen, Health, Hook, MailServer, Probe, ReleaseSource, Rollout, Run, Tell, WatchRules,
};
use andon_core::name::{HostName, SecretName, SiteName};
use starlark::collections::StarlarkHasher;
use starlark::eval::{Arguments, Evaluator};
use starlark::starlark_simple_value;
use starlark::values::{
    Heap, NoSerialize, ProvidesStaticType, StarlarkPagablePanic, StarlarkValue, Value, starlark_value,
};

use crate::budget::BudgetError;
use crate::call::Call;
use crate::constructor::balancer::Unassigned;
use crate::constructor::watch::Look;
use crate::notebook::Notebook;
use crate::schema::Constructor;
use crate::source::Place;

/// What a constructor describes.
#[derive(Debug)]
pub(crate) enum Thing {
    Host(HostName),
    Group(Vec<HostName>),
    Site(SiteName),
    Release(ReleaseSource),
    Run(Run),
    Probe(Question),
    Health(Health),
    Balancer(Unassigned),
    BlueGreen(BlueGreen),
    Rollout(Rollout),
    Look(Look),
    Judge(WatchRules),
    Tell(Tell),
    Mail(MailServer),
    Hook(Hook),
    Secret(SecretName),
    Service,
    Environment,
    Server,
}

/// A probe with what a test or a health check may say beside it.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) probe: Probe,
    pub(crate) name: Option<String>,
    pub(crate) timeout: Option<std::time::Duration>,
}

/// The sorts of [`Thing`], as parameters ask for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    Host,
    Group,
    Site,
    Release,
    Run,
    Probe,
    Health,
    Balancer,
    BlueGreen,
    Rollout,
    Look,
    Judge,
    Tell,
    Mail,
    Hook,
    Secret,
    Service,
    Environment,
    Server,
}

impl Sort {
    /// The sort with an article, for messages.
    pub(crate) fn with_article(self) -> &'static str {
        match self {
            Sort::Host => "a host",
            Sort::Group => "a group",
            Sort::Site => "a site, `site(...)`",
            Sort::Release => "a release source, `archive(...)` or `directory(...)`",
            Sort::Run => "a way to run, `systemd(...)` or `process(...)`",
            Sort::Probe => "a probe, `http(...)`, `tcp(...)`, `script(...)` or `nagios(...)`",
            Sort::Health => "a health check, `health(...)`",
            Sort::Balancer => "a balancer, `haproxy(...)`, `agent_check(...)`, `nginx(...)` or `proxy(...)`",
            Sort::BlueGreen => "a second set of instances, `blue_green(...)`",
            Sort::Rollout => "a rollout policy, `rollout(...)`",
            Sort::Look => {
                "something to watch, `errors()`, `latency()`, `vitals()`, `prometheus(...)`, `pushed(...)` or `counted(...)`"
            }
            Sort::Judge => "rules of judging, `judge(...)`",
            Sort::Tell => "who is told, `tell(...)`",
            Sort::Mail => "a mail server, `smtp(...)`",
            Sort::Hook => "a place that takes messages, `slack(...)` or `webhook(...)`",
            Sort::Secret => "a secret, `secret(...)`",
            Sort::Service => "a service",
            Sort::Environment => "an environment",
            Sort::Server => "a server",
        }
    }
}

/// What one call of a constructor made.
#[derive(Debug)]
pub(crate) struct Description {
    pub(crate) thing: Thing,
    /// The name of the constructor.
    pub(crate) constructor: &'static str,
    /// The name at the call.
    pub(crate) place: Place,
    /// The arguments that were written.
    pub(crate) arguments: Vec<(&'static str, Place)>,
}

impl Description {
    pub(crate) fn sort(&self) -> Sort {
        match self.thing {
            Thing::Host(_) => Sort::Host,
            Thing::Group(_) => Sort::Group,
            Thing::Site(_) => Sort::Site,
            Thing::Release(_) => Sort::Release,
            Thing::Run(_) => Sort::Run,
            Thing::Probe(_) => Sort::Probe,
            Thing::Health(_) => Sort::Health,
            Thing::Balancer(_) => Sort::Balancer,
            Thing::BlueGreen(_) => Sort::BlueGreen,
            Thing::Rollout(_) => Sort::Rollout,
            Thing::Look(_) => Sort::Look,
            Thing::Judge(_) => Sort::Judge,
            Thing::Tell(_) => Sort::Tell,
            Thing::Mail(_) => Sort::Mail,
            Thing::Hook(_) => Sort::Hook,
            Thing::Secret(_) => Sort::Secret,
            Thing::Service => Sort::Service,
            Thing::Environment => Sort::Environment,
            Thing::Server => Sort::Server,
        }
    }
}

/// A [`Description`] as a value of the language.
#[derive(Debug, Clone, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
pub(crate) struct Described(#[allocative(skip)] pub(crate) Arc<Description>);
starlark_simple_value!(Described);

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(...)", self.0.constructor)
    }
}

#[starlark_value(type = "description")]
impl<'v> StarlarkValue<'v> for Described {}

/// Stands in for whatever could not be made, after the reason was recorded. It takes part in
/// everything without a further complaint, so that later mistakes are found in the same run.
#[derive(Debug, Clone, Copy, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
pub(crate) struct Placeholder;
starlark_simple_value!(Placeholder);

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown")
    }
}

#[starlark_value(type = "unknown")]
impl<'v> StarlarkValue<'v> for Placeholder {
    fn invoke(
        &self,
        me: Value<'v>,
        _args: &Arguments<'v, '_>,
        _eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Value<'v>> {
        Ok(me)
    }

    fn at(&self, _index: Value<'v>, heap: Heap<'v>) -> starlark::Result<Value<'v>> {
        Ok(heap.alloc(Placeholder))
    }

    fn get_attr(&self, _attribute: &str, heap: Heap<'v>) -> Option<Value<'v>> {
        Some(heap.alloc(Placeholder))
    }

    fn iterate_collect(&self, _heap: Heap<'v>) -> starlark::Result<Vec<Value<'v>>> {
        Ok(Vec::new())
    }

    fn length(&self) -> starlark::Result<i32> {
        Ok(0)
    }

    fn is_in(&self, _other: Value<'v>) -> starlark::Result<bool> {
        Ok(false)
    }

    fn compare(&self, _other: Value<'v>) -> starlark::Result<std::cmp::Ordering> {
        Ok(std::cmp::Ordering::Equal)
    }

    fn write_hash(&self, _hasher: &mut StarlarkHasher) -> starlark::Result<()> {
        Ok(())
    }
}

/// A constructor as a value of the language: calling it describes something.
#[derive(Clone, Copy, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
pub(crate) struct Callable(#[allocative(skip)] pub(crate) &'static Constructor);
starlark_simple_value!(Callable);

impl fmt::Debug for Callable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

impl fmt::Display for Callable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

#[starlark_value(type = "constructor")]
impl<'v> StarlarkValue<'v> for Callable {
    fn invoke(
        &self,
        _me: Value<'v>,
        arguments: &Arguments<'v, '_>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Value<'v>> {
        let Some(notebook) = Notebook::of(eval) else { return Ok(eval.heap().alloc(Placeholder)) };
        let description = Call::read(notebook, self.0, arguments, eval)?.build();
        if notebook.is_overweight() {
            return Err(BudgetError::Weight.into());
        }
        Ok(match description {
            Some(description) => eval.heap().alloc(Described(Arc::new(description))),
            None => eval.heap().alloc(Placeholder),
        })
    }
}
