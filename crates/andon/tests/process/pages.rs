//! Pages on the real server with real local hosts: what a person can do there, and what they cannot.

use std::net::SocketAddr;

use andon_testbed::deadline::wait_until;
use serde_json::Value;

use crate::client::{self, Answer};
use crate::project::{LIMIT, Project, QUICK, Running, local_hosts, text};

/// A server of a project, and whoever asks it.
struct Screen {
    server: Running,
    address: SocketAddr,
    /// Further lines of every request.
    lines: String,
}

impl Screen {
    fn on(project: &Project) -> Self {
        let mut server = project.start(&["server", "--listen", "127.0.0.1:0"]);
        server.until_said("answers on http://");
        let said = server.said();
        let (_, rest) = said.split_once("answers on http://").unwrap();
        let address = rest.lines().next().unwrap().trim().parse().unwrap();
        Self { server, address, lines: String::new() }
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
        let lines = format!("Accept: text/html\r\n{kind}{}", self.lines);
        client::ask(self.address, method, path, &lines, body.as_bytes())
    }

    fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "")
    }

    /// Sends a form with the token that pages give, as a browser does.
    fn post(&self, path: &str, form: &str) -> Answer {
        self.ask("POST", path, &format!("csrf={}&{form}", self.token()))
    }

    fn token(&self) -> String {
        let page = self.get("/").body;
        let token = page.split_once("name=\"csrf\" value=\"").and_then(|(_, rest)| rest.split_once('"'));
        token.map(|(token, _)| token.to_owned()).unwrap_or_default()
    }

    fn until_shown(&self, path: &str, words: &str) {
        let mut last = String::new();
        let held = wait_until(LIMIT, || {
            last = self.get(path).body;
            last.contains(words)
        });
        assert!(held, "{words:?} is never shown at {path}: {last}");
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        andon_testbed::process::kill(self.server.pid());
    }
}

fn ended(project: &Project, number: u64, state: &str) -> Value {
    project.until_shown(number, state, |shown| shown["state"] == state)
}

/// A project with two environments, of which `production` is protected.
fn two_environments() -> Project {
    let project = Project::new();
    project.write_line(
        "{\"staging\": group(\"stage\", [\"stage1\"], local = True), \"production\": group(\"web\", [\"web1\", \"web2\"], local = True)}",
        QUICK,
        "",
    );
    let line = std::fs::read_to_string(project.path().join("line.star")).unwrap();
    project.write(
        "line.star",
        &format!("environment(\"production\", protected = True, after = \"staging\")\n{line}"),
    );
    project.release("one", "exit 0");
    project
}

#[test]
fn what_staging_runs_is_bit_for_bit_what_production_gets() {
    let project = two_environments();
    let screen = Screen::on(&project);
    screen.get("/").is(200).says(&["The line is running", "andon init"]);
    screen.get("/services/www/deploy").is(200).says(&["nothing was deployed to staging yet"]);
    let forged = screen.ask("POST", "/services/www/stage", "environment=staging&csrf=forged");
    forged.is(403).says(&["token is missing or old"]);
    screen.post("/services/www/deploy", "environment=production").is(409).says(&["deploy to staging first"]);
    screen.post("/services/www/stage", "environment=production").is(409).says(&["gets what staging runs"]);
    let unseen = screen.post("/services/www/stage", "environment=staging&commit=4c1d9e2").is(409);
    unseen.says(&["4c1d9e2 was meant, and by now none would go on"]);
    screen.post("/services/www/stage", "environment=staging&why=try+it").leads_to("/deployments/1");
    let staged = ended(&project, 1, "succeeded");
    assert_eq!(text(&staged, "why"), "try it");

    // The line's release is another one by now; production gets what staging runs all the same.
    project.release("two", "exit 0");
    let release = text(&staged, "release").to_owned();
    screen.get("/services/www/deploy").is(200).says(&["bit for bit", release.as_str()]);
    let form = format!("environment=production&release={release}");
    screen.post("/services/www/deploy", &form).is(409).says(&["production is protected"]);
    screen
        .post("/services/www/deploy", &format!("{form}&confirm=staging"))
        .is(409)
        .says(&["the name that was said is staging"]);
    screen
        .post("/services/www/deploy", "environment=production&release=r-000000000000&confirm=production")
        .is(409)
        .says(&["was meant"]);
    screen.post("/services/www/deploy", &format!("{form}&confirm=production")).leads_to("/deployments/2");
    let promoted = ended(&project, 2, "succeeded");
    assert_eq!(text(&promoted, "release"), release);
    screen.get("/services/www/deploy").is(200).says(&["it runs"]);

    // The command does the same, and says the same.
    project.run(&["promote", "www"]).code(3).says("nothing goes on to production: it runs r-");
    project.well(&["deploy", "www", "staging"]);
    project.well(&["promote", "www", "--confirm", "production"]);
    assert_eq!(text(&project.show(4), "release"), text(&project.show(3), "release"));
}

