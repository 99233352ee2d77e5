//! Services, releases, the ledger, notifications, feed and badges: what a person's browser, a feed reader and a program get
//! from the real server, with nothing, with something, and with what hostile people write.

use std::net::SocketAddr;
use std::process::Command;

use andon_testbed::deadline::wait_until;
use serde_json::json;

use crate::client::{self, Answer};
use crate::project::{LIMIT, Project, Running};

/// A server over a project, and a client that says exactly what a test wants said.
struct Served {
    server: Running,
    address: SocketAddr,
}

impl Served {
    fn start(project: &Project) -> Self {
        // A project without a line has no data either, unless it is said.
        let data = project.data().display().to_string();
        let mut server = project.start(&["server", "--listen", "127.0.0.1:0", "--data", &data]);
        let answers = "andon server answers on http://";
        server.until_said(answers);
        let said = server.said();
        let address = said.split_once(answers).unwrap().1.lines().next().unwrap().trim().parse().unwrap();
        Self { server, address }
    }

    fn ask(&self, method: &str, path: &str, lines: &str, body: &str) -> Answer {
        client::ask(self.address, method, path, lines, body.as_bytes())
    }

    fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "Accept: text/html\r\n", "")
    }

    /// A form as our own page sends it.
    fn form(&self, path: &str, fields: &str) -> Answer {
        let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
        self.ask("POST", path, kind, fields)
    }

    fn end(self) {
        self.server.signal(rustix::process::Signal::TERM);
        self.server.end().code(0);
    }
}

fn git(project: &Project, words: &[&str]) {
    let mut git = project.around(Command::new(andon_testbed::program::find("git").unwrap()));
    let nobody = ["-c", "user.name=B", "-c", "user.email=b@example.com", "-c", "commit.gpgsign=false"];
    let ended = git.args(nobody).args(words).output().unwrap();
    assert!(ended.status.success(), "{words:?}: {ended:?}");
}

/// A release that is made from a commit with this subject.
fn committed(project: &Project, mark: &str, smoke: &str, subject: &str) {
    project.release(mark, smoke);
    git(project, &["add", "dist"]);
    let author = "Eve & co <eve@example.com>";
    git(project, &["commit", "--quiet", "--message", subject, "--author", author]);
}

/// What a browser would run, out of what hostile people wrote.
const EVIL: &str = "<script>alert(1)</script>";

/// Three releases: a good one, one that was put back, and the one that runs.
fn worked(project: &Project) {
    git(project, &["init", "--quiet"]);
    committed(project, "one", "exit 0", "the first");
    project.well(&["deploy", "www"]);
    committed(project, "two", "exit 1", EVIL);
    project.run(&["deploy", "www"]).code(1);
    project.write("dist/new", "x");
    committed(project, "three", "exit 0", "the third");
    project.well(&["deploy", "www", "--fixes", "2", "--why", EVIL]);
}

/// The form's own field, so that a form is taken.
fn csrf(page: &Answer) -> String {
    let token =
        page.body.split_once("name=\"csrf\" value=\"").map(|(_, rest)| rest.split('"').next().unwrap());
    token.map(|token| format!("csrf={token}&")).unwrap_or_default()
}

#[test]
fn pages_with_nothing_in_them_teach() {
    let project = Project::new();
    let served = Served::start(&project);
    served.get("/services").is(200).says(&[
        "There is no service yet",
        "andon init www",
        "The server has no line",
    ]);
    served.get("/releases").is(200).says(&["There is no release yet"]);
    served.get("/ledger").is(200).says(&["Nothing is recorded yet", "first record"]);
    served.get("/settings/notifications").is(200).says(&["You have asked for nothing yet"]);
    served.get("/services/www").is(404).says(&["there is no service www"]);
    served.get("/releases?service=%3Cscript%3E").is(404).never_says(&["<script>"]);
    served.get("/ledger/1").is(404);
    served.get("/ledger/0").is(404);
    served.get("/ledger/x").is(400);
    assert_eq!(served.ask("GET", "/v1/subscriptions", "", "").is(200).json(), json!([]));
    let badge = served.get("/badge/www/production.svg").is(404);
    assert_eq!(badge.header("content-type"), "image/svg+xml");
    served.end();
}

