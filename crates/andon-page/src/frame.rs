//! What stands around every page: its head, the way to the other pages, and who is here.

use andon_core::access::Visitor;
use andon_core::time::Time;
use jiff::tz::TimeZone;
use maud::{DOCTYPE, Markup, html};

use crate::assets;

/// For whom a page is written, and when.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Who looks; `None` before they signed in.
    pub visitor: Option<Visitor>,
    /// The present moment.
    pub now: Time,
    /// The zone that clocks are shown in.
    pub zone: TimeZone,
    /// The token that every form sends back in a hidden field `csrf`; `None` where nobody is signed in with a browser.
    pub csrf: Option<String>,
}

impl Frame {
    /// A whole page with this title around `body`.
    pub fn page(&self, title: &str, body: &Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (title) " · Andon" }
                    link rel="stylesheet" href=(assets::path("andon.css"));
                }
                body { (body) }
            }
        }
    }
}
