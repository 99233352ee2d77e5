//! Pages with nothing in them, and with one deployment.

use crate::look;
use crate::project::Project;
use crate::site::Site;

#[test]
fn with_nothing_in_them_pages_say_what_to_do() {
    let site = Site::of(Project::local(3));
    site.go("/");
    site.until_says("No deployment yet");
    let (report, _) = site.look_everywhere("empty", &[look::ALL[0], look::ALL[3]]);
    report.is_empty();
}

#[test]
fn with_one_deployment_pages_are_whole() {
    let project = Project::local(3);
    project.well(&["deploy", "www"]);
    let site = Site::of(project);
    site.go("/");
    let (report, _) = site.look_everywhere("one", &look::ALL);
    report.is_empty();
}
