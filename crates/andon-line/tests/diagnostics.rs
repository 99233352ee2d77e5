//! What people are told about lines that are wrong: the words, and the exact text they point at.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use andon_line::{Diagnostics, Severity, load_source};

#[path = "diagnostics/balancers.rs"]
mod balancers;
#[path = "diagnostics/environments.rs"]
mod environments;
#[path = "diagnostics/secrets.rs"]
mod secrets;
#[path = "diagnostics/telling.rs"]
mod telling;
#[path = "diagnostics/watch.rs"]
mod watch;

/// Every diagnostic as `text it points at => message`, with the suggestion behind an arrow.
fn told(line: &str) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let all = match load_source("line.star", line, directory.path()) {
        Ok(loaded) => loaded.warnings,
        Err(Diagnostics(all)) => all,
    };
    let tell = |one: &andon_line::Diagnostic| {
        let mark = if one.severity == Severity::Warning { "warning: " } else { "" };
        let suggestion = one.suggestion.as_ref().map_or(String::new(), |word| format!(" -> {word}"));
        format!("{} => {mark}{}{suggestion}", one.location.text().unwrap_or("?"), one.message)
    };
    all.iter().map(tell).collect()
}

/// A whole service, with one argument replaced or added.
fn service_with(argument: &str) -> String {
    let mut arguments = vec![
        "hosts = [host(\"web1\")]".to_owned(),
        "release = archive(\"dist/www.tar.gz\")".to_owned(),
        "run = process(exec = \"{release}/www {port}\", ports = [8080])".to_owned(),
    ];
    let name = |text: &str| text.split(" =").next().map(str::to_owned);
    arguments.retain(|one| name(one) != name(argument));
    arguments.push(argument.to_owned());
    format!("service(\"www\", {})", arguments.join(", "))
}

