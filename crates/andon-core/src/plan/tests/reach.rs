//! How much of an environment a plan changes at one go, and when that is too much.

use super::*;
use crate::guard::Passes;
use crate::line::Environment;

fn limited(mut fleet: Fleet, limit: Share) -> Fleet {
    let name = fleet.scope.environment.clone();
    let environment = Environment { max_changed: Some(limit), ..Environment::open(name) };
    fleet.guard = Guard { environment: Some(environment), passes: Passes::default() };
    fleet
}

fn too_wide(fleet: &Fleet) -> String {
    let refusal = fleet.plan().unwrap_err();
    assert!(matches!(refusal, Refusal::TooWide(_)), "{refusal:?}");
    assert!(refusal.why().ends_with("nothing has been changed") && refusal.next().contains("--allow-wide"));
    refusal.what()
}

#[test]
fn the_largest_wave_counts_and_is_refused_in_numbers() {
    let mut fleet = limited(Fleet::running(50), Share::Percent(20));
    assert_eq!(too_wide(&fleet), "would change 32 of 50 hosts at one go; production allows 10 (20 %)");
    fleet.service.rollout.waves = [1, 9, 10, 10, 10, 10].map(Share::Hosts).to_vec();
    let plan = fleet.plan().unwrap();
    assert_eq!((plan.reach(), plan.max_changed), (10, Some(10)));
    fleet.service.rollout.waves = [1, 9].map(Share::Hosts).to_vec();
    assert_eq!(too_wide(&fleet), "would change 49 of 50 hosts at one go; production allows 10 (20 %)");
}

#[test]
fn a_reason_passes_once_and_the_way_back_always() {
    let mut fleet = limited(Fleet::running(50), Share::Hosts(5));
    too_wide(&fleet);
    fleet.guard.passes.allow_wide = Some("the datacenter closes tonight".into());
    assert_eq!(fleet.plan().unwrap().reach(), 32);
    fleet.guard.passes = Passes::default();
    fleet.kind = Kind::Rollback;
    assert_eq!(fleet.plan_of(&release("older"), true).unwrap().reach(), 50);
}

#[test]
fn few_hosts_change_one_by_one_and_never_too_many() {
    assert_eq!(limited(Fleet::running(3), Share::Hosts(1)).plan().unwrap().reach(), 1);
}

#[test]
fn between_two_sets_the_largest_step_of_traffic_counts() {
    let mut fleet = limited(Fleet::running(4).with_green_set(), Share::Percent(25));
    assert_eq!(too_wide(&fleet), "would change 2 of 4 hosts at one go; production allows 1 (25 %)");
    assert_eq!(widest(&fleet.service, &fleet.hosts.iter().collect::<Vec<_>>()), (2, 4));
    fleet.service.blue_green.as_mut().unwrap().steps = vec![25, 50, 75, 100];
    assert_eq!(fleet.plan().unwrap().reach(), 1);
}

#[test]
fn site_by_site_the_largest_site_counts() {
    let mut fleet = limited(Fleet::running(8).in_sites(&["ams", "fra"]), Share::Hosts(3));
    fleet.service.rollout.by_site = true;
    fleet.service.rollout.min_available = Some(Share::Hosts(0));
    assert_eq!(too_wide(&fleet), "would change 4 of 8 hosts at one go; production allows 3");
    fleet.guard.environment.as_mut().unwrap().max_changed = Some(Share::Percent(50));
    assert_eq!(fleet.plan().unwrap().reach(), 4);
}

#[test]
fn what_the_line_is_checked_for_is_what_a_plan_of_all_hosts_does() {
    for hosts in [1, 3, 4, 8, 50, 137, 1000] {
        let fleet = Fleet::running(hosts);
        let all: Vec<&Host> = fleet.hosts.iter().collect();
        let plan = fleet.plan().unwrap();
        assert_eq!(widest(&fleet.service, &all), (plan.reach(), plan.reachable()), "{hosts} hosts");
    }
}

#[test]
fn waves_that_keep_within_the_limit_take_every_host() {
    let default = Rollout::default().waves;
    assert_eq!(within(10, 50, &default), [1, 5, 10, 2, 10, 10, 10, 2]);
    for (most, total) in [(1, 7), (3, 50), (200, 1000)] {
        let sizes = within(most, total, &default);
        assert!(sizes.iter().sum::<u32>() == total && sizes.iter().all(|size| *size <= most), "{sizes:?}");
    }
}
