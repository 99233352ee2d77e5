//! One fault from its beginning to the end of the deployment that it strikes.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use andon_load::Tally;
use andon_testbed::Machine;
use andon_testbed::deadline::wait_until;
use andon_testbed::machine::link::BadLink;

use super::account::Account;
use super::fault::{Fault, Loss, Moment, Strike};
use super::scene::{LIMIT, Scene, UNIT, VICTIM, go_on, mix};
use super::truth;
use crate::project::{Ran, Running, host_state, text};

/// How soon HAProxy has seen that a host is down: two checks, a second apart, of at most two seconds each.
const SEEN_DOWN: Duration = Duration::from_secs(6);

/// Lives through a deployment that is struck, and insists on how it ends.
pub(super) fn strike(scene: &Scene, fault: &Fault, account: &mut Account) {
    account.hosts = scene.hosts().len();
    scene.write_line(fault.window);
    let before = scene.recorded();
    scene.write_release(&format!("{} {before}", fault.name));
    let load = scene.steady_load();
    let mut begun = Instant::now();
    let weather = set_up(scene, fault);
    let mut running = deploy(scene, fault);
    if fault.at != Moment::Before {
        await_moment(scene, fault, before + 1);
        begun = Instant::now();
        inflict(scene, fault);
    }
    let over = if fault.strike.passes() { Instant::now() } else { begun };
    open_gate(scene);
    let ended = wait_until(LIMIT, || running.has_ended() || running.said().contains("\npaused: "));
    account.reconciled = Some(over.elapsed());
    account.said = last_words(&running.said(), "");
    assert!(ended, "it does not end:\n{}", running.said());
    let paused = !running.has_ended();
    let recorded = scene.recorded();
    let deployment = (recorded > before).then_some(recorded);
    account.state = deployment
        .map_or("refused".to_owned(), |number| text(&scene.project.show(number), "state").to_owned());
    go_on(&load, u64::from(mix().rate) * 2);
    let tally = load.stop();
    println!("{}: {tally}", fault.name);
    account.count(&tally);
    account.bearable = bearable(fault, &tally, account.hosts, over - begun);
    account.left_out = truth::left_out(scene);
    if paused {
        drop(weather);
        running.kill();
        panic!("it paused: {}", account.said);
    }
    let ran = running.end();
    account.said = last_words(&ran.out, &ran.err);
    truth::insist(scene, deployment);
    drop(weather);
    as_decided(scene, fault, account, deployment, &ran);
}

/// What must be there before the deployment begins.
fn set_up<'a>(scene: &'a Scene, fault: &Fault) -> Option<BadLink<'a>> {
    let victim = scene.victim();
    match fault.at {
        Moment::Activate => victim.output("touch /run/stubborn").map(drop).unwrap(),
        Moment::Verify => victim.output("touch /srv/www/gate").map(drop).unwrap(),
        Moment::Before | Moment::Prepare => {}
    }
    match fault.strike {
        Strike::FullDisk => victim.move_to_small_disk("/srv", 60 << 20).unwrap(),
        Strike::CrashingRelease => scene.spoil_release(),
        _ => {}
    }
    if fault.at == Moment::Before { inflict(scene, fault) } else { None }
}

fn deploy(scene: &Scene, fault: &Fault) -> Running {
    let plain = scene.project.command(&["deploy", "www"]);
    let Strike::Clock(offset) = fault.strike else { return scene.project.start_command(plain) };
    andon_testbed::require(&["faketime"]).unwrap();
    let mut faked = scene.project.around(Command::new("faketime"));
    // Timers run as ever: it is the calendar that is wrong.
    faked.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    faked.args(["-f", offset]).arg(plain.get_program()).args(plain.get_args());
    scene.project.start_command(faked)
}

/// Waits until the victim has come to the moment, by what is on its disk.
fn await_moment(scene: &Scene, fault: &Fault, number: u64) {
    let victim = scene.victim();
    let there = |path: &str| victim.inside(path).is_some_and(|path| path.exists());
    let step = |stage: &str| {
        let steps = victim.inside("/srv/www/.andon/steps");
        steps.and_then(|steps| fs::read_dir(steps).ok()).into_iter().flatten().flatten().any(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let wanted = name.starts_with(&format!("d{number}.")) && name.contains(&format!(".{stage}."));
            wanted && !entry.path().join("result").exists()
        })
    };
    let incoming = || {
        let place = victim.inside("/srv/www/.andon/incoming");
        place.and_then(|place| fs::read_dir(place).ok()).is_some_and(|mut uploads| uploads.next().is_some())
    };
    let come = wait_until(LIMIT, || match fault.at {
        Moment::Before => true,
        Moment::Prepare => incoming() || step("prepare"),
        Moment::Activate => step("activate"),
        Moment::Verify => there("/srv/www/waiting"),
    });
    assert!(come, "{VICTIM} never came to the moment {:?}", fault.at);
}

