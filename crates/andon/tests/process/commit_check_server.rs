//! The commit check beside a controller that is asked over HTTP: what it sends, and what it makes of every answer.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};

use andon_testbed::balancer::free_ports;

use crate::project::{Project, Running, text};
use crate::pushes::Pushes;

/// A controller that says what it is told to, and remembers what it was asked.
struct Controller {
    url: String,
    answer: Arc<Mutex<String>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Controller {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (answer, asked) = (Arc::new(Mutex::new(String::new())), Arc::new(Mutex::new(Vec::new())));
        let (its, heard) = (Arc::clone(&answer), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let answer = its.lock().unwrap().clone();
                converse(&mut stream.unwrap(), &answer, &heard);
            }
        });
        Self { url, answer, asked }
    }

    /// From now on it says this, with this status.
    fn says(&self, status: &str, body: &str) {
        let length = body.len();
        *self.answer.lock().unwrap() =
            format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    }

    /// What it was asked since it was asked for it last.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

/// Reads one request and gives the answer; an empty answer is silence.
fn converse(stream: &mut TcpStream, answer: &str, heard: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut first = String::new();
    let mut length = 0;
    reader.read_line(&mut first).unwrap();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap() == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    heard
        .lock()
        .unwrap()
        .push(format!("{} {}", first.trim(), String::from_utf8_lossy(&body)).trim().to_owned());
    if answer.is_empty() {
        // Until the other side has had enough.
        let _ = reader.read(&mut [0]);
    }
    let _ = stream.write_all(answer.as_bytes());
}

