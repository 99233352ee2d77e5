//! What hosts print, what commits say and what people write is shown as it is, and does nothing.

use std::process::Command;

use crate::look;
use crate::project::Project;
use crate::site::Site;

const SCRIPT: &str = "<script>window.harmed = 'script'</script><img src=x onerror=\"window.harmed='image'\"><svg onload=alert(1)>";

/// What would run if a page took words for a part of itself.
fn hostile(what: &str) -> String {
    format!("{what}'\"><a href=\"javascript:window.harmed='link'\">{SCRIPT}")
}

fn commit(project: &Project, subject: &str, author: &str) {
    let git = |words: &[&str]| {
        let mut git = project.around(Command::new("git"));
        git.args(["-c", &format!("user.name={author}"), "-c", "user.email=mallory@example.com"]).args(words);
        let output = git.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    git(&["init", "--quiet"]);
    git(&["add", "line.star", "dist"]);
    git(&["commit", "--quiet", "--message", subject]);
}

#[test]
fn words_of_hosts_commits_and_people_are_words_on_every_page() {
    let project = Project::local(2);
    let prints = |what: &str| hostile(what).replace('\'', "'\\''");
    project.release("one", &format!("echo '{}'; exit 0", prints("printed")));
    commit(&project, &hostile("subject"), &hostile("author").replace(['<', '>'], "+"));
    project.well(&["deploy", "www", "--why", &hostile("why")]);
    project.release("two", &format!("echo '{}'; exit 1", prints("failed")));
    project.run(&["deploy", "www"]).code(1);
    project.well(&["line", "stop", &hostile("stop")]);
    let site = Site::of(project);
    site.go("/");
    site.until_says("stop'\"><a href=");
    site.go("/deployments/1");
    site.until_says("why'\"><a href=");
    site.go("/deployments/2/hosts/web1");
    site.until_says("failed'\"><a href=");
    site.go("/");
    // A policy that had to forbid something would be complained of.
    let (report, pages) = site.look_everywhere("hostile", &look::ALL[..1]);
    report.is_empty();
    assert!(pages.len() > 8, "{pages:?}");
    for page in pages.iter().filter(|page| !page.contains('*')) {
        site.go(page);
        assert_eq!(
            site.browser.eval("return window.harmed ?? null").unwrap(),
            serde_json::Value::Null,
            "{page}"
        );
    }
    let links = "return document.querySelectorAll('a[href^=javascript], img[onerror], svg[onload]').length";
    for page in ["/", "/deployments/1", "/deployments/2", "/deployments/2/hosts/web1", "/timeline"] {
        site.go(page);
        assert_eq!(site.browser.eval(links).unwrap(), 0, "{page}");
    }
}

#[test]
fn a_path_that_is_a_script_is_told_as_words() {
    let site = Site::of(Project::local(1));
    for path in [
        "/deployments/%3Cscript%3Ewindow.harmed=1%3C%2Fscript%3E",
        "/hosts/%3Cimg%20src=x%20onerror=alert(1)%3E",
        "/timeline?q=%22%3E%3Cscript%3Ewindow.harmed=1%3C/script%3E",
        "/%3Cscript%3Ewindow.harmed=1%3C/script%3E",
    ] {
        site.go(path);
        assert_eq!(
            site.browser.eval("return window.harmed ?? null").unwrap(),
            serde_json::Value::Null,
            "{path}"
        );
        let said = site.browser.complaints().unwrap().join("\n");
        assert!(!said.contains("Content Security Policy"), "{path}: {said}");
    }
}