#[test]
fn services_and_releases_are_shown_and_compared_and_hostile_words_stay_words() {
    let project = Project::local(1);
    worked(&project);
    let known = project.json(&["history"]);
    let release = |at: usize| known[at]["release"].as_str().unwrap().to_owned();
    let (three, two, one) = (release(0), release(1), release(2));
    let served = Served::start(&project);
    let services = served.get("/services").is(200);
    services
        .says(&["www", "production", "in order", &three, "#3", "by ana", "1 host, no balancer"])
        .never_says(&[EVIL]);
    let service = served.get("/services/www").is(200);
    service.says(&[&three, &format!("{one}</code>: <code>andon rollback www production"), "2 good, 1 bad"]);
    service.says(&["/badge/www/production.svg", "/feed.atom?service=www", "The line tells nobody"]);
    service.never_says(&[EVIL]);
    let releases = served.get("/releases?service=www").is(200);
    releases.says(&["runs, good", "bad", "kept here", "&lt;script&gt;alert(1)", &one, &two, &three]);
    releases.says(&["Eve &amp; co"]).never_says(&[EVIL]);

    let diff = served.get(&format!("/releases/compare?service=www&from={one}&to={three}")).is(200);
    diff.says(&["2 commits come in", "the third", "&lt;script&gt;", "1 added", "new", "mark"])
        .never_says(&[EVIL]);
    let back = served.get(&format!("/releases/compare?service=www&from={three}&to={one}")).is(200);
    back.says(&["2 commits are taken back", "1 file removed"]);
    let path = format!("/v1/releases/compare?service=www&from={one}&to={three}");
    let as_json = served.ask("GET", &path, "", "").is(200).json();
    assert_eq!(as_json["files"]["added"], json!(["new"]));
    assert_eq!(as_json["commits"]["ahead"].as_array().unwrap().len(), 2);
    let rows = served.ask("GET", "/v1/releases?service=www", "", "").is(200).json();
    assert_eq!(rows.as_array().unwrap().len(), 3, "{rows}");
    served
        .get("/releases/compare?service=www&from=../../x&to=r-000000000000")
        .is(400)
        .never_says(&["<script>"]);
    served.get(&format!("/releases/compare?service=www&from={one}&to=r-000000000000")).is(404);

    // Without the repository and without the bytes, it is said.
    std::fs::remove_dir_all(project.path().join(".git")).unwrap();
    std::fs::remove_dir_all(project.data().join("releases")).unwrap();
    let gone = served.get(&format!("/releases/compare?service=www&from={two}&to={three}")).is(200);
    gone.says(&[
        "The commits are not known: no repository here",
        "The files cannot be compared: the bytes of",
    ]);
    served.end();
}

#[test]
fn the_ledger_is_searched_shown_in_full_exported_and_verified() {
    let project = Project::local(1);
    worked(&project);
    let served = Served::start(&project);
    let all = served.get("/ledger").is(200);
    all.says(&["records", "deployment/3", "Older records"]).never_says(&[EVIL]);
    served
        .get("/ledger?stream=line")
        .is(200)
        .says(&["stopped", "mended"])
        .never_says(&["deployment/3</code>"]);
    served
        .get("/ledger?kind=marked")
        .is(200)
        .says(&["scope/www/production"])
        .never_says(&["{&quot;lock_taken"]);
    served.get("/ledger?text=the+third").is(200).says(&["deployment/3"]);
    served.get("/ledger?by=nobody").is(200).says(&["None of the records"]);
    served.get("/ledger?from=1h&until=1m").is(200);
    let hostile =
        "stream=%3Cscript%3Ealert(1)%3C%2Fscript%3E&kind=%22%3E%3Cimg%20src%3Dx%3E&text=%00%27%3B--";
    served.get(&format!("/ledger?{hostile}")).is(200).never_says(&[EVIL, "<img"]);
    served.get("/ledger?from=yesterday").is(400).says(&["is no moment"]);
    served.get("/ledger?before=18446744073709551615").is(200);
    served.get("/ledger?before=-1").is(400);

    let first = served.get("/ledger/1").is(200);
    first.says(&["nothing: it is the first", "accepted", "Fact", "The one after"]).never_says(&[EVIL]);
    served.get("/ledger/2").is(200).says(&["record 1", "The one before"]);

    // An export has the lines of the command, the newest first.
    let exported = served.get("/ledger/export.jsonl?stream=line").is(200);
    let mut lines: Vec<&str> = exported.body.lines().collect();
    lines.reverse();
    let command = project.well(&["ledger", "export"]);
    let of_line: Vec<&str> =
        command.out.lines().filter(|line| line.contains("\"stream\":\"line\"")).collect();
    assert_eq!(lines, of_line, "the chain is checked over either");

    let page = served.get("/ledger");
    served.form("/ledger/verification", &csrf(&page)).is(303);
    let mut last = String::new();
    let verified = wait_until(LIMIT, || {
        last = served.get("/ledger").is(200).body;
        last.contains("none changed")
    });
    assert!(verified, "{last}");
    served.end();
}

