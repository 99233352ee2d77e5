//! Lines that are wrong, endless or huge: said soon, and before anything is touched.

use crate::project::Project;

#[test]
fn every_mistake_of_a_line_is_shown_at_once_where_it_stands() {
    let project = Project::new();
    project.write(
        "line.star",
        "service(\"www\", hots = [\"web1\"], release = directory(\"dist\"),\n  run = process(exec = \"x\", stop_timeout = \"fast\"))\n",
    );
    let said = project.run(&["check"]).code(2).says("hots").says("hosts").says("fast");
    said.says("line.star:1").says("line.star:2");
    project.run(&["deploy", "www"]).code(2).says("mistake").says("andon check");
    project.write("line.star", "service(\"www\"\n");
    project.run(&["check"]).code(2).says("line.star:");
    assert!(!project.data().exists(), "a line with mistakes made a ledger");
}

#[test]
fn a_line_that_loops_for_ever_is_ended() {
    let project = Project::new();
    project.write(
        "line.star",
        "def spin():\n  for i in range(1000000000):\n    for j in range(1000000000):\n      pass\nspin()\n",
    );
    project.run(&["check"]).code(2).says("line.star");
    project.run(&["deploy", "www"]).code(2);
}

#[test]
fn a_line_of_a_hundred_megabytes_is_refused_unread() {
    let project = Project::new();
    let file = std::fs::File::create(project.path().join("line.star")).unwrap();
    file.set_len(100 << 20).unwrap();
    project.run(&["check"]).code(2).says("line.star").says("MiB");
}

#[test]
fn a_line_that_is_no_text_or_nests_without_end_is_refused() {
    let project = Project::new();
    std::fs::write(project.path().join("line.star"), b"service(\xff\xfe)\n").unwrap();
    project.run(&["check"]).code(2).says("line.star");
    project.write("line.star", &"(".repeat(200_000));
    project.run(&["check"]).code(2).says("line.star");
    project.write("line.star", "def f(n):\n  return f(n + 1)\nf(0)\n");
    project.run(&["check"]).code(2).says("line.star");
    std::fs::remove_file(project.path().join("line.star")).unwrap();
    std::fs::create_dir(project.path().join("line.star")).unwrap();
    project.run(&["check", "--line", "line.star"]).code(2).says("line.star");
}
