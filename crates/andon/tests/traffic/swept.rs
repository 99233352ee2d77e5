//! What people are told of traffic, and what `andon sweep` does about a host that nobody puts back.

use std::io::{Read, Write};
use std::net::TcpStream;

use andon_load::Mix;
use andon_testbed::deadline::wait_until;
use andon_testbed::{Backend, Haproxy, Retries};
use serde_json::Value;

use crate::front::haproxy_on;
use crate::project::text;
use crate::shop::{BALANCER_HOST, LIMIT, Shop, go_on, steady};

fn open(hosts: u16) -> (Shop, Haproxy) {
    let shop = Shop::of(hosts);
    let haproxy = Haproxy::start(shop.backends(), Retries::None).unwrap();
    shop.write_line(&haproxy_on(BALANCER_HOST, &haproxy.socket()));
    shop.open();
    (shop, haproxy)
}

fn status(haproxy: &Haproxy, Backend { name, .. }: &Backend) -> String {
    haproxy.stat(name, "status").unwrap()
}

/// The instance of a host in what `andon traffic --json` says.
fn instance<'a>(moment: &'a Value, host: &str) -> &'a Value {
    let all = moment["instances"].as_array().unwrap();
    all.iter().find(|instance| instance["host"] == host).unwrap_or_else(|| panic!("no {host}: {moment:#}"))
}

#[test]
fn every_instance_is_shown_with_what_goes_through_it_and_who_took_it_out() {
    let (shop, haproxy) = open(3);
    let load = steady(haproxy.address(), Mix { rate: 100, ..Mix::default() });
    let moment = shop.project.json(&["traffic", "www"]);
    let mut sum = 0.0;
    for Backend { name, .. } in shop.backends() {
        let web = instance(&moment, name);
        assert_eq!((&web["in_traffic"], &web["well"]), (&Value::Bool(true), &Value::Bool(true)), "{web:#}");
        let requests = web["traffic"]["requests"].as_f64().unwrap();
        assert!(requests > 1.0, "{web:#}");
        assert!(web["traffic"]["responses"]["2xx"].as_f64().unwrap() > 1.0, "{web:#}");
        sum += requests;
    }
    let told = moment["sum"]["requests"].as_f64().unwrap();
    assert!((told - sum).abs() < 0.1, "{told} and {sum}");
    let table = shop.project.well(&["traffic", "www"]).out;
    assert!(table.contains("✔ web2") && table.contains("req/s") && table.contains("mean"), "{table}");
    shop.project.well(&["status", "www"]).says("in traffic");

    haproxy.api("set server www/web2 state maint").unwrap();
    shop.project.run(&["traffic", "www"]).code(1).says("✘ web2").says("haproxy www on lb1 has it out");
    shop.project.run(&["status", "www"]).code(1).says("no traffic: haproxy www on lb1 has it out");
    shop.project.well(&["sweep", "www"]).says("web2 was taken out of haproxy www on lb1 by somebody else");
    assert_eq!(status(&haproxy, &shop.backends()[1]), "MAINT", "it may be meant");
    haproxy.api("set server www/web2 state ready").unwrap();
    go_on(&load, 50);
    let tally = load.stop();
    assert_eq!(tally.failed, 0, "looking at traffic loses none: {tally}");
}

#[test]
fn a_deployment_whose_process_was_killed_is_swept_to_rest_and_every_host_is_in_traffic() {
    let (shop, haproxy) = open(3);
    for (number, moment) in [(2, "web1 draining"), (3, "web1 activating")] {
        shop.release(moment);
        let deploy = shop.deploy();
        shop.until_told(number, moment);
        deploy.kill();
        let swept = shop.project.json(&["sweep", "www"]);
        let found = &swept[0]["found"][0];
        assert_eq!(text(found, "found"), "orphan", "{swept:#}");
        assert_eq!(found["deployment"], number, "{swept:#}");
        assert_eq!(found["out"], Value::Array(Vec::new()), "{swept:#}");
        for backend in shop.backends() {
            assert!(wait_until(LIMIT, || status(&haproxy, backend) == "UP"), "{}", backend.name);
        }
        // There is nothing left to do: it waits for a person.
        shop.project.run(&["sweep", "www"]).code(1).says("waits").says(&format!("andon resume {number}"));
        shop.project.well(&["resume", &number.to_string()]);
        assert_eq!(text(&shop.project.show(number), "state"), "succeeded");
    }
    shop.project.well(&["sweep"]).says("Nothing was changed");
}

