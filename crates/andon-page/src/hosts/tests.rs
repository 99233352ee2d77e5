//! What the page of hosts says of each.

use super::*;

fn row(name: &str) -> Row {
    Row {
        host: name.parse().unwrap(),
        groups: vec!["web".parse().unwrap()],
        services: Vec::new(),
        out: Vec::new(),
        silence: None,
        answered: Some(Time(0)),
    }
}

fn service(name: &str, standing: Standing, serving: Option<(usize, usize)>) -> Service {
    let scope = ScopeName { service: name.parse().unwrap(), environment: "production".parse().unwrap() };
    Service { scope, runs: Runs::Release("r-51bc07e2a944".parse().unwrap()), standing, serving }
}

fn text(rows: Vec<Row>) -> String {
    let total = rows.len();
    let groups = vec![(Some("web".parse().unwrap()), rows)];
    let hosts = Hosts { groups, total, fitting: total, query: "\"<q>".into(), unasked: None };
    render(&hosts, &Frame::new(Time(60_000))).into_string()
}

#[test]
fn what_is_well_is_counted_and_what_is_not_is_written_out() {
    let many = (0..9).map(|number| service(&format!("shop{number}"), Standing::Current, Some((2, 2))));
    let ill = service("www", Standing::Behind, Some((1, 2)));
    let out = Out {
        scope: ill.scope.clone(),
        deployment: DeploymentId(7),
        reason: "it <failed>".into(),
        since: Time(0),
    };
    let page = text(vec![
        Row { services: many.chain([ill.clone()]).collect(), ..row("web1") },
        Row { out: vec![out], services: vec![ill], ..row("web2") },
        Row { silence: Some((Time(0), "no route".into())), ..row("web3") },
        Row { services: vec![service("www", Standing::Current, Some((0, 1)))], ..row("web4") },
        Row { services: vec![service("www", Standing::Current, None)], ..row("web5") },
        Row { answered: None, ..row("web6") },
    ]);
    for words in [
        "9 services as they should be",
        "(behind) 1 of 2 healthy",
        "Out of traffic",
        "it &lt;failed&gt;",
        "Do not answer",
        "no route",
        " not healthy",
        " well",
        " not asked yet",
        "&quot;&lt;q&gt;",
    ] {
        assert!(page.contains(words), "{words} is missing in {page}");
    }
    assert!(!page.contains(" style="));
}

#[test]
fn a_host_is_found_by_each_of_its_words() {
    let host = Row {
        services: vec![service("www", Standing::Behind, None)],
        silence: Some((Time(0), "no".into())),
        ..row("web1.example.com")
    };
    for query in ["", "WEB1", "example web", "www production", "r-51bc", "behind", "unknown"] {
        assert!(host.fits(query), "{query}");
    }
    for query in ["web2", "out", "current", "web1 staging"] {
        assert!(!host.fits(query), "{query}");
    }
}
