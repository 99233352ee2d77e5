//! Users and tokens at the terminal.

use serde_json::json;

use crate::house::{House, PASSWORD};
use crate::project::Project;

#[test]
fn users_are_added_listed_changed_and_removed_at_the_terminal() {
    let project = Project::local(1);
    project.well(&["user", "list"]).says("There is no user").says("andon user add NAME --grant admin");
    project.well(&["whoami"]).says("ana at").says("there are no users");
    project
        .run(&["user", "add", "ben", "--without-password"])
        .code(3)
        .says("the first user looks after users");
    project.run(&["user", "add", "ben", "--grant", "root"]).code(2).says("there is no role");
    project.run(&["user", "add", "<b>", "--grant", "admin"]).code(2).says("a user's name has");
    project.run(&["user", "add", "ana", "--grant", "admin"]).code(2).says("--password-stdin");
    project.well(&["user", "add", "ana", "--grant", "admin", "--without-password"]);
    project.well(&[
        "user",
        "add",
        "ben",
        "--grant",
        "deploy:www/staging",
        "--grant",
        "line",
        "--without-password",
    ]);
    project.run(&["user", "add", "ben", "--without-password"]).code(3).says("there is a user ben already");
    let listed = project.json(&["user", "list"]);
    assert_eq!(listed[1]["name"], "ben");
    assert_eq!(listed[1]["grants"], json!(["deploy:www/staging", "line"]));
    project
        .run(&["user", "remove", "ana"])
        .code(3)
        .says("the last one who looks after users")
        .says("nothing has been changed");
    project.run(&["user", "grant", "ana", "deploy"]).code(3);
    project.well(&["user", "grant", "ben", "deploy"]).says("ben may read, and deploy");
    project.well(&["user", "grant", "ben", "deploy"]).says("may just that already");
    project.run(&["user", "password", "cid", "--password-stdin"]).code(3).says("there is no user cid");
    project.well(&["whoami", "--json"]).says("\"user\":true");
    project.well(&["token", "list"]).says("There is no token");
    let made = project.json(&["token", "make", "ci", "--user", "ben", "--grant", "deploy:www"]);
    assert!(made["secret"].as_str().unwrap().starts_with("andon_1_"));
    project.well(&["token", "list"]).says("ci").never_says(made["secret"].as_str().unwrap());
    project.well(&["token", "revoke", "1"]);
    project.run(&["token", "revoke", "1"]).code(3).says("there is no token 1");
    project.well(&["user", "remove", "ben"]);
    project.well(&["ledger", "verify"]);
}

#[test]
fn a_password_is_long_enough_and_nowhere_to_be_read() {
    let house = House::new();
    let mut command = house.project.command(&["user", "add", "ana", "--grant", "admin", "--password-stdin"]);
    command.stdin(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may refuse before it has read anything.
    let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"short\n");
    let done = child.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&done.stderr).contains("a password has 12 characters or more"));
    house.users(&[]);
    assert!(!house.ledger().contains(PASSWORD));
}

#[test]
fn the_same_words_act_at_a_server_under_the_name_that_it_knows() {
    let house = House::new();
    house.users(&[("ben", &[])]);
    let (admin, guest) = (house.token("ana", &["admin"], "1d"), house.token("ben", &[], "1d"));
    let server = format!("http://{}", house.address);
    let told = |token: &str, words: &[&str]| {
        let mut command = house.project.command(words);
        command.env("ANDON_SERVER", &server).env("ANDON_TOKEN", token).env("ANDON_USER", "mallory");
        house.project.start_command(command).end()
    };
    told(&admin, &["whoami"]).code(0).says("ana at http://").says("may read, and admin");
    told(&guest, &["whoami"]).code(0).says("ben at http://").says("may read").never_says("may read, and");
    told(&admin, &["user", "add", "eve", "--grant", "deploy", "--without-password"]).code(0);
    told(&guest, &["user", "list"]).code(0).says("eve  may read, and deploy");
    told(&guest, &["user", "add", "dan", "--without-password"]).code(3).says("ben may not");
    told(&guest, &["user", "remove", "ana"]).code(3).says("ben may not");
    told(&guest, &["token", "make", "t", "--user", "ben"]).code(3).says("ben may not look after users");
    told(&admin, &["user", "grant", "eve", "line"]).code(0);
    told(&admin, &["user", "grant", "eve", "line"]).code(0).says("may just that already");
    told(&admin, &["user", "remove", "ana"]).code(3).says("the last one who looks after users");
    let made = told(&admin, &["token", "make", "ci", "--user", "eve", "--grant", "line", "--json"]).code(0);
    let made: serde_json::Value = serde_json::from_str(&made.out).unwrap();
    let secret = made["secret"].as_str().unwrap();
    told(secret, &["whoami", "--json"]).code(0).says("\"name\":\"eve\"").says("\"grants\":[\"line\"]");
    told(&admin, &["token", "revoke", &made["token"].to_string()]).code(0);
    told(secret, &["whoami"]).code(3);
    told(&admin, &["user", "remove", "eve"]).code(0);
    let ledger = house.ledger();
    assert!(!ledger.contains("mallory") && ledger.contains("\"by\":\"ana\""), "{ledger}");
}
