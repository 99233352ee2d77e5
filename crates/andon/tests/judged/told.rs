//! The author of a release that hurt gets a mail with what was seen, and with a picture of it.

use std::process::Command;

use andon_testbed::{Manners, SmtpServer, program};
use serde_json::Value;

use crate::front::Front;
use crate::scene::{RULES, Scene, put_back};

fn git(scene: &Scene, words: &[&str]) {
    let mut git = scene.shop.project.around(Command::new("git"));
    let nobody =
        ["-c", "user.name=Builder", "-c", "user.email=builder@example.com", "-c", "commit.gpgsign=false"];
    let ended = git.args(nobody).args(words).output().unwrap();
    assert!(ended.status.success(), "{words:?}: {ended:?}");
}

#[test]
fn the_author_gets_a_mail_with_what_was_seen_and_a_picture() {
    program::require(&["git"]).unwrap();
    let server = SmtpServer::start(Manners::default()).unwrap();
    let tell = format!(
        "tell = tell(mail = smtp(\"localhost:{}\", sender = \"andon@example.com\", ca = \"ca.pem\")),",
        server.port()
    );
    let scene = Scene::closed(Front::haproxy, "errors()", &format!("{RULES} {tell}"));
    scene.shop.project.write("ca.pem", server.certificate());
    git(&scene, &["init", "--quiet"]);
    scene.begin("");
    let load = scene.steady();
    scene.release("worse", "--failing 300000");
    git(&scene, &["add", "dist"]);
    let author = ["--author", "Bea <bea@example.com>", "--message", "search: fewer round trips"];
    git(&scene, &[&["commit", "--quiet"][..], &author].concat());
    let (ran, shown) = scene.deploy();
    load.stop();
    let reason = put_back(&shown).to_owned();
    ran.code(1).says("told: bea@example.com").says("The line is stopped");

    let mails = server.mails();
    assert_eq!(mails.len(), 1, "{}", server.log());
    let mail: Value = serde_json::from_str(&mails[0]).unwrap();
    assert_eq!(mail["to"][0], "bea@example.com");
    let part = |kind: &str| {
        let mut parts = mail["parts"].as_array().unwrap().iter();
        parts.find(|part| part["type"] == kind).unwrap_or_else(|| panic!("{kind}: {mail:#}")).clone()
    };
    let plain = part("text/plain")["text"].as_str().unwrap().to_owned();
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words(&plain).contains(&words(&reason)), "{reason}\n{plain}");
    assert!(plain.contains("--fixes 2"), "{plain}");
    let picture = part("image/png")["base64"].as_str().unwrap().to_owned();
    assert!(picture.starts_with("iVBORw0KGgo") && picture.len() > 4_000, "{} characters", picture.len());
}
