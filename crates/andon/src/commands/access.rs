//! `andon user`, `andon token`, `andon whoami`, `andon approve`: who is let in, and what they may do.

use std::time::Duration;

use andon_core::access::{AccessRefusal, Directory, Grant, TokenId, UserName};
use andon_core::name::{EnvironmentName, ServiceName};
use andon_core::quantity::parse_duration;
use andon_core::release::ReleaseId;
use andon_core::time::Time;
use andon_server::access::AccessError;
use andon_server::clock;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Done, say, say_json};
use crate::args::{Common, ScopeArgs};
use crate::context::{Context, me};
use crate::failure::Failure;
use crate::screen::legible;
use crate::{exit, when};
use keeper::{Keeper, refused};

mod keeper;
mod password;

/// `andon user ...`
#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Let somebody in. The first user looks after users: --grant admin
    #[command(
        after_help = "Examples:\n  andon user add ana --grant admin\n  andon user add ben --grant deploy:www/production --grant line\n  pass show andon/ben | andon user add ben --password-stdin"
    )]
    Add {
        /// The name to sign in with
        name: UserName,
        /// What they may do: deploy, deploy:SERVICE, deploy:SERVICE/ENVIRONMENT, deploy:*/ENVIRONMENT, line, admin
        #[arg(long, value_name = "GRANT")]
        grant: Vec<Grant>,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Everybody who is let in, and what they may do
    #[command(
        after_help = "Example:\n  andon user list --json | jq '.[] | select(.grants | index(\"admin\"))'"
    )]
    List,
    /// Say what somebody may do from now on: all of it; nothing but reading without any
    #[command(after_help = "Example:\n  andon user grant ben deploy:www line")]
    Grant {
        /// Whose
        name: UserName,
        /// All that they may do
        #[arg(value_name = "GRANT")]
        grants: Vec<Grant>,
    },
    /// Let somebody in no more: their sessions and tokens end
    #[command(after_help = "Example:\n  andon user remove ben")]
    Remove {
        /// Whom
        name: UserName,
    },
    /// Set somebody's password: whatever they were signed in with ends
    #[command(after_help = "Example:\n  andon user password ben")]
    Password {
        /// Whose
        name: UserName,
        /// Read it from standard input: its only line
        #[arg(long)]
        password_stdin: bool,
    },
}

/// Where a password comes from.
#[derive(Debug, Args)]
pub(crate) struct PasswordArgs {
    /// Read the password from standard input: its only line
    #[arg(long, conflicts_with = "without_password")]
    password_stdin: bool,
    /// They get no password: they have tokens alone
    #[arg(long)]
    without_password: bool,
}

/// `andon token ...`
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token, which a program shows to speak for a user. It is shown this once
    #[command(
        after_help = "Examples:\n  andon token make ci --user ben --grant deploy:www/staging --expires 90d\n  curl -H \"Authorization: Bearer $(cat token)\" http://127.0.0.1:8420/v1/me"
    )]
    Make {
        /// What it is for
        name: String,
        /// For whom it speaks
        #[arg(long)]
        user: UserName,
        /// What it may do of what its user may; nothing but reading without any
        #[arg(long, value_name = "GRANT")]
        grant: Vec<Grant>,
        /// For how long
        #[arg(long, value_name = "SPAN", default_value = "90d", value_parser = span)]
        expires: Duration,
    },
    /// Every token that was not revoked
    #[command(after_help = "Example:\n  andon token list")]
    List,
    /// Make a token worth nothing, at once
    #[command(after_help = "Example:\n  andon token revoke 3")]
    Revoke {
        /// Its number
        #[arg(value_parser = token_id)]
        token: TokenId,
    },
}

/// `andon approve ...`
#[derive(Debug, Args)]
pub(crate) struct ApproveArgs {
    /// The service
    service: ServiceName,
    /// The environment
    environment: EnvironmentName,
    /// The release that waits; without it, what waits is shown
    release: Option<ReleaseId>,
    /// Why, for the ledger
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
}

fn span(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| error.to_string())
}

fn token_id(text: &str) -> Result<TokenId, String> {
    text.parse().map(TokenId).map_err(|_| "a token is a number, for example 3".to_owned())
}

