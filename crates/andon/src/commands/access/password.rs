//! A password from whoever sits here, unseen and twice; or from another program, over standard input.

use std::io::{BufRead, IsTerminal, Read, Write};

use andon_core::access::UserName;

use crate::failure::Failure;
use crate::still::Unseen;

/// The longest line that is read, in bytes.
const LONGEST: u64 = 4096;

/// The password for a user.
pub(super) fn read(piped: bool, name: &UserName) -> Result<String, Failure> {
    if piped {
        return line().ok_or_else(|| Failure::usage("standard input holds no password"));
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage("nobody sits here who could type a password")
            .next("write it to standard input: --password-stdin"));
    }
    let first = ask(&format!("Password for {name}: "))?;
    if ask("Once more: ")? != first {
        return Err(Failure::usage("the two are not the same")
            .why("nothing has been changed")
            .next("try again"));
    }
    Ok(first)
}

/// What is typed, while the terminal shows nothing of it.
fn ask(question: &str) -> Result<String, Failure> {
    let unseen =
        Unseen::begin().ok_or_else(|| Failure::broken("the terminal cannot be kept from showing it"))?;
    let mut stderr = std::io::stderr();
    let _ = stderr.write_all(question.as_bytes()).and_then(|()| stderr.flush());
    let typed = line();
    drop(unseen);
    let _ = stderr.write_all(b"\n");
    typed.ok_or_else(crate::signals::left)
}

fn line() -> Option<String> {
    let mut line = String::new();
    std::io::stdin().lock().take(LONGEST).read_line(&mut line).ok()?;
    let line = line.trim_end_matches(['\r', '\n']);
    (!line.is_empty()).then(|| line.to_owned())
}
