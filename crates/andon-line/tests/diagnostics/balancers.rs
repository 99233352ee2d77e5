//! What people are told about balancers, second sets of instances and sites that cannot be.

use super::{service_with, told};

/// A service behind balancers, with hosts and further arguments around it.
fn balanced(prelude: &str, arguments: &str) -> Vec<String> {
    told(&format!("lb = host(\"lb1\")\n{prelude}\n{}", service_with(arguments)))
}

const TWO_PORTS: &str = "run = process(exec = \"x {port}\", ports = [8080, 8081])";

#[test]
fn each_mistake_of_a_balancer_is_told_at_its_exact_place() {
    let table: &[(&str, &[&str])] = &[
        ("haproxy()", &["haproxy => `haproxy` needs `hosts`"]),
        ("haproxy([])", &["[] => this balancer has no hosts"]),
        ("haproxy([\"lb9\"])", &["\"lb9\" => there is no host lb9 -> lb1"]),
        ("haproxy(lb, bakend = \"x\")", &["bakend => `haproxy` has no parameter `bakend` -> backend"]),
        (
            "haproxy(lb, backend = \"a b\")",
            &["\"a b\" => a name consists of letters, digits, `-`, `_` and `.`; ' ' is none of them"],
        ),
        (
            "haproxy(lb, socket = \"run/haproxy.sock\")",
            &[
                "\"run/haproxy.sock\" => the socket of HAProxy is an absolute path, got \"run/haproxy.sock\" -> /run/haproxy.sock",
            ],
        ),
        (
            "haproxy(lb, socket = \"/run/../x\")",
            &["\"/run/../x\" => \"/run/../x\" cannot be the socket of HAProxy"],
        ),
        (
            "haproxy(lb, socket = \"/\" + \"x\" * 107)",
            &["\"/\" + \"x\" * 107 => the path of a socket has at most 107 characters, this one has 108"],
        ),
        (
            "haproxy(lb, socket = \"/run/x\", api = \"127.0.0.1:9999\")",
            &["\"127.0.0.1:9999\" => give either `socket` or `api`, not both"],
        ),
        (
            "haproxy(lb, api = \"127.0.0.1\")",
            &["\"127.0.0.1\" => \"127.0.0.1\" is not an address with a port"],
        ),
        ("haproxy(lb, api = \"::1:9999\")", &["\"::1:9999\" => \"::1:9999\" is not an address with a port"]),
        ("haproxy(lb, api = \"lb1:0\")", &["\"lb1:0\" => \"lb1:0\" is not an address with a port"]),
        (
            "haproxy(lb, server = \"{hots}\")",
            &[
                "\"{hots}\" => a balancer knows no {hots}: the name of a server may hold {host}, {port} and {instance} -> {host}",
            ],
        ),
        (
            "agent_check(server = \"{release}\")",
            &[
                "\"{release}\" => a balancer knows no {release}: the name of a server may hold {host}, {port} and {instance}",
            ],
        ),
        (
            "proxy(lb, server = \"{\")",
            &["\"{\" => a brace without its partner; a literal brace is written twice: {{ or }}"],
        ),
        ("agent_check(lb)", &["lb => `agent_check` takes no more arguments without a name"]),
        ("agent_check(port = 0)", &["0 => expected a number from 1 to 65535, got 0"]),
        (
            "nginx(lb, include = \"andon.conf\", program = \"\")",
            &[
                "\"andon.conf\" => the file that nginx includes is an absolute path, got \"andon.conf\" -> /andon.conf",
                "\"\" => this command is empty",
            ],
        ),
        (
            "nginx(lb, include = \"/etc/nginx/\")",
            &["\"/etc/nginx/\" => \"/etc/nginx/\" cannot be the file that nginx includes"],
        ),
        (
            "nginx(lb, access_log = \"access.log\")",
            &["\"access.log\" => the access log is an absolute path, got \"access.log\" -> /access.log"],
        ),
        ("nginx(lb, access_log = 1)", &["1 => expected a text or None, got 1"]),
        (
            "nginx(lb, access_log = None, log_format = \"$upstream_addr\")",
            &["\"$upstream_addr\" => this is the format of a log, and `access_log` is None"],
        ),
        (
            "nginx(lb, log_format = \"$status\")",
            &["\"$status\" => a log of this format does not say which instance answered"],
        ),
        (
            "proxy(lb, control = \"proxy.sock\")",
            &["\"proxy.sock\" => the control socket is an absolute path, got \"proxy.sock\" -> /proxy.sock"],
        ),
    ];
    for (line, expected) in table {
        assert_eq!(told(&format!("lb = host(\"lb1\")\n{line}")), *expected, "\n{line}");
    }
}

