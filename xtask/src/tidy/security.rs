//! The statements of `SECURITY.md`: each names a test that holds it, and every test that is named exists.

use std::path::Path;

/// The page that is checked.
pub(super) const PAGE: &str = "SECURITY.md";

/// The last column of a table of statements.
const COLUMN: &str = "held by";

/// A sentence for every statement without a test and every test that is not there. `read` gives the text of a file.
pub(super) fn complaints(text: &str, read: impl Fn(&Path) -> Option<String>) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut statements = false;
    for (number, line) in (1..).zip(text.lines()) {
        let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        let row = line.starts_with('|');
        let rule = cells.iter().all(|cell| cell.chars().all(|c| c == '-' || c == ':'));
        if !row || cells.last() == Some(&COLUMN) {
            statements = row;
            continue;
        }
        let named: Vec<(&str, &str)> = cells.last().into_iter().flat_map(|cell| tests(cell)).collect();
        if statements && !rule && named.is_empty() {
            complaints.push(format!("{PAGE}:{number}: this statement names no test that holds it"));
        }
        for (file, name) in named {
            match read(Path::new(file)) {
                None => complaints.push(format!("{PAGE}:{number}: there is no {file}")),
                Some(source) if !is_test(&source, name) => {
                    complaints.push(format!("{PAGE}:{number}: {file} has no test `{name}`"));
                }
                Some(_) => {}
            }
        }
    }
    complaints
}

/// The tests in a cell, each written `` `path/of/file.rs` name ``.
fn tests(cell: &str) -> impl Iterator<Item = (&str, &str)> {
    cell.split("; ").filter_map(|one| {
        let (file, name) = one.trim().strip_prefix('`')?.split_once("` ")?;
        (file.ends_with(".rs") || name.contains('_')).then_some((file, name.trim_end_matches(['.', ' '])))
    })
}

/// Whether `source` has a function `name` that is run as a test.
fn is_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let declared = format!("fn {name}(");
    lines.iter().enumerate().any(|(at, line)| {
        let begins = line.strip_prefix("async ").unwrap_or(line).starts_with(&declared);
        let attributes =
            lines[..at].iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("///"));
        begins
            && attributes
                .into_iter()
                .any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_without_a_test_and_a_test_that_is_gone_are_found() {
        let source = "#[test]\nfn there() {}\n\n/// Says so.\n#[tokio::test(flavor = \"multi_thread\")]\nasync fn too() {}\nfn helper() {}\n";
        let read = |path: &Path| (path == Path::new("a.rs")).then(|| source.to_owned());
        let page = "| statement | held by |\n|---|---|\n| fine | `a.rs` there; `a.rs` too |\n| bare | nothing yet |\n\
                    | gone | `a.rs` helper |\n| lost | `b.rs` there |\n\n| word | meaning |\n|---|---|\n| x | y |\n";
        assert_eq!(
            complaints(page, read),
            [
                "SECURITY.md:4: this statement names no test that holds it",
                "SECURITY.md:5: a.rs has no test `helper`",
                "SECURITY.md:6: there is no b.rs",
            ]
        );
    }
}
