//! Signing in and out, by password and through another system, and what somebody sees who may only look.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use andon_testbed::balancer::free_ports;
use andon_testbed::{Account, OidcProvider};

use crate::look;
use crate::project::Project;
use crate::site::Site;

const PASSWORD: &str = "a horse that staples correctly";

/// Lets somebody in with [`PASSWORD`].
fn add(project: &Project, name: &str, grants: &[&str]) {
    let mut words = vec!["user", "add", name, "--password-stdin"];
    words.extend(grants.iter().flat_map(|grant| ["--grant", grant]));
    let mut command = project.command(&words);
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{PASSWORD}").unwrap();
    assert!(child.wait().unwrap().success());
}

fn sign_in(site: &Site, name: &str, password: &str) {
    site.browser.fill("input[name=name]", name).unwrap();
    site.browser.fill("input[name=password]", password).unwrap();
    site.browser.click("main form button").unwrap();
}

#[test]
fn who_signs_in_comes_to_the_page_that_was_asked_for_and_out_again() {
    let project = Project::local(2);
    project.well(&["deploy", "www"]);
    add(&project, "ana", &["admin", "deploy", "line"]);
    let site = Site::of(project);
    site.go("/deployments/1");
    site.until_says("Sign in");
    site.look("sign-in/empty", &look::ALL).is_empty();
    sign_in(&site, "ana", "guessed");
    site.until_says("do not belong together");
    site.browser.forgive().unwrap();
    site.look("sign-in/wrong", &look::ALL).is_empty();
    sign_in(&site, "ana", PASSWORD);
    site.browser.until("the page that was asked for", "location.pathname == '/deployments/1'").unwrap();
    site.until_says("ana");
    site.go("/settings/access");
    site.look("sign-in/access", &look::ALL).is_empty();
    let cookies = site.browser.eval("return document.cookie").unwrap().to_string();
    assert!(!cookies.contains("session"), "scripts can read the session: {cookies}");
    site.browser.press("Sign out").unwrap();
    site.until_says("Sign in");
    site.go("/deployments/1");
    site.until_says("Sign in");
}

#[test]
fn whoever_is_let_in_no_more_is_led_to_the_door_and_does_not_go_on_reading_an_old_page() {
    let project = Project::local(1);
    project.well(&["deploy", "www"]);
    add(&project, "ana", &["admin"]);
    add(&project, "vera", &[]);
    let site = Site::of(project);
    site.go("/");
    sign_in(&site, "vera", PASSWORD);
    site.until_says("The line is running");
    site.project.well(&["user", "remove", "vera"]);
    // A machine that slept: the connection is gone.
    site.browser.offline(true).unwrap();
    site.until_says("Connection lost");
    site.browser.offline(false).unwrap();
    site.browser.until("the door", "location.pathname === '/sign-in'").unwrap();
    site.browser.forgive().unwrap();
}

#[test]
fn who_may_only_look_sees_everything_and_can_press_nothing() {
    let project = Project::local(2);
    project.well(&["deploy", "www"]);
    add(&project, "ana", &["admin", "deploy", "line"]);
    add(&project, "vera", &[]);
    let site = Site::of(project);
    site.go("/");
    sign_in(&site, "vera", PASSWORD);
    site.until_says("vera");
    let acts = "return [...document.querySelectorAll('main button:enabled, main a.button')]
        .filter((one) => !one.closest('form[method=get]')).map((one) => one.innerText)";
    for page in ["/", "/deployments/1", "/services/www/deploy"] {
        site.go(page);
        site.until_says("www");
        assert_eq!(site.browser.eval(acts).unwrap(), serde_json::json!([]), "{page}");
        site.look(&format!("looks-only{}", page.replace('/', "-")), &look::ALL[..2]).is_empty();
    }
    // A page that was made by somebody else cannot press it for them either.
    let forged = "const done = arguments[0];
        fetch('/line/stop', { method: 'POST', body: new URLSearchParams({ why: 'x' }) }).then((it) => done(it.status))";
    assert_eq!(site.browser.eval_async(forged).unwrap(), 403);
    site.browser.forgive().unwrap();
    site.go("/");
    site.until_says("The line is running");
}

#[test]
fn another_system_signs_people_in() {
    let accounts = [Account::new("ana", &["deployers"]), Account::new("vera", &[])];
    let provider = OidcProvider::start("http://127.0.0.1/sign-in/oidc/return", &accounts).unwrap();
    let project = Project::local(2);
    project.well(&["deploy", "www"]);
    project.write("secret", OidcProvider::CLIENT_SECRET);
    fs::set_permissions(project.path().join("secret"), fs::Permissions::from_mode(0o600)).unwrap();
    // The provider has to know where to send people back to, so the address is settled before the server starts.
    let (_held, port) = free_ports(1).unwrap();
    let address = format!("127.0.0.1:{port}");
    project.write(
        "server.toml",
        &format!(
            "external_url = \"http://{address}\"\n[oidc]\nissuer = \"{}\"\nclient_id = \"{}\"\nclient_secret_file = \"secret\"\nlabel = \"Sign in with the test\"\n\
             scopes = [\"email\", \"profile\", \"groups\"]\n[oidc.grants]\ndeployers = [\"deploy\"]\n",
            provider.issuer(),
            OidcProvider::CLIENT_ID
        ),
    );
    let site = Site::at(project, &address, &["--config", "server.toml"]);
    site.go("/");
    site.look("sign-in/other-system", &look::ALL).is_empty();
    site.browser.press("Sign in with the test").unwrap();
    site.browser.fill("input[name=login]", "ana").unwrap();
    site.browser.click("button").unwrap();
    site.until_says("The line is running");
    site.until_says("ana");
    site.go("/services/www/deploy");
    let may = "document.querySelector('form[action$=stage] button:enabled') !== null";
    site.browser.until("ana may deploy, as her group says", may).unwrap();
    site.quiet();
}