#[test]
fn a_feed_is_valid_atom_with_ids_that_stay_and_is_not_sent_twice() {
    let project = Project::local(1);
    worked(&project);
    let served = Served::start(&project);
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/process/registers/atom.rng");
    let valid = |feed: &str| {
        project.write("feed.atom", feed);
        let mut xmllint = Command::new(andon_testbed::program::find("xmllint").unwrap());
        xmllint.args(["--noout", "--nonet", "--relaxng", schema]).arg(project.path().join("feed.atom"));
        let said = xmllint.output().unwrap();
        assert!(said.status.success(), "{}\n{feed}", String::from_utf8_lossy(&said.stderr));
    };
    let feed = served.ask("GET", "/feed.atom", "", "").is(200);
    valid(&feed.body);
    assert_eq!(feed.header("content-type"), "application/atom+xml; charset=utf-8");
    feed.says(&["#3 www → production succeeded", "#2 www → production rolled back", "The line was stopped"]);
    feed.says(&["/deployment/3</id>", "&lt;script&gt;"]).never_says(&[EVIL]);
    let tag = feed.header("etag");
    served.ask("GET", "/feed.atom", &format!("If-None-Match: {tag}\r\n"), "").is(304);
    let again = served.ask("GET", "/feed.atom", "", "").is(200);
    assert_eq!(again.body, feed.body, "nothing happened: not a byte is another one");

    let narrow = served.ask("GET", "/feed.atom?service=www&environment=production&by=ana", "", "").is(200);
    valid(&narrow.body);
    let none = served.ask("GET", "/feed.atom?service=shop&by=%3Cscript%3E%01", "", "").is(200);
    valid(&none.body);
    none.never_says(&["deployment/3", "<script>"]);
    served.ask("GET", "/feed.atom?service=../x", "", "").is(400);
    project.well(&["line", "stop", "orders <fell>\u{1}"]);
    let stopped = served.ask("GET", "/feed.atom", &format!("If-None-Match: {tag}\r\n"), "").is(200);
    valid(&stopped.body);
    stopped.says(&["orders &lt;fell&gt;"]);
    served.end();
}

#[test]
fn a_badge_says_how_a_service_stands() {
    let project = Project::local(1);
    let served = Served::start(&project);
    let badge = |words: &[&str]| {
        let badge = served.get("/badge/www/production.svg").is(200);
        badge.says(words).says(&["<title>", "role=\"img\""]);
        assert_eq!(badge.header("cache-control"), "private, max-age=30");
    };
    badge(&["· nothing yet"]);
    project.well(&["deploy", "www"]);
    badge(&["✔ r-"]);
    project.release("two", "exit 1");
    project.run(&["deploy", "www"]).code(1);
    badge(&["line stopped"]);
    project.well(&["line", "start", "mended"]);
    badge(&["✘ rolled back to r-"]);
    served.get("/badge/www/nowhere.svg").is(404).says(&["no such service"]);
    served.get("/badge/%3Cscript%3E/x.svg").is(404).never_says(&["<script>"]);
    served.end();
}

#[test]
fn people_ask_to_be_told_on_the_page_at_the_terminal_and_over_http() {
    let project = Project::local(1);
    let served = Served::start(&project);
    let page = served.get("/settings/notifications").is(200);
    page.says(&["the line names no server that takes mail", "production", "rolled-back"]);
    let csrf = csrf(&page);
    let asked = "on=began&on=ended-well&service=www&how=webhook&to=tell-ana";
    served.form("/settings/notifications", &format!("{csrf}{asked}")).is(303);
    served.get("/settings/notifications").is(200).says(&[
        "www",
        "a deployment began; a deployment ended well",
        "tell-ana",
    ]);
    // What cannot be is said, and what was typed stays.
    let refused = served
        .form("/settings/notifications", &format!("{csrf}on=began&how=mail&to=ana@example.com"))
        .is(400);
    refused.says(&["no mail can be sent", "ana@example.com"]);
    let evil = "on=began&how=webhook&to=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    served.form("/settings/notifications", &format!("{csrf}{evil}")).is(400).never_says(&[EVIL]);
    let local = "on=began&how=webhook&to=http%3A%2F%2F127.0.0.1%3A1%2Fx";
    served
        .form("/settings/notifications", &format!("{csrf}{local}"))
        .is(400)
        .says(&["not on the machine that calls it"]);
    served
        .form("/settings/notifications", &format!("{csrf}{asked}"))
        .is(400)
        .says(&["subscription 1 says the same"]);

    let body = json!({ "on": ["line-stopped"], "how": "chat", "to": "tell-team" }).to_string();
    let json = "Content-Type: application/json\r\n";
    let taken = served.ask("POST", "/v1/subscriptions", json, &body).is(201).json();
    assert_eq!(taken["subscription"], 2);
    project
        .well(&["tell", "subscribe", "--webhook", "tell-ops", "--on", "approval-asked"])
        .says("unsubscribe 3");
    project.run(&["tell", "subscribe", "--webhook", "smtp"]).code(3).says("begins with tell-");
    project
        .well(&["tell", "list"])
        .says("1  ana at webhook at tell-ana: www, on began, ended-well")
        .says("tell-ops");
    project.well(&["tell", "unsubscribe", "2"]);
    project.run(&["tell", "unsubscribe", "2"]).code(3).says("there is no subscription 2");
    served.form("/settings/notifications/end", &format!("{csrf}id=3")).is(303);
    let left = served.ask("GET", "/v1/subscriptions", "", "").is(200).json();
    assert_eq!(left.as_array().unwrap().len(), 1, "{left}");
    served.ask("POST", "/v1/subscriptions/9/end", json, "{}").is(404);

    // Who asked is told, although the line tells nobody: here the secret is missing, and that is said.
    project.well(&["deploy", "www"]);
    project.well(&["tell"]).says("#1 began").says("tell-ana");
    served.end();
}
