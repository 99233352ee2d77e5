//! `tell(...)` and `secret(...)`: who is told when something needs people, and where passwords are found.

use andon_core::line::{MailAddress, Tell};
use andon_core::name::SecretName;

use crate::call::Call;
use crate::kind::{Given, Kind, quoted};
use crate::schema::{Constructor, Default, Parameter};
use crate::value::{Sort, Thing};

pub(crate) use hook::{SLACK, WEBHOOK};
pub(crate) use mail::SMTP;

mod hook;
mod mail;

pub(crate) const TELL: Constructor = Constructor {
    name: "tell",
    summary: "Who is told when a release was put back, could not be put back, or needs a decision.",
    details: "Messages are kept until they are delivered, for at most 24 hours, and hold no deployment up. `andon tell \
              test SERVICE` shows whether they arrive.",
    example: r#"tell(
    mail = smtp("mail.example.com", sender = "andon@example.com", user = "andon", password = secret("smtp")),
    to   = ["oncall@example.com"],
    team = [slack(secret("chat")), webhook("https://events.example.com/andon", secret = secret("hook"))],
)"#,
    positional: 0,
    parameters: &[
        Parameter {
            name: "mail",
            kind: Kind::Made(&[Sort::Mail]),
            default: Default::Absent,
            doc: "What sends mail. Without it, only the team is told.",
        },
        Parameter {
            name: "author",
            kind: Kind::Flag,
            default: Default::Is("True"),
            doc: "Whether the author of a release that failed gets a mail, at the address that the commit names.",
        },
        Parameter {
            name: "to",
            kind: Kind::List(&Kind::Text),
            default: Default::Is("[]"),
            doc: "Who gets every mail.",
        },
        Parameter {
            name: "team",
            kind: Kind::List(&Kind::Made(&[Sort::Hook])),
            default: Default::Is("[]"),
            doc: "Where the team reads along.",
        },
    ],
    build: tell,
};

pub(crate) const SECRET: Constructor = Constructor {
    name: "secret",
    summary: "A password, a key or an address that must not be seen: named here, found when it is used.",
    details: "It is the value of the environment variable `ANDON_SECRET_` and the name in capitals (`smtp-password` is \
              `ANDON_SECRET_SMTP_PASSWORD`), or else the content of the file `secrets/NAME` in the data directory, \
              which nobody but its owner may read. The value is never written anywhere.",
    example: "secret(\"smtp-password\")",
    positional: 1,
    parameters: &[Parameter {
        name: "name",
        kind: Kind::Name,
        default: Default::Required,
        doc: "The name of the secret.",
    }],
    build: |call| Some(Thing::Secret(SecretName::new(call.text("name")?).ok()?)),
};

fn tell(call: &Call<'_>) -> Option<Thing> {
    let to: Vec<MailAddress> =
        call.list("to").iter().filter_map(|given| address(call, given, given.text()?)).collect();
    let team = call.list("team").iter().filter_map(|given| match given.made().map(|made| &made.thing) {
        Some(Thing::Hook(hook)) => Some(hook.clone()),
        _ => None,
    });
    let team: Vec<_> = team.collect();
    let mail = match call.made("mail").map(|made| &made.thing) {
        Some(Thing::Mail(server)) => Some(server.clone()),
        _ => None,
    };
    let author = call.flag("author")?;
    let broken = call.is_broken("mail") || call.is_broken("team") || call.is_broken("to");
    if mail.is_none() && !broken {
        let needs = [("to", !call.list("to").is_empty()), ("author", call.says("author") && author)];
        for (name, _) in needs.into_iter().filter(|(_, needed)| *needed) {
            let error =
                call.error_at(call.place_of(name), format!("`{name}` needs something that sends mail"));
            call.notebook.record(error.help("add `mail = smtp(...)`"));
        }
        if call.list("team").is_empty() {
            let error = call.error_at(call.place, "this tells nobody");
            call.notebook.record(error.help("add `mail = smtp(...)` or `team = [slack(...)]`"));
            return None;
        }
    }
    if mail.is_some() && !author && call.list("to").is_empty() {
        let error = call.error_at(call.place_of("mail"), "nobody gets these mails");
        call.notebook.record(error.help("add `to = [...]`, or leave out `author = False`"));
    }
    Some(Thing::Tell(Tell { mail, author, to, team }))
}

/// The address of a mailbox, or `None` after what is wrong with it was recorded.
fn address(call: &Call<'_>, given: &Given, text: &str) -> Option<MailAddress> {
    match MailAddress::new(text) {
        Ok(address) => Some(address),
        Err(error) => {
            let message = format!("{error}, got {}", quoted(text));
            call.error(given.place, message);
            None
        }
    }
}

/// The name of a secret that was given as an argument.
fn secret(given: Option<&Given>) -> Option<SecretName> {
    match &given?.made()?.thing {
        Thing::Secret(name) => Some(name.clone()),
        _ => None,
    }
}

const CA: Parameter = Parameter {
    name: "ca",
    kind: Kind::Text,
    default: Default::Absent,
    doc: "A file with the certificates (PEM) that are trusted instead of those of the system, relative to the directory of `line.star`. It is read together with the line.",
};

/// The certificates that are trusted: `Ok(None)` if none are named, `Err` after what is wrong was recorded.
fn ca(call: &Call<'_>) -> Result<Option<String>, ()> {
    let Some(path) = call.text("ca") else {
        return if call.is_broken("ca") { Err(()) } else { Ok(None) };
    };
    let content = match call.notebook.sources.read(path) {
        Ok(content) => content,
        Err(error) => {
            call.error(call.place_of("ca"), error.to_string());
            return Err(());
        }
    };
    call.notebook.charge(content.len());
    if !content.contains("-----BEGIN CERTIFICATE-----") {
        call.error(call.place_of("ca"), format!("{} holds no certificate in PEM", quoted(path)));
        return Err(());
    }
    if content.contains("PRIVATE KEY") {
        let error = call.error_at(call.place_of("ca"), format!("{} holds a private key", quoted(path)));
        call.notebook.record(
            error.help("what stands in a line is written into the ledger: name the certificate alone"),
        );
        return Err(());
    }
    Ok(Some(content))
}
