//! Servers are taken out, seen idle, and put back.

use super::*;
use andon_core::balance::FailureKind;

#[test]
fn a_drain_ends_with_the_last_request_of_an_old_worker() {
    let mut www = Www::start(&["web1", "web2"]);
    www.wish(&[("web2", Traffic::Out)]);
    let user = User::ask(www.address(), "/hold");
    until("web1 works", || www.sites[0].held() == 1);
    let sight = www.wish(&[("web1", Traffic::Out), ("web2", Traffic::FULL)]);
    assert_eq!(names(&sight), ["web1", "web2"]);
    assert_eq!((state(&sight, "web1"), state(&sight, "web2")), (ServerState::Out, ServerState::Up));
    assert_eq!(www.answers(20), vec!["web2"; 20]);
    let sight = www.wish(&[("web1", Traffic::Out)]);
    assert_eq!((sessions(&sight, "web1"), names(&sight).len()), (1, 0), "the held request is under way");
    www.sites[0].release();
    assert_eq!(user.answer(), "HTTP/1.1 200 OK");
    www.balancer.until("web1 is idle", &[], |sight| sessions(sight, "web1") == 0);
}

#[test]
fn idle_connections_to_a_drained_server_are_closed_at_once() {
    let mut www = Www::start(&["web1", "web2"]);
    www.wish(&[("web1", Traffic::FULL)]);
    assert!(www.answers(20).contains(&"web1".to_owned()));
    assert!(sessions(&www.wish(&[]), "web1") > 0, "nginx keeps connections to its servers open");
    www.wish(&[("web1", Traffic::Out)]);
    // The sites never close a connection: it is nginx that does.
    www.balancer.until("web1 is idle", &[], |sight| sessions(sight, "web1") == 0);
}

#[test]
fn all_wishes_of_a_call_are_one_reload_and_wishes_that_hold_are_none() {
    let mut www = Www::start(&["web1", "web2", "web3", "web4"]);
    let wishes = [("web1", Traffic::Out), ("web2", Traffic::Cut), ("web3", Traffic::In(10))];
    let sight = www.wish(&wishes);
    assert_eq!(names(&sight), ["web1", "web2", "web3"]);
    assert_eq!((www.calls("-t"), www.calls("-s reload")), (1, 1));
    for _ in 0..3 {
        assert_eq!(names(&www.wish(&wishes)).len(), 0);
        www.wish(&[]);
    }
    assert_eq!((www.calls("-t"), www.calls("-s reload")), (1, 1));
    assert_eq!(www.wish(&[]).servers[&server("web3")].weight, 10);
}

#[test]
fn weights_take_effect() {
    let mut www = Www::start(&["web1", "web2"]);
    www.wish(&[("web1", Traffic::In(10)), ("web2", Traffic::In(100))]);
    let canary = www.answers(220).iter().filter(|name| *name == "web1").count();
    // nginx's choice is not random, but each of its workers chooses for itself.
    assert!((10..=30).contains(&canary), "{canary} of 220, expected about 20");
}

#[test]
fn a_file_that_nginx_refuses_is_put_back_and_not_loaded() {
    let mut www = Www::start(&["web1", "web2"]);
    www.wish(&[("web1", Traffic::In(50))]);
    let (before, reloads) = (www.include(), www.calls("-s reload"));
    let good = www.balancer.pool.servers[1].clone();
    // 999 is too much for an octet, hence a name that nobody has.
    www.balancer.pool.servers[1].address = "127.0.0.999".to_owned();
    let failure = www.refused(&[("web1", Traffic::Out)]);
    assert_eq!(failure.kind, FailureKind::Invalid, "{failure:?}");
    assert!(failure.reason.contains("127.0.0.999") && failure.reason.contains("former"), "{failure}");
    assert!(failure.details.contains("[emerg]"), "{failure:?}");
    assert_eq!((www.include(), www.calls("-s reload")), (before, reloads));
    assert!(www.answers(10).contains(&"web1".to_owned()));
    www.balancer.pool.servers[1] = good;
    assert_eq!(names(&www.wish(&[("web1", Traffic::Out)])), ["web1"]);
}

