//! Machines do what the fault tests of other crates rely on.
//!
//! They need root and a minute: they are part of the fleet set, which `cargo xtask test` runs.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "what fails here fails the test")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use andon_testbed::deadline::wait_until;
use andon_testbed::machine::link::Weather;
use andon_testbed::machine::{NOPASS_PASSWORD, leftovers};
use andon_testbed::{Fleet, Machine};

const LIMIT: Duration = Duration::from_secs(60);

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn answers_http(machine: &Machine) -> bool {
    let address = SocketAddr::from((machine.address(), 80));
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
}

#[test]
#[ignore = "fleet: needs root; run by `cargo xtask test`"]
fn machines_are_real_apart_from_each_other_and_gone_afterwards() {
    let fleet = Fleet::boot(2).unwrap();
    let directory = fleet.ssh_config().parent().map(Path::to_owned).unwrap();
    let [one, two] = fleet.machines() else { panic!("two machines were asked for") };
    identity(one, two);
    users(one);
    reboot(one, two);
    power_cut(one, two);
    network(one);
    bad_network(one);
    disk(one);
    drop(fleet);
    assert!(!directory.exists());
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!mounts.contains(&directory.display().to_string()));
}

/// A cable that is slow is slow both ways, one that loses everything is dead, and the good one is back afterwards.
fn bad_network(machine: &Machine) {
    let late = Duration::from_millis(200);
    let slow = machine.bad_link(Weather { lost_percent: 0, late }).unwrap();
    let begun = Instant::now();
    assert!(answers_http(machine));
    assert!(begun.elapsed() >= late * 2, "{:?}", begun.elapsed());
    assert_eq!(machine.output("seq 100000 | wc -l").unwrap(), "100000");
    drop(slow);
    let dead = machine.bad_link(Weather { lost_percent: 100, late: Duration::ZERO }).unwrap();
    assert!(!answers_http(machine));
    drop(dead);
    assert!(wait_until(LIMIT, || answers_http(machine)));
}

#[test]
#[ignore = "fleet: needs root; run by `cargo xtask test`"]
fn what_a_killed_run_left_is_removed_and_a_living_run_is_left_alone() {
    const VICTIM: &str = "ANDON_TESTBED_VICTIM";
    let fleet = Fleet::boot(1).unwrap();
    if std::env::var_os(VICTIM).is_some() {
        println!("\nvictim {}", fleet.machines()[0].address());
        loop {
            thread::park();
        }
    }
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture"])
        .arg("what_a_killed_run_left_is_removed_and_a_living_run_is_left_alone")
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(victim.stdout.take().unwrap());
    let address: Ipv4Addr = output
        .lines()
        .find_map(|line| line.unwrap().strip_prefix("victim ").map(|address| address.parse().unwrap()))
        .unwrap();
    victim.kill().unwrap();
    victim.wait().unwrap();
    let http = SocketAddr::from((address, 80));
    assert!(TcpStream::connect_timeout(&http, LIMIT).is_ok(), "its machine outlives a killed run");
    let number = address.octets()[2];
    assert_eq!(leftovers::clean().unwrap(), [number]);
    // Nobody may be asked at the address any more: without the bridge it belongs to some other network.
    let interface = |name: String| Path::new("/sys/class/net").join(name);
    assert!(!interface(format!("andon-{number}")).exists());
    assert!(wait_until(LIMIT, || !interface(format!("vb-andon-{number}-1")).exists()));
    assert_eq!(fleet.machines()[0].output("hostname").unwrap(), "web1");
    assert!(leftovers::clean().unwrap().is_empty());
}

fn identity(one: &Machine, two: &Machine) {
    assert_eq!(one.output("hostname").unwrap(), "web1");
    assert_eq!(two.output("cat /proc/1/comm").unwrap(), "systemd");
    assert_ne!(one.output("cat /etc/machine-id").unwrap(), two.output("cat /etc/machine-id").unwrap());
    assert_ne!(one.boot_id().unwrap(), two.boot_id().unwrap());
    one.output("touch /only-here; systemctl stop nginx").unwrap();
    assert!(!answers_http(one));
    assert!(answers_http(two));
    assert_eq!(text(&two.ssh("ls /only-here || echo absent").unwrap()), "absent");
    let neighbour = one.output("getent hosts web2").unwrap();
    assert!(neighbour.starts_with(&two.address().to_string()));
}

fn users(machine: &Machine) {
    assert_eq!(text(&machine.ssh_as("deploy", "whoami; sudo -n whoami").unwrap()), "deploy\nroot");
    let refused = machine.ssh_as("nopass", "sudo -n whoami").unwrap();
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("password is required"));
    let command = format!("echo {NOPASS_PASSWORD} | sudo -S -p '' whoami");
    assert_eq!(text(&machine.ssh_as("nopass", &command).unwrap()), "root");
}

fn reboot(machine: &Machine, other: &Machine) {
    let (before, neighbour) = (machine.boot_id().unwrap(), other.boot_id().unwrap());
    machine.reboot().unwrap();
    assert_ne!(machine.boot_id().unwrap(), before);
    assert_eq!(other.boot_id().unwrap(), neighbour);
    assert_eq!(machine.output("ls /only-here").unwrap(), "/only-here");
    assert!(answers_http(machine));
}

fn power_cut(machine: &Machine, other: &Machine) {
    let before = machine.boot_id().unwrap();
    machine.power_cut();
    assert!(!machine.is_running());
    assert_eq!(machine.ssh("true").unwrap().status.code(), Some(255));
    assert_eq!(other.output("systemctl is-system-running").unwrap(), "running");
    machine.power_on().unwrap();
    assert_ne!(machine.boot_id().unwrap(), before);
    machine.ssh("systemctl poweroff").unwrap();
    assert!(wait_until(LIMIT, || !machine.is_running()));
    machine.power_on().unwrap();
}

fn network(machine: &Machine) {
    let before = machine.boot_id().unwrap();
    machine.cut_network().unwrap();
    assert!(!answers_http(machine));
    assert!(machine.is_running());
    machine.restore_network().unwrap();
    assert!(wait_until(LIMIT, || answers_http(machine)));
    assert_eq!(machine.boot_id().unwrap(), before);
}

fn disk(machine: &Machine) {
    machine.fill_disk("/srv").unwrap_err();
    machine.small_disk("/srv", 1 << 20).unwrap();
    machine.fill_disk("/srv").unwrap();
    let full = machine.ssh("echo x > /srv/x").unwrap();
    assert!(String::from_utf8_lossy(&full.stderr).contains("No space left on device"));
    machine.free_disk("/srv").unwrap();
    machine.output("echo x > /srv/x").unwrap();
}
