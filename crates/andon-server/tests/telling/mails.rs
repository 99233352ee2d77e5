//! Mail, through a real server.

use std::time::Duration;

use andon_core::line::Login;
use andon_core::name::SecretName;
use andon_core::telling::LetterState;
use andon_testbed::balancer::free_ports;
use andon_testbed::{Manners, SmtpServer};
use serde_json::Value;

use crate::desk::{Desk, mail_server, mail_to, pass, telling};

fn mails(server: &SmtpServer) -> Vec<Value> {
    server.mails().iter().map(|text| serde_json::from_str(text).unwrap()).collect()
}

fn header<'a>(mail: &'a Value, name: &str) -> Vec<&'a str> {
    let headers = mail["headers"].as_array().unwrap().iter();
    headers.filter(|header| header[0] == name).map(|header| header[1].as_str().unwrap()).collect()
}

fn part<'a>(mail: &'a Value, kind: &str) -> &'a Value {
    let parts = mail["parts"].as_array().unwrap();
    parts.iter().find(|part| part["type"] == kind).unwrap_or_else(|| panic!("no {kind} in {mail:#}"))
}

#[tokio::test]
async fn a_mail_arrives_encrypted_with_its_picture_and_a_hostile_commit_stays_text() {
    let server = SmtpServer::start(Manners { login: Some(("andon", "hush")), ..Manners::default() }).unwrap();
    let desk = Desk::new();
    desk.secret("smtp", "hush\n");
    let mut through = mail_server(server.port(), Some(server.certificate()));
    through.login = Some(Login { user: "andon".into(), password: SecretName::new("smtp").unwrap() });
    let mut tell = mail_to(through, "oncall@example.com");
    tell.author = true;
    assert!(desk.queue(&telling(), &tell).await);
    assert!(!desk.queue(&telling(), &tell).await, "the same message is queued once");
    let round = desk.deliver(false).await;
    assert_eq!((round.delivered, round.waiting), (2, 0), "{:?} {}", desk.letters().await, server.log());
    assert_eq!(desk.deliver(true).await.delivered, 0);

    let mails = mails(&server);
    let mut to: Vec<&str> = mails.iter().map(|mail| mail["to"][0].as_str().unwrap()).collect();
    to.sort_unstable();
    assert_eq!(to, ["ana@example.com", "oncall@example.com"]);
    for mail in &mails {
        assert_eq!((&mail["tls"], &mail["user"]), (&Value::Bool(true), &Value::from("andon")));
        assert_eq!(mail["from"], "andon@example.com");
        assert_eq!(header(mail, "Bcc"), [""; 0], "a commit cannot bring a header");
        let [subject] = header(mail, "Subject")[..] else { panic!("{mail:#}") };
        assert!(subject.contains("www/production") && subject.contains("é Bcc: eve"), "{subject}");
        assert!(subject.contains("was put back"), "{subject}");
        assert_eq!(header(mail, "Auto-Submitted"), ["auto-generated"]);
        let plain = part(mail, "text/plain")["text"].as_str().unwrap();
        assert!(plain.contains("4c1d9e2") && plain.contains("What was seen"), "{plain}");
        assert!(!plain.contains('\u{1b}'), "{plain:?}");
        let html = part(mail, "text/html")["text"].as_str().unwrap();
        assert!(html.contains("&lt;script&gt;") && !html.contains("<script>"), "{html}");
        let image = part(mail, "image/png");
        let id = image["id"].as_str().unwrap().trim_matches(['<', '>']);
        assert!(html.contains(&format!("cid:{id}")), "{html}");
        assert!(image["base64"].as_str().unwrap().starts_with("iVBORw0KGgo"), "a PNG");
    }
    let ids: Vec<&str> = mails.iter().flat_map(|mail| header(mail, "Message-ID")).collect();
    assert!(ids.len() == 2 && ids[0] != ids[1], "{ids:?}");
    assert!(!desk.ledger().await.contains("hush"), "a secret never reaches the ledger");
}

#[tokio::test]
async fn a_server_that_is_down_gets_the_mail_once_when_it_is_up() {
    let (_held, port) = free_ports(1).unwrap();
    let desk = Desk::new();
    // Its certificate is not known yet: for the first tries nobody is there to show one.
    let tell = mail_to(mail_server(port, None), "oncall@example.com");
    desk.queue(&telling(), &tell).await;
    assert_eq!(desk.deliver(false).await.waiting, 1);
    let (state, tries) = desk.said().await;
    assert_eq!(tries, 1);
    assert!(
        matches!(&state, LetterState::Waiting { why: Some(why), .. } if why.contains("refused")),
        "{state:?}"
    );
    desk.deliver(false).await;
    assert_eq!(desk.said().await.1, 1, "its time has not come");
    pass(Duration::from_secs(11));

    let server = SmtpServer::start(Manners { port, ..Manners::default() }).unwrap();
    // The line has learnt what to trust in the meantime.
    let mut line = andon_core::line::Line::default();
    let source = format!(
        "service(\"www\", hosts = group(\"w\", [\"web1\"], local = True), release = directory(\"d\"),\
         run = process(exec = \"x\"), tell = tell(author = False, to = [\"oncall@example.com\"],\
         mail = smtp(\"localhost:{port}\", sender = \"andon@example.com\", ca = \"ca.pem\")))"
    );
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("ca.pem"), server.certificate()).unwrap();
    let loaded = andon_line::load_source("line.star", &source, directory.path());
    line.services = loaded.unwrap_or_else(|error| panic!("{error}")).line.services;
    let round = desk.outbox.deliver(false, crate::desk::PATIENCE, Some(&line)).await.unwrap();
    assert_eq!((round.delivered, round.waiting), (1, 0), "{:?} {}", desk.said().await, server.log());
    desk.outbox.deliver(true, crate::desk::PATIENCE, Some(&line)).await.unwrap();
    assert_eq!(mails(&server).len(), 1);
}

