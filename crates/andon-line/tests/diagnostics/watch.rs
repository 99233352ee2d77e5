//! What people are told about lines that watch what cannot be watched.

use super::{service_with, told};

/// A service behind a balancer that watches this.
fn watched(watch: &str) -> String {
    format!("{}\n", service_with(&format!("balancer = haproxy(group(\"lb\", [\"lb1\"])), watch = {watch}")))
}

#[test]
fn each_mistake_in_what_is_watched_is_told_at_its_exact_place() {
    let table: &[(&str, &[&str])] = &[
        ("errors(harm = 1.1)", &["1.1 => harm begins above the margin, but 1.1 is not more than 1.1"]),
        ("latency(margin = 2)", &["2 => harm begins above the margin, but 1.5 is not more than 2"]),
        ("errors(harm = 0.5)", &["0.5 => expected a number from 1 to 1000, got 0.5"]),
        ("errors(harm = \"2\")", &["\"2\" => expected a number from 1 to 1000, got \"2\""]),
        ("errors(harm = True)", &["True => expected a number from 1 to 1000, got True"]),
        ("errors(harm = float(\"nan\"))", &["float(\"nan\") => expected a number from 1 to 1000, got NaN"]),
        ("errors(weight = 0)", &["0 => expected a number from 0.001 to 1000, got 0"]),
        ("errors(critcal = True)", &["critcal => `errors` has no parameter `critcal` -> critical"]),
        ("latency(quantile = 100)", &["100 => expected a number from 1 to 99, got 100"]),
        ("latency(quantile = [])", &["[] => there is at least one quantile"]),
        ("latency(quantile = [90, 90])", &["90 => the quantile 90 is listed twice"]),
        ("prometheus(\"a\")", &["prometheus => `prometheus` needs `query`"]),
        ("prometheus(\"a\", query = \" \")", &["\" \" => this query is empty"]),
        (
            "prometheus(\"a\", query = \"sum(rate (x[1m]))\", worse = \"less\")",
            &[
                "\"sum(rate (x[1m]))\" => a count only grows, which what `rate()` gives does not",
                "\"less\" => expected \"higher\" or \"lower\" or \"either\", got \"less\"",
            ],
        ),
        (
            "prometheus(\"a\", query = \"x{{member}}\")",
            &["\"x{{member}}\" => a query knows no {member} -> {members}"],
        ),
        (
            "prometheus(\"a\", query = \"x\", url = \"prom:9090\")",
            &[
                "\"prom:9090\" => a URL starts with `http://` or `https://`, got \"prom:9090\" -> http://prom:9090",
            ],
        ),
        (
            "prometheus(\"a\", query = \"x\", url = \"http://me:secret@prom\")",
            &["\"http://me:secret@prom\" => a URL in a line holds no user and no password"],
        ),
        (
            "prometheus(\"a\", query = \"x\", url = \"http://\", label = \"a b\", value = \"web\")",
            &[
                "\"http://\" => \"http://\" is not where a Prometheus server answers",
                "\"a b\" => \"a b\" cannot be a label of Prometheus",
                "\"web\" => hosts cannot be told apart by this value",
            ],
        ),
        (
            "prometheus(\"a\", query = \"x\", value = \"{host}.{domain}\")",
            &["\"{host}.{domain}\" => a value knows no placeholder but {host}, got \"{host}.{domain}\""],
        ),
        ("prometheus(\"a\", query = \"x\", token_file = \"\")", &["\"\" => this is not the name of a file"]),
        ("pushed(\"a\", of = \"b\", kind = \"level\")", &["\"b\" => a level is not a part of anything"]),
        (
            "pushed(\"a b\")",
            &["\"a b\" => a name consists of letters, digits, `-`, `_` and `.`; ' ' is none of them"],
        ),
        ("pushed(\"a\", every = \"0s\")", &["\"0s\" => this duration must be longer than zero"]),
        ("counted(\"a\", \"\")", &["\"\" => this command is empty"]),
        ("counted(\"a\", \"x\", timeout = \"0s\")", &["\"0s\" => this duration must be longer than zero"]),
        (
            "counted(\"a\", \"x\", timeout = \"2m\")",
            &["\"2m\" => expected a duration like \"30s\", at most 1 min, got \"2m\""],
        ),
        ("judge(tick = \"500ms\")", &["\"500ms\" => a tick is from 1 s to 1 min, got 500 ms"]),
        (
            "judge(window = \"1m\")",
            &["\"1m\" => a stage takes at least 2 min and at most 1 min: it could never pass"],
        ),
        (
            "judge(no_data = \"rolback\", false_alarm_in = 1)",
            &[
                "\"rolback\" => expected \"proceed\" or \"hold\" or \"rollback\", got \"rolback\" -> rollback",
                "1 => expected a number from 20 to 1000000, got 1",
            ],
        ),
    ];
    for (line, expected) in table {
        assert_eq!(told(line), *expected, "{line}");
    }
}

#[test]
fn numbers_that_do_not_fit_together_are_told_with_the_service() {
    assert_eq!(told(&watched("[errors(), latency(), vitals(), pushed(\"a\")]")), [] as [&str; 0]);
    assert_eq!(told(&watched("[]")), [] as [&str; 0]);
    assert_eq!(
        told(&watched("[errors(), errors(), vitals(), vitals(), pushed(\"slow-p90\"), latency()]")),
        [
            "errors => two numbers are called errors",
            "vitals => `vitals()` is listed twice",
            "latency => two numbers are called slow-p90",
        ]
        .map(|one| one
            .replace("errors =>", "errors() =>")
            .replace("vitals =>", "vitals() =>")
            .replace("latency =>", "latency() =>"))
    );
    assert_eq!(
        told(&watched("[tcp(port = 1)]")),
        [
            "tcp(port = 1) => expected something to watch, `errors()`, `latency()`, `vitals()`, `prometheus(...)`, \
          `pushed(...)` or `counted(...)`, got the result of `tcp(...)`"
        ]
    );
    assert_eq!(
        told(&service_with("watch = [errors(), pushed(\"a\"), latency(quantile = 50)]")),
        [
            "errors() => balancers count this, and the service has none",
            "latency(quantile = 50) => balancers count this, and the service has none",
        ]
    );
    assert_eq!(
        told(&service_with("balancer = agent_check(), watch = [vitals(), errors()]")),
        ["errors() => balancers count this, and none of the service's does"]
    );
    assert_eq!(
        told(&service_with("watch = [], judge = judge()")),
        ["judge() => there is nothing to judge by, because nothing is watched"]
    );
    let many = watched("[pushed(\"a%d\" % n) for n in range(65)]");
    assert_eq!(
        told(&many),
        ["[pushed(\"a%d\" % n) for n in range(65)] => 65 numbers are watched, at most 64 can be"]
    );
}
