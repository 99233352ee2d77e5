//! How something stands or ended: a sign, a colour and a word, always together, and the same everywhere.

use andon_core::chronicle::Outcome;
use maud::{Markup, html};

/// A sign that is seen; the word beside it is what is read aloud.
pub fn sign(sign: &str) -> Markup {
    html! { span.sign aria-hidden="true" { (sign) } }
}

/// The state of a deployment: `✔ succeeded`, `◐ paused`.
pub fn badge(state: &str) -> Markup {
    let outcome = Outcome::of_state(state);
    html! {
        span class={ "outcome outcome-" (outcome.slug()) } { (sign(outcome.sign())) " " (state.replace('_', " ")) }
    }
}