#[test]
fn a_balancer_that_does_not_fit_its_service_is_told_there() {
    let ports = TWO_PORTS;
    let table: &[(&str, &[&str])] = &[
        (
            "balancer = \"haproxy\"",
            &[
                "\"haproxy\" => expected a balancer, `haproxy(...)`, `agent_check(...)`, `nginx(...)` or `proxy(...)`, a list \
                 (each element a balancer, `haproxy(...)`, `agent_check(...)`, `nginx(...)` or `proxy(...)`) or a dictionary \
                 (each value a balancer, `haproxy(...)`, `agent_check(...)`, `nginx(...)` or `proxy(...)` or a list (each \
                 element a balancer, `haproxy(...)`, `agent_check(...)`, `nginx(...)` or `proxy(...)`)), got \"haproxy\"",
            ],
        ),
        (
            "balancer = {\"prodution\": haproxy(lb)}",
            &["\"prodution\" => the service has no environment \"prodution\" -> production"],
        ),
        (
            "run = systemd(unit = \"a.service\"), balancer = haproxy(lb)",
            &["haproxy(lb) => there is nothing to balance, because the service has no ports"],
        ),
        (
            "balancer = haproxy(lb, server = \"{host}:{port}\")",
            &[
                "\"{host}:{port}\" => \"web1:8080\" cannot be the name of a server: a name consists of letters, digits, `-`, \
                 `_` and `.`; ':' is none of them",
            ],
        ),
        (
            "hosts = [host(\"web1\"), host(\"web2\")], balancer = haproxy(lb, server = \"www\")",
            &["\"www\" => www would be the name of two servers: port 8080 of web1 and port 8080 of web2"],
        ),
        (
            &format!("{ports}, balancer = [haproxy(lb), nginx(lb, server = \"{{host}}\")]"),
            &["\"{host}\" => web1 would be the name of two servers: port 8080 of web1 and port 8081 of web1"],
        ),
        (
            "balancer = [haproxy(lb), haproxy(lb, server = \"x\")]",
            &["haproxy => the pool haproxy www on lb1 is listed twice"],
        ),
        (
            "balancer = agent_check(port = 8080)",
            &[
                "8080 => the port 8080 on host web1 is that of an instance of www, and cannot answer agent-checks",
            ],
        ),
        (
            "hosts = [host(\"web1\", address = \"ana@web1\")], balancer = haproxy(lb)",
            &[
                "\"web1\" => balancers cannot be told to reach the host web1 at \"ana@web1\", which is neither a name nor an address",
            ],
        ),
        (
            "hosts = {\"staging\": host(\"a\"), \"production\": host(\"b\")}, balancer = [nginx(lb), proxy(lb), agent_check()]",
            &[
                "nginx => the upstream www would have two lists of servers, those of production and staging",
                "proxy => warning: production and staging share the pool www, so users of one reach the other",
            ],
        ),
    ];
    for (arguments, expected) in table {
        assert_eq!(balanced("", arguments), *expected, "\n{arguments}");
    }
    for right in [
        "hosts = [host(\"web1\", address = \"ana@web1\", serves_at = \"10.0.0.1\")], balancer = haproxy(lb)",
        "hosts = [host(\"web1\", address = \"ana@web1\")], balancer = agent_check()",
        "hosts = {\"staging\": host(\"a\"), \"production\": [host(\"b\"), lb]}, balancer = {\"production\": [nginx(lb), proxy(lb)]}",
        &format!("{ports}, balancer = haproxy(lb)"),
    ] {
        assert_eq!(balanced("", right), Vec::<String>::new(), "\n{right}");
    }
}

#[test]
fn a_pool_and_a_port_for_agent_checks_belong_to_one_service() {
    let two = |a: &str, b: &str| {
        told(&format!(
            "lb = host(\"lb1\")\nalias = host(\"lb1-too\", address = \"lb1\")\nweb = host(\"web1\")\n\
             service(\"a\", hosts = web, release = directory(\"a\"), run = process(exec = \"a {{port}}\", ports = [80]), balancer = {a})\n\
             service(\"b\", hosts = web, release = directory(\"b\"), run = process(exec = \"b {{port}}\", ports = [81]), balancer = {b})"
        ))
    };
    assert_eq!(two("haproxy(lb)", "haproxy(lb)"), Vec::<String>::new());
    assert_eq!(two("haproxy(lb)", "proxy(lb, pool = \"a\")"), Vec::<String>::new());
    assert_eq!(
        two("haproxy(lb)", "haproxy(alias, backend = \"a\")"),
        ["haproxy => the pool haproxy a on lb1-too belongs to two services, a and b"]
    );
    assert_eq!(
        two("nginx(lb)", "nginx(lb, upstream = \"x\", include = \"/etc/nginx/andon//a.conf\")"),
        ["nginx => the pool nginx x on lb1 belongs to two services, a and b"]
    );
    assert_eq!(
        two("agent_check()", "agent_check()"),
        ["agent_check => the port 9101 on host web1 is used by two services, a and b"]
    );
    assert_eq!(
        two("agent_check(port = 81)", "agent_check()"),
        ["[81] => the port 81 on host web1 is used by two services, a and b"]
    );
}

