//! Lines that ask for too much are refused: soon, with a place, and without taking the process down.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use andon_line::{load, load_source};

/// What is said about a line that is refused.
fn refusal(line: &str) -> String {
    match load_source("line.star", line, Path::new(".")) {
        Ok(_) => panic!("loaded: {:.200}", line),
        Err(error) => error.0.iter().map(|one| one.message.clone()).collect::<Vec<_>>().join("; "),
    }
}

#[test]
fn endless_work_is_refused() {
    assert!(refusal("for i in range(1000000000): pass").contains("list of more than 20000 elements"));
    let steps = "takes more than 200000 steps";
    assert!(
        refusal("x = [[[1 for a in range(9999)] for b in range(9999)] for c in range(9999)]").contains(steps)
    );
    assert!(refusal("def f(n):\n  for i in range(20000):\n    f(n)\nf(1)").contains("too deeply"));
    assert!(refusal("for i in range(20000):\n  for j in range(20000):\n    x = i").contains(steps));
    assert!(refusal("def f(n): return f(n + 1)\nf(0)").contains("functions call each other too deeply"));
}

#[test]
fn large_values_are_refused_before_they_are_made() {
    let text = "text of more than 256 KiB";
    let elements = "list of more than 20000 elements";
    let number = "very large number";
    for (line, expected) in [
        ("x = \"x\" * 1000000000", text),
        ("x = 1000000000 * \"x\"", text),
        ("x = [0] * 1000000000", elements),
        ("x = (0,) * 1000000000", elements),
        ("s = \"x\" * 200000\nx = s + s", text),
        ("s = \"x\" * 200000\nx = \"%s%s\" % (s, s)", text),
        ("s = \"x\" * 200000\nx = str([s, s])", text),
        ("x = 1 << 1000000000", number),
        ("x = 9999999999999999999999 * 9999999999999999999999", number),
        ("l = []\nfor i in range(60): l = [l, l]\nx = str(l)", text),
        ("l = []\nfor i in range(60): l = [l, l]\nx = \"%s\" % l", text),
        ("s = \"x\" * 100000\nx = s.replace(\"x\", s).replace(\"x\", s)", text),
        ("s = \"x\" * 100000\nx = s.replace(\"\", s)", text),
        ("s = \"x\" * 100000\nx = \"\".join([s] * 20000)", text),
        ("s = \"x\" * 100000\nx = s.join([\"\"] * 20000)", text),
        ("s = \"x\" * 100000\nx = \"{}{}{}\".format(s, s, s)", text),
        ("s = \"x\" * 100000\nx = \"{a}{a}{a}\".format(a = s)", text),
        ("s = \"x\"\ns *= 1000000000", "`*=` is not part of the language"),
        ("f = \"x\".join\nx = f([])", "`join` can only be called right away"),
        ("s = [1]\nx = [s.extend(s + []) for i in range(60)]", elements),
        ("s = [1]\nx = [s.extend(s[:]) for i in range(60)]", "more than 32 MiB of memory"),
        ("s = \"xxxxxxxx\"\nfor i in range(60): s += s", "more than 32 MiB of memory"),
        ("s = [1]\nfor i in range(60): s += s", "more than 32 MiB of memory"),
    ] {
        let refusal = refusal(line);
        assert!(refusal.contains(expected), "{line}: {refusal}");
    }
    let doubling = format!("s = \"xxxxxxxx\"\n{}", "s += s\n".repeat(60));
    assert!(refusal(&doubling).contains("more than 32 MiB of memory"));
}

#[test]
fn deep_values_do_not_exhaust_the_stack() {
    let directory = tempfile::tempdir().unwrap();
    let tuple = format!("{}t{}", "(".repeat(90), ",)".repeat(90));
    let deep = format!("t = ()\nfor i in range(12000):\n  t = {tuple}\n");
    fs::write(directory.path().join("deep.star"), &deep).unwrap();
    let lists = format!(
        "l = []\nm = []\nfor i in range(2000):\n  l = {0}l{1}\n  m = {0}m{1}\nx = l == m",
        "[".repeat(90),
        "]".repeat(90)
    );
    for line in [
        "load(\"deep.star\", \"t\")",
        &format!("{deep}x = {{t: 1}}"),
        &format!("{deep}group(\"a\", t)"),
        &lists,
    ] {
        // Whether it is refused or not: it comes back.
        drop(load_source("line.star", line, directory.path()));
    }
}

