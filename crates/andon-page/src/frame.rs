//! What stands around every page: the state of the line, the last deploy, the way to the other pages, and who is here.

use andon_core::access::Visitor;
use andon_core::cord::Cord;
use andon_core::deployment::Summary;
use andon_core::legible::{is_formatting, neutral};
use andon_core::sentence::Sentence;
use andon_core::time::Time;
use jiff::tz::TimeZone;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::{assets, outcome, when};

/// The pages that can be reached from every page: path and name.
const PAGES: &[(&str, &str)] = &[
    ("/", "Now"),
    ("/timeline", "Timeline"),
    ("/per-day", "Per day"),
    ("/dna", "DNA"),
    ("/dora", "DORA"),
    ("/services", "Services"),
    ("/hosts", "Hosts"),
    ("/releases", "Releases"),
    ("/ledger", "Ledger"),
    ("/settings", "Settings"),
];

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
    /// Whether they signed in with this browser, so that they can sign out.
    pub signed_in: bool,
    /// The path of the page, without a query.
    pub path: String,
    /// The line; `None` where it could not be read, or is nobody's business yet.
    pub line: Option<Cord>,
    /// The newest deployment.
    pub last: Option<Summary>,
}

impl Frame {
    /// A frame for nobody in particular, in UTC: what is known is added field by field.
    pub fn new(now: Time) -> Self {
        Self {
            visitor: None,
            now,
            zone: TimeZone::UTC,
            csrf: None,
            signed_in: false,
            path: "/".to_owned(),
            line: None,
            last: None,
        }
    }

    /// A whole page with this title around `body`, which stands inside of `<main>`.
    pub fn page(&self, title: &str, body: &Markup) -> Markup {
        harmless(self.whole(title, body))
    }

    fn whole(&self, title: &str, body: &Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (title) " · Andon" }
                    link rel="icon" href=(assets::path("icon.svg")) type="image/svg+xml";
                    link rel="stylesheet" href=(assets::path("andon.css"));
                    script type="module" src=(assets::path("andon.js")) {}
                    @if self.visitor.is_some() { script type="module" src=(assets::path("live.js")) {} }
                }
                body {
                    a.skip href="#main" { "Skip to the page" }
                    (self.top())
                    main #main tabindex="-1" { (body) }
                    p #connection role="status" hidden { "Connection lost, trying again." }
                    footer { "Andon " (env!("CARGO_PKG_VERSION")) @if self.visitor.is_some() {
                        " · " a href="/v1/openapi.json" { "API" }
                        " · times in " (self.zone.iana_name().unwrap_or("UTC"))
                    } }
                }
            }
        }
    }

    /// The hidden field that every form of a page begins with.
    pub fn token(&self) -> Markup {
        html! { @if let Some(token) = &self.csrf { input type="hidden" name="csrf" value=(token); } }
    }

    fn top(&self) -> Markup {
        html! {
            header.top {
                a.brand href="/" { "Andon" }
                div.state #state data-live {
                    @if let Some(line) = &self.line { (brief(line, self)) }
                    @if let Some(last) = &self.last { (last_deploy(last, self)) }
                }
                @if let Some(visitor) = &self.visitor {
                    div.who {
                        span { (visitor.name) }
                        @if self.signed_in {
                            form method="post" action="/sign-out" { (self.token()) button.plain { "Sign out" } }
                        }
                    }
                    nav.wide aria-label="Pages" { (self.links()) }
                    details.menu { summary { "Menu" } nav aria-label="Pages" { (self.links()) } }
                }
            }
        }
    }

    fn links(&self) -> Markup {
        let here = |path: &str| {
            let below =
                self.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            if path == "/" { self.path == "/" } else { below }
        };
        html! {
            ul {
                @for (path, name) in PAGES {
                    li { a href=(path) aria-current=[here(path).then_some("page")] { (name) } }
                }
            }
        }
    }
}

/// The second lock, as on terminals: whatever text came by whatever way, nothing in it reorders or hides what is read. Each
/// such character is written out; none of the characters that this writes means anything in HTML.
fn harmless(page: Markup) -> Markup {
    let acts = |c: char| (c.is_control() && c != '\n' && c != '\t') || is_formatting(c);
    if page.0.chars().any(acts) { PreEscaped(neutral(page.0.as_bytes())) } else { page }
}

/// `✔ line running`; or `✘ line stopped by ana 12 min ago: orders fell`. *Now* says all of it itself.
fn brief(line: &Cord, frame: &Frame) -> Markup {
    match line.stops().first() {
        None => html! { p.line.good { (outcome::sign("✔")) " line running" } },
        Some(_) if frame.path == "/" => html! { p.line.bad { (outcome::sign("✘")) " line stopped" } },
        Some(first) => {
            let said = Sentence::of("line stopped by ").then(first.sentence());
            html! { p.line.bad { (outcome::sign("✘")) " " a href="/" { (when::sentence(&said, frame)) } } }
        }
    }
}

/// `last deploy 12 min ago: www → production by ana`.
fn last_deploy(last: &Summary, frame: &Frame) -> Markup {
    html! {
        p.last {
            "last deploy " (when::ago(last.started.unwrap_or(last.accepted), frame)) ": "
            a href={ "/deployments/" (last.id.0) } { (last.scope.to_string()) } " by " (last.by)
        }
    }
}
