//! The include belongs to whoever wrote it last.

use super::*;
use andon_core::balance::FailureKind;

/// What `cp` in the sentence does.
fn undo(failure: &BalancerFailure) {
    let command = failure.reason.split('`').find(|part| part.starts_with("cp ")).unwrap();
    assert!(Command::new("sh").args(["-c", command]).status().unwrap().success(), "{command}");
}

#[test]
fn an_edit_is_shown_and_never_overwritten() {
    let mut www = Www::start(&["web1", "web2"]);
    www.wish(&[("web1", Traffic::In(50))]);
    let (ours, reloads) = (www.include(), www.calls("-s reload"));
    let edited = ours.replace("weight=50;", "weight=50 down;");
    assert_ne!(edited, ours);
    www.set_include(&edited);
    for wishes in [&[][..], &[("web1", Traffic::FULL)], &[("web1", Traffic::Out)]] {
        let failure = www.refused(wishes);
        assert_eq!(failure.kind, FailureKind::Drift, "{failure:?}");
        assert!(failure.reason.contains("# andon: adopt"), "{failure}");
        let place = www.sites[0].address;
        let diff = format!("-server {place} weight=50;  # web1\n+server {place} weight=50 down;  # web1\n");
        assert!(failure.details.contains(&diff), "{}", failure.details);
        assert_eq!(www.include(), edited);
    }
    assert_eq!(www.calls("-s reload"), reloads);
    let failure = www.refused(&[]);
    undo(&failure);
    assert_eq!(www.include(), ours);
    assert_eq!(state(&www.wish(&[("web1", Traffic::In(50))]), "web1"), ServerState::Up);
    assert_eq!(www.calls("-s reload"), reloads, "nothing was ever changed for nginx");
}

#[test]
fn an_edit_that_is_handed_over_stands() {
    let mut www = Www::start(&["web1", "web2", "web3"]);
    www.wish(&[("web1", Traffic::FULL)]);
    let edited = www.include().replace("weight=100;  # web2", "weight=30 down;  # web2");
    www.set_include(&format!("{edited}# andon: adopt\n"));
    let sight = www.wish(&[("web3", Traffic::Out)]);
    assert_eq!(state(&sight, "web2"), ServerState::Out);
    assert_eq!(sight.servers[&server("web2")].weight, 30);
    assert_eq!((state(&sight, "web1"), state(&sight, "web3")), (ServerState::Up, ServerState::Out));
    assert_eq!(www.answers(10), vec!["web1"; 10]);
    assert!(!www.include().lines().any(|line| line == "# andon: adopt"), "{}", www.include());
}

#[test]
fn an_edit_that_nginx_has_loaded_is_undone_in_nginx_too() {
    let mut www = Www::start(&["web1", "web2"]);
    www.wish(&[("web1", Traffic::Out)]);
    www.set_include(&www.include().replace(" down;", ";"));
    www.nginx.reload().unwrap();
    until("the edit is in force", || www.answers(4).contains(&"web1".to_owned()));
    undo(&www.refused(&[("web1", Traffic::Out)]));
    // The file is as ever, what runs is not.
    www.wish(&[("web1", Traffic::Out)]);
    assert_eq!(www.answers(10), vec!["web2"; 10]);
    let reloads = www.calls("-s reload");
    www.wish(&[("web1", Traffic::Out)]);
    assert_eq!(www.calls("-s reload"), reloads);
}

#[test]
fn a_file_that_was_handed_over_is_put_back_as_it_stood() {
    let mut www = Www::start(&["web1", "web2"]);
    www.wish(&[("web1", Traffic::FULL)]);
    let edited = format!("# mine\n{}# andon: adopt\n", www.include().replace(";  # web2", " down;  # web2"));
    www.set_include(&edited);
    www.edit_config(|config| config.replace("client_max_body_size 8m;", "client_max_body_size lots;"));
    assert_eq!(www.refused(&[("web1", Traffic::In(20))]).kind, FailureKind::Invalid);
    assert_eq!(www.include(), edited);
    www.edit_config(|config| config.replace("client_max_body_size lots;", ""));
    let sight = www.wish(&[("web1", Traffic::In(20))]);
    assert_eq!((state(&sight, "web2"), names(&sight)), (ServerState::Out, vec!["web1"]));
}

#[test]
fn a_file_made_invalid_by_hand_is_shown_with_the_difference() {
    let mut www = Www::start(&["web1", "web2"]);
    www.wish(&[("web1", Traffic::FULL)]);
    let reloads = www.calls("-s reload");
    let broken = www.include().replace("weight=100;  # web2", "weigth=100 # web2");
    www.set_include(&broken);
    www.nginx.check().unwrap_err();
    let failure = www.refused(&[("web1", Traffic::Out)]);
    assert_eq!(failure.kind, FailureKind::Drift, "{failure:?}");
    assert!(failure.details.contains("\n+server") && failure.details.contains("weigth"), "{failure:?}");
    assert!(failure.reason.contains("cannot take it over"), "{failure}");
    assert_eq!((www.include(), www.calls("-s reload")), (broken, reloads));
    assert!(www.answers(10).contains(&"web1".to_owned()), "nginx goes on with what it has loaded");
    undo(&failure);
    assert_eq!(state(&www.wish(&[("web1", Traffic::Out)]), "web1"), ServerState::Out);
}