#[test]
fn somebody_else_s_mistake_is_told_apart() {
    let mut www = Www::start(&["web1", "web2"]);
    www.wish(&[("web1", Traffic::FULL)]);
    let (before, reloads) = (www.include(), www.calls("-s reload"));
    www.edit_config(|config| config.replace("client_max_body_size 8m;", "client_max_body_size lots;"));
    let failure = www.refused(&[("web1", Traffic::Out)]);
    assert_eq!(failure.kind, FailureKind::Invalid, "{failure:?}");
    assert!(
        failure.reason.contains("without Andon's file") && failure.reason.contains("client_max_body_size"),
        "{failure}"
    );
    assert_eq!((www.include(), www.calls("-s reload")), (before, reloads));
    assert_eq!(state(&www.wish(&[]), "web1"), ServerState::Up, "to look needs no valid file");
    www.edit_config(|config| config.replace("client_max_body_size lots;", ""));
    assert_eq!(state(&www.wish(&[("web1", Traffic::Out)]), "web1"), ServerState::Out);
}

#[test]
fn a_reload_by_a_person_changes_nothing() {
    let mut www = Www::start(&["web1", "web2"]);
    www.wish(&[("web1", Traffic::Out)]);
    www.nginx.reload().unwrap();
    let sight = www.wish(&[("web1", Traffic::Out)]);
    assert_eq!((state(&sight, "web1"), names(&sight).len()), (ServerState::Out, 0));
    assert_eq!(www.answers(10), vec!["web2"; 10]);
}

#[test]
fn what_was_not_loaded_is_not_claimed_and_is_loaded_at_the_next_call() {
    let mut www = Www::start(&["web1", "web2"]);
    www.wish(&[("web1", Traffic::FULL)]);
    www.run_nginx_by("case \"$*\" in *reload) exit 0;; esac; exec \"$@\"");
    let failure = www.refused(&[("web1", Traffic::Out)]);
    assert!(failure.reason.contains("still the old ones"), "{failure}");
    assert_eq!(state(&www.wish(&[]), "web1"), ServerState::Up);
    www.run_nginx_by("case \"$*\" in *reload) echo 'nginx: [error] no' >&2; exit 1;; esac; exec \"$@\"");
    let failure = www.refused(&[("web1", Traffic::Out)]);
    assert!(failure.reason.contains("not loaded yet"), "{failure}");
    www.run_nginx_by("exec \"$@\"");
    let sight = www.wish(&[("web1", Traffic::Out)]);
    assert_eq!((state(&sight, "web1"), names(&sight)), (ServerState::Out, vec!["web1"]));
    assert_eq!(www.answers(10), vec!["web2"; 10]);
}

#[test]
fn an_nginx_that_does_not_run_is_said_so_and_its_file_stays() {
    let mut www = Www::start(&["web1", "web2"]);
    www.wish(&[("web1", Traffic::FULL)]);
    let before = www.include();
    www.nginx.kill();
    for wishes in [&[][..], &[("web1", Traffic::Out)]] {
        let failure = www.refused(wishes);
        assert_eq!(failure.kind, FailureKind::Unreachable, "{failure:?}");
        assert!(failure.reason.contains("not running"), "{failure}");
    }
    assert_eq!(www.include(), before);
}

#[test]
fn a_program_that_is_missing_or_not_allowed_is_named() {
    let mut www = Www::start(&["web1"]);
    let BalancerKind::Nginx { program, .. } = &mut www.balancer.pool.balancer else { unreachable!() };
    *program = vec!["/no/such/nginx".to_owned()];
    let failure = www.refused(&[("web1", Traffic::Out)]);
    assert_eq!(failure.kind, FailureKind::Unreachable, "{failure:?}");
    assert!(failure.reason.contains("/no/such/nginx"), "{failure}");
    www.run_nginx_by("echo 'sudo: a password is required' >&2; exit 1");
    let failure = www.refused(&[("web1", Traffic::Out)]);
    assert_eq!(failure.kind, FailureKind::Refused, "{failure:?}");
    assert!(failure.reason.contains("a password is required"), "{failure}");
    assert!(www.include().starts_with("# andon: adopt\n"), "the file of the person is as it was");
    www.run_nginx_by("exec \"$@\"");
    assert_eq!(state(&www.wish(&[("web1", Traffic::Out)]), "web1"), ServerState::Out);
}
