//! `slack(...)` and `webhook(...)`: places on the web that take messages.

use andon_core::line::tell::hook_host;
use andon_core::line::{Hook, HookForm, HookUrl};

use super::{CA, ca, secret};
use crate::call::Call;
use crate::kind::Kind;
use crate::schema::{Constructor, Default, Parameter};
use crate::value::{Sort, Thing};

const URL: Parameter = Parameter {
    name: "url",
    kind: Kind::Either(&[Kind::Word, Kind::Made(&[Sort::Secret])]),
    default: Default::Required,
    doc: "Its address: `https://`, or `http://` on this machine. Whoever knows the one of a chat can write there: name it as a `secret(...)`.",
};

pub(crate) const SLACK: Constructor = Constructor {
    name: "slack",
    summary: "A chat that takes messages as Slack does: Slack, Mattermost, Rocket.Chat.",
    details: "",
    example: "slack(secret(\"chat\"))",
    positional: 1,
    parameters: &[URL, CA],
    build: |call| hook(call, HookForm::Slack),
};

pub(crate) const WEBHOOK: Constructor = Constructor {
    name: "webhook",
    summary: "A program that takes messages as JSON, signed if there is a secret.",
    details: "The headers and fields are told in the guide on telling people.",
    example: "webhook(\"https://events.example.com/andon\", secret = secret(\"hook\"))",
    positional: 1,
    parameters: &[
        URL,
        Parameter {
            name: "secret",
            kind: Kind::Made(&[Sort::Secret]),
            default: Default::Absent,
            doc: "The key that messages are signed with: HMAC-SHA256 over the time and the body.",
        },
        CA,
    ],
    build: |call| hook(call, HookForm::Json),
};

fn hook(call: &Call<'_>, form: HookForm) -> Option<Thing> {
    let ca = ca(call);
    if call.is_broken("secret") {
        return None;
    }
    let url = call.given("url")?;
    let url = match (url.text(), secret(Some(url))) {
        (Some(text), _) => {
            if let Err(error) = hook_host(text) {
                call.error(url.place, error.to_string());
                return None;
            }
            HookUrl::Said(text.to_owned())
        }
        (None, name) => HookUrl::Secret(name?),
    };
    Some(Thing::Hook(Hook { form, url, secret: secret(call.given("secret")), ca: ca.ok()? }))
}
