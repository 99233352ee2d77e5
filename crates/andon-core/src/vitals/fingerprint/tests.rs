//! Lines as real programs write them: the same fault keeps its fingerprint, another one has its own.

use proptest::prelude::*;

use super::Fingerprint;
use crate::vitals::line_shape::shape;

fn of(line: &str) -> Fingerprint {
    Fingerprint::of(line).unwrap_or_else(|| panic!("not taken for an error: {line}"))
}

/// Pairs of lines of the same fault.
const SAME: &[(&str, &str)] = &[
    // Log4j and Logback.
    (
        "2026-11-28 08:57:52,123 ERROR [http-nio-8080-exec-5] c.e.shop.Orders - order 4711 of user 'ana' failed after 12ms",
        "2027-01-03 18:07:02,004 ERROR [http-nio-8081-exec-11] c.e.shop.Orders - order 99 of user 'bo' failed after 1.5s",
    ),
    (
        "java.net.ConnectException: Connection refused: /10.0.0.7:5432",
        "java.net.ConnectException: Connection refused: /10.12.0.9:6432",
    ),
    // Python.
    ("ERROR:root:job 17 failed", "ERROR:root:job 18 failed"),
    (
        "2026-11-28 08:57:52,123 - shop.orders - CRITICAL - disk is 97% full",
        "2026-11-29 08:00:00,000 - shop.orders - CRITICAL - disk is 98% full",
    ),
    ("KeyError: 'user_id'", "KeyError: 'cart'"),
    // Node: plain, pino with numbers, winston.
    (
        "TypeError: Cannot read properties of undefined (reading 'id')",
        "TypeError: Cannot read properties of undefined (reading 'name')",
    ),
    (
        r#"{"level":50,"time":1764320272123,"pid":71,"hostname":"web1","err":{"type":"Error","message":"timeout of 500ms"},"msg":"request failed"}"#,
        r#"{"level":50,"time":1764320272999,"pid":9,"hostname":"web2","err":{"type":"Error","message":"timeout of 750ms"},"msg":"request failed"}"#,
    ),
    (
        r#"{"level":"error","message":"upstream 10.0.0.1 said 502","timestamp":"2026-11-28T08:57:52.123Z"}"#,
        r#"{"level":"error","message":"upstream 10.0.0.2 said 503","timestamp":"2026-12-01T00:00:00.000Z"}"#,
    ),
    // Go: log, logfmt, glog.
    (
        "2026/11/28 08:57:52 http: panic serving 10.0.0.1:1234: runtime error: index out of range [5] with length 3",
        "2026/12/01 18:57:52 http: panic serving 10.0.0.2:80: runtime error: index out of range [9] with length 7",
    ),
    (
        r#"time="2026-11-28T08:57:52Z" level=error msg="cannot reach db-3" err="dial tcp 10.0.0.7:5432: i/o timeout" took=3s"#,
        r#"time="2026-12-28T18:00:00Z" level=error msg="cannot reach db-12" err="dial tcp 10.0.0.8:5432: i/o timeout" took=41s"#,
    ),
    (
        "E1128 08:57:52.123456    1234 server.go:88] lease lost",
        "E0103 18:07:02.000456    9 server.go:91] lease lost",
    ),
    // Rust: panics and tracing.
    (
        "thread 'main' panicked at 'index out of bounds: the len is 3 but the index is 5', src/main.rs:4:5",
        "thread 'main' panicked at 'index out of bounds: the len is 1 but the index is 2', src/main.rs:6:9",
    ),
    (
        "2026-11-28T08:57:52.123456Z ERROR shop::orders: cannot write order id=4711",
        "2026-11-29T18:00:00.000000Z ERROR shop::orders: cannot write order id=12",
    ),
    (
        "\u{1b}[2m2026-11-28T08:57:52Z\u{1b}[0m \u{1b}[31mERROR\u{1b}[0m shop: cannot write order 5",
        "\u{1b}[2m2026-12-28T18:00:00Z\u{1b}[0m \u{1b}[31mERROR\u{1b}[0m shop: cannot write order 6",
    ),
    // PHP and its servers.
    (
        "PHP Fatal error:  Uncaught PDOException: SQLSTATE[HY000] [2002] refused in /srv/www/releases/r-0a1b2c3d4e5f/db.php:12",
        "PHP Fatal error:  Uncaught PDOException: SQLSTATE[HY000] [2002] refused in /srv/www/releases/r-f5e4d3c2b1a0/db.php:14",
    ),
    (
        "2026/11/28 08:57:52 [error] 123#123: *77 upstream timed out, client: 10.0.0.1",
        "2026/12/01 08:00:00 [error] 9#9: *12345 upstream timed out, client: 10.0.0.2",
    ),
    (
        "[Sat Nov 28 08:57:52.123456 2026] [core:error] [pid 71] AH00037: link not allowed",
        "[Thu Dec 03 18:00:00.000001 2026] [core:error] [pid 9] AH00037: link not allowed",
    ),
    // Ruby.
    (
        "app.rb:3:in `charge': undefined method `amount' for nil:NilClass (NoMethodError)",
        "app.rb:5:in `charge': undefined method `total' for nil:NilClass (NoMethodError)",
    ),
    (
        "F, [2026-11-28T08:57:52.123 #71] FATAL -- : card 5555 declined",
        "F, [2026-11-29T18:00:00.000 #9] FATAL -- : card 4444 declined",
    ),
    // .NET, syslog, identifiers.
    (
        "Unhandled exception. System.InvalidOperationException: session 0f8fad5b-d9cb-469f-a165-70867728950e is gone",
        "Unhandled exception. System.InvalidOperationException: session 7c9e6679-7425-40de-944b-e07fc1f90ae7 is gone",
    ),
    ("<3>cannot open 0x7ffe12ab", "<3>cannot open 0x7ffe99ff"),
    ("FATAL: object deadbeef01 in [1, 2, 3] is lost", "FATAL: object cafe0123456789 in [4, 5] is lost"),
];

