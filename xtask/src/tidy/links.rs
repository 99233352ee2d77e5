//! Links between the project's own pages: each has to lead to a file that is part of the project.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

/// A sentence for every relative link in `text` that leads nowhere; `all` holds every file and directory.
pub(super) fn complaints(file: &Path, text: &str, all: &HashSet<PathBuf>) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut in_code = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for target in targets(line) {
            if !leads_somewhere(file, target, all) {
                complaints.push(format!("{}:{number}: the link to `{target}` leads nowhere", file.display()));
            }
        }
    }
    complaints
}

/// The targets of the links `[text](target)` in one line, without the ones in `code`.
fn targets(line: &str) -> Vec<&str> {
    let prose = line.split('`').step_by(2);
    // A link whose text is code is cut in two there; its target still follows a `](`.
    prose
        .flat_map(|part| part.split("](").skip(1))
        .filter_map(|rest| rest.split_once(')'))
        .map(|(t, _)| t)
        .collect()
}

fn leads_somewhere(file: &Path, target: &str, all: &HashSet<PathBuf>) -> bool {
    let path = target.split(['#', ' ']).next().unwrap_or_default();
    if path.is_empty() || path.contains("://") || path.starts_with("mailto:") {
        return true;
    }
    let directory = file.parent().unwrap_or(Path::new(""));
    normal(&directory.join(path)).is_some_and(|path| all.contains(&path))
}

/// `path` without `.` and `..`; `None` when it leaves the project.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if normal.pop() => {}
            Component::Normal(name) => normal.push(name),
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(normal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_links_that_lead_nowhere_are_found() {
        let all: HashSet<PathBuf> =
            ["", "docs", "docs/guide", "docs/guide/a.md", "README.md"].map(PathBuf::from).into();
        let text = "[up](../../README.md) [here](#part) [part](a.md#part) [web](https://example.org/x)\n\
            [gone](b.md) and `[code](c.md)` and [`code`](d.md)\n\
            ```\n[code](e.md)\n```\n\
            [outside](../../../secret) [guide](../guide)\n";
        let found = complaints(Path::new("docs/guide/a.md"), text, &all);
        assert_eq!(
            found,
            [
                "docs/guide/a.md:2: the link to `b.md` leads nowhere",
                "docs/guide/a.md:2: the link to `d.md` leads nowhere",
                "docs/guide/a.md:6: the link to `../../../secret` leads nowhere",
            ]
        );
    }
}
