//! A message as a mail: built as MIME, handed to a server over SMTP. Without STARTTLS nothing leaves this machine.

use std::error::Error as _;

use andon_core::line::{MailAddress, MailServer};
use andon_core::telling::Outcome;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{Address, Message, SmtpTransport, Transport};

use super::post::{Post, PostError};
use andon_chart as chart;

/// The name of the picture inside of a mail.
const PICTURE: &str = "picture";

pub(super) fn send(post: &Post, server: &MailServer, to: &MailAddress) -> Result<Outcome, PostError> {
    let message = message(post, server, to)?;
    let mut smtp = SmtpTransport::builder_dangerous(server.host.clone())
        .port(server.port)
        .timeout(Some(post.patience))
        .tls(if server.tls { Tls::Required(parameters(server)?) } else { Tls::None });
    if let Some(login) = &server.login {
        let password = post.secrets.find(&login.password)?;
        smtp = smtp.credentials(Credentials::new(login.user.clone(), password.reveal().to_owned()));
    }
    Ok(match smtp.build().send(&message) {
        Ok(answer) => {
            let said = answer.first_line().unwrap_or_default();
            Outcome::Delivered(format!("{} {said}", answer.code()))
        }
        Err(error) => outcome(server, &error),
    })
}

/// What an error means: a mailbox that does not exist will not exist in an hour either; all else may be mended.
fn outcome(server: &MailServer, error: &lettre::transport::smtp::Error) -> Outcome {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_words = inner.to_string();
        if !words.contains(&inner_words) {
            words.push_str(&format!(": {inner_words}"));
        }
        source = inner.source();
    }
    let text = format!("{}:{}: {words}", server.host, server.port);
    match error.status().map(u16::from) {
        Some(550 | 551 | 553) => Outcome::Never(text),
        _ => Outcome::NotNow(text),
    }
}

fn parameters(server: &MailServer) -> Result<TlsParameters, PostError> {
    let unable = |error: lettre::transport::smtp::Error| {
        PostError::Unable(format!("TLS cannot be set up for {}: {error}", server.host))
    };
    let mut parameters = TlsParameters::builder(server.host.clone());
    if let Some(ca) = &server.ca {
        parameters = parameters.certificate_store(CertificateStore::None);
        parameters = parameters.add_root_certificate(Certificate::from_pem(ca.as_bytes()).map_err(unable)?);
    }
    parameters.build().map_err(unable)
}

fn message(post: &Post, server: &MailServer, to: &MailAddress) -> Result<Message, PostError> {
    let unable = |what: &str, error: &dyn std::fmt::Display| PostError::Unable(format!("{what}: {error}"));
    let mailbox = |name: Option<String>, address: &MailAddress| {
        let address: Address = address.as_str().parse().map_err(|error| unable(address.as_str(), &error))?;
        Ok::<_, PostError>(Mailbox::new(name, address))
    };
    let telling = &post.telling;
    let at = std::time::UNIX_EPOCH + telling.at.since(andon_core::time::Time(0));
    let drawn = telling.picture.as_ref().and_then(chart::png);
    let page = SinglePart::html(telling.html(drawn.as_ref().map(|_| PICTURE)));
    let page = match drawn {
        Some(png) => {
            let image = ContentType::parse("image/png").map_err(|error| unable("image/png", &error))?;
            let picture = Attachment::new_inline_with_name(PICTURE.to_owned(), "metric.png".to_owned());
            MultiPart::related().singlepart(page).singlepart(picture.body(png, image))
        }
        None => MultiPart::related().singlepart(page),
    };
    let body = MultiPart::alternative().singlepart(SinglePart::plain(telling.plain())).multipart(page);
    let mut message = Message::builder()
        .from(mailbox(Some("Andon".to_owned()), &server.sender)?)
        .to(mailbox(None, to)?)
        .subject(telling.subject())
        .date(at)
        .message_id(Some(format!("<{}@{}>", post.id, server.sender.domain())));
    // RFC 3834: nobody's absence note shall answer.
    for (name, value) in [("Auto-Submitted", "auto-generated"), ("Andon-Event", telling.kind.name())] {
        let name = HeaderName::new_from_ascii(name.to_owned()).map_err(|error| unable(name, &error))?;
        message = message.raw_header(HeaderValue::new(name, value.to_owned()));
    }
    message.multipart(body).map_err(|error| unable("the mail cannot be built", &error))
}