pub(crate) async fn user(common: &Common, what: UserCommand) -> Done {
    let keeper = Keeper::open(common).await?;
    match what {
        UserCommand::Add { name, grant, password } => {
            // Refused before anybody types a password.
            let known = keeper.directory().await?;
            known.add_user(name.clone(), grant.clone(), None, None).map_err(refused)?;
            let password = match password.without_password {
                true => None,
                false => Some(password::read(password.password_stdin, &name)?),
            };
            keeper.add_user(&name, &grant, password.as_deref()).await?;
            told(
                common,
                json!({ "user": name, "grants": written(&grant) }),
                &format!("{name} is let in, and may {}", words(&grant)),
            );
        }
        UserCommand::List => {
            list(common, &keeper.directory().await?);
        }
        UserCommand::Grant { name, grants } => {
            let changed = keeper.set_grants(&name, &grants).await?;
            let sentence = if changed {
                format!("{name} may {}", words(&grants))
            } else {
                format!("{name} may just that already")
            };
            told(common, json!({ "user": name, "grants": written(&grants), "changed": changed }), &sentence);
        }
        UserCommand::Remove { name } => {
            keeper.remove_user(&name).await?;
            told(common, json!({ "user": name }), &format!("{name} is let in no more"));
        }
        UserCommand::Password { name, password_stdin } => {
            if keeper.directory().await?.user(name.as_str()).is_none() {
                return Err(refused(AccessRefusal::NoUser(name)));
            }
            let password = password::read(password_stdin, &name)?;
            keeper.set_password(&name, &password).await?;
            told(
                common,
                json!({ "user": name }),
                &format!("{name} has a new password; whatever was signed in before is out again"),
            );
        }
    }
    Ok(exit::OK)
}

pub(crate) async fn token(common: &Common, what: TokenCommand) -> Done {
    let keeper = Keeper::open(common).await?;
    match what {
        TokenCommand::Make { name, user, grant, expires } => {
            let made = keeper.make_token(&user, &name, &grant, expires).await?;
            if common.json {
                say_json(&json!({ "token": made.token, "secret": made.secret, "expires": made.expires }));
            } else {
                say(&made.secret);
                let until = &made.expires;
                crate::confirm::say_to_person(&format!(
                    "token {} speaks for {user} until {until}; it is shown this once",
                    made.token
                ));
            }
        }
        TokenCommand::List => list_tokens(common, &keeper.directory().await?),
        TokenCommand::Revoke { token } => {
            keeper.revoke_token(token).await?;
            told(common, json!({ "token": token }), &format!("token {token} is worth nothing any more"));
        }
    }
    Ok(exit::OK)
}

fn list_tokens(common: &Common, directory: &Directory) {
    let now = clock::now();
    if common.json {
        let rows = directory.tokens().map(|(id, token)| {
            json!({
                "token": id, "name": token.name, "user": token.user, "grants": written(&token.grants),
                "made": when::iso(token.made), "expires": when::iso(token.expires), "expired": token.expires <= now,
            })
        });
        say_json(&Value::Array(rows.collect()));
    } else if directory.tokens().next().is_none() {
        say("There is no token.\n  next  andon token make NAME --user USER");
    } else {
        for (id, token) in directory.tokens() {
            let ends = if token.expires <= now { "expired" } else { "until" };
            let until = when::iso(token.expires);
            let (user, may) = (&token.user, words(&token.grants));
            say(&format!("{id:>4}  {}  for {user}, may {may}, {ends} {until}", token.name));
        }
    }
}

/// Who sits here, as the ledger will name them, and what they may do.
pub(crate) async fn whoami(common: &Common) -> Done {
    let keeper = Keeper::open(common).await?;
    if let Keeper::Server(remote) = &keeper {
        let me = remote.me().await?;
        let may = if me.grants.is_empty() {
            "read".to_owned()
        } else {
            format!("read, and {}", me.grants.join(", "))
        };
        let value = json!({ "name": me.name, "at": me.at, "way": me.way, "grants": me.grants, "server": remote.url() });
        told(common, value, &legible(&format!("{} at {}, may {may}", me.name, remote.url())));
        return Ok(exit::OK);
    }
    let (me, directory) = (me(), keeper.directory().await?);
    let known = directory.user(&me.name);
    let server = match known {
        Some(user) => format!("a server lets {} {}", me.name, words(&user.grants)),
        None if directory.is_empty() => "there are no users, and nobody signs in".to_owned(),
        None => format!("a server knows no user {}", me.name),
    };
    let grants = known.map(|user| written(&user.grants));
    told(
        common,
        json!({ "name": me.name, "at": me.at, "way": "ledger", "grants": grants, "user": known.is_some() }),
        &format!(
            "{} at {}, on the ledger itself: whoever can write there may do everything\n  {server}",
            me.name, me.at
        ),
    );
    Ok(exit::OK)
}

