//! Restarts, reboots, new connections, rotated logs: what is told as new.

use std::collections::BTreeMap;
use std::time::Duration;

use super::VitalsMeter;
use crate::name::InstanceName;
use crate::quantity::ByteSize;
use crate::vitals::{
    Counter, Exit, Fingerprint, HostVitals, InstanceChange, InstanceVitals, Life, LogCount, OpenFiles, Room,
};

fn main_instance() -> InstanceName {
    InstanceName::new("main").unwrap()
}

fn life(name: &str) -> Life {
    Life::of(&[name])
}

fn counter(value: u64, of: &str) -> Option<Counter> {
    Some(Counter { value, life: life(of) })
}

fn look(seconds: u64, instance: InstanceVitals) -> HostVitals {
    HostVitals {
        boot_id: "boot".to_owned(),
        uptime: Duration::from_secs(seconds),
        instances: BTreeMap::from([(main_instance(), instance)]),
        disk: Some(Room { free: ByteSize(5), total: ByteSize(100) }),
        memory: Some(Room { free: ByteSize(1000), total: ByteSize(4000) }),
        load: Some(3.0),
        processors: 4,
        oom_kills: counter(7, "boot"),
    }
}

fn alive(process: &str) -> InstanceVitals {
    InstanceVitals {
        running: true,
        main: Some(life(process)),
        cpu_us: counter(1_000_000, "supervisor"),
        rss: ByteSize(1000),
        restarts: counter(2, "supervisor"),
        ends: counter(2, "supervisor"),
        last_exit: Some(Exit::Code(1)),
        log: Some(LogCount::new(life("talk"))),
        ..InstanceVitals::default()
    }
}

fn read(meter: &mut VitalsMeter, look: &HostVitals) -> InstanceChange {
    meter.read(look).instances.remove(&main_instance()).unwrap()
}

fn with_errors(talk: &str, kinds: &[(u64, u64)]) -> Option<LogCount> {
    let mut log = LogCount::new(life(talk));
    for (kind, count) in kinds {
        for _ in 0..*count {
            log.lines += 1;
            log.add(Fingerprint::from_hash(*kind), || format!("kind {kind}"));
        }
    }
    Some(log)
}

#[test]
fn the_first_look_only_sets_the_mark_and_shares_are_told_at_once() {
    let mut meter = VitalsMeter::default();
    let vitals = InstanceVitals { log: with_errors("talk", &[(1, 5)]), ..alive("one") };
    let change = meter.read(&look(100, vitals));
    assert_eq!((change.over, change.rebooted, change.oom_kills), (None, false, Some(0)));
    assert_eq!(
        (change.disk_free, change.memory_free, change.load_per_processor),
        (Some(0.05), Some(0.25), Some(0.75))
    );
    let instance = &change.instances[&main_instance()];
    assert_eq!((instance.restarts, instance.ends, instance.exit, instance.oom_kills), (0, 0, None, None));
    let errors = instance.errors.as_ref().unwrap();
    assert!(errors.errors == 0 && errors.new.is_empty(), "{errors:?}");
}

#[test]
fn a_crash_is_told_once_with_how_it_ended() {
    let mut meter = VitalsMeter::default();
    meter.read(&look(100, alive("one")));
    let mut crashed = alive("two");
    crashed.restarts = counter(3, "supervisor");
    crashed.ends = counter(3, "supervisor");
    crashed.last_exit = Some(Exit::Signal(11));
    crashed.cpu_us = counter(3_000_000, "supervisor");
    crashed.oom_kills = counter(1, "talk");
    let change = read(&mut meter, &look(104, crashed.clone()));
    assert_eq!((change.restarts, change.ends, change.exit), (1, 1, Some(Exit::Signal(11))));
    assert!(change.started_anew);
    assert_eq!((change.cpu, change.cpu_share), (Some(Duration::from_secs(2)), Some(0.5)));
    assert_eq!(change.oom_kills, Some(0), "the first reading of a counter is its mark");
    let change = read(&mut meter, &look(105, crashed));
    assert_eq!((change.restarts, change.ends, change.exit, change.started_anew), (0, 0, None, false));
}

#[test]
fn a_restart_by_hand_is_another_process_and_no_crash() {
    let mut meter = VitalsMeter::default();
    meter.read(&look(100, alive("one")));
    // Between the two it was looked at while it was down.
    let down = InstanceVitals { running: false, main: None, log: alive("").log, ..InstanceVitals::default() };
    let change = read(&mut meter, &look(101, down));
    assert!(!change.running && !change.started_anew);
    let mut again = alive("two");
    again.restarts = counter(0, "another supervisor");
    again.ends = counter(0, "another supervisor");
    again.cpu_us = counter(10_000, "another supervisor");
    let change = read(&mut meter, &look(102, again));
    assert!(change.started_anew && change.restarts == 0 && change.ends == 0 && change.exit.is_none());
    assert_eq!(change.cpu, Some(Duration::from_millis(10)), "what the new one used, and no more");
}

