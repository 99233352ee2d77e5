//! Plans of services behind balancers: who stands where, which of two sets is next, which site may leave.

use super::*;

#[test]
fn every_balancer_of_every_host_is_pinned_with_the_names_of_its_servers() {
    let plan = Fleet::running(3).balanced().plan().unwrap();
    let pool = &plan.pools[0].pool;
    assert_eq!(pool.name(), "haproxy www on lb1");
    let servers: Vec<String> = pool
        .servers
        .iter()
        .map(|server| format!("{} {}:{}", server.name, server.address, server.port))
        .collect();
    assert_eq!(servers, ["web1 127.0.0.1:8080", "web2 127.0.0.1:8080", "web3 127.0.0.1:8080"]);
}

#[test]
fn a_host_that_a_balancer_finds_sick_counts_as_down_and_goes_first() {
    let mut fleet = Fleet::running(8).balanced();
    fleet.server(4).state = ServerState::Down { why: "L4CON".into() };
    let plan = fleet.plan().unwrap();
    assert_eq!(plan.waves[0][0].as_str(), "web5");
    assert!(matches!(plan.hosts["web5"].before, Before::Reached { serves: false, held_out: None, .. }));
}

#[test]
fn a_host_that_somebody_took_out_is_changed_but_not_counted_and_says_so() {
    let mut fleet = Fleet::running(8).balanced();
    fleet.server(0).state = ServerState::Out;
    let plan = fleet.plan().unwrap();
    let Before::Reached { held_out, serves, .. } = &plan.hosts["web1"].before else { panic!("unreachable") };
    assert_eq!((held_out.as_deref(), *serves), (Some("haproxy www on lb1"), false));
    fleet.service.rollout.min_available = Some(Share::Hosts(7));
    let refused = fleet.plan().unwrap_err();
    assert_eq!(refused.what(), "www: 8 hosts, 1 already down, floor 7: no host may be taken out");
}

#[test]
fn what_andon_itself_held_out_comes_back() {
    let mut fleet = Fleet::running(8).balanced();
    let held = ScopeFact::HeldOut {
        host: HostName::new("web1").unwrap(),
        deployment: DeploymentId(3),
        reason: "it did not come back".into(),
    };
    fleet.known.apply(Time(2), &held);
    fleet.server(0).state = ServerState::Out;
    assert!(matches!(fleet.plan().unwrap().hosts["web1"].before, Before::Reached { held_out: None, .. }));
}

#[test]
fn a_balancer_that_was_edited_by_hand_refuses_a_deploy_and_not_the_way_back() {
    let mut fleet = Fleet::running(4).balanced();
    let failure = BalancerFailure {
        kind: FailureKind::Drift,
        reason: "/etc/nginx/andon/www.conf was edited by hand".into(),
        details: "-server a;\n+server b;\n".into(),
    };
    fleet.sights.values_mut().for_each(|sight| *sight = Err(failure.clone()));
    let refused = fleet.plan().unwrap_err();
    assert!(refused.what().contains("haproxy www on lb1: /etc/nginx/andon/www.conf was edited"));
    assert!(refused.why().contains("+server b;") && refused.why().ends_with("nothing has been changed"));
    fleet.kind = Kind::Rollback;
    assert!(fleet.plan().is_ok());
}

#[test]
fn of_two_sets_the_idle_one_changes_all_at_once_and_then_gets_the_traffic() {
    let plan = Fleet::running(4).with_green_set().plan().unwrap();
    let switch = plan.switch.as_ref().unwrap();
    assert_eq!((switch.to, switch.steps.as_slice()), (Set::Green, &[10, 50, 100][..]));
    let green: Vec<&str> = switch.to_hosts.iter().map(HostName::as_str).collect();
    assert_eq!(green, ["web1.green", "web2.green", "web3.green", "web4.green"]);
    assert_eq!((plan.waves.len(), plan.waves[0].len(), plan.max_parallel), (1, 4, 4));
    let twin = plan.placement(&switch.to_hosts[0]).unwrap();
    assert_eq!((twin.service.as_str(), twin.root.to_str().unwrap()), ("www-green", "srv/www-green"));
    assert_eq!(twin.instances[0].port, Some(9080));
    let server = plan.pools[0].pool.servers_of(&switch.to_hosts[0]).next().unwrap();
    assert_eq!((server.name.as_str(), server.port), ("web1.green", 9080));
}

#[test]
fn of_two_sets_the_one_without_traffic_is_found_again_and_again() {
    let mut fleet = Fleet::running(4).with_green_set();
    fleet.live(Set::Green);
    fleet.runs(Set::Green, &release("other"));
    assert_eq!(fleet.plan().unwrap().switch.unwrap().to, Set::Blue);
    // Before the first release nobody has traffic: blue is first, and nothing is left behind.
    let mut fresh = Fleet::fresh(4).with_green_set();
    (0..8).for_each(|n| fresh.server(n).state = ServerState::Out);
    let switch = fresh.plan().unwrap().switch.unwrap();
    assert_eq!((switch.to, switch.from_hosts.len()), (Set::Blue, 0));
}

#[test]
fn traffic_goes_back_without_any_change_where_the_other_set_still_runs_the_release() {
    let mut fleet = Fleet::running(4).with_green_set();
    fleet.live(Set::Green);
    fleet.runs(Set::Green, &release("other"));
    fleet.kind = Kind::Rollback;
    let plan = fleet.plan_of(&release("old"), true).unwrap();
    assert_eq!((plan.waves.len(), plan.switch.unwrap().steps), (0, vec![100]));
    fleet.kind = Kind::Deploy;
    let refused = fleet.plan_of(&release("other"), true).unwrap_err();
    assert!(matches!(refused, Refusal::NothingToDo { hosts: 4, .. }));
}

#[test]
fn site_by_site_each_site_is_a_wave_of_its_own() {
    let mut fleet = Fleet::running(6).balanced().in_sites(&["fra", "ams"]);
    fleet.service.rollout.min_available = Some(Share::Percent(50));
    let plan = fleet.plan().unwrap();
    let sites: Vec<&str> = plan.sites.iter().map(|site| site.site.name.as_str()).collect();
    assert_eq!((sites, plan.max_parallel), (vec!["fra", "ams"], 6));
    let waves: Vec<Vec<&str>> =
        plan.waves.iter().map(|wave| wave.iter().map(HostName::as_str).collect()).collect();
    assert_eq!(waves, [["web1", "web3", "web5"], ["web2", "web4", "web6"]]);
}

#[test]
fn a_site_whose_load_the_others_cannot_carry_is_refused_with_the_numbers() {
    let mut fleet = Fleet::running(6).balanced().in_sites(&["fra", "ams"]);
    assert_eq!(
        fleet.plan().unwrap_err().what(),
        "www: without fra 3 hosts serve, floor 5: the site may not be taken out"
    );
    fleet.service.rollout.min_available = Some(Share::Hosts(3));
    fleet.sick(&[1]);
    assert!(fleet.plan().unwrap_err().what().contains("without fra 2 hosts serve, floor 3"));
}

#[test]
fn an_environment_with_only_one_of_the_sets_is_released_host_by_host() {
    let mut fleet = Fleet::running(4).balanced();
    let elsewhere = vec![HostName::new("green1").unwrap()];
    let (steps, step_time) = (vec![100], Duration::ZERO);
    fleet.service.blue_green = Some(BlueGreen { green: Green::Hosts(elsewhere), steps, step_time });
    let plan = fleet.plan().unwrap();
    assert!(plan.switch.is_none());
    assert_eq!(plan.changing(), 4);
}