#[test]
fn what_was_staged_on_the_page_is_promoted_by_a_command_over_the_server() {
    let project = two_environments();
    let screen = Screen::on(&project);
    screen.post("/services/www/stage", "environment=staging").leads_to("/deployments/1");
    let staged = ended(&project, 1, "succeeded");
    let server = format!("http://{}", screen.address);
    project.well(&["promote", "www", "production", "--confirm", "production", "--server", &server]);
    assert_eq!(text(&ended(&project, 2, "succeeded"), "release"), text(&staged, "release"));
}

#[test]
fn what_is_refused_can_be_read_in_a_browser_that_takes_compressed_pages() {
    let project = two_environments();
    let mut screen = Screen::on(&project);
    let form = format!("csrf={}&environment=production", screen.token());
    screen.lines = "Accept-Encoding: gzip\r\n".to_owned();
    assert_eq!(screen.get("/services/www/deploy").is(200).header("content-encoding"), "gzip");
    let unknown = screen.get("/deployments/400").is(404);
    let refused = screen.ask("POST", "/services/www/deploy", &form).is(409);
    for (page, words) in [(unknown, "there is no deployment #400"), (refused, "deploy to staging first")] {
        let encoding = page.headers("content-encoding");
        assert!(encoding.is_empty(), "it is not {encoding:?}");
        page.says(&[words]);
    }
}

#[test]
fn a_deployment_is_begun_paused_resumed_and_put_back_from_its_page() {
    let project = Project::new();
    project.write_line(&local_hosts(3), &format!("{QUICK}, waves = [1, 1, 1]"), "");
    project.release("one", "exit 0");
    project.well(&["deploy", "www", "production"]);
    project.release("two", &project.gate());
    let screen = Screen::on(&project);
    screen.post("/services/www/stage", "environment=production").leads_to("/deployments/2");
    screen.until_shown("/deployments/2", "waiting for web1: verifying");
    let standing = ["Pause", "Abort or put back", "1 in its cycle", "2 waiting"];
    screen.get("/deployments/2").is(200).says(&standing);
    screen.get("/").is(200).says(&["Running", "#2"]);

    screen.post("/deployments/2/pause", "why=a+look").leads_to("/deployments/2");
    ended(&project, 2, "paused");
    screen.get("/deployments/2").is(200).says(&["a person paused it", "Resume"]);
    screen.post("/deployments/2/pause", "").is(409).says(&["cannot be paused"]);
    screen.post("/deployments/2/resume", "").leads_to("/deployments/2");
    ended(&project, 2, "running");

    screen.get("/deployments/2/abort").is(200).says(&["is put back to the release from before"]);
    screen.get("/deployments/1/rollback").is(200).says(&["#2</a> is at work here"]);
    screen.post("/deployments/2/abort", "after=nonsense").is(400);
    screen.post("/deployments/2/abort", "after=rollback&why=no").leads_to("/deployments/2");
    project.open_gate();
    ended(&project, 2, "rolled_back");
    screen.get("/deployments/2").is(200).says(&["rolled back"]).never_says(&["Pause"]);
    screen.post("/deployments/2/resume", "").is(409).says(&["has ended already"]);
}

