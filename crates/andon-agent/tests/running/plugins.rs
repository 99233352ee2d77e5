//! Debian's own plugins, unchanged.

use std::time::Duration;

use andon_agent::probe::{Answer, ask};
use andon_core::line::Probe;

use super::bench::{Bench, LONG, wait_for};

const SERVER: &str = "exec python3 -m http.server --bind 127.0.0.1 \"$1\"\n";

/// Fails with the name of the package where the plugins are missing.
fn plugin(bench: &Bench, words: &[&str], warning_passes: bool) -> Answer {
    if let Err(missing) = andon_testbed::require(&["check_http", "python3"]) {
        panic!("{missing}");
    }
    let command = words.iter().map(|word| (*word).to_owned()).collect();
    ask(&Probe::Nagios { command, warning_passes }, &bench.placement, bench.instance(), LONG)
}

#[test]
fn check_procs_counts_processes() {
    let bench = Bench::new(1);
    let good = plugin(&bench, &["check_procs", "-c", "1:"], false);
    assert!(good.passed && good.message.starts_with("OK: PROCS OK"), "{good:?}");
    assert!(!good.message.contains('|'), "performance data stayed: {good:?}");
    let warning = plugin(&bench, &["check_procs", "-w", "0:0"], false);
    assert!(!warning.passed && warning.warning, "{warning:?}");
    assert!(plugin(&bench, &["check_procs", "-w", "0:0"], true).passed);
    let bad = plugin(&bench, &["check_procs", "-c", "0:0"], true);
    assert!(!bad.passed && bad.message.starts_with("CRITICAL: PROCS CRITICAL"), "{bad:?}");
}

#[test]
fn check_http_is_told_the_port_of_the_instance() {
    let bench = Bench::new(1);
    bench.restart(&bench.release(1, SERVER));
    let words = ["check_http", "-I", "127.0.0.1", "-p", "{port}"];
    wait_for("the server", || plugin(&bench, &words, false).passed);
    bench.stop();
    let gone = plugin(&bench, &words, true);
    assert!(!gone.passed && gone.message.starts_with("CRITICAL: "), "{gone:?}");
}

#[test]
fn a_plugin_that_dislikes_its_arguments_is_unknown() {
    let bench = Bench::new(1);
    let answer = plugin(&bench, &["check_http", "--no-such-option"], true);
    assert!(!answer.passed && answer.message.starts_with("UNKNOWN: "), "{answer:?}");
}

#[test]
fn a_plugin_that_hangs_is_ended() {
    let bench = Bench::new(1);
    let probe =
        Probe::Nagios { command: vec!["/bin/sleep".to_owned(), "1000".to_owned()], warning_passes: false };
    let answer = ask(&probe, &bench.placement, bench.instance(), Duration::from_millis(200));
    assert!(answer.message.starts_with("UNKNOWN: the plugin did not end within"), "{answer:?}");
}
