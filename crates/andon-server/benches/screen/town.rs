//! Who and what there is: services, hosts, people, and the line that names them.

use std::fs;
use std::io;
use std::path::Path;

/// Services with hosts of their own. One more, [`EVERYWHERE`], is on all hosts.
pub(crate) const SERVICES: u64 = 49;
/// Hosts of each of them in production, and on staging.
pub(crate) const HOSTS: [(&str, usize); 2] = [("production", 18), ("staging", 2)];
/// The service on all hosts.
pub(crate) const EVERYWHERE: &str = "edge";
/// All hosts.
pub(crate) const ALL: usize = 1000;

const KINDS: [&str; 10] =
    ["basket", "checkout", "search", "mail", "stock", "login", "media", "prices", "reviews", "ads"];
const PEOPLE: [&str; 16] = [
    "ana", "ben", "chen", "dora", "emeka", "fatima", "goran", "hana", "ines", "jonas", "kofi", "lena",
    "mira", "noor", "olga", "pavel",
];
const SUBJECTS: [&str; 8] = [
    "retry on 409",
    "show prices with tax",
    "forget sessions after a day",
    "ask for fewer rows",
    "the button says what it does",
    "round half to even",
    "do not log addresses",
    "answer with 404 for what was never there",
];

/// The name of a service.
pub(crate) fn service(number: u64) -> String {
    let kind = KINDS[usize::try_from(number).unwrap_or(0) % KINDS.len()];
    match number / KINDS.len() as u64 {
        0 => kind.to_owned(),
        round => format!("{kind}-{round}"),
    }
}

/// A host of the service with this number; `place` counts those of all of its environments.
pub(crate) fn host(service: u64, place: usize) -> String {
    format!("s{service:02}-{place:02}.example.com")
}

/// Every host there is: those of the services, and twenty that only [`EVERYWHERE`] has.
pub(crate) fn all_hosts() -> Vec<String> {
    let each: usize = HOSTS.iter().map(|(_, count)| count).sum();
    (0..=SERVICES).flat_map(|service| (0..each).map(move |place| host(service, place))).take(ALL).collect()
}

/// Somebody, the same for the same number.
pub(crate) fn person(number: u64) -> &'static str {
    PEOPLE[usize::try_from(number.wrapping_mul(2_654_435_761) >> 7).unwrap_or(0) % PEOPLE.len()]
}

/// What somebody wrote about a commit.
pub(crate) fn subject(service: &str, number: u64) -> String {
    format!("{service}: {}", SUBJECTS[usize::try_from(number).unwrap_or(0) % SUBJECTS.len()])
}

/// Writes `line.star` with all of it, and a release that could be deployed.
pub(crate) fn write_line(at: &Path) -> io::Result<()> {
    let mut text = String::new();
    let list = |hosts: &[String]| -> String {
        let quoted: Vec<String> = hosts.iter().map(|host| format!("\"{host}\"")).collect();
        quoted.join(", ")
    };
    let tail = "release = directory(\"build\"), run = process(exec = \"{release}/www --port {port}\", ports = [8080]), \
                health = http(\"/healthz\"), tests = [http(\"/\")]";
    for number in 0..SERVICES {
        let mut place = 0;
        let mut environments = Vec::new();
        for (environment, count) in HOSTS {
            let hosts: Vec<String> = (place..place + count).map(|place| host(number, place)).collect();
            place += count;
            text +=
                &format!("{environment}_{number} = group(\"{environment}-{number}\", [{}])\n", list(&hosts));
            environments.push(format!("\"{environment}\": {environment}_{number}"));
        }
        let name = service(number);
        text += &format!("service(\"{name}\", hosts = {{{}}}, {tail})\n", environments.join(", "));
    }
    let each: usize = HOSTS.iter().map(|(_, count)| count).sum();
    let own: Vec<String> = (0..each).map(|place| host(SERVICES, place)).collect();
    text += &format!("own = group(\"own\", [{}])\n", list(&own));
    let groups = (0..SERVICES).flat_map(|it| HOSTS.map(|(environment, _)| format!("{environment}_{it}")));
    let all: Vec<String> = groups.chain(["own".to_owned()]).collect();
    text += &format!("everything = group(\"everything\", [{}])\n", all.join(", "));
    let tail = tail.replace("8080", "8081");
    text += &format!("service(\"{EVERYWHERE}\", hosts = {{\"production\": everything}}, {tail})\n");
    fs::create_dir_all(at.join("build"))?;
    fs::write(at.join("build/www"), "#!/bin/sh\n")?;
    fs::write(at.join("line.star"), text)
}