#[test]
fn each_mistake_of_a_second_set_is_told_at_its_exact_place() {
    let table: &[(&str, &[&str])] = &[
        ("green = []", &["[] => the green set is empty"]),
        ("green = [9080, \"web1\"]", &["\"web1\" => the green set is either ports or hosts, not both"]),
        ("green = [9080, 9080]", &["9080 => the port 9080 is listed twice"]),
        ("green = [0]", &["0 => expected a number from 1 to 65535, got 0"]),
        ("green = [\"web9\"]", &["\"web9\" => there is no host web9 -> web1"]),
        ("green = [9080], steps = []", &["[] => there is at least one step"]),
        ("green = [9080], steps = [\"10%\", 50]", &["50 => expected a percentage like \"25%\", got 50"]),
        ("green = [9080], steps = [\"0%\", \"100%\"]", &["\"0%\" => this must be more than 0%"]),
        ("green = [9080], steps = [\"10%\", \"50%\"]", &["\"50%\" => the last step is 100%, not 50%"]),
        (
            "green = [9080], steps = [\"50%\", \"50%\", \"100%\"]",
            &["\"50%\" => 50% is not more than the 50% before it"],
        ),
        (
            "green = [9080], step_time = \"soon\"",
            &["\"soon\" => expected a duration like \"30s\", \"5m\" or \"1h30m\", got \"soon\""],
        ),
        // Beside the rest of the service.
        ("green = [9080, 9081]", &["[9080, 9081] => the green set has 2 ports, and the service has 1"]),
        ("green = [8080]", &["[8080] => the port 8080 belongs to the blue set already"]),
        ("green = lb", &["lb => the green host lb1 is in no environment of the service"]),
        (
            "green = [\"web1\"]",
            &["[\"web1\"] => all hosts of production are green, which leaves none to be blue"],
        ),
    ];
    for (arguments, expected) in table {
        let web = "web = group(\"web\", [\"web1\"])";
        let told = balanced(
            web,
            &format!("hosts = web, balancer = haproxy(lb), blue_green = blue_green({arguments})"),
        );
        assert_eq!(told, *expected, "\n{arguments}");
    }
    let green = "blue_green = blue_green(green = [9080])";
    for none in ["", "balancer = [], ", "balancer = {}, "] {
        assert_eq!(
            balanced("", &format!("{none}{green}")),
            ["blue_green(green = [9080]) => there is no balancer that could move traffic to the green set"],
        );
    }
    assert_eq!(
        balanced(
            "",
            &format!("run = systemd(unit = \"a.service\", ports = [80]), balancer = haproxy(lb), {green}")
        ),
        ["[9080] => a unit that exists already has no second instance on other ports"]
    );
    assert_eq!(
        balanced("", &format!("run = process(exec = \"x\", ports = [80]), balancer = haproxy(lb), {green}")),
        [
            "\"x\" => warning: the green instance runs the same command as the blue one, which does not name {port}"
        ]
    );
    assert_eq!(
        balanced("", &format!("balancer = haproxy(lb, server = \"www\"), {green}")),
        ["\"www\" => www would be the name of two servers: port 8080 of web1 and port 9080 of web1.green"]
    );
    for (prelude, expected) in [
        (
            "green = host(\"web1.green\")",
            "\"web1.green\" => web1.green is the name of the green instances on host web1",
        ),
        (
            "service(\"www-green\", hosts = lb, release = directory(\"o\"), run = process(exec = \"o\"))",
            "\"www-green\" => www-green is the name of the green instances of service www",
        ),
        (
            "service(\"other\", hosts = group(\"g\", [\"web2\"]), release = directory(\"o\"), run = process(exec = \"o\"), root = \"/srv/www-green\")",
            "service => services other and www have the same root /srv/www-green on host web2",
        ),
    ] {
        let hosts = "hosts = [host(\"web1\"), host(\"web3\")]";
        let hosts = if prelude.contains("web2") { "hosts = [\"web2\"]" } else { hosts };
        assert_eq!(
            balanced(prelude, &format!("{hosts}, balancer = haproxy(lb), {green}")),
            [expected],
            "{prelude}"
        );
    }
    let other = "service(\"other\", hosts = [lb, host(\"web1\")], release = directory(\"o\"), run = process(exec = \"o {port}\", ports = [9080]))";
    assert_eq!(
        balanced(other, &format!("hosts = [\"web1\"], balancer = haproxy(lb), {green}")),
        ["[9080] => the port 9080 on host web1 is used by two services, other and www"]
    );
}