#[test]
fn each_mistake_is_told_at_its_exact_place() {
    let table: &[(&str, &[&str])] = &[
        // Names of the language.
        ("hots(\"a\")", &["hots => there is no `hots` -> host"]),
        ("web = 1\nx = wbe", &["wbe => there is no `wbe` -> web"]),
        ("x = [y for z in [1]]", &["y => there is no `y`"]),
        ("host(\"a\", adress = \"b\")", &["adress => `host` has no parameter `adress` -> address"]),
        ("host(\"a\", \"b\")", &["\"b\" => `host` takes no more arguments without a name"]),
        (
            "host(**{\"nme\": \"a\"})",
            &["host => `host` needs `name`", "\"nme\" => `host` has no parameter `nme` -> name"],
        ),
        ("host(\"a\", name = \"b\")", &["\"b\" => `name` is given twice"]),
        ("host()", &["host => `host` needs `name`"]),
        // Types and ranges.
        ("host(3)", &["3 => expected a name, got 3"]),
        ("host(\"a\", sudo = \"yes\")", &["\"yes\" => expected True or False, got \"yes\""]),
        ("host(\"a\", port = True)", &["True => expected a number from 1 to 65535, got True"]),
        ("host(\"a\", port = 0)", &["0 => expected a number from 1 to 65535, got 0"]),
        ("host(\"a\", port_offset = 65535)", &["65535 => expected a number from 0 to 65534, got 65535"]),
        ("tcp(port = 1 << 62)", &["1 << 62 => expected a number from 1 to 65535, got 4611686018427387904"]),
        ("host(\"-a\")", &["\"-a\" => a name starts with a letter, a digit or `_`, not with '-'"]),
        (
            "host(\"a\", address = \"-oProxyCommand=x\")",
            &["\"-oProxyCommand=x\" => this cannot start with `-`, got \"-oProxyCommand=x\""],
        ),
        ("host(\"a\", user = \"x y\")", &["\"x y\" => this cannot contain blanks, got \"x y\""]),
        ("host(\"a\", local = True, user = \"x\")", &["\"x\" => `user` has no meaning for a local host"]),
        // Groups.
        ("group(\"a\", [])", &["[] => this group has no hosts"]),
        (
            "group(\"a\", [\"b\", 1, \"c d\"])",
            &[
                "1 => expected a name, a host or a group, got 1",
                "\"c d\" => a name consists of letters, digits, `-`, `_` and `.`; ' ' is none of them",
            ],
        ),
        ("group(\"a\", [\"b\", \"b\"])", &["\"b\" => the host b is in this list twice"]),
        (
            "group(\"a\", [\"x %d\" % n for n in range(1)])",
            &["\"x %d\" % n => a name consists of letters, digits, `-`, `_` and `.`; ' ' is none of them"],
        ),
        ("group(\"a\", [\"b\"])\ngroup(\"a\", [\"c\"])", &["\"a\" => the group a is described twice"]),
        ("group(\"a\", [\"b\"])\nhost(\"b\")", &["\"b\" => the host b is described twice"]),
        (
            "host(\"b\")\ngroup(\"a\", [\"b\"], user = \"x\")",
            &["\"b\" => the host b exists already, and is reached in another way"],
        ),
        // Probes.
        ("http(\"healthz\")", &["\"healthz\" => a path starts with `/`, got \"healthz\" -> /healthz"]),
        ("http(\"/a b\")", &["\"/a b\" => a path cannot contain ' '"]),
        ("http(\"/\", status = 99)", &["99 => expected a number from 100 to 599, got 99"]),
        (
            "http(\"/\", timeout = \"5 parsecs\")",
            &["\"5 parsecs\" => expected a duration like \"30s\", \"5m\" or \"1h30m\", got \"5 parsecs\""],
        ),
        ("http(\"/\", timeout = \"0s\")", &["\"0s\" => this duration must be longer than zero"]),
        ("nagios(\"\")", &["\"\" => this command is empty"]),
        ("nagios(\"check 'x\")", &["\"check 'x\" => a quotation mark in this command is never closed"]),
        (
            "script(\"../x\")",
            &["\"../x\" => \"../x\" is not a relative path below the directory of the line"],
        ),
        (
            "script(\"/etc/passwd\")",
            &["\"/etc/passwd\" => \"/etc/passwd\" is not a relative path below the directory of the line"],
        ),
        ("health(tcp(port = 1), in_a_row = 101)", &["101 => expected a number from 1 to 100, got 101"]),
        (
            "health(tcp(port = 1, timeout = \"1s\"), timeout = \"2s\")",
            &["\"2s\" => the timeout is said twice, by the probe and by the health check"],
        ),
        // Rollouts.
        ("rollout(waves = [])", &["[] => a rollout has at least one wave"]),
        (
            "rollout(waves = [1, 0, \"0%\"])",
            &["0 => this must be more than 0", "\"0%\" => this must be more than 0%"],
        ),
        ("rollout(waves = [\"101%\"])", &["\"101%\" => a share is at most 100%, got \"101%\""]),
        ("rollout(max_parallel = 0)", &["0 => this must be more than 0"]),
        (
            "rollout(on_conflict = \"qeue\")",
            &["\"qeue\" => expected \"queue\" or \"reject\" or \"supersede\", got \"qeue\" -> queue"],
        ),
        ("rollout(bake = 5)", &["5 => expected a duration like \"30s\" or \"5m\", got 5"]),
        // Ways to run.
        ("systemd()", &["systemd => `systemd` needs either `exec` or `unit`"]),
        (
            "systemd(exec = \"a\", unit = \"b.service\")",
            &["\"b.service\" => give either `exec` or `unit`, not both"],
        ),
        (
            "systemd(unit = \"nginx\")",
            &["\"nginx\" => \"nginx\" is not the name of a service unit -> nginx.service"],
        ),
        (
            "systemd(unit = \"a.service\", user = \"x\")",
            &["\"x\" => `user` has no effect on a unit that exists already"],
        ),
        (
            "systemd(exec = \"a\", extra = [\"Nice=1\", \"x\\nExecStartPre=y\"])",
            &["\"x\\nExecStartPre=y\" => \"x\\nExecStartPre=y\" is not a setting"],
        ),
        (
            "process(exec = \"a {prot}\", ports = [1])",
            &[
                "\"a {prot}\" => unknown placeholder {prot}; known are {release}, {current}, {shared}, {root}, {port}, \
             {host}, {instance} -> {port}",
            ],
        ),
        (
            "process(exec = [\"a\", \"{\"])",
            &["\"{\" => a brace without its partner; a literal brace is written twice: {{ or }}"],
        ),
        (
            "process(exec = \"a --port {port}\")",
            &["\"a --port {port}\" => this names {port}, but the service has no ports"],
        ),
        (
            "process(exec = \"a\", ports = [80, 81])",
            &["\"a\" => warning: all 2 instances run the same command, which does not name {port}"],
        ),
        ("process(exec = \"a {port}\", ports = [80, 80])", &["80 => the port 80 is listed twice"]),
        (
            "process(exec = \"a\", environment = {\"A B\": \"x\", \"C\": 1})",
            &["\"A B\" => \"A B\" is not the name of an environment variable", "1 => expected a text, got 1"],
        ),
        ("archive(\"x.zip\")", &["\"x.zip\" => an archive ends with .tar or .tar.gz or .tar.zst"]),
        // The program itself.
        ("x = 1 + \"a\"", &["1 + \"a\" => Operation `+` not supported for types `int` and `string`"]),
        ("fail(\"not yet\")", &["fail(\"not yet\") => not yet"]),
        ("fail(\"\\nnot\\nyet.\")", &["fail(\"\\nnot\\nyet.\") => not"]),
        ("fail()", &["fail() => `fail` was called without a reason"]),
    ];
    for (line, expected) in table {
        assert_eq!(told(line), *expected, "\n{line}");
    }
}

