//! The line of a server changes while it runs.

use std::fs;

use rustix::process::Signal;

use crate::site::Site;

#[test]
fn a_changed_line_counts_and_a_broken_one_does_not() {
    let mut site = Site::start(1);
    let person = site.person();
    let path = site.project.path().join("line.star");
    let good = fs::read_to_string(&path).unwrap();
    assert_eq!(site.get("/health").1["line"], "ok");
    site.project.write("line.star", &format!("{good}\nservce()\n"));
    site.until_said("the one before it counts on");
    let (status, health) = site.get("/health");
    assert_eq!((status, health["line"].as_str()), (200, Some("outdated: its newest version has mistakes")));
    person.well(&["plan", "www"]);
    site.project.write("line.star", &good.replace("\"www\"", "\"shop\""));
    site.until_said("the line has changed; it counts from now on");
    person.run(&["plan", "www"]).code(2).says("there is no service \"www\" in the line").says("shop");
    site.signal(Signal::HUP);
    site.until_said("the line was read again and says the same");
}