#[test]
fn a_controller_is_asked_and_told_and_its_silence_is_never_taken_for_a_running_line() {
    let controller = Controller::start();
    let project = Project::new();
    let pushes = Pushes::new(&project);
    controller.says("200 OK", r#"{"state":"running","since":null}"#);
    project.well(&["hook", "install", pushes.repository_name(), "--server", &controller.url]);
    project.well(&["hook", "status", pushes.repository_name()]).says("the line is running");
    controller.asked();
    pushes.commit("web: while it runs");
    pushes.push(&["main"]).taken();
    assert_eq!(controller.asked(), ["GET /v1/line HTTP/1.1"]);

    let stopped =
        r#"{"state":"stopped","reason":"orders\u001b[2J fell","by":"ana","since":"2026-01-05T08:00:00Z"}"#;
    controller.says("200 OK", stopped);
    pushes.commit("web: another");
    let refused = pushes.push(&["main"]).refused().says("the line is stopped by ana on 2026-01-05 at 08:00");
    refused.says("orders\\x1b[2J fell").says("andon.fix");
    pushes.push(&["main:topic"]).taken();
    assert_eq!(controller.asked().len(), 1, "a branch that nobody protects is nobody's business");
    pushes.push(&["--push-option=andon.fix=or\"ders", "main"]).taken();
    let asked = controller.asked();
    let told: serde_json::Value =
        serde_json::from_str(asked[1].strip_prefix("POST /v1/line/exceptions HTTP/1.1 ").unwrap()).unwrap();
    assert_eq!((&told["why"], &told["ref"]), (&"or\"ders".into(), &"refs/heads/main".into()));
    assert_eq!((&told["by"], told["commit"].as_str().unwrap().len()), (&"Eva (as ana)".into(), 10));

    pushes.commit("web: one more");
    for (status, body) in [
        ("500 Internal Server Error", r#"{"state":"running"}"#),
        ("302 Found", ""),
        ("200 OK", "<html>running</html>"),
        ("200 OK", r#"{"state":"perhaps"}"#),
    ] {
        controller.says(status, body);
        pushes.push(&["main"]).refused().says("nobody can say whether the line runs");
    }
    *controller.answer.lock().unwrap() = String::new();
    let silent =
        format!("nobody can say whether the line runs: {} cannot be reached: timeout", controller.url);
    pushes.push(&["main"]).refused().says(&silent).says("push again when the controller answers");
    pushes.settings("when_unreachable = \"closed\"", "when_unreachable = \"open\"");
    pushes.push(&["main"]).taken().says("lets pushes pass");
}

#[test]
fn a_controller_that_is_not_there_is_said_to_be_so() {
    let project = Project::new();
    let pushes = Pushes::new(&project);
    let (_held, port) = free_ports(1).unwrap();
    let url = format!("http://127.0.0.1:{port}");
    project.well(&["hook", "install", pushes.repository_name(), "--server", &url]);
    pushes.commit("web: a change");
    pushes.push(&["main"]).refused().says("nobody can say whether the line runs").says("Connection refused");
}

/// A real server of this project, and where it answers.
fn serve(project: &Project, words: &[&str]) -> (Running, String) {
    let mut server = project.start(&[&["server", "--listen", "127.0.0.1:0"], words].concat());
    let answers = "andon server answers on ";
    server.until_said(answers);
    let url = server.said().split_once(answers).unwrap().1.lines().next().unwrap().to_owned();
    (server, url)
}

/// Keeps a new token of the user `git` for whoever pushes here.
fn keep_a_token(project: &Project, url: &str, grants: &[&str]) {
    let made = project.json(&[&["token", "make", "check", "--user", "git"], grants].concat());
    project.write("given", text(&made, "secret"));
    let mut login = project.command(&["login", url]);
    login.stdin(std::fs::File::open(project.path().join("given")).unwrap());
    project.start_command(login).end().code(0).says("you are git");
}

#[test]
fn a_real_server_is_asked_and_keeps_what_it_is_told() {
    let project = Project::local(1);
    let (server, url) = serve(&project, &[]);
    let pushes = Pushes::new(&project);
    project.well(&["hook", "install", pushes.repository_name(), "--server", &url]);
    pushes.commit("web: while it runs");
    pushes.push(&["main"]).taken();
    project.well(&["line", "stop", "orders fell"]);
    pushes.commit("web: another");
    pushes.push(&["main"]).refused().says("the line is stopped by ana").says("orders fell");
    pushes.push(&["--push-option=andon.fix=orders come again", "main"]).taken();
    let line = project.run(&["line", "--json"]).code(1);
    assert!(line.out.contains("orders come again") && line.out.contains("refs/heads/main"), "{}", line.out);
    server.signal(rustix::process::Signal::TERM);
    server.end().code(0);
}

#[test]
fn a_server_that_asks_who_people_are_is_shown_the_token_that_is_kept_for_it() {
    let project = Project::local(1);
    project.well(&["user", "add", "ana", "--grant", "admin", "--without-password"]);
    project.well(&["user", "add", "git", "--grant", "line", "--without-password"]);
    let (server, url) = serve(&project, &[]);
    let pushes = Pushes::new(&project);
    let status = ["hook", "status", pushes.repository_name()];
    let login = format!("as the user that pushes arrive as: andon login {url}");
    project.well(&["hook", "install", pushes.repository_name(), "--server", &url]);
    let ran = project.run(&status).code(1).says("nobody can say whether the line runs");
    ran.says(&format!("{url} does not know who asks")).says("no token is kept for it here").says(&login);
    pushes.commit("web: nobody is known");
    let refused = pushes.push(&["main"]).refused().says("nobody can say whether the line runs");
    refused.says("does not know who asks").says(&login).says("when_unreachable = \"open\"");

    keep_a_token(&project, &url, &[]);
    project.well(&status).says("the line is running");
    pushes.push(&["main"]).taken();
    let mut other = project.command(&status);
    other.env("ANDON_TOKEN", "another-token-than-that");
    project.start_command(other).end().code(1).says("the token of ANDON_TOKEN was shown");

    project.well(&["line", "stop", "orders fell"]);
    pushes.commit("web: another");
    pushes.push(&["main"]).refused().says("the line is stopped by ana").says("orders fell");
    let fix = ["--push-option=andon.fix=orders come again", "main"];
    let refused = pushes.push(&fix).refused().says("this exception cannot be recorded: git may not");
    refused.says("--grant line");
    keep_a_token(&project, &url, &["--grant", "line"]);
    pushes.push(&fix).taken().says("as a declared fix");
    let line = project.run(&["line", "--json"]).code(1);
    assert!(line.out.contains("orders come again"), "{}", line.out);

    let kept = project.path().join("home/.config/andon/tokens");
    std::fs::set_permissions(&kept, std::fs::Permissions::from_mode(0o644)).unwrap();
    project.run(&status).code(1).says("may be read by others").says("chmod 600");
    server.signal(rustix::process::Signal::TERM);
    server.end().code(0);
}

#[test]
fn over_tls_a_server_is_asked_that_is_trusted_and_no_other() {
    let project = Project::local(1);
    let (certificate, key) = (project.path().join("chain.pem"), project.path().join("key.pem"));
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    let words = ["--tls-cert", certificate.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let (server, url) = serve(&project, &words);
    assert!(url.starts_with("https://"), "{url}");
    let pushes = Pushes::new(&project);
    project.well(&["hook", "install", pushes.repository_name(), "--server", &url]);
    pushes.commit("web: nobody is trusted");
    let refused = pushes.push(&["main"]).refused().says("nobody can say whether the line runs");
    refused.says(&format!("{url} is not trusted"));
    let hook = pushes.repository().join("hooks/pre-receive");
    let script = std::fs::read_to_string(&hook).unwrap();
    let trusting = format!("export SSL_CERT_FILE='{}'\nexec ", certificate.display());
    std::fs::write(&hook, script.replacen("exec ", &trusting, 1)).unwrap();
    pushes.push(&["main"]).taken();
    project.well(&["line", "stop", "orders fell"]);
    pushes.commit("web: another");
    pushes.push(&["main"]).refused().says("the line is stopped by ana");
    server.signal(rustix::process::Signal::TERM);
    server.end().code(0);
}

#[test]
fn a_server_on_another_machine_is_asked_over_tls_alone() {
    let project = Project::new();
    let pushes = Pushes::new(&project);
    let install = ["hook", "install", pushes.repository_name(), "--server", "http://andon.example.com"];
    project.run(&install).code(2).says("in clear").says("--data DIR");
    // What was written before, or by hand, is asked no more either.
    project.well(&["hook", "install", pushes.repository_name(), "--server", "https://andon.example.com"]);
    pushes.settings("https://andon.example.com", "http://andon.example.com");
    pushes.commit("web: a change");
    pushes.push(&["main"]).refused().says("nobody can say whether the line runs").says("in clear");
}
