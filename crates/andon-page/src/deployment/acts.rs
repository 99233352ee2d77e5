//! What can be done to a deployment now. What hurts leads to a page that asks once more; what cannot be done says why.

use andon_core::deployment::Ask;
use maud::{Markup, html};

use super::Shown;
use crate::frame::Frame;

pub(super) fn render(shown: &Shown, frame: &Frame) -> Markup {
    html! {
        (buttons(shown, frame))
        @if is_unattended(shown) { (unattended(shown, frame)) }
    }
}

fn buttons(shown: &Shown, frame: &Frame) -> Markup {
    let deployment = &shown.deployment;
    let at = format!("/deployments/{}", deployment.id.0);
    let ended = deployment.state.is_terminal();
    if !shown.may {
        let name = frame.visitor.as_ref().map_or("whoever looks", |visitor| visitor.name.as_str());
        return html! {
            div.acts {
                @for act in ["Pause", "Resume", "Abort", "Roll back"] { button type="button" disabled { (act) } }
            }
            p.muted { (name) " may look. Who acts needs the role " em { "deploy" } " for " (deployment.request.scope.to_string()) "." }
        };
    }
    if ended {
        return html! { div.acts { a.button.second href={ (at) "/rollback" } { "Roll back to …" } } };
    }
    let pause = deployment.admits(&Ask::Pause);
    let resume = deployment.admits(&Ask::Resume);
    let abort = deployment.admits(&Ask::Abort { rollback: false });
    html! {
        div.acts {
            @if resume.is_ok() { (post(&at, "resume", "Resume", "", frame)) }
            @else if pause.is_ok() { (post(&at, "pause", "Pause", "second", frame)) }
            @if abort.is_ok() || deployment.admits(&Ask::Abort { rollback: true }).is_ok() {
                a.button.hurts href={ (at) "/abort" } { "Abort or put back …" }
            }
        }
        @if let (Err(_), Err(why)) = (&pause, &abort) { p.muted { (why) } }
    }
}

/// Whether nobody is known to drive it: it is neither at work in this server nor waiting for a person.
fn is_unattended(shown: &Shown) -> bool {
    let deployment = &shown.deployment;
    !shown.driven && !deployment.state.is_terminal() && deployment.admits(&Ask::Resume).is_err()
}

/// What becomes of it then, and what there is to do.
fn unattended(shown: &Shown, frame: &Frame) -> Markup {
    let deployment = &shown.deployment;
    let at = format!("/deployments/{}", deployment.id.0);
    html! {
        p.notice.unknown {
            "This server does not drive it" @if let Some(why) = &shown.given_up { ": " (why) } ". "
            @if deployment.plan.is_some() {
                "If the process that did is gone, going on here asks every host where it stands. "
                @if shown.may { (post(&at, "resume", "Go on here", "second", frame)) }
            } @else {
                "If no other process waits with it, nobody will begin it: abort it, then deploy again."
            }
        }
    }
}

fn post(at: &str, what: &str, words: &str, class: &str, frame: &Frame) -> Markup {
    html! {
        form method="post" action={ (at) "/" (what) } { (frame.token()) button class=(class) { (words) } }
    }
}