#[test]
fn each_mistake_of_a_site_is_told_at_its_exact_place() {
    let table: &[(&str, &[&str])] = &[
        ("site(\"a\")\nsite(\"a\")", &["\"a\" => the site a is described twice"]),
        ("site(\"a\", out = \"x\")", &["\"x\" => nothing would bring users back to this site"]),
        (
            "site(\"a\", back = [\"x\"])",
            &["[\"x\"] => nothing keeps users away from this site, so there is nothing to bring back"],
        ),
        (
            "site(\"a\", out = \"'x\", back = [])",
            &["\"'x\" => a quotation mark in this command is never closed", "[] => this command is empty"],
        ),
        ("host(\"h\", site = \"ams\")", &["\"ams\" => expected a site, `site(...)`, got \"ams\""]),
        (
            "host(\"h\", serves_at = \"10.0.0.1:80\")",
            &["\"10.0.0.1:80\" => \"10.0.0.1:80\" is neither a name nor an address"],
        ),
        (
            "h = host(\"h\", site = site(\"a\"))\ngroup(\"g\", [h, \"i\"], site = site(\"b\"))",
            &["h => the host h stands in the site a already"],
        ),
        (
            "rollout(drain_timeout = \"61m\")",
            &["\"61m\" => expected a duration like \"30s\", at most 1 h, got \"61m\""],
        ),
        (
            "rollout(slow_start = \"2h\")",
            &["\"2h\" => expected a duration like \"30s\", at most 1 h, got \"2h\""],
        ),
        ("rollout(drain_timeout = \"0s\", slow_start = \"1h\")", &[]),
    ];
    for (line, expected) in table {
        assert_eq!(told(line), *expected, "\n{line}");
    }
}

#[test]
fn a_line_that_cannot_be_released_by_site_is_told_so() {
    let by_site = "rollout = rollout(by_site = True)";
    let sites = "ams = site(\"ams\")\nfra = site(\"fra\")\na = group(\"a\", [\"a1\", \"a2\"], site = ams)\nf = group(\"f\", [\"f1\"], site = fra)";
    let table: &[(&str, &[&str])] = &[
        ("[a, f]", &[]),
        ("{\"staging\": host(\"s\"), \"production\": [a, f]}", &[]),
        ("host(\"s\")", &["True => no host of www stands in a site"]),
        ("a", &["True => all hosts of production stand in one site, ams"]),
        (
            "[a, f, host(\"s\")]",
            &["True => the host s stands in no site, and production is released by site"],
        ),
        (
            "[a, host(\"s\"), host(\"t\"), lb]",
            &["True => the host s and 2 more stand in no site, and production is released by site"],
        ),
    ];
    for (hosts, expected) in table {
        let told = balanced(
            sites,
            &format!("hosts = {hosts}, balancer = {{\"production\": haproxy(lb)}}, {by_site}"),
        );
        assert_eq!(told, *expected, "\n{hosts}");
    }
    assert_eq!(
        balanced(
            sites,
            &format!("hosts = [a, f], balancer = proxy(lb), {by_site}, blue_green = blue_green(green = f)")
        ),
        ["True => `by_site` cannot be combined with `blue_green`"]
    );
}

#[test]
fn mistakes_of_balancers_are_told_together_with_all_others() {
    let line = "web = group(\"web\", [\"web1\"])\n\
        service(\"www\", hosts = web, release = archive(\"x.zip\"), run = process(exec = \"x {port}\", ports = [80, 81]),\n\
        balancer = [haproxy(web, socket = \"x\"), proxy(web, server = \"{host}\")],\n\
        blue_green = blue_green(green = [90], steps = [\"5%\"]), rollout = rollout(drain_timeout = \"2h\"))\n\
        service(\"api\", hosts = web, release = directory(\"x\"), run = process(exec = \"x {port}\", ports = [1, 2]),\n\
        balancer = proxy(web, server = \"{host}\"))";
    let told = told(line);
    let places: Vec<&str> = told.iter().filter_map(|one| one.split(" => ").next()).collect();
    assert_eq!(places, ["\"x.zip\"", "\"x\"", "\"5%\"", "\"2h\"", "\"{host}\""]);
}
