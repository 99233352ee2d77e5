//! Faults on real machines, in the middle of a deployment, before users who never rest: how it ends, what it costs.
//!
//! One fleet serves all faults: each begins with the proof that nothing is left of the one before. `ANDON_FAULTS` names some
//! of them with commas between, or `all`; otherwise the short ones strike. `ANDON_FAULT_MACHINES` says how many machines there
//! are. `cargo xtask fleet --scenario` sets both.

mod account;
mod fault;
mod list;
mod scene;
mod strike;
mod truth;

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};

use account::Account;
use fault::Fault;
use scene::Scene;

/// As few machines as show everything: two waves, a host that is struck, others after it, and a balancer.
const FEW: usize = 5;

#[test]
#[ignore = "fleet: needs root; run by `cargo xtask test`"]
fn every_fault_ends_as_it_should() {
    let machines = env::var("ANDON_FAULT_MACHINES").map_or(FEW, |number| number.parse().unwrap());
    let wanted = env::var("ANDON_FAULTS").unwrap_or_else(|_| "short".to_owned());
    let is_wanted = |fault: &&Fault| match wanted.as_str() {
        "all" => true,
        "short" => !fault.long,
        names => names.split(',').any(|name| name == fault.name),
    };
    let wanted: Vec<&Fault> = list::FAULTS.iter().filter(is_wanted).collect();
    let names = list::FAULTS.iter().map(|fault| fault.name).collect::<Vec<_>>().join(", ");
    assert!(!wanted.is_empty(), "no such fault; there are: {names}");
    let mut scene = Scene::boot(machines);
    let mut failed = Vec::new();
    for fault in wanted {
        if let Err(why) = suffer(&scene, fault) {
            eprintln!("== {} failed: {why}\n{}", fault.name, logs(&scene));
            failed.push(fault.name);
            // Whatever was left must not spoil the next one.
            drop(scene);
            scene = Scene::boot(machines);
        }
    }
    assert!(failed.is_empty(), "these faults did not end as they should: {}", failed.join(", "));
}

/// Lives through one fault, and prints its account.
fn suffer(scene: &Scene, fault: &Fault) -> Result<(), String> {
    let mut account = Account::of(fault);
    let lived = caught(|| {
        scene.insist_on_calm();
        strike::strike(scene, fault, &mut account);
    });
    account.failed = lived.as_ref().err().map(|why| why.lines().next().unwrap_or_default().to_owned());
    println!("\n{}", account.line());
    lived?;
    caught(|| scene.mend())
}

fn caught(act: impl FnOnce()) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(act)).map_err(|payload| {
        let text = payload.downcast_ref::<String>().cloned();
        text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    })
}

/// What a person looks at who wonders what went wrong.
fn logs(scene: &Scene) -> String {
    let run = |words: &[&str]| {
        let ran = scene.project.run(words);
        format!("-- andon {}\n{}{}\n", words.join(" "), ran.out, ran.err)
    };
    let on = |machine: &andon_testbed::Machine, command: &str| {
        let said = machine.output(command).unwrap_or_else(|error| error.to_string());
        format!("-- {}: {command}\n{said}\n", machine.name())
    };
    let victim = scene.victim();
    let number = scene.recorded().to_string();
    [
        run(&["show", &number]),
        run(&["status", "www"]),
        format!("-- HAProxy: {:?}\n", scene.seen_by_haproxy()),
        on(victim, "ls -t /srv/www/.andon/steps; systemctl status --no-pager 'www@*'; systemctl --failed"),
        on(victim, "journalctl --no-pager -n 40"),
        format!("-- the console of {}\n{}\n", victim.name(), victim.console()),
    ]
    .concat()
}
