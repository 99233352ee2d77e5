//! Releases that fail nobody and are slow for nobody, and lose nine of ten orders: every test is green.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use andon_load::{Load, Tally};
use andon_testbed::deadline::wait_until;
use andon_testbed::prometheus::{Exposition, PrometheusServer};
use serde_json::json;

use crate::front::Front;
use crate::project::text;
use crate::scene::{Scene, put_back};
use crate::shop::go_on;

/// Orders are rarer than requests: they take their time.
const RULES: &str =
    r#"judge = judge(tick = "1s", warmup = "1s", observe = "4s", window = "60s", holdback = "0s"),"#;

/// The books of the shop: one of five customers orders, and of a release that loses orders one of fifty.
struct Books {
    load: Arc<Load>,
    over: Arc<AtomicBool>,
    clerk: Option<thread::JoinHandle<()>>,
}

impl Books {
    /// `write` is told again and again what every host has sold so far; all releases but `good` lose orders.
    fn open(scene: &Scene, load: Arc<Load>, write: impl Fn(&BTreeMap<String, u64>) + Send + 'static) -> Self {
        let good = text(&scene.shop.newest(), "release").to_owned();
        let hosts: BTreeMap<String, String> = scene
            .shop
            .backends()
            .iter()
            .map(|backend| (backend.address.port().to_string(), backend.name.clone()))
            .collect();
        let over = Arc::new(AtomicBool::new(false));
        let (end, users) = (Arc::clone(&over), Arc::clone(&load));
        let clerk = thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                write(&sold(&users.so_far(), &hosts, &good));
                wait_until(Duration::from_millis(100), || end.load(Ordering::Relaxed));
            }
        });
        Self { load, over, clerk: Some(clerk) }
    }

    fn users(&self) -> &Load {
        &self.load
    }
}

impl Drop for Books {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.clerk.take().unwrap().join().unwrap();
    }
}

fn sold(tally: &Tally, hosts: &BTreeMap<String, String>, good: &str) -> BTreeMap<String, u64> {
    let mut fiftieths: BTreeMap<String, u64> = hosts.values().map(|host| (host.clone(), 0)).collect();
    for (server, answers) in &tally.servers {
        let (port, release) = server.split_once(' ').unwrap();
        *fiftieths.get_mut(&hosts[port]).unwrap() += answers * if release == good { 10 } else { 1 };
    }
    fiftieths.into_iter().map(|(host, all)| (host, all / 50)).collect()
}

/// Deploys a release that loses orders and is put back for it alone; nobody can deploy it again by accident.
fn orders_collapse(scene: &Scene, behaviour: &str) {
    scene.release("lossy", behaviour);
    let (ran, shown) = scene.deploy();
    println!("{}", json!({ "analysis": shown["analysis"], "took": ran.code }));
    ran.code(1);
    let reason = put_back(&shown);
    assert!(reason.contains("orders"), "{reason}");
    assert!(!reason.contains("errors"), "{reason}");
    scene.is_refused();
}

#[test]
fn a_release_that_loses_orders_is_put_back_by_what_programs_push() {
    let orders = r#"errors(), pushed("orders", worse = "lower", critical = True, every = "1s")"#;
    let scene = Scene::closed(Front::haproxy, orders, RULES);
    let mut server =
        scene.shop.project.start(&["server", "--listen", "127.0.0.1:0", "--statsd", "127.0.0.1:0"]);
    server.until_said("andon server answers");
    let said = server.said();
    let statsd = said.split_once("received at ").unwrap().1.split_once(' ').unwrap().0;
    scene.begin(&format!("--statsd {statsd}"));
    let load = scene.steady();
    orders_collapse(&scene, &format!("--statsd {statsd} --orders-lost 90"));
    assert_eq!(load.stop().failed, 0);
    assert!(!server.has_ended());
    server.kill();
}

#[test]
fn a_release_that_loses_orders_is_put_back_by_what_prometheus_knows() {
    let scene = Scene::closed(Front::haproxy, "errors()", RULES);
    let pages: BTreeMap<String, Exposition> = scene
        .shop
        .backends()
        .iter()
        .map(|backend| (backend.name.clone(), Exposition::start("").unwrap()))
        .collect();
    let targets: Vec<(&str, SocketAddr)> =
        pages.iter().map(|(host, page)| (host.as_str(), page.address())).collect();
    let prometheus = PrometheusServer::start(&targets).unwrap();
    scene.shop.edit_line(
        "watch = [errors()]",
        &format!(
            "watch = [errors(), prometheus(\"orders\", query = \"orders_total{{{{members}}}}\", url = {:?}, \
             worse = \"lower\", critical = True, every = \"2s\")]",
            prometheus.url()
        ),
    );
    scene.begin("");
    let books = Books::open(&scene, Arc::new(scene.steady()), move |sold| {
        for (host, orders) in sold {
            pages[host].say(&format!("orders_total {orders}\n"));
        }
    });
    orders_collapse(&scene, "");
    assert_eq!(books.users().lap().failed, 0);
}

#[test]
fn a_release_that_loses_orders_is_put_back_by_what_a_command_prints() {
    let orders =
        r#"errors(), counted("orders", "cat orders", worse = "lower", critical = True, every = "1s")"#;
    let scene = Scene::closed(Front::haproxy, orders, RULES);
    scene.shop.project.write("orders", "");
    scene.begin("");
    let place = scene.shop.project.path().to_owned();
    let books = Books::open(&scene, Arc::new(scene.steady()), move |sold| {
        let mut lines = String::new();
        sold.iter().for_each(|(host, orders)| writeln!(lines, "{host} {orders}").unwrap());
        std::fs::write(place.join("orders.new"), lines).unwrap();
        std::fs::rename(place.join("orders.new"), place.join("orders")).unwrap();
    });
    go_on(books.users(), 300);
    orders_collapse(&scene, "");
    assert_eq!(books.users().lap().failed, 0);
}