#[test]
fn a_reboot_is_told_and_counts_from_nought() {
    let mut meter = VitalsMeter::default();
    meter.read(&look(1000, alive("one")));
    let mut booted = look(20, alive("two"));
    booted.boot_id = "another".to_owned();
    booted.oom_kills = counter(1, "another");
    let instance = booted.instances.get_mut(&main_instance()).unwrap();
    instance.restarts = counter(1, "after boot");
    instance.cpu_us = counter(500, "after boot");
    let change = meter.read(&booted);
    assert_eq!((change.rebooted, change.over, change.oom_kills), (true, None, Some(1)));
    let instance = &change.instances[&main_instance()];
    assert_eq!((instance.restarts, instance.cpu_share, instance.memory), (1, None, None));
    assert_eq!(meter.read(&look(1, alive("three"))).over, None, "and back again");
}

#[test]
fn new_kinds_of_errors_are_told_from_known_ones_over_a_new_connection() {
    let mut meter = VitalsMeter::default();
    let with =
        |talk: &str, kinds: &[(u64, u64)]| InstanceVitals { log: with_errors(talk, kinds), ..alive("one") };
    meter.read(&look(1, with("talk", &[(1, 5)])));
    let errors = read(&mut meter, &look(2, with("talk", &[(1, 7), (2, 1)]))).errors.unwrap();
    assert_eq!((errors.errors, errors.lines), (3, 3));
    assert_eq!(errors.known, BTreeMap::from([(Fingerprint::from_hash(1), 2)]));
    assert_eq!(errors.new.keys().collect::<Vec<_>>(), [&Fingerprint::from_hash(2)]);
    assert_eq!(errors.new[&Fingerprint::from_hash(2)].sample, "kind 2");
    // The connection was lost: the agent counts from nought and has seen three since.
    let errors = read(&mut meter, &look(3, with("another talk", &[(2, 2), (3, 1)]))).errors.unwrap();
    assert_eq!((errors.errors, errors.known.len(), errors.new.len()), (3, 1, 1));
    // A log that cannot be read for a moment loses nothing.
    let unreadable = InstanceVitals { log: None, ..alive("one") };
    assert_eq!(read(&mut meter, &look(4, unreadable)).errors, None);
    let errors = read(&mut meter, &look(5, with("another talk", &[(2, 2), (3, 4)]))).errors.unwrap();
    assert_eq!((errors.errors, errors.new.len()), (3, 0));
}

#[test]
fn what_was_skipped_in_a_log_is_told() {
    let mut meter = VitalsMeter::default();
    meter.read(&look(1, alive("one")));
    let mut vitals = alive("one");
    vitals.log.as_mut().unwrap().skip(4096);
    let errors = read(&mut meter, &look(2, vitals)).errors.unwrap();
    assert_eq!((errors.skipped, errors.gaps), (ByteSize(4096), 1));
}

#[test]
fn leaks_are_told_until_their_limits_and_forgotten_with_their_process() {
    let mut meter = VitalsMeter::default();
    let leaking = |second: u64, process: &str| {
        let mut vitals = alive(process);
        vitals.rss = ByteSize(1000 + 10 * second);
        vitals.memory_limit = Some(ByteSize(1500));
        vitals.files = Some(OpenFiles { open: 20 + 2 * u32::try_from(second).unwrap(), limit: Some(100) });
        look(100 + second, vitals)
    };
    assert_eq!(read(&mut meter, &leaking(0, "one")).memory, None);
    (1..20).for_each(|second| drop(meter.read(&leaking(second, "one"))));
    let change = read(&mut meter, &leaking(20, "one"));
    let (memory, files) = (change.memory.unwrap(), change.files_trend.unwrap());
    assert_eq!((memory.full_in, memory.span), (Some(Duration::from_secs(30)), Duration::from_secs(20)));
    assert_eq!(files.full_in, Some(Duration::from_secs(20)));
    let next = read(&mut meter, &leaking(21, "two"));
    assert_eq!((next.memory, next.files_trend), (None, None));
}

#[test]
fn an_instance_that_is_gone_is_named() {
    let mut meter = VitalsMeter::default();
    meter.read(&look(1, alive("one")));
    let mut empty = look(2, alive("one"));
    empty.instances.clear();
    assert_eq!(meter.read(&empty).gone, [main_instance()]);
    assert!(meter.read(&empty).gone.is_empty());
}

#[test]
fn the_same_looks_give_the_same_changes() {
    let looks: Vec<HostVitals> =
        (0..50).map(|second| look(second, alive(if second < 25 { "a" } else { "b" }))).collect();
    let all = |looks: &[HostVitals]| {
        let mut meter = VitalsMeter::default();
        looks.iter().map(|look| meter.read(look)).collect::<Vec<_>>()
    };
    assert_eq!(all(&looks), all(&looks));
    let text = serde_json::to_string(&looks).unwrap();
    let back: Vec<HostVitals> = serde_json::from_str(&text).unwrap();
    assert_eq!(back, looks);
}
