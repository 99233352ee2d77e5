//! What servers have done, from nginx's access log.

use std::fs;

use super::*;

/// Looks until so many requests were counted in all, and not one more.
fn counted(www: &mut Www, wanted: u64) -> PoolSight {
    let total = |sight: &PoolSight| -> u64 {
        sight.servers.values().filter_map(|server| server.counters.as_ref()).map(|c| c.requests).sum()
    };
    let sight = www.balancer.until("all are counted", &[], |sight| total(sight) >= wanted);
    assert_eq!(total(&sight), wanted);
    sight
}

fn signal(www: &Www, words: &[&str]) {
    let program = www.nginx.program();
    assert!(Command::new(&program[0]).args(&program[1..]).args(words).status().unwrap().success());
}

#[test]
fn requests_are_counted_by_server_class_and_time_in_the_format_that_nginx_names() {
    let mut www = Www::start(&["web1", "web2"]);
    www.answers(5);
    counted(&mut www, 0);
    let answers = www.answers(30);
    let sight = counted(&mut www, 30);
    for name in ["web1", "web2"] {
        let expected = answers.iter().filter(|answer| *answer == name).count() as u64;
        let seen = counters(&sight, name);
        assert_eq!((seen.requests, seen.responses), (expected, [0, 0, expected, 0, 0, 0]));
        assert_eq!(seen.latency.unwrap().count(), expected);
        assert!(seen.bytes >= expected * 4, "each answer is at least its name");
    }
}

#[test]
fn nothing_is_lost_or_counted_twice_while_the_log_is_rotated() {
    let mut www = Www::start(&["web1", "web2"]);
    counted(&mut www, 0);
    let (log, at) = (www.nginx.access_log(), |number: u8| www_log(&www, number));
    let (first, second) = (at(1), at(2));
    www.answers(10);
    counted(&mut www, 10);
    www.answers(10);
    fs::rename(&log, &first).unwrap();
    www.answers(10);
    counted(&mut www, 30);
    www.answers(10);
    signal(&www, &["-s", "reopen"]);
    until("nginx has reopened its log", || log.exists());
    www.answers(10);
    counted(&mut www, 50);
    // What is written between the copy and the cut is lost to everybody.
    let lines = || fs::read_to_string(&log).unwrap().lines().count();
    let before = lines();
    www.answers(10);
    until("nginx has written its lines", || lines() == before + 10);
    fs::copy(&log, &second).unwrap();
    fs::File::options().write(true).truncate(true).open(&log).unwrap();
    www.answers(10);
    counted(&mut www, 70);
    www.wish(&[("web1", Traffic::Out)]);
    www.answers(10);
    www.nginx.reload().unwrap();
    www.answers(10);
    counted(&mut www, 90);
}

/// Until then, old workers write in the old format.
fn reload_by_hand(www: &Www) {
    www.nginx.reload().unwrap();
    until("the old workers are gone", || www.nginx.processes().len() == 3);
}

fn www_log(www: &Www, number: u8) -> PathBuf {
    www.nginx.access_log().with_extension(format!("log.{number}"))
}

#[test]
fn a_dead_server_s_failed_connections_are_counted_at_it() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let dead = Backend { name: "dead".to_owned(), address: held.local_addr().unwrap() };
    drop(held);
    let site = Site::start("web1");
    let backends = vec![dead, site.backend()];
    let mut www = Www::before(vec![site], backends, Retries::Idempotent);
    www.wish(&[]);
    assert_eq!(www.answers(12), vec!["web1"; 12]);
    let done = |sight: &PoolSight| counters(sight, "web1").requests == 12;
    let sight = www.balancer.until("all are counted", &[], done);
    let (dead, web1) = (counters(&sight, "dead"), counters(&sight, "web1"));
    assert!(dead.requests > 0, "nginx has tried it");
    assert_eq!((dead.connect_failures, dead.retries), (dead.requests, dead.requests));
    assert_eq!((dead.responses[0], dead.latency.unwrap().count()), (dead.requests, 0));
    assert_eq!((web1.responses[2], web1.connect_failures, web1.retries), (12, 0, 0));
}

#[test]
fn a_log_of_json_is_counted_once_nginx_writes_it() {
    let mut www = Www::start(&["web1"]);
    www.edit_config(|config| {
        let json = r#"log_format j escape=json '{"agent":"$http_user_agent","to":"$upstream_addr",'
            '"status":$status,"time":"$upstream_response_time"}';"#;
        let config = config.replace("http {", &format!("http {{\n{json}\n"));
        config.replace("access.log served;", "access.log j;")
    });
    reload_by_hand(&www);
    counted(&mut www, 0);
    www.answers(7);
    assert_eq!(counters(&counted(&mut www, 7), "web1").responses[2], 7);
    // A person changes the form while we look on.
    www.edit_config(|config| config.replace("access.log j;", "access.log served;"));
    reload_by_hand(&www);
    www.wish(&[]);
    www.answers(5);
    counted(&mut www, 12);
}

#[test]
fn a_log_that_names_no_server_or_is_not_there_counts_nothing_and_hinders_nothing() {
    let mut www = Www::start(&["web1", "web2"]);
    www.edit_config(|config| config.replace("access.log served;", "access.log combined;"));
    www.nginx.reload().unwrap();
    let sight = www.wish(&[("web1", Traffic::Out)]);
    assert_eq!(sight.servers[&server("web1")].counters, None);
    let BalancerKind::Nginx { access_log, log_format, .. } = &mut www.balancer.pool.balancer else {
        unreachable!()
    };
    (*access_log, *log_format) = (Some("/no/such.log".into()), Some("$upstream_addr $status".to_owned()));
    let sight = www.wish(&[("web1", Traffic::FULL)]);
    assert_eq!((state(&sight, "web1"), &sight.servers[&server("web1")].counters), (ServerState::Up, &None));
}

#[test]
fn a_format_that_is_given_needs_no_detection() {
    let mut www = Www::start(&["web1"]);
    let BalancerKind::Nginx { log_format, .. } = &mut www.balancer.pool.balancer else { unreachable!() };
    *log_format = Some(
        "$remote_addr [$time_local] \"$request\" $status $body_bytes_sent $upstream_addr $upstream_status \
         $upstream_connect_time $upstream_response_time"
            .to_owned(),
    );
    counted(&mut www, 0);
    www.answers(3);
    counted(&mut www, 3);
}
