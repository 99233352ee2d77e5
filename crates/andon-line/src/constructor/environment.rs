//! `environment(...)`: what an environment is guarded by, beyond what the services say of its hosts.

use andon_core::line::Environment;
use andon_core::name::EnvironmentName;

use crate::call::Call;
use crate::kind::Kind;
use crate::schema::{Constructor, Default, Parameter};
use crate::value::Thing;

pub(crate) const ENVIRONMENT: Constructor = Constructor {
    name: "environment",
    summary: "Guards an environment against a slip of the hand.",
    details: "The environments themselves are those that services name in `hosts`. What is exempt, and why: \
              `docs/guide/mistakes.md`.",
    example: r#"environment("production", protected = True, max_changed = "50%")

service(
    "www",
    hosts   = {"production": group("web", ["web%d" % n for n in range(1, 9)])},
    release = archive("dist/www.tar.gz"),
    run     = process(exec = "{release}/bin/www"),
    rollout = rollout(waves = [1, 3, 4]),
)"#,
    positional: 1,
    parameters: &[
        Parameter {
            name: "name",
            kind: Kind::Name,
            default: Default::Required,
            doc: "An environment of a service.",
        },
        Parameter {
            name: "protected",
            kind: Kind::Flag,
            default: Default::Is("False"),
            doc: "Whoever deploys to it, rolls it back or runs commands on its hosts types its name once more, or gives it with the command: `--confirm production`.",
        },
        Parameter {
            name: "max_changed",
            kind: Kind::Share { zero: false },
            default: Default::Absent,
            doc: "The most hosts of a service that change at one go, at least 1: the hosts of a wave, of a site, of a step of traffic between two sets, or those of one `andon run`.",
        },
        Parameter {
            name: "approvals",
            kind: Kind::Number { min: 0, max: 10 },
            default: Default::Is("0"),
            doc: "A deployment waits until so many others, who may deploy there as well, have approved its release within the last 24 hours: `andon approve`. A rollback does not wait, nor the declared fix of a deployment that failed; while the line is stopped, of any.",
        },
        Parameter {
            name: "after",
            kind: Kind::Name,
            default: Default::Absent,
            doc: "The environment that a release passes before this one: `andon promote` and the button *deploy* give this one exactly what runs there. Without it, `staging`, where a service has an environment of that name.",
        },
    ],
    build,
};

fn build(call: &Call<'_>) -> Option<Thing> {
    let name = EnvironmentName::new(call.text("name")?).ok()?;
    call.claim(format!("environment {name}"))?;
    let environment = Environment {
        name: name.clone(),
        protected: call.flag("protected").unwrap_or_default(),
        max_changed: call.share("max_changed"),
        approvals: call.number("approvals").and_then(|number| u32::try_from(number).ok()).unwrap_or_default(),
        after: call.text("after").and_then(|name| EnvironmentName::new(name).ok()),
    };
    call.notebook.draft.borrow_mut().environments.insert(name, environment);
    Some(Thing::Environment)
}
