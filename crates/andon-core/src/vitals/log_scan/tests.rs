//! Whole traces of many languages, line by line.

use super::LogScan;
use crate::vitals::{Fingerprint, Life, LogCount, MAX_FINGERPRINTS, MAX_SAMPLE};

fn scanned(text: &str) -> LogCount {
    let mut scan = LogScan::new(Life::default());
    text.lines().for_each(|line| scan.line(line, None));
    scan.pause();
    scan.pause();
    scan.count().clone()
}

/// The only error of a log.
fn single(text: &str) -> (Fingerprint, String) {
    let count = scanned(text);
    assert_eq!((count.errors, count.by_fingerprint.len()), (1, 1), "{count:#?}\n{text}");
    let (fingerprint, seen) = count.by_fingerprint.into_iter().next().unwrap();
    (fingerprint, seen.sample)
}

const PYTHON: &str = "\
INFO:root:up
ERROR:shop:order 5 failed
Traceback (most recent call last):
  File \"/srv/www/releases/r-0a1b2c3d4e5f/app.py\", line 12, in serve
    charge(order)
    ~~~~~~^^^^^^^
  File \"/srv/www/releases/r-0a1b2c3d4e5f/shop.py\", line 3, in charge
    return order['card']
KeyError: 'card'
INFO:root:next
";

const JAVA: &str = "\
2026-11-28 08:57:52 ERROR [exec-5] c.e.Orders - order 5 failed
java.lang.IllegalStateException: no card
\tat java.base/java.util.Objects.requireNonNull(Objects.java:233)
\tat com.example.Orders.charge(Orders.java:12)
\tat com.example.Orders.serve(Orders.java:5)
Caused by: java.lang.NullPointerException: null
\tat com.example.Card.of(Card.java:9)
\t... 23 more
2026-11-28 08:57:52 INFO [exec-5] c.e.Orders - next
";

const NODE: &str = "\
TypeError: Cannot read properties of undefined (reading 'card')
    at charge (/srv/www/releases/r-0a1b2c3d4e5f/shop.js:3:14)
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5) {
  code: 'ERR_X'
}
next
";

const GO: &str = "\
2026/11/28 08:57:52 up
panic: runtime error: index out of range [5] with length 3

goroutine 1 [running]:
main.charge(0xc000012345, 0x5)
\t/srv/build/shop.go:12 +0x1d
main.main()
\t/srv/build/shop.go:5 +0x2a
exit status 2
";

const RUST: &str = "\
thread 'main' (4711) panicked at src/main.rs:4:5:
index out of bounds: the len is 3 but the index is 5
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
next
";

const PHP: &str = "\
PHP Fatal error:  Uncaught RuntimeException: no card in /srv/www/shop.php:3
Stack trace:
#0 /srv/www/index.php(5): charge(Array)
#1 {main}
  thrown in /srv/www/shop.php on line 3
";

const RUBY: &str = "\
shop.rb:3:in 'Object#charge': no card (RuntimeError)
\tfrom shop.rb:5:in '<main>'
";

const ALL: [&str; 7] = [PYTHON, JAVA, NODE, GO, RUST, PHP, RUBY];

#[test]
fn a_stack_trace_is_one_error() {
    for text in ALL {
        single(text);
    }
    let together: String = ALL.concat();
    let count = scanned(&together);
    assert_eq!((count.errors, count.by_fingerprint.len()), (7, 7), "{count:#?}");
    assert_eq!(count.lines, together.lines().count() as u64);
}

#[test]
fn a_trace_with_other_numbers_is_the_same_error_and_one_from_elsewhere_is_not() {
    for text in ALL {
        let other: String = text.replace("12", "78").replace(":3", ":41").replace("r-0a1b", "r-99ff");
        assert_eq!(single(text).0, single(&other).0, "{text}");
        let elsewhere =
            text.replace("charge", "refund").replace("shop.php", "pay.php").replace("main.rs", "pay.rs");
        assert_ne!(single(text).0, single(&elsewhere).0, "{text}");
    }
}

#[test]
fn a_sample_says_what_happened() {
    assert_eq!(single(PYTHON).1, "ERROR:shop:order 5 failed | KeyError: 'card'");
    let (_, rust) = single(RUST);
    assert!(rust.contains("src/main.rs") && rust.contains("index out of bounds"), "{rust}");
}

#[test]
fn a_trace_that_is_written_while_we_look_is_not_torn() {
    for text in ALL {
        let lines = text.lines().count();
        for cut in 0..lines {
            let mut scan = LogScan::new(Life::default());
            for (index, line) in text.lines().enumerate() {
                if index == cut {
                    scan.pause();
                }
                scan.line(line, None);
            }
            scan.pause();
            scan.pause();
            let found: Vec<_> = scan.count().by_fingerprint.keys().copied().collect();
            assert_eq!(found, [single(text).0], "cut before line {cut} of\n{text}");
        }
    }
}

#[test]
fn an_error_is_told_at_the_second_silent_look_at_the_latest() {
    let mut scan = LogScan::new(Life::default());
    scan.line("ERROR no database", None);
    scan.pause();
    assert_eq!(scan.count().errors, 0, "its trace may still come");
    scan.pause();
    assert_eq!(scan.count().errors, 1);
}

#[test]
fn the_journals_priority_makes_an_error_of_any_line() {
    let mut scan = LogScan::new(Life::default());
    scan.line("cannot reach db-3", Some(3));
    scan.line("all is well", Some(6));
    assert_eq!((scan.count().errors, scan.count().lines), (1, 2));
}

#[test]
fn hostile_logs_are_bounded_and_legible() {
    let mut scan = LogScan::new(Life::default());
    let words = ["no", "bad", "odd", "red", "big", "old", "raw", "wet", "dry", "sad"];
    for one in words {
        for two in words {
            scan.line(&format!("ERROR {one} {two} \u{1b}[2J{}", "x".repeat(100_000)), None);
        }
    }
    scan.line("Traceback (most recent call last):", None);
    (0..10_000).for_each(|_| scan.line("  File \"x.py\", line 1, in x", None));
    scan.line("\u{202e}RecursionError: too deep", None);
    (0..10_000).for_each(|_| scan.line("\tat com.example.X.x(X.java:1)", None));
    scan.skip(17);
    let count = scan.count();
    assert_eq!((count.errors, count.by_fingerprint.len()), (100, MAX_FINGERPRINTS));
    assert_eq!((count.unnamed, count.gaps, count.skipped.0), (36, 1, 17));
    for seen in count.by_fingerprint.values() {
        assert!(
            seen.sample.chars().count() <= MAX_SAMPLE && !seen.sample.contains('\u{1b}'),
            "{}",
            seen.sample
        );
    }
}
