//! Commands that print numbers, and those that misbehave.

use std::fs;
use std::path::Path;
use std::time::Duration;

use andon_core::analysis::{Measure, Reading};
use andon_core::line::Source;
use andon_server::senses::{Look, Senses};
use andon_testbed::deadline::wait_until;
use andon_testbed::process;

use super::{arms, member, orders};

fn senses(directory: &Path, script: &str, timeout: Duration, measure: Measure) -> Senses {
    fs::write(directory.join("text"), format!("#!/bin/sh\n{script}\n")).unwrap();
    // Not by this process: what it writes, a child that another test just starts may hold open, and nobody can run it.
    let made = std::process::Command::new("sh")
        .args(["-c", "cp text fresh && chmod 755 fresh && mv fresh orders.sh"])
        .current_dir(directory)
        .status();
    assert!(made.unwrap().success());
    let command = vec!["./orders.sh".to_owned(), "a b".to_owned()];
    let source = Source::Script { command, timeout, every: Duration::from_millis(50) };
    Senses::new(&[orders(measure, source)], directory, directory)
}

/// Looks until the source has answered in one way or the other.
async fn answered(senses: &mut Senses) -> Look {
    let end = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        let look = senses.look(&arms(), None).await;
        if !look.silent.is_empty() || !look.readings[0].is_empty() {
            return look;
        }
        assert!(tokio::time::Instant::now() < end, "{look:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_command_knows_the_hosts_and_its_counters_are_compared() {
    let directory = tempfile::tempdir().unwrap();
    let script = "n=$(cat n 2>/dev/null || echo 0)\necho $((n + 1)) > n\necho \"# $1\"\n\
                  echo \"$ANDON_HOSTS_NEW $((10 + n * 3)) $((100 + n * 7))\"\necho \"$ANDON_HOSTS_OLD 5 nan\"\n\
                  echo 'db1 1 1'";
    let mut senses = senses(directory.path(), script, LONG, Measure::Rate);
    let mut sum = (0, 0);
    let end = tokio::time::Instant::now() + LONG;
    while sum.0 < 6 {
        assert!(tokio::time::Instant::now() < end, "{sum:?}");
        let look = answered(&mut senses).await;
        assert_eq!(look.silent, [] as [String; 0]);
        assert_eq!(look.reading(0, &member("web2")), Reading::Missing, "what it is a part of is no number");
        if let Reading::Count { events, of } = look.reading(0, &member("web1")) {
            sum = (sum.0 + events, sum.1 + of);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(sum.1 * 3, sum.0 * 7, "{sum:?}");
}

#[tokio::test]
async fn openmetrics_and_levels_are_read_too() {
    let directory = tempfile::tempdir().unwrap();
    let script =
        "echo '# TYPE orders gauge'\necho 'orders{host=\"web1\"} 7.5'\necho 'other{host=\"web2\"} 1'";
    let look = answered(&mut senses(directory.path(), script, LONG, Measure::Level)).await;
    assert_eq!(look.reading(0, &member("web1")), Reading::Level(7.5));
    assert_eq!(look.reading(0, &member("web2")), Reading::Missing);
}

#[tokio::test]
async fn commands_that_fail_hang_or_talk_for_ever_are_ended_with_all_they_started() {
    let directory = tempfile::tempdir().unwrap();
    let mut told = Vec::new();
    for (script, timeout) in [
        ("echo no database >&2; exit 3", LONG),
        ("yes", LONG),
        ("echo web1 x", LONG),
        ("echo web1 1 2 3", LONG),
        ("printf '\\377'", LONG),
        ("sleep 600 & sleep 600", Duration::from_millis(300)),
        ("yes >&2", Duration::from_millis(300)),
        (":", LONG),
    ] {
        let mark = format!("ANDON_SCRIPT_MARK={}", directory.path().display());
        let script = format!("export {mark}\n{script}");
        told.extend(answered(&mut senses(directory.path(), &script, timeout, Measure::Rate)).await.silent);
        let gone = wait_until(LONG, || process::with_environment(&mark).is_empty());
        assert!(gone, "{script}: {:?}", process::with_environment(&mark));
    }
    let expected = [
        "orders: ./orders.sh a b ended with exit status: 3: no database",
        "orders: ./orders.sh a b prints more than 1 MiB",
        "orders: what ./orders.sh a b prints cannot be read: line 1: a number is expected",
        "orders: what ./orders.sh a b prints cannot be read: line 1: expected `HOST EVENTS OF` or `HOST LEVEL`",
        "orders: what ./orders.sh a b prints cannot be read: it is not UTF-8",
        "orders: ./orders.sh a b took longer than 300 ms and was ended",
        "orders: ./orders.sh a b took longer than 300 ms and was ended",
        "orders: its source knows none of the hosts",
    ];
    assert_eq!(told, expected);
    fs::remove_file(directory.path().join("orders.sh")).unwrap();
    let source = Source::Script { command: vec!["./none".into()], timeout: LONG, every: LONG };
    let mut senses = Senses::new(&[orders(Measure::Rate, source)], directory.path(), directory.path());
    let look = answered(&mut senses).await;
    assert!(look.silent[0].starts_with("orders: ./none could not be run: No such file"), "{look:?}");
}
