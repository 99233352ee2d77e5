//! `smtp(...)`: a server that takes mail.

use andon_core::line::tell::is_this_machine;
use andon_core::line::{Login, MailServer};

use super::{CA, address, ca, secret};
use crate::call::Call;
use crate::constructor::host::is_address;
use crate::kind::{Kind, quoted};
use crate::schema::{Constructor, Default, Parameter};
use crate::value::{Sort, Thing};

/// Where servers take mail from those who are known to them (RFC 6409).
const SUBMISSION: u16 = 587;

pub(crate) const SMTP: Constructor = Constructor {
    name: "smtp",
    summary: "A server that takes mail, spoken to with STARTTLS.",
    details: "A server that offers no STARTTLS, or has a certificate that is not trusted, gets no mail and no password.",
    example: "smtp(\"mail.example.com:587\", sender = \"andon@example.com\", user = \"andon\", password = secret(\"smtp-password\"))",
    positional: 1,
    parameters: &[
        Parameter {
            name: "server",
            kind: Kind::Word,
            default: Default::Required,
            doc: "Its name, with its port unless that is 587.",
        },
        Parameter {
            name: "sender",
            kind: Kind::Text,
            default: Default::Required,
            doc: "The address that mail comes from.",
        },
        Parameter { name: "user", kind: Kind::Text, default: Default::Absent, doc: "As whom to log in." },
        Parameter {
            name: "password",
            kind: Kind::Made(&[Sort::Secret]),
            default: Default::Absent,
            doc: "The password of that user.",
        },
        Parameter {
            name: "tls",
            kind: Kind::Flag,
            default: Default::Is("True"),
            doc: "Whether STARTTLS is demanded. `False` is for a server on this machine alone.",
        },
        CA,
    ],
    build: smtp,
};

fn smtp(call: &Call<'_>) -> Option<Thing> {
    let ca = ca(call);
    let sender = call.given("sender").and_then(|given| address(call, given, given.text()?));
    let login = login(call);
    let server = call.text("server").and_then(|text| server(call, text));
    let tls = call.flag("tls")?;
    let (host, port) = server?;
    if !tls && !is_this_machine(&host) {
        let message = "without STARTTLS everybody on the way can read what is sent";
        let error = call.error_at(call.place_of("tls"), message);
        call.notebook
            .record(error.help("only a server on this machine (127.0.0.1, localhost) may do without"));
        return None;
    }
    Some(Thing::Mail(MailServer { host, port, sender: sender?, login: login.ok()?, tls, ca: ca.ok()? }))
}

fn server(call: &Call<'_>, text: &str) -> Option<(String, u16)> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, Some(SUBMISSION)),
        Some((host, rest)) => (host, rest.strip_prefix(':').and_then(|port| port.parse().ok())),
        None => match text.split_once(':') {
            Some((host, port)) => (host, port.parse().ok()),
            None => (text, Some(SUBMISSION)),
        },
    };
    match port.filter(|port| *port > 0 && is_address(host)) {
        Some(port) => Some((host.to_owned(), port)),
        None => {
            let error = call
                .error_at(call.place_of("server"), format!("{} is not the name of a server", quoted(text)));
            call.notebook.record(error.help("write it like \"mail.example.com:587\""));
            None
        }
    }
}

/// User and password: `Ok(None)` if neither is given, `Err` after what is wrong was recorded.
fn login(call: &Call<'_>) -> Result<Option<Login>, ()> {
    let both = [("user", "password"), ("password", "user")];
    if let Some((said, missing)) =
        both.into_iter().find(|(said, missing)| call.says(said) && !call.says(missing))
    {
        call.error(call.place_of(said), format!("`{said}` needs `{missing}`"));
        return Err(());
    }
    if !call.says("user") {
        return Ok(None);
    }
    let user = call.text("user").ok_or(())?;
    if user.is_empty() || user.chars().any(char::is_control) {
        call.error(call.place_of("user"), "a user is not empty and stands on one line");
        return Err(());
    }
    let password = secret(call.given("password")).ok_or(())?;
    Ok(Some(Login { user: user.to_owned(), password }))
}