#[test]
fn the_same_fault_with_other_numbers_has_the_same_fingerprint() {
    for (one, other) in SAME {
        assert_eq!(of(one), of(other), "{}\n{}", shape(one), shape(other));
    }
}

#[test]
fn different_faults_have_different_fingerprints() {
    let all: std::collections::BTreeMap<_, _> = SAME.iter().map(|(line, _)| (of(line), line)).collect();
    assert_eq!(all.len(), SAME.len());
    for (one, other) in [
        ("ERROR cannot write order 5", "ERROR cannot read order 5"),
        ("TypeError: x is not a function", "RangeError: x is not a function"),
        (
            "PHP Fatal error:  Uncaught Error in /srv/a.php:1",
            "PHP Fatal error:  Uncaught Error in /srv/b.php:1",
        ),
        (r#"level=error msg="no route""#, r#"level=error msg="no space""#),
        (r#"{"level":"error","msg":"no route"}"#, r#"{"level":"error","msg":"no space"}"#),
    ] {
        assert_ne!(of(one), of(other), "{one}");
    }
}

#[test]
fn what_is_no_error_has_none() {
    for line in [
        "",
        "2026-11-28 08:57:52,123 INFO [main] 0 errors found, ERROR count is 0",
        "WARN retrying after java.io.IOException: closed",
        "10.0.0.1 - - [28/Nov/2026:08:57:52 +0000] \"GET /ERROR/error HTTP/1.1\" 500 12",
        "listening on port 8080",
        r#"{"level":30,"msg":"ERROR is only a word here"}"#,
        r#"{"level":"info","msg":"error handler installed"}"#,
        r#"time=2026 level=warning msg="an error that is retried""#,
        "    at com.example.Orders.charge(Orders.java:12)",
        "Caused by: java.io.IOException: closed",
        "<6>ERROR is what it says, and it is information",
        "LOG:  database system is ready, no ERROR",
        "errors: none",
        "I1128 08:57:52.123456 1 server.go:88] error handler installed",
        "PHP Warning:  Undefined variable $error",
    ] {
        assert_eq!(Fingerprint::of(line), None, "{line}");
    }
}

#[test]
fn hostile_lines_are_bounded() {
    for line in [
        "ERROR ".repeat(1 << 18),
        format!("ERROR {}", "\"".repeat(1 << 20)),
        format!("ERROR {}", "\u{1b}[".repeat(1 << 18)),
        format!("ERROR {{{}", "\"msg\":\"\\".repeat(1 << 16)),
        format!("ERROR {}", "ä".repeat(1 << 18)),
        "{\"level\":".repeat(1 << 16),
        String::from_utf8_lossy(&[b"ERROR ".as_slice(), &(0..=255).collect::<Vec<u8>>()].concat())
            .into_owned(),
    ] {
        let _ = Fingerprint::of(&line);
        assert!(shape(&line).len() <= 512, "{}", shape(&line).len());
    }
}

#[test]
fn a_fingerprint_never_changes() {
    // It is compared with what other versions of Andon have remembered.
    assert_eq!(of("ERROR cannot write order 5").to_string(), "66ffcfb9c5517971");
}

proptest! {
    #[test]
    fn any_text_has_a_shape_and_it_has_the_same_one(text in ".{0,300}") {
        prop_assert_eq!(shape(&text), shape(&text));
        let _ = Fingerprint::of(&text);
    }

    #[test]
    fn numbers_never_make_a_difference(one in any::<u64>(), other in any::<u64>()) {
        let line = |number| format!("ERROR order {number} of item_{number} failed: code={number}, at 0x{number:x}");
        prop_assert_eq!(of(&line(one)), of(&line(other)));
    }
}
