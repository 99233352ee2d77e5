//! Configurations that are whole, and each mistake at its place.

use super::*;

const SMALLEST: &str = r#"
[[listen]]
address = "127.0.0.1:8080"
pool = "www"
[pools.www]
servers = [{ name = "web1", address = "10.0.0.5:8080" }]
"#;

fn mistakes(text: &str) -> Vec<String> {
    match Config::parse(text) {
        Err(ConfigError::Sense(mistakes)) => mistakes,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_smallest_configuration_has_safe_bounds() {
    let config = Config::parse(SMALLEST).unwrap();
    assert_eq!((config.limits, config.timeouts), (Limits::default(), Timeouts::default()));
    let pool = &config.pools["www"];
    assert_eq!((pool.retries, pool.queue.requests, pool.servers[0].weight), (2, 1000, 100));
    assert!(pool.health_check.is_none() && pool.sticky.is_none());
}

#[test]
fn an_unknown_entry_is_told_with_its_line() {
    let error = Config::parse(&format!("wrokers = 2\n{SMALLEST}")).unwrap_err().to_string();
    assert!(error.contains("line 1") && error.contains("unknown field `wrokers`"), "{error}");
    let error = Config::parse(&SMALLEST.replace("8080\" }", "8080\", wieght = 1 }")).unwrap_err().to_string();
    assert!(error.contains("line 6") && error.contains("`wieght`"), "{error}");
    let timeouts = format!("timeouts = {{ head = \"10 parsecs\" }}\n{SMALLEST}");
    let error = Config::parse(&timeouts).unwrap_err().to_string();
    assert!(error.contains("expected a duration like \"30s\""), "{error}");
}

#[test]
fn all_mistakes_are_told_at_once_with_their_places() {
    let text = r#"
workers = 0
limits = { header_bytes = 1 }
timeouts = { idle = "0s" }
listen = [
    { address = "127.0.0.1:80", pool = "ww" },
    { address = "127.0.0.1:80", pool = "www" },
]
[pools.www]
servers = [
    { name = "web1", address = "10.0.0.5", weight = 0 },
    { name = "web1", address = "10.0.0.5:80" },
]
retries = 11
health_check = { path = "well", healthy_after = 0 }
ejection = { errors_percent = 101 }
sticky = { cookie = "a b" }
canary = { header = "x", cookie = "y", value = "z" }
"#;
    let found = mistakes(text);
    for (number, wanted) in [
        "`workers` must be",
        "`listen` number 1: there is no pool \"ww\"; did you mean \"www\"?",
        "`listen` number 2: another one has the address 127.0.0.1:80 already",
        "`limits.header_bytes` must be from 1024 to 262144, got 1",
        "`timeouts.idle` must be longer than nothing",
        "the address of web1 must be like \"10.0.0.5:8080\", got \"10.0.0.5\"",
        "the weight of web1 must be from 1 to 1000",
        "two are called web1",
        "`pools.www.health_check.path` must be like \"/healthz\", got \"well\"",
        "`healthy_after` and `unhealthy_after` begin at 1",
        "`pools.www.ejection.errors_percent` is at most 100",
        "`pools.www.retries` is at most 10",
        "`pools.www.sticky.cookie` is not the name of a cookie",
        "needs either a `header` or a `cookie`",
        "no server says `canary = true`",
    ]
    .iter()
    .enumerate()
    {
        assert!(found[number].contains(wanted), "{number}: {wanted}\n{}", found.join("\n"));
    }
    assert_eq!(found.len(), 15);
}

#[test]
fn a_network_holds_its_addresses_and_no_others() {
    let network = |text: &str| Network::try_from(text.to_owned());
    let holds = |net: &str, address: &str| network(net).unwrap().contains(address.parse().unwrap());
    assert!(holds("10.0.0.0/8", "10.200.0.1") && !holds("10.0.0.0/8", "11.0.0.1"));
    assert!(holds("0.0.0.0/0", "1.2.3.4") && !holds("0.0.0.0/0", "::1"));
    assert!(holds("fd00::/8", "fd12::1") && holds("10.0.0.1", "::ffff:10.0.0.1"));
    assert!(!holds("10.0.0.1", "10.0.0.2"));
    for wrong in ["10.0.0.0/33", "10.0.0.0/", "ten", "::/129"] {
        assert!(network(wrong).is_err(), "{wrong}");
    }
}

/// The entries that a table allows, from the words of the error about one that it does not.
fn entries(table: &str) -> Vec<String> {
    let text = match table {
        "" => format!("nonsense = 1\n{SMALLEST}"),
        "listen" => SMALLEST.replace("pool =", "nonsense = 1\npool ="),
        "listen.tls" => SMALLEST.replace("pool =", "tls = { nonsense = 1 }\npool ="),
        "pools" => format!("{SMALLEST}\nnonsense = 1"),
        "pools.servers" => SMALLEST.replace("{ name", "{ nonsense = 1, name"),
        "limits" | "timeouts" | "forwarded" => format!("{table} = {{ nonsense = 1 }}\n{SMALLEST}"),
        other => format!("{SMALLEST}\n{} = {{ nonsense = 1 }}", other.trim_start_matches("pools.")),
    };
    let error = Config::parse(&text).unwrap_err().to_string();
    let (_, expected) = error.split_once("expected ").unwrap_or_else(|| panic!("{table}: {error}"));
    expected.split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect()
}

#[test]
fn the_reference_describes_every_entry_and_its_example_is_valid() {
    let reference = include_str!("../../../../docs/reference/proxy.md");
    let mut described = 0;
    for table in [
        "",
        "listen",
        "listen.tls",
        "limits",
        "timeouts",
        "forwarded",
        "pools",
        "pools.servers",
        "pools.health_check",
        "pools.ejection",
        "pools.queue",
        "pools.sticky",
        "pools.canary",
    ] {
        let prefix = if table.is_empty() { String::new() } else { format!("{table}.") };
        for entry in entries(table) {
            assert!(
                reference.contains(&format!("| `{prefix}{entry}` |")),
                "{prefix}{entry} is not described"
            );
            described += 1;
        }
    }
    let rows = reference.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, described, "the reference describes what does not exist");
    for example in reference.split("```toml\n").skip(1) {
        let example = example.split("```").next().unwrap();
        Config::parse(example).unwrap();
    }
}