#[test]
fn a_finished_deployment_is_rolled_back_and_the_line_started_from_pages() {
    let project = Project::local(2);
    project.well(&["deploy", "www", "production"]);
    let first = text(&project.show(1), "release").to_owned();
    project.release("two", "exit 0");
    project.well(&["deploy", "www", "production"]);
    let screen = Screen::on(&project);
    screen.get("/deployments/2/rollback").is(200).says(&[first.as_str(), "Roll back"]);
    screen.post("/deployments/2/rollback", "release=r-000000000000").is(400);
    screen
        .post("/deployments/2/rollback", &format!("release={first}&why=orders+fell"))
        .leads_to("/deployments/3");
    let back = ended(&project, 3, "succeeded");
    assert_eq!((text(&back, "release"), text(&back, "kind")), (first.as_str(), "rollback"));

    project.release("three", "echo '<b>bold</b>'; printf '\\033[31mred\\033[0m\\n'; exit 1");
    screen.post("/services/www/stage", "environment=production").leads_to("/deployments/4");
    ended(&project, 4, "rolled_back");
    let standing = ["line stopped by", "stopped", "failed"];
    screen.get("/deployments/4").is(200).says(&standing).never_says(&["<b>bold"]);
    screen.get("/deployments/4/hosts/web1").is(200).says(&["&lt;b&gt;bold", "red"]).never_says(&["<b>bold"]);
    screen.get("/deployments/4/hosts/nowhere").is(404).says(&["has no host of that name"]);
    screen.get("/deployments/400").is(404);
    screen.get("/deployments/x").is(404);
    screen.get("/").is(200).says(&["The line is stopped", "Start the line"]);
    screen.post("/services/www/stage", "environment=production").is(409).says(&["the line is stopped"]);
    screen.post("/line/start", "why=").is(400).says(&["is missing"]);
    screen.post("/line/start", "why=it+was+the+test").leads_to("/");
    screen.post("/line/stop", "why=orders+fell").leads_to("/");
    screen.get("/").is(200).says(&["orders fell"]);
}

#[test]
fn whoever_may_only_look_sees_no_live_button_and_is_refused() {
    let project = Project::local(1);
    project.well(&["deploy", "www", "production"]);
    project.well(&["user", "add", "ana", "--grant", "admin", "--without-password"]);
    project.well(&["user", "add", "eve", "--without-password"]);
    let made = project.json(&["token", "make", "screen", "--user", "eve"]);
    let mut screen = Screen::on(&project);
    screen.get("/deployments/1").leads_to("/sign-in?to=/deployments/1");
    screen.lines = format!("Authorization: Bearer {}\r\n", text(&made, "secret"));
    screen.get("/deployments/1").is(200).says(&["eve may look"]).never_says(&["<form"]).says(&["disabled"]);
    screen.get("/services/www/deploy").is(200).never_says(&["<form"]).says(&["needs the role"]);
    screen.get("/").is(200).never_says(&["Stop the line</button>"]);
    for (path, form) in [
        ("/deployments/1/pause", ""),
        ("/deployments/1/resume", ""),
        ("/deployments/1/abort", "after=rollback"),
        ("/deployments/1/rollback", "release=r-000000000000"),
        ("/services/www/stage", "environment=production"),
        ("/line/stop", "why=x"),
        ("/line/start", "why=x"),
    ] {
        screen.post(path, form).is(403).says(&["may not"]);
    }
    screen.get("/deployments/1/abort").is(403);
    assert_eq!(project.recorded(), 1);
}