pub(crate) async fn approve(common: &Common, args: ApproveArgs) -> Done {
    let context = Context::open(common).await?;
    let words = ScopeArgs { service: args.service, environment: Some(args.environment) };
    let (scope, ..) = context.scope(&words)?;
    let Some(release) = args.release else {
        let waiting = context.controller.records().approvals_waiting([scope.clone()], clock::now()).await?;
        if common.json {
            let rows = waiting.iter().map(|one| {
                json!({
                    "service": one.scope.service, "environment": one.scope.environment,
                    "release": ReleaseId::of(&one.asked.release), "by": one.asked.by.name, "why": one.asked.why,
                    "since": when::iso(one.asked.at), "needed": one.asked.needed, "given": one.given,
                })
            });
            say_json(&Value::Array(rows.collect()));
        } else if waiting.is_empty() {
            say(&format!("nothing waits for approval in {scope}"));
        } else {
            waiting.iter().for_each(|one| say(&waits(one, clock::now())));
        }
        return Ok(exit::OK);
    };
    let digest = context.controller.approve(&scope, &release, args.why).await?;
    told(
        common,
        json!({ "release": release, "digest": digest }),
        &format!("{} approved {release} for {scope}", me().name),
    );
    Ok(exit::OK)
}

fn waits(one: &andon_server::WaitingApproval, now: Time) -> String {
    let release = ReleaseId::of(&one.asked.release);
    let given = if one.given.is_empty() { "nobody yet".to_owned() } else { one.given.join(", ") };
    format!(
        "{release}  {} asked {}; {} needed, approved by {given}",
        one.asked.by,
        when::ago(one.asked.at, now),
        one.asked.needed
    )
}

fn list(common: &Common, directory: &Directory) {
    let now = clock::now();
    if common.json {
        let rows = directory.users().map(|(name, user)| {
            json!({
                "name": name, "grants": written(&user.grants), "since": when::iso(user.since),
                "password": user.password.is_some(), "issuer": user.identity.as_ref().map(|it| &it.issuer),
                "signed_in": user.signed_in.map(when::iso),
            })
        });
        say_json(&Value::Array(rows.collect()));
    } else if directory.is_empty() {
        say(
            "There is no user: whoever reaches a server from its own machine acts as the user that it runs as.\n  next  \
             andon user add NAME --grant admin",
        );
    } else {
        for (name, user) in directory.users() {
            let signed = user
                .signed_in
                .map_or("not signed in yet".to_owned(), |at| format!("signed in {}", when::ago(at, now)));
            say(&format!("{name}  may {}, {signed}", words(&user.grants)));
        }
    }
}

fn told(common: &Common, value: Value, sentence: &str) {
    if common.json { say_json(&value) } else { say(sentence) }
}

fn written(grants: &[Grant]) -> Vec<String> {
    grants.iter().map(ToString::to_string).collect()
}

fn words(grants: &[Grant]) -> String {
    if grants.is_empty() { "read".to_owned() } else { format!("read, and {}", written(grants).join(", ")) }
}

impl From<AccessError> for Failure {
    fn from(error: AccessError) -> Self {
        let what = error.to_string();
        match error {
            AccessError::Refused(refusal) => {
                Failure::refused(what).why("nothing has been changed").next(refusal.next())
            }
            AccessError::Password(_) => Failure::usage(what).next("choose another one"),
            AccessError::Records(error) => error.into(),
            AccessError::Wrong | AccessError::Busy | AccessError::Crowded => {
                Failure::refused(what).next("try again")
            }
            AccessError::Vault(..) | AccessError::Random => {
                Failure::broken(what).next("mend that, then try again")
            }
        }
    }
}
