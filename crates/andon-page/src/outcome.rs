//! How something stands or ended: a sign, a colour and a word, always together, and the same everywhere.

use maud::{Markup, html};

/// A sign that is seen; the word beside it is what is read aloud.
pub fn sign(sign: &str) -> Markup {
    html! { span.sign aria-hidden="true" { (sign) } }
}

/// The tone of a state's name: the class that gives it its colour, and its sign.
pub fn tone(state: &str) -> (&'static str, &'static str) {
    match state {
        "succeeded" => ("good", "✔"),
        "failed" | "rolled_back" | "rollback_failed" => ("bad", "✘"),
        "paused" => ("unknown", "?"),
        "aborted" | "cancelled" | "pending" => ("quiet", "·"),
        _ => ("busy", "◐"),
    }
}

/// The state of a deployment: `✔ succeeded`.
pub fn badge(state: &str) -> Markup {
    let (class, mark) = tone(state);
    html! { span class={ "outcome " (class) } { (sign(mark)) " " (state.replace('_', " ")) } }
}
