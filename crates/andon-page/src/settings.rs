//! *Settings*: the way to the few things that are set on pages. All else stands in `line.star`.

use maud::{Markup, html};

use crate::frame::Frame;

/// The page.
pub fn render(frame: &Frame) -> Markup {
    let body = html! {
        h1 { "Settings" }
        ul.rows.prose {
            li { a href="/settings/access" { "People and tokens" } br; span.muted { "who may sign in, who may do what, and your password" } }
            li { a href="/settings/notifications" { "Notifications" } br; span.muted { "what you want to hear of, and by which way" } }
        }
        p.muted.prose { "Hosts, services and how they are rolled out stand in " code { "line.star" } ", beside the code." }
    };
    frame.page("Settings", &body)
}
