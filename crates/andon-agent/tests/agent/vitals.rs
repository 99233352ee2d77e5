//! Vitals over a conversation: what lasts from look to look, and what ends with the connection.

use andon_api::agent::Refusal;
use andon_core::vitals::VitalsMeter;

use super::driver::{Session, until};
use super::service::Site;

#[test]
fn errors_are_counted_from_the_first_look_of_a_conversation_on() {
    let site = Site::new();
    let log =
        site.placement.root.join(".andon/run").join(site.placement.instances[0].name.as_str()).join("log");
    std::fs::create_dir_all(log.parent().unwrap()).unwrap();
    std::fs::write(&log, "ERROR from before\n").unwrap();
    let name = &site.placement.instances[0].name;
    let (mut session, mut meter) = (Session::open(), VitalsMeter::default());
    let mut errors = |session: &mut Session| {
        let look = session.vitals(&site.placement).unwrap();
        meter.read(&look).instances[name].errors.clone().unwrap()
    };
    assert_eq!(errors(&mut session).lines, 0);
    let mut text = std::fs::read_to_string(&log).unwrap();
    text.push_str("ERROR no database\nwell again\n");
    std::fs::write(&log, &text).unwrap();
    let seen = errors(&mut session);
    assert_eq!((seen.lines, seen.errors, seen.new.len()), (2, 1, 1));
    // Another conversation knows nothing of this one, and counts nothing twice.
    let mut again = Session::open();
    let seen = errors(&mut again);
    assert_eq!((seen.lines, seen.errors, seen.gaps), (0, 0, 0));
    text.push_str("ERROR no database\nwell again\n");
    std::fs::write(&log, &text).unwrap();
    let mut known = 0;
    until("the known error", || {
        let seen = errors(&mut again);
        assert!(seen.new.is_empty(), "{seen:?}");
        known += seen.known.values().sum::<u64>();
        known == 1
    });
}

#[test]
fn vitals_of_a_root_that_winds_out_of_its_place_are_refused() {
    let mut site = Site::new();
    site.placement.root = "/srv/../etc".into();
    assert!(matches!(Session::open().vitals(&site.placement), Err(Refusal::Malformed(_))));
}

#[test]
fn a_look_leaves_nothing_on_the_host() {
    let site = Site::new();
    let vitals = Session::open().vitals(&site.placement).unwrap();
    assert!(!vitals.instances.values().any(|instance| instance.running));
    assert!(vitals.disk.is_some());
    assert!(!site.dir.path().join("srv").exists());
}
