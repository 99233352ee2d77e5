//! Which server is meant, who one is there, and what is said when nothing comes of it.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use crate::project::Project;
use crate::site::Site;

const TOKEN: &str = "a-token-that-nobody-guesses";

fn guarded() -> Site {
    let project = Project::local(1);
    project.write("token", TOKEN);
    let path = project.path().join("token");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    Site::of(project, &["--token-file", path.to_str().unwrap()])
}

#[test]
fn a_token_is_kept_by_login_and_shown_from_then_on() {
    let site = guarded();
    let person = site.person();
    let wrong = || person.checkout.command(&["--server", &site.url(), "history"]);
    let mut shown = wrong();
    shown.env("ANDON_TOKEN", "another-token-than-that");
    let ran = person.checkout.start_command(shown).end().code(3);
    ran.says("does not know who asks").says("ANDON_TOKEN").says("andon login").says(&site.url());
    person.checkout.write("given", TOKEN);
    let mut login = person.checkout.command(&["login", &site.url()]);
    login.stdin(std::fs::File::open(person.checkout.path().join("given")).unwrap());
    person.checkout.start_command(login).end().code(0).says("you are ana").never_says(TOKEN);
    person.well(&["history"]).says("No deployment yet");
    let kept = person.checkout.path().join("home/.config/andon/tokens");
    assert_eq!(std::fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::set_permissions(&kept, std::fs::Permissions::from_mode(0o644)).unwrap();
    person.run(&["history"]).code(3).says("may be read by others").never_says(TOKEN);
    let mut bad = person.checkout.command(&["login", &site.url()]);
    person.checkout.write("given", "another-token-than-that");
    bad.stdin(std::fs::File::open(person.checkout.path().join("given")).unwrap());
    std::fs::set_permissions(&kept, std::fs::Permissions::from_mode(0o600)).unwrap();
    person.checkout.start_command(bad).end().code(3).says("does not know who asks");
    assert!(std::fs::read_to_string(&kept).unwrap().contains(TOKEN), "the one that works is kept");
}

#[test]
fn what_cannot_be_reached_or_is_no_andon_is_said_so() {
    let project = Project::local(1);
    let url = "http://127.0.0.1:1".to_owned();
    let ran = project.run(&["--server", &url, "history"]).code(4);
    ran.says(&format!("{url} cannot be reached")).says("--local").says("ANDON_SERVER");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream
                .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
        }
    });
    project.run(&["--server", &url, "history"]).code(4).says("is no andon server");
    project.run(&["--server", "http://andon.example.com", "history"]).code(2).says("in clear");
    project.run(&["--server", "andon.example.com", "history"]).code(2).says("cannot be a server");
    project.well(&["--server", "", "history"]).says("No deployment yet");
}

#[test]
fn a_line_names_its_server_and_local_is_stronger() {
    let site = Site::start(1);
    let person = site.person();
    let line = std::fs::read_to_string(person.checkout.path().join("line.star")).unwrap();
    person.checkout.write("line.star", &format!("server(\"{}\")\n{line}", site.url()));
    person.checkout.well(&["deploy", "www"]).says("this line.star is not the one of");
    assert_eq!(site.project.recorded(), 1);
    person.checkout.well(&["history"]).says("succeeded");
    person.checkout.well(&["--local", "history"]).says("No deployment yet");
    person
        .checkout
        .run(&["ledger", "backup", "to.db"])
        .code(3)
        .says("for the machine that the ledger lies on");
    person.checkout.well(&["check"]).says("1 service");
    person.checkout.write("line.star", "server(\"http://andon.example.com\")\n");
    person.checkout.run(&["check"]).code(2).says("in clear");
    person.checkout.run(&["history"]).code(2).says("--local");
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let site = Site::start(1);
    let ran = site.project.run(&["server", "--listen", "127.0.0.1:0"]).code(3);
    ran.says("another andon server works on").says("nothing has been changed");
}

#[test]
fn errors_of_a_server_say_whom_they_come_from() {
    let site = Site::start(1);
    let person = site.person();
    let ran = person.run(&["show", "7"]).code(3);
    ran.says("there is no deployment #7").says(&format!("at    {} as ana", site.url()));
}