#[test]
fn a_host_that_was_left_out_is_swept_back_into_traffic_once_it_is_well() {
    let shop = Shop::of(3);
    let haproxy = Haproxy::start(shop.backends(), Retries::None).unwrap();
    shop.write_line(&haproxy_on(BALANCER_HOST, &haproxy.socket()));
    let line = std::fs::read_to_string(shop.project.path().join("line.star")).unwrap();
    shop.project.write("line.star", &line.replace("healthy_deadline = \"60s\"", "healthy_deadline = \"5s\""));
    let web1 = &shop.backends()[0];
    let broken = shop.project.path().join("broken");
    // Whatever the release is: on web1 none comes up while the file is there.
    let release = |name: &str| {
        shop.release(name);
        let start = std::fs::read_to_string(shop.project.path().join("dist/www")).unwrap();
        let port = web1.address.port();
        let check =
            format!("#!/bin/sh\ncase \"$*\" in *{port}*) [ -e '{}' ] && exit 1;; esac\n", broken.display());
        shop.project.write("dist/www", &start.replace("#!/bin/sh\n", &check));
    };
    release("one");
    shop.project.well(&["deploy", "www"]);
    shop.project.write("broken", "");
    release("two");
    shop.project.run(&["deploy", "www"]).code(1).says("could not be put back on web1");

    assert_ne!(status(&haproxy, web1), "UP");
    shop.project.run(&["status", "www"]).code(1).says("held since #2").says("andon sweep www production");
    shop.project.run(&["sweep", "www"]).code(1).says("web1 stays out of traffic");
    shop.project.run(&["deploy", "www", "--fixes", "2"]).says("web1 was left out of traffic, last by #2");
    std::fs::remove_file(&broken).unwrap();
    let mut last = None;
    let returned = wait_until(LIMIT, || {
        let swept = shop.project.run(&["sweep", "www"]);
        let well = swept.code == Some(0);
        last = Some(swept);
        well
    });
    assert!(returned, "{last:?}");
    last.unwrap().says("web1 is healthy, passed its tests, and is in traffic again");
    assert!(wait_until(LIMIT, || status(&haproxy, web1) == "UP"));
    shop.project.well(&["traffic", "www"]).says("✔ web1");
    shop.project.well(&["sweep", "www"]).says("Nothing was changed");
}

#[test]
fn a_drain_that_takes_long_tells_a_log_what_it_waits_for_and_loses_nothing() {
    let (shop, haproxy) = open(2);
    shop.release("one");
    // One for each host, on its way for longer than a log is patient.
    let users: Vec<_> = shop.backends().iter().map(|_| slow_request(&haproxy)).collect();
    let mut deploy = shop.deploy();
    // A health check may be on its way beside it.
    let waits = "web1 draining: 1 session on haproxy www on lb1, ";
    deploy.until_said(waits);
    let said = deploy.said();
    let line = said.lines().find(|line| line.contains(waits)).unwrap();
    assert!(line.contains(" at work; what is left is cut in"), "{line}");
    shop.finish(deploy).code(0);
    for mut user in users {
        let mut answer = String::new();
        user.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

/// A request that is answered after 12 s.
fn slow_request(haproxy: &Haproxy) -> TcpStream {
    let mut user = TcpStream::connect(haproxy.address()).unwrap();
    user.write_all(
        b"GET /text?number=1&bytes=10&ms=20000 HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n",
    )
    .unwrap();
    user
}
