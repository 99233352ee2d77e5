//! A release that fails is told to the one who wrote it, through a real SMTP server.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use andon_testbed::balancer::free_ports;
use andon_testbed::{Manners, SmtpServer, program};
use serde_json::Value;

use crate::project::{Project, QUICK, local_hosts, text};

/// A project with two hosts in a Git repository, that tells people by mail through the server at `port`.
fn project(port: u16, certificate: &str) -> Project {
    program::require(&["git"]).unwrap();
    let project = Project::new();
    project.write("ca.pem", certificate);
    let tell = format!(
        "tell = tell(to = [\"oncall@example.com\"], mail = smtp(\"localhost:{port}\", sender = \"andon@example.com\", \
         ca = \"ca.pem\", user = \"andon\", password = secret(\"smtp\")))"
    );
    project.write_line(&local_hosts(2), QUICK, &tell);
    fs::create_dir_all(project.data().join("secrets")).unwrap();
    project.write(".andon/secrets/smtp", "hush\n");
    readable_by(&project, 0o600);
    git(&project, &["init", "--quiet"]);
    release(&project, "one", "exit 0", "Ana", "first");
    project
}

fn readable_by(project: &Project, mode: u32) {
    let path = project.data().join("secrets/smtp");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A release, and the commit that it is made from.
fn release(project: &Project, mark: &str, smoke: &str, author: &str, subject: &str) {
    project.release(mark, smoke);
    git(project, &["add", "dist"]);
    let author = format!("{author} <{}@example.com>", author.to_lowercase());
    git(project, &["commit", "--quiet", "--message", subject, "--author", &author]);
}

fn git(project: &Project, words: &[&str]) {
    let mut git = project.around(Command::new("git"));
    let nobody =
        ["-c", "user.name=Builder", "-c", "user.email=builder@example.com", "-c", "commit.gpgsign=false"];
    let ended = git.args(nobody).args(words).output().unwrap();
    assert!(ended.status.success(), "{words:?}: {ended:?}");
}

fn server(port: u16) -> SmtpServer {
    SmtpServer::start(Manners { login: Some(("andon", "hush")), port, ..Manners::default() }).unwrap()
}

/// The mails so far, each with its only recipient and its subject.
fn mails(server: &SmtpServer) -> Vec<(String, String, Value)> {
    let read = |text: &String| {
        let mail: Value = serde_json::from_str(text).unwrap();
        let headers = mail["headers"].as_array().unwrap();
        let subject =
            headers.iter().find(|header| header[0] == "Subject").unwrap()[1].as_str().unwrap().to_owned();
        (mail["to"][0].as_str().unwrap().to_owned(), subject, mail)
    };
    let mut mails: Vec<_> = server.mails().iter().map(read).collect();
    mails.sort_by(|a, b| a.0.cmp(&b.0));
    mails
}

#[test]
fn the_author_of_a_release_that_was_put_back_gets_a_mail() {
    let server = server(0);
    let project = project(server.port(), server.certificate());
    project.well(&["deploy", "www"]).never_says("told");
    assert_eq!(mails(&server).len(), 0, "nobody is told that all is well");

    release(&project, "two", "echo 'no order could be placed'; exit 1", "Bea", "checkout: retry on 409");
    let ran = project.run(&["deploy", "www"]).code(1).says("#2 was rolled back");
    ran.says("told: bea@example.com, oncall@example.com").never_says("hush");
    let mails = mails(&server);
    let to: Vec<&str> = mails.iter().map(|(to, ..)| to.as_str()).collect();
    assert_eq!(to, ["bea@example.com", "oncall@example.com"], "{}", server.log());
    let (_, subject, mail) = &mails[0];
    assert_eq!(subject, "[andon] www/production: \"checkout: retry on 409\" was put back");
    assert_eq!((&mail["tls"], &mail["user"]), (&Value::Bool(true), &Value::from("andon")));
    let parts = mail["parts"].as_array().unwrap();
    let plain = parts.iter().find(|part| part["type"] == "text/plain").unwrap()["text"].as_str().unwrap();
    for said in
        ["web1, in the first wave, failed to verify", "no order could be placed", "by Bea", "--fixes 2"]
    {
        assert!(plain.contains(said), "{said}: {plain}");
    }

    let told = project.json(&["tell"]);
    let letters = told[0]["letters"].as_array().unwrap();
    assert!(letters.iter().all(|letter| letter["state"] == "delivered"), "{told:#}");
    project.well(&["tell", "retry"]).says("No message waits");
    project.well(&["ledger", "verify"]);
    assert_eq!(server.mails().len(), 2);
}

#[test]
fn a_mail_server_that_is_away_holds_nothing_up_and_gets_the_mail_later() {
    let certificate = server(0);
    let (_held, port) = free_ports(1).unwrap();
    let project = project(port, certificate.certificate());
    project.well(&["deploy", "www"]);
    release(&project, "two", "exit 1", "Bea", "checkout");
    let ran = project.run(&["deploy", "www"]).code(1).says("#2 was rolled back");
    ran.says("the message to bea@example.com waits").says("andon tell retry");
    assert_eq!(text(&project.show(2), "state"), "rolled_back");
    project.run(&["tell", "retry"]).code(1).says("not");

    let server = server(port);
    project.write("ca.pem", server.certificate());
    readable_by(&project, 0o644);
    project.run(&["tell", "retry"]).code(1);
    project.well(&["tell"]).says("may be read by others").never_says("hush");
    readable_by(&project, 0o600);
    project.well(&["tell", "retry"]).says("2 messages delivered");
    project.well(&["tell", "retry"]).says("No message waits");
    let mails = mails(&server);
    assert_eq!(mails.len(), 2, "each once: {}", server.log());
}

#[test]
fn a_test_message_says_what_each_server_answered() {
    let server = server(0);
    let project = project(server.port(), server.certificate());
    project.well(&["tell"]).says("Nobody was told anything yet");
    let ran = project.well(&["tell", "test", "www"]);
    ran.says("ana@example.com: 250 2.0.0 kept").says("oncall@example.com: 250");
    let mails = mails(&server);
    assert!(mails[0].2["parts"].as_array().unwrap().iter().any(|part| part["type"] == "image/png"));
    project.write(".andon/secrets/smtp", "guess\n");
    readable_by(&project, 0o600);
    project
        .run(&["tell", "test", "www"])
        .code(1)
        .says("wrong user or password, says the test")
        .never_says("guess");

    project.write_line(&local_hosts(2), QUICK, "");
    project.run(&["tell", "test", "www"]).code(3).says("www tells nobody").says("andon help tell");
}
