//! `andon proxy` as a person uses it: serve, look, drain, reload, and mistakes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use andon_testbed::balancer::free_ports;
use andon_testbed::deadline::wait_until;

use crate::project::{Project, Running};

const LIMIT: Duration = Duration::from_secs(30);

/// A project with a `proxy.toml` whose two servers are not there; where it listens, and where its numbers are. Nobody else
/// takes these ports while the listener lives.
fn project() -> (Project, SocketAddr, SocketAddr, TcpListener) {
    let (held, first) = free_ports(2).unwrap();
    let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let (project, users, numbers) = (Project::new(), at(first), at(first + 1));
    let control = project.path().join("control.sock");
    project.write(
        "proxy.toml",
        &format!(
            "control = {control:?}\nmetrics = \"{numbers}\"\n[[listen]]\naddress = \"{users}\"\npool = \"www\"\n\
             [pools.www]\nservers = [{{ name = \"web1\", address = \"127.0.0.1:9\" }}, \
             {{ name = \"web2\", address = \"127.0.0.1:9\" }}]\n"
        ),
    );
    (project, users, numbers, held)
}

fn serving(project: &Project) -> Running {
    let running = project.start(&["proxy", "--config", "proxy.toml"]);
    let shows = || project.run(&["proxy", "show", "--config", "proxy.toml"]).code == Some(0);
    assert!(wait_until(LIMIT, shows), "the proxy does not serve: {}", running.said());
    running
}

#[test]
fn servers_are_taken_out_and_put_back_by_hand() {
    let (project, _, _, _held) = project();
    let running = serving(&project);
    let proxy = |words: &[&str]| project.run(&[&["proxy", "--config", "proxy.toml"], words].concat());
    proxy(&["drain", "www", "web1"]).code(0).says("web1 of www gets nothing new");
    proxy(&["weight", "www", "web2", "25"]).code(0).says("25 % of its share");
    proxy(&["show"]).code(0).says("1 of 2 servers in traffic").says("taken out");
    let shown = project.json(&["proxy", "show", "--config", "proxy.toml"]);
    assert_eq!(shown["pools"]["www"]["web1"]["state"], "out", "{shown}");
    assert_eq!(shown["pools"]["www"]["web2"]["weight"], 25, "{shown}");
    proxy(&["ready", "www", "web1"]).code(0).says("its full share");
    proxy(&["drain", "www", "wbe1"]).code(2).says("did you mean web1?");
    proxy(&["drain", "wwv", "web1"]).code(2).says("did you mean www?");
    proxy(&["weight", "www", "web2", "101"]).code(2);
    running.kill();
    proxy(&["show"]).code(4).says("no proxy listens");
}

#[test]
fn a_mistake_is_shown_and_never_takes_effect() {
    let (project, users, numbers, _held) = project();
    let running = serving(&project);
    let good = std::fs::read_to_string(project.path().join("proxy.toml")).unwrap();
    project.write("proxy.toml", &good.replace("pool = \"www\"", "pool = \"wwww\""));
    project.run(&["proxy", "check", "--config", "proxy.toml"]).code(2).says("did you mean \"www\"?");
    let control = project.path().join("control.sock");
    let control = control.to_str().unwrap();
    project.run(&["proxy", "reload", "--control", control]).code(3).says("stays");
    assert!(ask(users, "/").contains(" 502 "));
    project.write("proxy.toml", &good);
    project.run(&["proxy", "check", "--config", "proxy.toml"]).code(0).says("2 servers");
    project.run(&["proxy", "reload", "--config", "proxy.toml"]).code(0);
    let text = ask(numbers, "/metrics");
    assert!(text.contains("andon_proxy_connect_failures_total{pool=\"www\",server=\"web"), "{text}");
    running.kill();
}

fn ask(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let question = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    stream.write_all(question.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn every_part_of_the_command_explains_itself_with_an_example() {
    let project = Project::new();
    for part in ["check", "show", "drain", "ready", "weight", "reload"] {
        project.well(&["proxy", part, "--help"]).says("Example").says(&format!("andon proxy {part}"));
    }
}
