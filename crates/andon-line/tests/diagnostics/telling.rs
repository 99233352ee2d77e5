//! What is said about people who cannot be told, and secrets that would not be one.

use std::fs;

use andon_core::line::{HookForm, HookUrl};
use andon_line::load_source;

use super::{service_with, told};

#[test]
fn each_mistake_of_telling_is_told_at_its_exact_place() {
    let mail = "mail = smtp(\"mail.example.com\", sender = \"andon@example.com\")";
    let table: &[(String, &[&str])] = &[
        ("tell()".into(), &["tell => this tells nobody"]),
        (
            "tell(to = [\"ana@example.com\"], team = [slack(secret(\"x\"))])".into(),
            &["[\"ana@example.com\"] => `to` needs something that sends mail"],
        ),
        (
            format!("tell({mail}, to = [\"ana\"])"),
            &["\"ana\" => this is not a mail address like ana@example.com, got \"ana\""],
        ),
        (
            format!("tell({mail}, author = False)"),
            &["smtp(\"mail.example.com\", sender = \"andon@example.com\") => nobody gets these mails"],
        ),
        (
            "tell(mail = smtp(\"mail.example.com:x\", sender = \"a@b\"))".into(),
            &["\"mail.example.com:x\" => \"mail.example.com:x\" is not the name of a server"],
        ),
        (
            "tell(mail = smtp(\"mail.example.com\", sender = \"a@b\", tls = False))".into(),
            &["False => without STARTTLS everybody on the way can read what is sent"],
        ),
        (
            "tell(mail = smtp(\"mail.example.com\", sender = \"a@b\", user = \"a\"))".into(),
            &["\"a\" => `user` needs `password`"],
        ),
        (
            "tell(mail = smtp(\"mail.example.com\", sender = \"a@b\", user = \"a\", password = 7))".into(),
            &["7 => expected a secret, `secret(...)`, got 7"],
        ),
        (
            "tell(team = [slack(\"http://chat.example.com/x\")])".into(),
            &[
                "\"http://chat.example.com/x\" => http:// is for this machine alone (127.0.0.1, [::1], localhost); elsewhere use https://",
            ],
        ),
        (
            "tell(team = [webhook(\"chat.example.com\")])".into(),
            &["\"chat.example.com\" => this is not a URL like https://chat.example.com/hooks/andon"],
        ),
    ];
    for (argument, wanted) in table {
        assert_eq!(told(&service_with(&format!("tell = {argument}"))), *wanted, "{argument}");
    }
}

#[test]
fn certificates_are_read_with_the_line_and_a_private_key_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let line = |file: &str| {
        service_with(&format!(
            "tell = tell(mail = smtp(\"[::1]:2525\", sender = \"a@example.com\", ca = \"{file}\"), \
             team = [slack(secret(\"chat\")), webhook(\"http://127.0.0.1:80/x\", secret = secret(\"hook\"))])"
        ))
    };
    let certificate = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n";
    fs::write(directory.path().join("ca.pem"), certificate).unwrap();
    fs::write(directory.path().join("both.pem"), format!("{certificate}-----BEGIN PRIVATE KEY-----\n"))
        .unwrap();
    fs::write(directory.path().join("none.pem"), "hello").unwrap();
    let loaded = load_source("line.star", &line("ca.pem"), directory.path()).unwrap();
    let tell = loaded.line.services.values().next().unwrap().tell.clone().unwrap();
    let mail = tell.mail.unwrap();
    assert_eq!((mail.host.as_str(), mail.port, mail.tls), ("::1", 2525, true));
    assert_eq!(mail.ca.as_deref(), Some(certificate));
    assert!(tell.author);
    assert_eq!(tell.team[0].form, HookForm::Slack);
    assert!(matches!(&tell.team[0].url, HookUrl::Secret(name) if name.as_str() == "chat"));
    assert_eq!(tell.team[1].secret.as_ref().map(|name| name.as_str()), Some("hook"));
    for (file, why) in [("both.pem", "private key"), ("none.pem", "no certificate"), ("gone.pem", "gone.pem")]
    {
        let error = load_source("line.star", &line(file), directory.path()).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}
