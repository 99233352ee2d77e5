//! *Sign in*: a name and a password, or another system that knows the person.

use maud::{Markup, html};

use crate::frame::Frame;

/// What the page shows.
#[derive(Debug, Clone, Default)]
pub struct SignIn {
    /// The name that was typed before.
    pub name: String,
    /// Why nobody was signed in, and what to do.
    pub wrong: Option<String>,
    /// Where to go afterwards: a path of this server.
    pub to: String,
    /// The button of another system that signs people in, where there is one.
    pub elsewhere: Option<String>,
    /// Whether passwords are taken over this connection.
    pub passwords: bool,
    /// Whether there is any user.
    pub users: bool,
}

/// The page.
pub fn render(page: &SignIn, frame: &Frame) -> Markup {
    let wrong = page.wrong.as_ref().map(|_| "wrong");
    let body = html! {
        div class="sign-in" {
            h1 { "Sign in" }
            @if let Some(wrong) = &page.wrong {
                p id="wrong" class="problem" role="alert" { "✘ " (wrong) }
            }
            @if let Some(label) = &page.elsewhere {
                p { a class="button" href="/sign-in/oidc" { (label) } }
            }
            @if page.passwords && (page.users || page.elsewhere.is_none()) {
                form method="post" action="/sign-in" {
                    input type="hidden" name="to" value=(page.to);
                    p {
                        label for="name" { "Name" }
                        input id="name" name="name" value=(page.name) autocomplete="username" autocapitalize="none"
                            spellcheck="false" maxlength="100" required aria-describedby=[wrong];
                    }
                    p {
                        label for="password" { "Password" }
                        input id="password" name="password" type="password" autocomplete="current-password"
                            maxlength="1024" required aria-describedby=[wrong];
                    }
                    p { button type="submit" { "Sign in" } }
                }
            }
            @if !page.passwords {
                p { "Passwords are not taken here, because somebody on the way could read them: this server is reached without TLS." }
                p { "Where the server runs: " code { "andon server --tls-cert FILE --tls-key FILE" } }
            }
            @if !page.users && page.elsewhere.is_none() {
                p { "Nobody can sign in yet. Where the server runs: " code { "andon user add NAME --grant admin" } }
            }
        }
    };
    frame.page("Sign in", &body)
}
