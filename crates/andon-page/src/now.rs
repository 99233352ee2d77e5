//! *Now*: how the line stands in one glance, what runs, and what ran last.

use andon_core::cord::Cord;
use andon_core::deployment::Summary;
use maud::{Markup, html};

use crate::frame::Frame;
use crate::when;

/// What the page shows.
#[derive(Debug, Clone)]
pub struct Now {
    /// The line.
    pub line: Cord,
    /// Deployments, the newest first.
    pub recent: Vec<Summary>,
}

/// The page.
pub fn render(now: &Now, frame: &Frame) -> Markup {
    let body = html! {
        main {
            h1 { @if now.line.is_stopped() { "✘ The line is stopped" } @else { "✔ The line is running" } }
            @if now.recent.is_empty() { p { "No deployment yet. On your machine: " code { "andon init" } } }
            ul {
                @for row in &now.recent {
                    li { (row.id.to_string()) " " (row.scope.to_string()) " " (row.state) " by " (row.by) " " (when::ago(row.accepted, frame)) }
                }
            }
        }
    };
    frame.page("Now", &body)
}
