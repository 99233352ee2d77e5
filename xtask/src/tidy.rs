//! The house rules that a program can check.

mod links;
mod security;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::workspace;

/// The most lines of a source file.
const MAX_LINES: usize = 500;

/// Module names that say nothing about what is inside, and the file layout that this project does not use.
const FORBIDDEN_MODULES: &[&str] = &["utils", "common", "helpers", "types", "manager", "mod"];

/// Words that promise something for later. A promise belongs into an issue.
const FORBIDDEN_WORDS: &[&str] = &["TODO", "FIXME", "XXX", "HACK"];

/// The file that has to spell the forbidden words.
const THIS_FILE: &str = "xtask/src/tidy.rs";

/// What counts as text written by people.
const TEXT: &[&str] = &["rs", "md", "toml", "star", "sql", "sh", "css", "js", "html"];

/// Checks all files of the project.
pub(crate) fn tidy() -> Result<(), Failure> {
    let files = workspace::files()?;
    let all: HashSet<PathBuf> = files.iter().flat_map(|file| file.ancestors().map(Path::to_owned)).collect();
    let mut complaints = Vec::new();
    for file in &files {
        let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if !TEXT.contains(&extension) {
            continue;
        }
        let path = workspace::root().join(file);
        let text = fs::read_to_string(&path).map_err(Failure::io("read", &path))?;
        if extension == "rs" {
            complaints.extend(source_complaints(file, &text));
        }
        if extension == "md" {
            complaints.extend(links::complaints(file, &text, &all));
        }
        if file == Path::new(security::PAGE) {
            complaints.extend(security::complaints(&text, |named| {
                all.contains(named).then(|| fs::read_to_string(workspace::root().join(named)).ok()).flatten()
            }));
        }
        if file != Path::new(THIS_FILE) {
            complaints.extend(word_complaints(file, &text));
        }
    }
    if complaints.is_empty() { Ok(()) } else { Err(Failure::Found(complaints.join("\n"))) }
}

fn source_complaints(file: &Path, text: &str) -> Vec<String> {
    let shown = file.display();
    let mut complaints = Vec::new();
    let opening = text.lines().next().unwrap_or_default();
    let says_something = opening.strip_prefix("//! ").is_some_and(|words| words.split(' ').count() >= 3);
    if !says_something && file.file_name() != Some("build.rs".as_ref()) {
        complaints.push(format!("{shown}: the first line should be `//!` and say what the file does"));
    }
    let lines = text.lines().count();
    if lines > MAX_LINES {
        complaints.push(format!("{shown}: {lines} lines; split it, at most {MAX_LINES} fit into a head"));
    }
    let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if FORBIDDEN_MODULES.contains(&stem) {
        complaints.push(format!("{shown}: `{stem}` says nothing; name the file after its main noun"));
    }
    complaints
}

fn word_complaints(file: &Path, text: &str) -> Vec<String> {
    let words =
        |line: &str, word: &str| line.split(|c: char| !c.is_alphanumeric()).any(|found| found == word);
    (1..)
        .zip(text.lines())
        .flat_map(|(number, line)| {
            let found = FORBIDDEN_WORDS.iter().filter(move |word| words(line, word));
            found.map(move |word| format!("{}:{number}: `{word}` belongs into an issue", file.display()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_to_say_what_it_does() {
        let complain = |text| source_complaints(Path::new("a/drain.rs"), text).len();
        assert_eq!(complain("//! Takes an instance out of its balancers.\n"), 0);
        assert_eq!(complain("//! .\n"), 1);
        assert_eq!(complain("use std::fs;\n"), 1);
        assert_eq!(complain(""), 1);
    }

    #[test]
    fn empty_names_and_long_files_are_found() {
        let long = format!("//! Does one thing only.\n{}", "\n".repeat(MAX_LINES));
        assert_eq!(source_complaints(Path::new("a/drain.rs"), &long).len(), 1);
        assert_eq!(source_complaints(Path::new("a/utils.rs"), "//! Does one thing only.\n").len(), 1);
        assert_eq!(source_complaints(Path::new("a/drain/mod.rs"), "//! Does one thing only.\n").len(), 1);
    }

    #[test]
    fn a_word_is_found_whole_and_with_its_line() {
        let complaints = word_complaints(Path::new("a.rs"), "fine\n// TODO: later\nTODOS are fine\n");
        assert_eq!(complaints, ["a.rs:2: `TODO` belongs into an issue"]);
    }
}
