//! *Access*: who is let in, what they may do, and which tokens speak for them. Everybody reads it; who may, changes it here.

use andon_core::access::{Directory, Token, TokenId, User, UserName};
use maud::{Markup, html};

use crate::frame::Frame;
use crate::when;

/// What the page shows.
#[derive(Debug, Clone)]
pub struct Access {
    /// Everybody and their tokens.
    pub directory: Directory,
    /// Whether who looks may change users.
    pub administers: bool,
    /// A token that was just made: it is shown this once.
    pub made: Option<String>,
    /// What became of the change that was just asked for, when it was refused.
    pub wrong: Option<String>,
}

/// The page.
pub fn render(page: &Access, frame: &Frame) -> Markup {
    let body = html! {
        div class="access" {
            h1 { "Access" }
            @if let Some(wrong) = &page.wrong { p class="problem" role="alert" { "✘ " (wrong) } }
            @if let Some(token) = &page.made {
                section class="made" role="status" {
                    h2 { "The new token" }
                    p { code { (token) } }
                    p { "Copy it now: it is shown this once, and only its digest is kept." }
                }
            }
            (users(page, frame))
            @if has_password(page, frame) { (own_password(frame)) }
            (tokens(page, frame))
        }
    };
    frame.page("Access", &body)
}

fn users(page: &Access, frame: &Frame) -> Markup {
    html! {
        section {
            h2 { "Users" }
            @if page.directory.is_empty() {
                p { "There is no user. Whoever reaches this server from its own machine acts as the user that it runs as; "
                    "with the first user, everybody signs in." }
            } @else {
                div.wide-table tabindex="0" role="region" aria-label="Users" { table {
                    thead { tr { th scope="col" { "Name" } th scope="col" { "May" } th scope="col" { "Since" }
                        th scope="col" { "Signed in" } @if page.administers { th scope="col" { "Change" } } } }
                    tbody { @for (name, user) in page.directory.users() { (row(page, frame, name, user)) } }
                } }
            }
            @if page.administers { (new_user(frame)) }
        }
    }
}

fn row(page: &Access, frame: &Frame, name: &UserName, user: &User) -> Markup {
    let grants = user.grants.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    html! {
        tr {
            th scope="row" {
                (name)
                @if let Some(identity) = &user.identity { " " small { "by " (identity.issuer) } }
                @else if user.password.is_none() { " " small { "without a password" } }
            }
            td { @if grants.is_empty() { "read" } @else { (grants) } }
            td { (when::ago(user.since, frame)) }
            td { @if let Some(at) = user.signed_in { (when::ago(at, frame)) } @else { "not yet" } }
            @if page.administers {
                td {
                    form method="post" action="/settings/access" {
                        (hidden(frame)) input type="hidden" name="user" value=(name);
                        label { "May " input name="grants" value=(grants) size="24"; }
                        button name="do" value="grant" { "Set" }
                        button name="do" value="remove" { "Remove" }
                    }
                }
            }
        }
    }
}

fn new_user(frame: &Frame) -> Markup {
    html! {
        details {
            summary { "Add a user" }
            form method="post" action="/settings/access" {
                (hidden(frame))
                p { label { "Name " input name="user" required maxlength="100" autocomplete="off"; } }
                p { label { "Password " input name="password" type="password" minlength="12" autocomplete="new-password"; } }
                p { label { "May " input name="grants" placeholder="deploy:www/production line"; } }
                p { "Grants are " code { "deploy" } ", " code { "deploy:SERVICE" } ", " code { "deploy:SERVICE/ENVIRONMENT" }
                    ", " code { "deploy:*/ENVIRONMENT" } ", " code { "line" } " and " code { "admin" } ". Without any, a user reads." }
                p { button name="do" value="add" { "Add" } }
            }
        }
    }
}

/// Whether who looks signed in and has a password here.
fn has_password(page: &Access, frame: &Frame) -> bool {
    let me = frame.visitor.as_ref().filter(|_| frame.signed_in);
    me.and_then(|me| page.directory.user(&me.name)).is_some_and(|user| user.password.is_some())
}

fn own_password(frame: &Frame) -> Markup {
    let field = |label: &str, name: &str, kind: &str, least: Option<&str>| {
        html! {
            p { label { (label) " " input name=(name) type="password" required minlength=[least] autocomplete=(kind); } }
        }
    };
    html! {
        section {
            h2 { "Your password" }
            details {
                summary { "Change it" }
                form method="post" action="/settings/access" {
                    (hidden(frame))
                    (field("Present password", "current", "current-password", None))
                    (field("New password", "password", "new-password", Some("12")))
                    (field("Once more", "again", "new-password", Some("12")))
                    p { "Every browser where you are signed in is signed out, this one as well. Your tokens stay." }
                    p { button name="do" value="password" { "Change" } }
                }
            }
        }
    }
}

fn tokens(page: &Access, frame: &Frame) -> Markup {
    let me = frame.visitor.as_ref().map(|visitor| visitor.name.as_str());
    let mine = |token: &Token| me == Some(token.user.as_str());
    let changes = |token: &Token| page.administers || mine(token);
    let all: Vec<(TokenId, &Token)> = page.directory.tokens().collect();
    html! {
        section {
            h2 { "Tokens" }
            @if all.is_empty() { p { "There is no token. A program shows one to speak for a user: " code { "andon token make NAME" } } }
            @else {
                div.wide-table tabindex="0" role="region" aria-label="Tokens" { table {
                    thead { tr { th scope="col" { "Number" } th scope="col" { "For" } th scope="col" { "User" }
                        th scope="col" { "May" } th scope="col" { "Until" } th scope="col" { "Change" } } }
                    tbody {
                        @for (id, token) in all {
                            tr {
                                th scope="row" { (id) }
                                td { (token.name) }
                                td { (token.user) }
                                td { @if token.grants.is_empty() { "read" } @for grant in &token.grants { (grant) " " } }
                                td { @if token.expires <= frame.now { "✘ expired " } (when::ago(token.expires, frame)) }
                                td {
                                    @if changes(token) {
                                        form method="post" action="/settings/access" {
                                            (hidden(frame)) input type="hidden" name="token" value=(id);
                                            button name="do" value="revoke" aria-label={ "Revoke token " (id) } { "Revoke" }
                                        }
                                    }
                                }
                            }
                        }
                    }
                } }
            }
            @if me.is_some_and(|me| page.directory.user(me).is_some()) { (new_token(frame)) }
        }
    }
}

fn new_token(frame: &Frame) -> Markup {
    html! {
        details {
            summary { "Make a token" }
            form method="post" action="/settings/access" {
                (hidden(frame))
                p { label { "For " input name="name" required maxlength="100"; } }
                p { label { "May " input name="grants" placeholder="deploy:www/staging"; } " no more than you may" }
                p { label { "Days " input name="days" type="number" min="1" max="366" value="90"; } }
                p { button name="do" value="token" { "Make" } }
            }
        }
    }
}

/// What every form sends back.
fn hidden(frame: &Frame) -> Markup {
    html! { @if let Some(csrf) = &frame.csrf { input type="hidden" name="csrf" value=(csrf); } }
}
