//! Pages that ask once more before something that hurts: abort, and roll back.

use andon_core::deployment::{Ask, Deployment, DeploymentId};
use andon_core::name::EnvironmentName;
use andon_core::release::ReleaseId;
use andon_core::scope::KnownRelease;
use maud::{Markup, html};

use crate::frame::Frame;
use crate::when;

/// Asks whether a deployment shall be aborted, and what becomes of what was changed.
pub fn abort(deployment: &Deployment, frame: &Frame) -> Markup {
    let (id, at) = (deployment.id, format!("/deployments/{}", deployment.id.0));
    let back = deployment.admits(&Ask::Abort { rollback: true });
    let leave = deployment.admits(&Ask::Abort { rollback: false });
    let counts = deployment.host_counts();
    let body = html! {
        div.alone {
            h1 { "Abort " (id) "?" }
            p.lead { (deployment.request.scope.to_string()) ", " (deployment.phase_title()) ": " (counts.changed) " of " (counts.total) " hosts were changed." }
            @match (&back, &leave) {
                (Err(why), Err(_)) => p.notice.unknown { (why) },
                _ => form method="post" action={ (at) "/abort" } {
                    (frame.token())
                    fieldset {
                        legend { "What was changed" }
                        label.choice { input type="radio" name="after" value="rollback" checked[back.is_ok()] disabled[back.is_err()];
                            span { "is put back to the release from before" @if let Err(why) = &back { ": " (why) } } }
                        label.choice { input type="radio" name="after" value="leave" checked[back.is_err()] disabled[leave.is_err()];
                            span { "stays as it is; hosts in their cycle come to a safe point" } }
                    }
                    (reason(false))
                    div.acts { button.hurts { "Abort " (id) } a href=(at) { "Do nothing" } }
                },
            }
        }
    };
    frame.page(&format!("Abort {id}?"), &body)
}

/// What a rollback can go back to.
#[derive(Debug, Clone)]
pub struct Rollback<'a> {
    /// The deployment that it begins from.
    pub deployment: &'a Deployment,
    /// What runs there now.
    pub current: Option<&'a ReleaseId>,
    /// The good releases of the scope, the newest first.
    pub good: Vec<&'a KnownRelease>,
    /// The one that is meant where nobody chooses.
    pub meant: Option<&'a ReleaseId>,
    /// The deployment that is at work there now.
    pub at_work: Option<DeploymentId>,
    /// The environment's name, where it has to be typed.
    pub protected: Option<&'a EnvironmentName>,
}

/// Asks where to roll back to.
pub fn rollback(asked: &Rollback<'_>, frame: &Frame) -> Markup {
    let (id, scope) = (asked.deployment.id, &asked.deployment.request.scope);
    let at = format!("/deployments/{}", id.0);
    let body = html! {
        div.alone {
            h1 { "Roll " (scope.to_string()) " back?" }
            @if let Some(current) = asked.current { p.lead { "It runs " code { (current) } " now." } }
            @if let Some(other) = asked.at_work {
                p.notice.busy { a href={ "/deployments/" (other.0) } { (other) } " is at work here. It comes to a safe point first, and this goes on from there." }
            }
            @if asked.good.is_empty() {
                p.notice.unknown { "There is no earlier good release to go back to. A release is good once it was deployed to the end." }
                p { a href=(at) { "Back to " (id) } }
            } @else {
                form method="post" action={ (at) "/rollback" } {
                    (frame.token())
                    fieldset {
                        legend { "Back to" }
                        @for known in &asked.good {
                            label.choice {
                                input type="radio" name="release" value=(known.release.id) checked[asked.meant == Some(&known.release.id)] required;
                                span { code { (known.release.id) } " good since " a href={ "/deployments/" (known.deployment.0) } { (known.deployment) }
                                    ", " (when::ago(known.at, frame))
                                    @if let Some(revision) = &known.release.revision { br; span.muted { (revision.subject) " (" (revision.author) ")" } } }
                            }
                        }
                    }
                    p.muted { "As wide as the floor of serving hosts allows; tests inform only." }
                    (reason(false))
                    (typed(asked.protected))
                    div.acts { button.hurts { "Roll back" } a href=(at) { "Do nothing" } }
                }
            }
        }
    };
    frame.page(&format!("Roll {scope} back?"), &body)
}

/// The field of a reason.
pub(crate) fn reason(required: bool) -> Markup {
    html! {
        div.field { label for="why" { "Why" @if !required { span.muted { " (not needed)" } } }
            input #why type="text" name="why" maxlength="1000" autocomplete="off" required[required]; }
    }
}

/// The field in which the name of a protected environment is typed.
pub(crate) fn typed(protected: Option<&EnvironmentName>) -> Markup {
    html! {
        @if let Some(name) = protected {
            div.field { label for={ "confirm-" (name.as_str()) } { "Type " (name.as_str()) " to go on" }
                input id={ "confirm-" (name.as_str()) } type="text" name="confirm" required autocomplete="off" autocapitalize="none" spellcheck="false";
                p.hint { (name.as_str()) " is protected: it changes only when its name is said." } }
        }
    }
}
