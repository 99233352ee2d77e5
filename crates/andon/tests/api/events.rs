//! What happens, as it happens.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;

use crate::house::House;

/// A stream of events that is read.
struct Listening(BufReader<TcpStream>);

/// One event.
#[derive(Debug)]
struct Heard {
    name: String,
    id: Option<u64>,
    data: Value,
}

impl Listening {
    fn to(house: &House, query: &str, after: Option<u64>) -> Self {
        let mut stream = house.connect();
        let after = after.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        write!(stream, "GET /v1/events{query} HTTP/1.1\r\nHost: {}\r\n{after}\r\n", house.address()).unwrap();
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
        }
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.to_ascii_lowercase().contains("content-type: text/event-stream"), "{head}");
        Self(reader)
    }

    /// The next event. Lengths of chunks stand between the lines; none looks like a field.
    fn next(&mut self) -> Heard {
        let mut heard = Heard { name: String::new(), id: None, data: Value::Null };
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the stream ended");
            let line = line.trim_end_matches(['\r', '\n']);
            if let Some(name) = line.strip_prefix("event: ") {
                heard.name = name.to_owned();
            } else if let Some(id) = line.strip_prefix("id: ") {
                heard.id = Some(id.parse().unwrap());
            } else if let Some(data) = line.strip_prefix("data: ") {
                heard.data = serde_json::from_str(data).unwrap();
                return heard;
            }
        }
    }

    /// Events up to the one that ends a deployment.
    fn until_end(&mut self) -> Vec<Heard> {
        let mut all = Vec::new();
        loop {
            let heard = self.next();
            let over = heard.data["state"] == "succeeded" && heard.name == "deployment";
            all.push(heard);
            if over {
                return all;
            }
        }
    }
}

#[test]
fn a_deployment_is_heard_as_it_goes_on_and_again_from_where_one_was() {
    let house = House::open();
    let mut all = Listening::to(&house, "", None);
    let hello = all.next();
    assert_eq!((hello.name.as_str(), hello.id), ("hello", Some(0)));
    let mut of_www = Listening::to(&house, "?service=www", None);
    let mut of_other = Listening::to(&house, "?deployment=7", None);
    of_www.next();
    of_other.next();
    let number = house.deploy();
    let heard = all.until_end();
    let mine: Vec<&Heard> = heard.iter().filter(|heard| heard.name == "deployment").collect();
    assert_eq!(mine[0].data["fact"], "accepted");
    assert!(mine.iter().all(|heard| heard.data["deployment"] == number && heard.data["service"] == "www"));
    assert!(mine.iter().any(|heard| heard.data["host"] == "web1" && heard.data["host_state"] == "succeeded"));
    let ids: Vec<u64> = heard.iter().filter_map(|heard| heard.id).collect();
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
    let of_service = of_www.until_end();
    assert_eq!(of_service.iter().filter(|heard| heard.name == "deployment").count(), mine.len());

    // Whoever comes back hears what lies behind, once.
    let middle = ids[ids.len() / 2];
    let mut back = Listening::to(&house, "", Some(middle));
    assert_eq!(back.next().name, "hello");
    let again: Vec<u64> = back.until_end().iter().filter_map(|heard| heard.id).collect();
    let expected: Vec<u64> = ids.iter().copied().filter(|id| *id > middle).collect();
    assert_eq!(again, expected);

    // Nothing of it was for whoever listens to another deployment; the line is for everybody.
    house.post("/v1/line/stop", &serde_json::json!({ "why": "orders fell" })).is(200);
    let line = of_other.next();
    assert_eq!((line.name.as_str(), &line.data["line"]["reason"]), ("line", &Value::from("orders fell")));
}

#[test]
fn after_a_restart_one_goes_on_from_the_ledger() {
    let mut house = House::open();
    let number = house.deploy();
    house.until_ended(number);
    let mut first = Listening::to(&house, "", Some(0));
    assert_eq!(first.next().name, "hello");
    let ids: Vec<u64> = first.until_end().iter().filter_map(|heard| heard.id).collect();
    house.kill_and_start();
    let mut back = Listening::to(&house, &format!("?deployment={number}"), Some(ids[0]));
    back.next();
    let again = back.until_end();
    assert!(again.iter().all(|heard| heard.data["deployment"] == number), "{again:?}");
    assert!(again.iter().all(|heard| heard.id > Some(ids[0])));
    let mut ahead = Listening::to(&house, "", Some(1_000_000));
    ahead.next();
    assert_eq!(ahead.next().name, "reset");
    house.ask("GET", "/v1/events", "Last-Event-ID: x\r\n", b"").is(400);
}

#[test]
fn more_streams_than_there_may_be_are_refused_and_others_are_answered() {
    // This process holds the other ends.
    let files = getrlimit(Resource::Nofile);
    let most = files.maximum.map_or(4096, |most| most.min(4096));
    setrlimit(Resource::Nofile, Rlimit { current: Some(most), ..files }).unwrap();
    let house = House::open();
    let mut streams = Vec::new();
    let refused = loop {
        let mut stream = house.connect();
        write!(stream, "GET /v1/events HTTP/1.1\r\nHost: {}\r\n\r\n", house.address()).unwrap();
        let mut reader = BufReader::new(stream);
        let mut first = String::new();
        reader.read_line(&mut first).unwrap();
        if !first.starts_with("HTTP/1.1 200") {
            break first;
        }
        streams.push(reader);
        assert!(streams.len() <= 1000, "there is no bound");
    };
    assert!(refused.starts_with("HTTP/1.1 429"), "{refused} after {}", streams.len());
    assert_eq!(streams.len(), 1000);
    assert_eq!(house.get("/health").is(200).json()["status"], "ok");
    house.get("/v1/deployments").is(200);
    // A place that is given back is free.
    drop(streams);
    let held = andon_testbed::deadline::wait_until(crate::project::LIMIT, || {
        let mut stream = house.connect();
        write!(stream, "GET /v1/events HTTP/1.1\r\nHost: {}\r\n\r\n", house.address()).unwrap();
        let mut first = String::new();
        BufReader::new(stream).read_line(&mut first).unwrap();
        first.starts_with("HTTP/1.1 200")
    });
    assert!(held, "no place was given back");
}
