//! A page that could not be shown, or a wish that was refused: what happened, and what to do next.

use maud::{Markup, html};

use crate::frame::Frame;
use crate::outcome;

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The status of HTTP.
    pub status: u16,
    /// One sentence.
    pub what: String,
    /// Why, and what state the world is in.
    pub why: Option<String>,
    /// What to do, in words or as a command.
    pub next: String,
}

/// The page.
pub fn render(trouble: &Trouble, frame: &Frame) -> Markup {
    let (mark, title) = match trouble.status {
        401 => ("?", "Sign in first"),
        403 => ("✘", "You may not do that"),
        404 => ("?", "There is no such page"),
        405 => ("✘", "That cannot be done here"),
        409 => ("✘", "That cannot be done now"),
        429 => ("✘", "Too many requests"),
        400..500 => ("✘", "That makes no sense"),
        _ => ("✘", "The server cannot answer"),
    };
    let body = html! {
        div.alone {
            h1 { (outcome::sign(mark)) " " (title) }
            p.lead { (trouble.what) }
            @if let Some(why) = &trouble.why { p { strong { "why" } " " (why) } }
            @if !trouble.next.is_empty() { p { strong { "next" } " " (trouble.next) } }
            p { a href="/" { "What happens now" } }
        }
    };
    frame.page(title, &body)
}