#[test]
fn each_mistake_of_a_service_is_told_at_its_exact_place() {
    let table: &[(&str, &[&str])] = &[
        ("root = \"srv\"", &["\"srv\" => the root of a service is an absolute path, got \"srv\""]),
        ("root = \"~/../etc\"", &["\"~/../etc\" => \"~/../etc\" cannot be the root of a service"]),
        ("root = \"~/\"", &["\"~/\" => \"~/\" cannot be the root of a service"]),
        ("root = \"/srv/../etc\"", &["\"/srv/../etc\" => \"/srv/../etc\" cannot be the root of a service"]),
        ("hosts = {}", &["{} => a service has at least one environment"]),
        ("hosts = []", &["[] => this environment has no hosts"]),
        ("hosts = {\"staging\": []}", &["[] => this environment has no hosts"]),
        ("hosts = [\"web9\"]", &["\"web9\" => there is no host web9"]),
        (
            "hosts = {\"a b\": host(\"x\")}",
            &["\"a b\" => a name consists of letters, digits, `-`, `_` and `.`; ' ' is none of them"],
        ),
        (
            "hosts = [host(\"a\"), group(\"g\", [\"b\", \"a\"])]",
            &["group(\"g\", [\"b\", \"a\"]) => the host a is in this list twice"],
        ),
        (
            "hosts = {\"a\": host(\"x\"), \"b\": [\"x\"]}",
            &["{\"a\": host(\"x\"), \"b\": [\"x\"]} => the host x is in two environments, a and b"],
        ),
        (
            "release = \"dist/x.tar\"",
            &[
                "\"dist/x.tar\" => expected a release source, `archive(...)` or `directory(...)`, got \"dist/x.tar\"",
            ],
        ),
        (
            "health = host",
            &[
                "host => expected a health check, `health(...)` or a probe, `http(...)`, `tcp(...)`, `script(...)` or \
             `nagios(...)`, got a constructor that is not called",
            ],
        ),
        ("tests = [http(\"/\"), http(\"/\")]", &["http(\"/\") => two tests are called \"http /\""]),
        (
            "run = systemd(unit = \"a.service\"), health = http(\"/\")",
            &["http(\"/\") => this probe has no port to ask, because the service has no ports"],
        ),
        ("helth = tcp()", &["helth => `service` has no parameter `helth` -> health"]),
    ];
    for (argument, expected) in table {
        assert_eq!(told(&service_with(argument)), *expected, "\n{argument}");
    }
    let nothing = told("service(\"www\")");
    assert_eq!(nothing.len(), 3, "{nothing:?}");
}

#[test]
fn services_that_get_in_each_others_way_are_told_together() {
    let two = |second_run: &str, second_root: &str| {
        format!(
            "web = group(\"web\", [\"web1\"])\n\
             service(\"a\", hosts = web, release = directory(\"a\"), run = process(exec = \"a {{port}}\", ports = [80]))\n\
             service(\"b\", hosts = web, release = directory(\"b\"), run = process(exec = \"b {{port}}\", {second_run}), root = \"{second_root}\")"
        )
    };
    assert_eq!(told(&two("ports = [81]", "/srv/b")), Vec::<String>::new());
    assert_eq!(
        told(&two("ports = [80]", "/srv/b")),
        ["[80] => the port 80 on host web1 is used by two services, a and b"]
    );
    assert_eq!(
        told(&two("ports = [81]", "/srv/a/")),
        ["\"/srv/a/\" => services a and b have the same root /srv/a on host web1"]
    );
    let stand_ins = |offset: u16| {
        format!(
            "hosts = [host(\"one\", local = True), host(\"two\", local = True, port_offset = {offset})]\n\
             service(\"a\", hosts = hosts, release = directory(\"a\"), run = process(exec = \"a {{port}}\", ports = [60000]))"
        )
    };
    assert_eq!(told(&stand_ins(1)), Vec::<String>::new());
    assert_eq!(
        told(&stand_ins(0)),
        [
            "[60000] => the hosts one and two are one machine, and its port 60000 is used by both (services a and a)"
        ]
    );
    assert_eq!(
        told(&stand_ins(6000)),
        ["[60000] => the port 60000 of service a becomes 66000 on host two, which is beyond 65535"]
    );
}

