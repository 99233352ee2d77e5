//! What must hold for whatever stands in nginx's configuration, in an include and in an access log.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use andon_core::balance::Pool;
use andon_core::line::BalancerKind;
use andon_core::name::{HostName, ServerName, ServiceName};

use super::dump::{Dump, built_option};
use super::include::{self, Include};
use super::log::{Format, Tally, add};

/// The most servers that one line of a log can name.
const MOST_ATTEMPTS: u64 = 64;

/// `data` is what `nginx -T` shows.
pub fn nginx_dump(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let dump = Dump::parse(&text);
    let _ = (dump.pid(), built_option(&text, "--pid-path"));
    let mut names = dump.formats_of(Path::new("/var/log/nginx/access.log"), Path::new("/etc/nginx"));
    names.extend(["main", "combined", "timed"]);
    for name in names {
        let Some((escape, format)) = dump.format(name) else { continue };
        assert!(format.len() <= text.len(), "a format is longer than the configuration");
        if let Some(format) = Format::new(&format, escape.unwrap_or("default")) {
            let _ = format.read(&text);
        }
    }
}

/// `data` is the file with an upstream's servers.
pub fn nginx_include(data: &[u8]) {
    let Some(pool) = pool() else { return };
    let text = String::from_utf8_lossy(data);
    let _ = (include::is_blank(&text), include::is_handed_over(&text));
    let Ok(include) = Include::parse(&text, &pool) else { return };
    let rendered = include.render("www");
    assert_eq!(Include::parse(&rendered, &pool).as_ref(), Ok(&include), "{rendered}");
    assert!(include.clone().in_hundredths().lines.iter().all(|line| (1..=100).contains(&line.weight)));
    let wanted = Include::wanted(Some(&include), &pool, &BTreeMap::new());
    let wanted = wanted.as_ref().map(|wanted| wanted.differences(Some(&include)).count());
    assert!(wanted.is_ok_and(|differences| differences <= pool.servers.len()));
}

/// `data` is a `log_format` and, behind a line break, the lines of a log. The first byte says how values are escaped.
pub fn access_log(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Some((format, lines)) = text.split_once('\n') else { return };
    let (escape, format) = match format.split_at_checked(1) {
        Some(("j", format)) => ("json", format),
        Some(("n", format)) => ("none", format),
        Some((_, format)) => ("default", format),
        None => return,
    };
    let Some(format) = Format::new(format, escape) else { return };
    let names = BTreeMap::from_iter(
        server("web1").zip("10.0.0.1:80".parse::<SocketAddr>().ok()).map(|(name, address)| (address, name)),
    );
    let (mut tally, mut read) = (Tally::new(), 0);
    for line in lines.lines() {
        if let Some(line) = format.read(line) {
            add(&line, &names, &mut tally);
            read += 1;
        }
    }
    for counters in tally.values() {
        assert!(counters.requests <= read * MOST_ATTEMPTS, "{} requests", counters.requests);
        assert!(counters.responses.iter().sum::<u64>() <= counters.requests);
        assert!(counters.retries <= counters.requests);
    }
}

fn server(name: &str) -> Option<ServerName> {
    ServerName::new(name).ok()
}

/// An upstream of two servers.
fn pool() -> Option<Pool> {
    let host = HostName::new("lb1").ok()?;
    let server = |name, port| {
        let address = "127.0.0.1".to_owned();
        Some(andon_core::balance::Server { name: server(name)?, host: host.clone(), address, port })
    };
    Some(Pool {
        service: ServiceName::new("www").ok()?,
        host: host.clone(),
        balancer: BalancerKind::Nginx {
            upstream: "www".to_owned(),
            include: "/nowhere".into(),
            program: Vec::new(),
            access_log: None,
            log_format: None,
        },
        servers: vec![server("web1", 8001)?, server("web2", 8002)?],
        root: "/nowhere".into(),
    })
}