#[tokio::test]
async fn nothing_is_said_in_clear_where_encryption_is_demanded() {
    let server = SmtpServer::start(Manners { starttls: false, ..Manners::default() }).unwrap();
    let desk = Desk::new();
    let mut through = mail_server(server.port(), None);
    desk.queue(&telling(), &mail_to(through.clone(), "oncall@example.com")).await;
    desk.deliver(false).await;
    let (state, _) = desk.said().await;
    assert!(
        matches!(&state, LetterState::Waiting { why: Some(why), .. } if why.contains("STARTTLS")),
        "{state:?}"
    );
    assert!(mails(&server).is_empty());

    // Said so by the line, a server on this machine may do without.
    through.tls = false;
    let desk = Desk::new();
    desk.queue(&telling(), &mail_to(through, "oncall@example.com")).await;
    assert_eq!(desk.deliver(false).await.delivered, 1, "{:?}", desk.said().await);
    assert_eq!(mails(&server)[0]["tls"], false);
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_gets_no_mail() {
    let server = SmtpServer::start(Manners::default()).unwrap();
    let other = SmtpServer::start(Manners::default()).unwrap();
    let desk = Desk::new();
    let through = mail_server(server.port(), Some(other.certificate()));
    desk.queue(&telling(), &mail_to(through, "oncall@example.com")).await;
    desk.deliver(false).await;
    let (state, _) = desk.said().await;
    assert!(
        matches!(&state, LetterState::Waiting { why: Some(why), .. } if why.contains("certificate")),
        "{state:?}"
    );
    assert!(mails(&server).is_empty());
}

#[tokio::test]
async fn a_wrong_password_is_told_in_the_servers_words_and_an_unknown_mailbox_is_given_up() {
    let server = SmtpServer::start(Manners { login: Some(("andon", "hush")), ..Manners::default() }).unwrap();
    let desk = Desk::new();
    desk.secret("smtp", "guess");
    let mut through = mail_server(server.port(), Some(server.certificate()));
    through.login = Some(Login { user: "andon".into(), password: SecretName::new("smtp").unwrap() });
    desk.queue(&telling(), &mail_to(through.clone(), "nobody@example.com")).await;
    desk.deliver(false).await;
    let (state, _) = desk.said().await;
    let LetterState::Waiting { why: Some(why), .. } = &state else { panic!("{state:?}") };
    assert!(why.contains("wrong user or password, says the test") && !why.contains("guess"), "{why}");

    // Mended, the try comes further.
    desk.secret("smtp", "hush");
    desk.deliver(true).await;
    let (state, _) = desk.said().await;
    assert!(
        matches!(&state, LetterState::GivenUp { why, .. } if why.contains("no such mailbox")),
        "{state:?}"
    );
    assert_eq!(desk.deliver(true).await.waiting, 0);
}

#[tokio::test]
async fn a_server_that_never_answers_holds_up_nobody_and_is_given_up_after_a_day() {
    let slow = SmtpServer::start(Manners { slow: true, ..Manners::default() }).unwrap();
    let quick = SmtpServer::start(Manners::default()).unwrap();
    let desk = Desk::new();
    let at = |server: &SmtpServer| mail_server(server.port(), Some(server.certificate()));
    let one = andon_core::telling::Telling { picture: None, ..telling() };
    let other = andon_core::telling::Telling { key: "129/put_back".into(), ..one.clone() };
    desk.queue(&one, &mail_to(at(&slow), "oncall@example.com")).await;
    desk.queue(&other, &mail_to(at(&quick), "oncall@example.com")).await;
    let round = desk.outbox.deliver(false, Duration::from_secs(10), None).await.unwrap();
    assert_eq!((round.delivered, round.waiting), (1, 1), "the quick one did not wait for the slow one");
    assert_eq!(mails(&quick).len(), 1);

    pass(Duration::from_secs(24 * 3600));
    desk.outbox.deliver(true, Duration::from_secs(2), None).await.unwrap();
    let all = desk.outbox.list("128/", 10).await.unwrap();
    let state = &all[0].letters[0].state;
    assert!(matches!(state, LetterState::GivenUp { why, .. } if why.contains("24 h")), "{state:?}");
}