#[test]
fn deep_text_does_not_exhaust_the_parser() {
    for deep in [
        "(".repeat(100_000),
        format!("x = {}1{}", "[".repeat(100_000), "]".repeat(100_000)),
        format!("x = {}1", "-".repeat(100_000)),
        format!("x = {}1", "1 + ".repeat(100_000)),
        format!("x = {}1", "lambda: ".repeat(50_000)),
        format!("x = {}1", "1 if 1 else ".repeat(50_000)),
        format!("x = a{}", ".b".repeat(100_000)),
        format!("x = a{}", "()".repeat(100_000)),
        format!("if 1:\n  pass\n{}", "elif 1:\n  pass\n".repeat(30_000)),
    ] {
        let refusal = refusal(&deep);
        assert!(refusal.contains("nested too deeply"), "{:.40}: {refusal}", deep);
    }
}

#[test]
fn what_a_line_describes_is_bounded_too() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("big.sh"), "x".repeat(1 << 20)).unwrap();
    let scripts = "for i in range(100): script(\"big.sh\")";
    let error = load_source("line.star", scripts, directory.path()).unwrap_err();
    assert!(error.0[0].message.contains("describes too much"), "{error}");
    let groups = "g = group(\"a\", [\"h%d\" % n for n in range(10000)])\nfor n in range(1000): g = group(\"g%d\" % n, [g])";
    assert!(refusal(groups).contains("describes too much"));
    let servers = "service(\"a\", hosts = [group(\"g\", [\"h%d\" % n for n in range(10000)])], release = directory(\"a\"), \
                   run = process(exec = \"x\", ports = [1]), balancer = [agent_check() for n in range(2000)])";
    assert!(refusal(servers).contains("describes too much"));
    let hosts = "g = group(\"g\", [\"h%d\" % n for n in range(10000)])\nfor n in range(1000): proxy(g)";
    assert!(refusal(hosts).contains("describes too much"));
}

#[test]
fn files_that_are_no_lines_are_refused_unread() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let big = fs::File::create(path("big.star")).unwrap();
    big.set_len(100 << 20).unwrap();
    fs::write(path("binary.star"), [0xff, 0xfe, 0x00]).unwrap();
    fs::create_dir(path("directory.star")).unwrap();
    for (name, expected) in [
        ("big.star", "larger than 1 MiB"),
        ("binary.star", "not UTF-8"),
        ("directory.star", "not a regular file"),
        ("missing.star", "there is no file"),
    ] {
        let error = load(&path(name)).unwrap_err();
        assert!(error.0[0].message.contains(expected), "{error}");
        let loading = format!("load(\"{name}\", \"x\")\nscript(\"{name}\")");
        let error = load_source("line.star", &loading, directory.path()).unwrap_err();
        assert_eq!(error.errors(), 2, "{error}");
        assert!(error.0.iter().all(|one| one.message.contains(expected)), "{error}");
    }
    assert!(load(Path::new("/dev/zero")).unwrap_err().0[0].message.contains("not a regular file"));
    assert!(load_source("line.star", &" ".repeat((1 << 20) + 1), Path::new(".")).is_err());
}

#[test]
fn strange_texts_are_refused_or_read_but_never_crash() {
    for text in [
        "",
        "\u{feff}",
        "\0",
        "\r\n\t",
        "\"",
        "'''",
        "\\",
        "#",
        "load",
        "load()",
        "load(\"x\")",
        "host(*1)",
        "host(**1)",
        "host(*[\"a\"], **{\"user\": \"b\"})",
        "host(**{\"a\": 1}, a = 2)",
        "x = host\nx(\"ä\")",
        "def f(*a, **k): return host(*a, **k)\nf(\"x\", y = 1)",
        "group(\"a\", group)",
        "group(\"a\", {\"b\": 1})",
        "service",
        "service(service)",
        "http(\"/\" + chr(0))",
        "print(1)",
        "x = [].y",
        "x = {}[1]",
        "group(\"a\", \"b\")",
        "rollout(waves = \"100%\")",
        "service(\"a\", hosts = {1: 2})",
        "\u{202e}host(1)",
        "x = 1.5\nhost(x)",
        "tcp(port = 10000000000000000000000)",
        "haproxy(haproxy)",
        "haproxy(host(\"a\"), api = \":\")",
        "haproxy(host(\"a\"), api = \"[\" + \"]:1\")",
        "nginx(host(\"a\"), include = \"/\", access_log = \"/\\n\")",
        "agent_check(server = \"{{}}{host}}}\")",
        "blue_green(green = [[1]], steps = [None])",
        "blue_green(green = {1: 2}, steps = \"100%\")",
        "site(site, out = [[]])",
        "service(\"a\", hosts = host(\"a\"), balancer = {1: 2, \"x\": [[]]}, blue_green = 3)",
    ] {
        if let Err(error) = load_source("line.star", text, Path::new(".")) {
            assert!(!error.render(true, 80).is_empty());
            assert!(!error.0[0].message.contains("mistake of Andon"), "{text:?}: {error}");
        }
    }
}
