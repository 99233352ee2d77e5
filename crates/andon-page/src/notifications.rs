//! *Notifications*: what somebody asked to be told, and by which way; and the form to ask for more.

use andon_core::line::{HookForm, HookUrl};
use andon_core::name::{EnvironmentName, ServiceName};
use andon_core::telling::Route;
use andon_core::telling::subscriptions::{Occasion, Standing, SubscriptionId};
use maud::{Markup, html};

use crate::frame::Frame;
use crate::{assets, when};

/// What the page shows.
#[derive(Debug, Clone, Default)]
pub struct Notifications {
    /// Whose wishes these are.
    pub person: String,
    /// What stands.
    pub standing: Vec<(SubscriptionId, Standing)>,
    /// Wishes of others: only for who looks after users here.
    pub others: Vec<(SubscriptionId, Standing)>,
    /// The services that there are.
    pub services: Vec<ServiceName>,
    /// The environments that there are.
    pub environments: Vec<EnvironmentName>,
    /// Whether the line has a server that takes mail.
    pub mails: bool,
    /// What became of the last wish, or why it was not taken.
    pub said: Option<Result<String, String>>,
    /// The wish that was not taken.
    pub typed: Option<Typed>,
}

/// What somebody filled in.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// The names of the occasions.
    pub occasions: Vec<String>,
    /// The services.
    pub services: Vec<String>,
    /// The environments.
    pub environments: Vec<String>,
    /// By which way.
    pub how: String,
    /// Where to.
    pub to: String,
}

/// The page.
pub fn render(page: &Notifications, frame: &Frame) -> Markup {
    let body = html! {
        link rel="stylesheet" href=(assets::path("registers.css"));
        div class="register" {
            h1 { "Notifications" }
            @match &page.said {
                Some(Ok(said)) => p class="notice" role="status" { "✔ " (said) },
                Some(Err(why)) => p class="notice" role="alert" { "✘ " (why) },
                None => {},
            }
            p { "Whom a service tells when it needs people stands in the line. Here " (page.person) " asks to be told more, for themselves alone." }
            @if page.standing.is_empty() {
                p { "You have asked for nothing yet. What happened is also in the " a href="/feed.atom" { "feed" } "." }
            } @else {
                (table(&page.standing, false, frame))
            }
            h2 { "Ask to be told" }
            (form(page, frame))
            @if !page.others.is_empty() { h2 { "Wishes of others" } (table(&page.others, true, frame)) }
        }
    };
    frame.page("Notifications", &body)
}

fn table(rows: &[(SubscriptionId, Standing)], whose: bool, frame: &Frame) -> Markup {
    html! {
        div class="wide" tabindex="0" role="region" aria-label=(if whose { "Wishes of others" } else { "Your wishes" }) {
            table class="rows" {
                thead { tr {
                    th scope="col" { "No." }
                    @if whose { th scope="col" { "Who" } }
                    th scope="col" { "About" } th scope="col" { "When" } th scope="col" { "By" } th scope="col" { "Since" } th scope="col" { "End" }
                } }
                tbody { @for (id, standing) in rows { (line(*id, standing, whose, frame)) } }
            }
        }
    }
}

fn line(id: SubscriptionId, standing: &Standing, whose: bool, frame: &Frame) -> Markup {
    let subscription = &standing.subscription;
    let occasions: Vec<&str> = subscription.occasions.iter().map(|occasion| occasion.words()).collect();
    html! {
        tr {
            th scope="row" data-label="No." class="number" { (id) }
            @if whose { td data-label="Who" { (subscription.person) } }
            td data-label="About" { (subscription.about()) }
            td data-label="When" { (occasions.join("; ")) }
            td data-label="By" { (way(&subscription.route)) }
            td data-label="Since" { (when::ago(standing.since, frame)) }
            td data-label="End" {
                form method="post" action="/settings/notifications/end" {
                    (csrf(frame))
                    input type="hidden" name="id" value=(id);
                    button class="plain" aria-label=(format!("End it: wish {id}")) { "End it" }
                }
            }
        }
    }
}

/// Where a way leads, in words. The path of a hook is as good as a password, and is not shown.
fn way(route: &Route) -> String {
    match route {
        Route::Mail { to, .. } => format!("mail to {to}"),
        Route::Hook(hook) => {
            let form = match hook.form {
                HookForm::Slack => "chat message",
                HookForm::Json => "call",
            };
            let place = match &hook.url {
                HookUrl::Said(_) => route.address().to_string(),
                HookUrl::Secret(name) => format!("the address in the secret {name}"),
            };
            format!("{form}: {place}")
        }
    }
}

fn form(page: &Notifications, frame: &Frame) -> Markup {
    let first = Typed {
        occasions: vec![Occasion::RolledBack.name().to_owned()],
        how: if page.mails { "mail" } else { "chat" }.to_owned(),
        ..Typed::default()
    };
    let typed = page.typed.as_ref().unwrap_or(&first);
    html! {
        form class="asks" method="post" action="/settings/notifications" {
            (csrf(frame))
            fieldset {
                legend { "When" }
                @for occasion in Occasion::ALL {
                    label { input type="checkbox" name="on" value=(occasion.name()) checked[has(&typed.occasions, occasion.name())]; " " (occasion.words()) }
                }
            }
            (names("Services", "service", page.services.iter().map(ServiceName::as_str), &typed.services))
            (names("Environments", "environment", page.environments.iter().map(EnvironmentName::as_str), &typed.environments))
            fieldset {
                legend { "How" }
                label {
                    input type="radio" name="how" value="mail" checked[typed.how == "mail"] disabled[!page.mails]; " a mail"
                    @if !page.mails { " " span class="quiet" { "(the line names no server that takes mail)" } }
                }
                label { input type="radio" name="how" value="chat" checked[typed.how == "chat"]; " a chat message, as Slack and Mattermost take it" }
                label { input type="radio" name="how" value="webhook" checked[typed.how == "webhook"]; " a call with everything as JSON" }
                label { "To " input type="text" name="to" required maxlength="500" value=(typed.to) placeholder="ana@example.com, https://chat.example.com/hooks/…, or tell-ana"; }
                p class="aside" {
                    "An address of a chat is as good as a password, and what stands in the ledger is read by everybody who is let in: have it kept on the server as a secret whose name begins with " code { "tell-" } ", and give the name here."
                }
            }
            button { "Tell me" }
        }
    }
}

fn names<'a>(legend: &str, name: &str, all: impl Iterator<Item = &'a str>, ticked: &[String]) -> Markup {
    let all: Vec<&str> = all.collect();
    html! {
        @if !all.is_empty() {
            fieldset {
                legend { (legend) " " span class="quiet" { "none ticked means all" } }
                @for one in all { label { input type="checkbox" name=(name) value=(one) checked[has(ticked, one)]; " " (one) } }
            }
        }
    }
}

fn has(all: &[String], name: &str) -> bool {
    all.iter().any(|one| one == name)
}

fn csrf(frame: &Frame) -> Markup {
    html! { @if let Some(csrf) = &frame.csrf { input type="hidden" name="csrf" value=(csrf); } }
}