/// Strikes, and waits for the end of what passes by itself.
fn inflict<'a>(scene: &'a Scene, fault: &Fault) -> Option<BadLink<'a>> {
    let (victim, balancer) = (scene.victim(), scene.balancer());
    let on_victim = |command: &str| victim.output(command).map(drop).unwrap();
    match fault.strike {
        Strike::BadNetwork(weather) => return Some(victim.bad_link(weather).unwrap()),
        Strike::Reboot => reboot(victim),
        Strike::BalancerRebooted => reboot(balancer),
        Strike::PowerCut { comes_back } => {
            victim.power_cut();
            if comes_back {
                victim.power_on().unwrap();
            }
        }
        Strike::NetworkCut(time) => {
            victim.cut_network().unwrap();
            if let Some(time) = time {
                // The time is the fault.
                thread::sleep(time);
                victim.restore_network().unwrap();
            }
        }
        Strike::FullDisk => victim.fill_disk("/srv").unwrap(),
        Strike::MaskedUnit => {
            let mask = victim.inside(&format!("/etc/systemd/system/{UNIT}")).unwrap();
            std::os::unix::fs::symlink("/dev/null", mask).unwrap();
            on_victim("systemctl daemon-reload");
        }
        Strike::SshdRestarted => on_victim("systemctl restart ssh"),
        Strike::SshdEnded => end_sessions(victim),
        Strike::SudoAsks => {
            on_victim("echo 'deploy ALL=(ALL) ALL' > /etc/sudoers.d/deploy");
            if fault.at != Moment::Before {
                end_sessions(victim);
            }
        }
        Strike::BalancerRestarted => balancer.output("systemctl restart haproxy").map(drop).unwrap(),
        Strike::CrashingRelease | Strike::Clock(_) => {}
    }
    None
}

fn reboot(machine: &Machine) {
    let id = machine.inside("/proc/sys/kernel/random/boot_id").unwrap();
    let before = fs::read_to_string(id).unwrap();
    machine.press_reboot();
    machine.wait_for_reboot(before.trim()).unwrap();
}

/// Everything that was begun through sshd ends with it; systemd starts it again.
fn end_sessions(machine: &Machine) {
    // The connection that says so ends, too.
    let _ =
        machine.ssh("systemd-run --quiet sh -c 'systemctl kill --signal=KILL ssh; systemctl restart ssh'");
    assert!(wait_until(LIMIT, || machine.output("true").is_ok()), "sshd did not come back");
}

fn open_gate(scene: &Scene) {
    if let Some(gate) = scene.victim().inside("/srv/www/gate") {
        let _ = fs::remove_file(gate);
    }
}

/// The most requests that may be lost, rounded up.
fn bearable(fault: &Fault, tally: &Tally, hosts: usize, lasted: Duration) -> u64 {
    let (rate, hosts) = (f64::from(mix().rate), hosts as f64);
    let longest = mix().slow_for;
    let requests = match fault.loses {
        Loss::Nothing => 0.0,
        // What is sent to the others while it is away is not lost.
        Loss::UnderWay => rate / hosts * (longest + SEEN_DOWN).as_secs_f64(),
        Loss::ThroughVictim => tally.requests as f64 / hosts,
        Loss::Outage => rate * (lasted + longest + SEEN_DOWN).as_secs_f64(),
    };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number")]
    let whole = requests.ceil() as u64;
    whole
}

/// What the person saw last: the end of the deployment, a pause, or a refusal, in one line.
fn last_words(out: &str, err: &str) -> String {
    let ending = out.lines().rfind(|line| line.starts_with(['✔', '✘']) || line.starts_with("paused: "));
    let refusal = || err.lines().find(|line| !line.trim().is_empty());
    ending.or_else(refusal).or_else(|| out.lines().last()).unwrap_or_default().trim().to_owned()
}

#[track_caller]
fn as_decided(scene: &Scene, fault: &Fault, account: &Account, deployment: Option<u64>, ran: &Ran) {
    let told = format!("{}{}", ran.out, ran.err);
    println!("{told}");
    assert!(
        fault.ends.contains(&account.state.as_str()),
        "it is {}, not {:?}:\n{told}",
        account.state,
        fault.ends
    );
    if let Some(number) = deployment.filter(|_| !fault.victim.is_empty()) {
        let state = host_state(&scene.project.show(number), VICTIM).to_owned();
        assert!(
            fault.victim.contains(&state.as_str()),
            "{VICTIM} is {state}, not {:?}:\n{told}",
            fault.victim
        );
    }
    for words in fault.says {
        assert!(told.contains(words), "{words:?} was not said:\n{told}");
    }
    assert!(
        account.lost <= account.bearable,
        "{} of {} requests were lost, and {} may: {:?}",
        account.lost,
        account.requests,
        account.bearable,
        fault.loses
    );
}