#[test]
fn a_person_s_own_file_is_not_taken() {
    let mut www = Www::start(&["web1", "web2"]);
    let theirs = www.include().replace("# andon: adopt\n", "");
    www.set_include(&theirs);
    let failure = www.refused(&[("web1", Traffic::Out)]);
    assert_eq!(failure.kind, FailureKind::Drift, "{failure:?}");
    assert!(failure.reason.contains("# andon: adopt"), "{failure}");
    assert_eq!(www.include(), theirs);
    www.set_include(&format!("keepalive_timeout 5;\n# andon: adopt\n{theirs}"));
    let failure = www.refused(&[("web1", Traffic::Out)]);
    assert!(failure.reason.contains("line 1"), "{failure}");
}

#[test]
fn a_file_that_does_not_exist_is_written_with_all_servers_in_traffic() {
    let mut www = Www::start(&["web1", "web2", "web3"]);
    std::fs::remove_file(www.nginx.include()).unwrap();
    let failure = www.refused(&[]);
    assert_eq!(failure.kind, FailureKind::Missing, "{failure:?}");
    assert!(!www.nginx.include().exists(), "to look changes nothing");
    www.set_include(&failure.details);
    assert_eq!(state(&www.wish(&[]), "web2"), ServerState::Up, "what is shown may be written by hand");
    std::fs::remove_file(www.nginx.include()).unwrap();
    www.wish(&[("web2", Traffic::Out)]);
    let text = www.include();
    assert!(text.lines().filter(|line| line.starts_with("server ")).count() == 3, "{text}");
    assert!(text.contains("weight=100 down;  # web2") && text.contains("weight=100;  # web3"), "{text}");
    assert_eq!(permissions(&www.nginx.include()), 0o644);
    assert!(!www.answers(12).contains(&"web2".to_owned()));
}

#[test]
fn a_removed_file_is_written_again_as_it_was() {
    let mut www = Www::start(&["web1", "web2", "web3"]);
    www.wish(&[("web1", Traffic::Out)]);
    std::fs::remove_file(www.nginx.include()).unwrap();
    assert_eq!(state(&www.wish(&[]), "web1"), ServerState::Out);
    www.wish(&[("web2", Traffic::In(5))]);
    assert!(www.include().contains("weight=100 down;  # web1"), "{}", www.include());
    assert!(www.include().contains("weight=5;  # web2"), "{}", www.include());
}

#[test]
fn without_records_a_file_as_andon_writes_it_is_still_its_own() {
    let mut www = Www::start(&["web1", "web2"]);
    www.wish(&[("web1", Traffic::Out)]);
    std::fs::remove_dir_all(&www.balancer.pool.root).unwrap();
    let sight = www.wish(&[("web2", Traffic::In(7))]);
    assert_eq!((state(&sight, "web1"), sight.servers[&server("web2")].weight), (ServerState::Out, 7));
}

#[test]
fn servers_come_out_of_traffic_and_go() {
    let mut www = Www::start(&["web1", "web2"]);
    www.wish(&[("web1", Traffic::FULL)]);
    let site = Site::start("web3");
    let mut new = www.balancer.pool.servers[0].clone();
    (new.name, new.port) = (server("web3"), site.address.port());
    www.balancer.pool.servers.push(new);
    www.balancer.pool.servers.remove(1);
    let sight = www.wish(&[("web1", Traffic::FULL)]);
    assert_eq!((state(&sight, "web3"), sight.servers.len()), (ServerState::Out, 2));
    assert_eq!(www.answers(10), vec!["web1"; 10]);
    www.wish(&[("web3", Traffic::FULL)]);
    assert!(www.answers(10).contains(&"web3".to_owned()));
}

#[test]
fn a_link_stays_a_link_and_rights_stay() {
    let mut www = Www::start(&["web1", "web2"]);
    let real = www.calls.path().join("real.conf");
    std::fs::rename(www.nginx.include(), &real).unwrap();
    std::os::unix::fs::symlink(&real, www.nginx.include()).unwrap();
    std::fs::set_permissions(&real, std::os::unix::fs::PermissionsExt::from_mode(0o664)).unwrap();
    www.wish(&[("web1", Traffic::Out)]);
    assert!(std::fs::symlink_metadata(www.nginx.include()).unwrap().is_symlink());
    assert_eq!(permissions(&real), 0o664);
}

fn permissions(path: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions()) & 0o777
}
