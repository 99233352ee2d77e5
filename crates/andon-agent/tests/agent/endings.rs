//! Steps that are ended: by their deadline, by request, or by themselves with somebody left behind.

use std::fs;
use std::time::Duration;

use andon_api::agent::{Order, ToHost};
use andon_core::host::{Outcome, TokenStatus};
use rustix::process::{Pid, Signal, kill_process};

use super::driver::{Session, until};
use super::service::{GATED, SUCCEEDED, Site};

fn kill(site: &Site, session: &mut Session, order: &Order) {
    session.send(&ToHost::Kill { placement: Box::new(site.placement.clone()), token: order.token.clone() });
}

#[test]
fn a_step_that_takes_too_long_is_ended_with_all_that_it_started() {
    let mut site = Site::new();
    let mut session = Session::open();
    let release = site.run(&mut session, "1");
    let script = "echo still here; (echo $$ > $ROOT/pid; exec sleep 600) & echo $! > $ROOT/child; sleep 600";
    let mut order = site.scripted(&release, script);
    order.timeout = Duration::from_secs(5);
    match session.carry_out(&order).unwrap().status {
        TokenStatus::Finished(Outcome::TimedOut { after, .. }) => assert_eq!(after, order.timeout),
        other => panic!("{other:?}"),
    }
    let child: i32 = fs::read_to_string(site.trace("child")).unwrap().trim().parse().unwrap();
    until("the child of the script ends", || !is_alive(child));
    assert!(session.probe(&site.placement, &[]).serves(), "the service itself goes on");
}

#[test]
fn a_step_is_killed_on_request_also_by_another_session() {
    let mut site = Site::new();
    let mut session = Session::open();
    let release = site.run(&mut session, "1");
    let order = site.scripted(&release, GATED);
    session.start(&order);
    session.accepted(&order.token).unwrap();
    until("the step begins", || site.lines("begun") == 1);
    let mut other = Session::open();
    kill(&site, &mut other, &order);
    assert_eq!(other.end_of(&order.token).status, TokenStatus::Finished(Outcome::Killed));
    assert_eq!(session.end_of(&order.token).status, TokenStatus::Finished(Outcome::Killed));
    assert!(session.probe(&site.placement, &[]).serves(), "the service itself goes on");
    assert_eq!(site.lines("ended"), 0);

    let never = site.prepare(&release);
    kill(&site, &mut session, &never);
    assert_eq!(session.end_of(&never.token).status, TokenStatus::NeverStarted);
    assert_eq!(session.carry_out(&never).unwrap().status, SUCCEEDED);
}

#[test]
fn a_child_that_keeps_the_output_open_does_not_keep_the_step() {
    let mut site = Site::new();
    let mut session = Session::open();
    let release = site.run(&mut session, "1");
    let order = site
        .scripted(&release, "sleep 600 & echo $! > $ROOT/child; setsid sleep 600 & echo $! > $ROOT/daemon");
    assert_eq!(session.carry_out(&order).unwrap().status, SUCCEEDED);
    for name in ["child", "daemon"] {
        let pid: i32 = fs::read_to_string(site.trace(name)).unwrap().trim().parse().unwrap();
        if let Some(pid) = Pid::from_raw(pid) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

fn is_alive(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, fields)| !fields.trim_start().starts_with(['Z', 'X']))
}
