//! The ways of a message to those who read it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Telling;
use crate::line::tell::hook_host;
use crate::line::{Hook, HookForm, HookUrl, MailAddress, MailServer, Tell};

/// One way of one message: a mail to one address, or a call of one hook. Holds no secret, only its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// A mail.
    Mail {
        /// What sends it.
        server: MailServer,
        /// To whom.
        to: MailAddress,
    },
    /// A call.
    Hook(Hook),
}

/// Where a route leads, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(String);

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

impl Route {
    /// Where it leads, for people. The path of a hook is left out: it is as good as a password.
    pub fn address(&self) -> Address {
        Address(match self {
            Route::Mail { to, .. } => to.to_string(),
            Route::Hook(hook) => {
                let form = match hook.form {
                    HookForm::Slack => "chat",
                    HookForm::Json => "webhook",
                };
                let place = match &hook.url {
                    HookUrl::Said(url) => hook_host(url).unwrap_or("an unreadable address"),
                    HookUrl::Secret(name) => name.as_str(),
                };
                format!("{form} at {place}")
            }
        })
    }
}

/// All ways of a message: to the author if the release is at fault, to those who get every mail, and to the team.
pub fn routes(telling: &Telling, tell: &Tell) -> Vec<Route> {
    let readers: BTreeSet<MailAddress> =
        telling.author(tell).into_iter().chain(tell.to.iter().cloned()).collect();
    let mails = tell
        .mail
        .iter()
        .flat_map(|server| readers.iter().map(|to| Route::Mail { server: server.clone(), to: to.clone() }));
    mails.chain(tell.team.iter().cloned().map(Route::Hook)).collect()
}
