//! What must hold for any text that is taken for a line. Called by fuzzing and by the replay of its corpus.

use std::fs;
use std::path::Path;

use crate::reading::{DEADLINE, Request, attempt};
use crate::{Diagnostics, Loaded};

/// Separates the files of an input.
const NEXT_FILE: u8 = 0x0c;

/// The files that a line can load or run besides itself.
const FILES: [&str; 3] = ["a.star", "b.star", "c.sh"];

/// Reads `data` as a line in `room`, a directory of its own. Behind form feeds come the files that it may load.
#[allow(clippy::panic, reason = "that is how harm is told")]
pub fn line(data: &[u8], room: &Path) {
    let mut files = data.split(|byte| *byte == NEXT_FILE);
    let text = String::from_utf8_lossy(files.next().unwrap_or_default());
    for name in FILES {
        let path = room.join(name);
        let done = match files.next() {
            Some(content) => fs::write(&path, content),
            None if path.exists() => fs::remove_file(&path),
            None => Ok(()),
        };
        if let Err(error) = done {
            panic!("{}: {error}", path.display());
        }
    }
    let first = read(&text, room);
    match &first {
        Ok(loaded) => {
            for warning in &loaded.warnings {
                assert!(!warning.message.is_empty());
            }
        }
        Err(diagnostics) => {
            assert!(diagnostics.errors() > 0, "a refusal without a reason");
            for one in &diagnostics.0 {
                assert!(!one.message.is_empty());
            }
            for width in [40, 120] {
                assert!(!diagnostics.render(true, width).is_empty());
            }
        }
    }
    // The same text always says the same.
    let again = read(&text, room);
    match (first, again) {
        (Ok(first), Ok(again)) => assert!(first.line == again.line && first.digest == again.digest),
        (Err(first), Err(again)) => assert_eq!(first.to_string(), again.to_string()),
        _ => panic!("the same text is a line only sometimes"),
    }
}

/// What a reading comes to. What it says is of no use to tell how it ended: a text is quoted in what is said of it.
#[allow(clippy::panic, reason = "that is how harm is told")]
fn read(text: &str, room: &Path) -> Result<Loaded, Diagnostics> {
    match attempt(Request::of("line.star", text, room), DEADLINE) {
        Ok(result) => result,
        Err(cut) => panic!("{cut}"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn lines_that_were_found_do_no_harm() {
        let room = tempfile::tempdir().unwrap();
        andon_testbed::corpus::replay("line", |data| super::line(data, room.path()));
    }
}