#[test]
fn all_mistakes_are_told_at_once_and_in_the_order_of_the_text() {
    let line = r#"
web = grup("web", ["a"])
def shop(name, port):
    return service(name, hosts = web, release = archive("x.zip"), run = process(exec = "x {port}", ports = [port]))
shop("first shop", 80)
shop("second", 0)
policy = rollout(waves = [], bakes = "1m")
service("third", hosts = ["nowhere"], release = undefined_thing, run = systemd(exec = "x", usr = "y"), rollout = policy)
1 + None
"#;
    let told = told(line);
    let places: Vec<&str> = told.iter().filter_map(|one| one.split(" => ").next()).collect();
    assert_eq!(
        places,
        [
            "grup",
            "name",
            "\"x.zip\"",
            "port",
            "[]",
            "bakes",
            "\"nowhere\"",
            "undefined_thing",
            "usr",
            "1 + None"
        ]
    );
}

#[test]
fn a_mistake_inside_of_a_function_names_its_caller() {
    let line = "def web(n):\n    return host(n)\n\nweb(\"a b\")\n";
    let Err(Diagnostics(all)) = load_source("line.star", line, std::path::Path::new(".")) else { panic!() };
    assert_eq!(all[0].related[0].location.text(), Some("web(\"a b\")"));
    assert_eq!((all[0].related[0].location.line, all[0].related[0].location.column), (4, 1));
}

#[test]
fn the_same_mistake_in_a_loop_is_told_once_and_many_mistakes_are_cut_short() {
    assert_eq!(told("[host(\"h%d\" % n, prt = 1) for n in range(1000)]").len(), 1);
    assert_eq!(told("[host(\"h %d\" % n, port = n - 1000) for n in range(1000)]").len(), 100);
}

#[test]
fn syntax_errors_point_at_the_place() {
    for (line, place) in
        [("x = 1\ny = (2\n", (2, 3)), ("host(\"a\"\n  port = 3)\n", (2, 2)), ("x = @\n", (1, 1))]
    {
        let Err(Diagnostics(all)) = load_source("line.star", line, std::path::Path::new(".")) else {
            panic!("{line}")
        };
        assert_eq!(all.len(), 1);
        let lines = place.0..=place.1;
        assert!(lines.contains(&all[0].location.line), "{:?}", all[0]);
        assert!(!all[0].message.contains("Parse error"), "{}", all[0].message);
    }
}

#[test]
fn a_diagnostic_is_drawn_with_its_place_and_without_control_characters() {
    let line = "# \u{1b}[2J\nhost(\"a\u{1b}]0;x\u{7}\")\nhots(\"b\")\n";
    let error = load_source("line.star", line, std::path::Path::new(".")).unwrap_err();
    let drawn = error.render(false, 80);
    assert!(drawn.chars().all(|c| c == '\n' || !c.is_control()), "{drawn:?}");
    assert!(drawn.contains("line.star:2:6") && drawn.contains("did you mean `host`?"), "{drawn}");
    assert!(error.render(true, 80).contains("\u{1b}["));
    let long = format!("x = \"{}\"; host(3)\n", "y".repeat(100_000));
    let error = load_source("line.star", &long, std::path::Path::new(".")).unwrap_err();
    assert!(error.render(false, 80).len() < 2_000, "a line of 100 kB is not drawn");
}

#[test]
fn diagnostics_are_data_for_other_programs() {
    let error = load_source("line.star", "\nhost(\"a\", prot = 1)\n", std::path::Path::new(".")).unwrap_err();
    assert_eq!(
        serde_json::to_value(&error).unwrap(),
        serde_json::json!([{
            "severity": "error", "message": "`host` has no parameter `prot`", "file": "line.star",
            "line": 2, "column": 11, "start": 11, "end": 15, "suggestion": "port",
        }])
    );
}

#[test]
fn of_two_names_that_are_equally_near_always_the_same_is_named() {
    let first = told("eift()");
    assert!((1..20).all(|_| told("eift()") == first), "{first:?}");
}
