//! Looking after the machines that tests boot.

use std::io::{self, Read};

use andon_testbed::machine::leftovers;

use crate::failure::Failure;

/// Removes what killed runs left; with `when_stdin_closes`, not before the standard input has ended.
pub(crate) fn clean(when_stdin_closes: bool) -> Result<(), Failure> {
    if when_stdin_closes {
        // An error ends the wait as well as the end does.
        let _ = io::stdin().read_to_end(&mut Vec::new());
    }
    let removed = leftovers::clean()?;
    if !when_stdin_closes {
        println!("removed what {} killed runs had left", removed.len());
    }
    Ok(())
}
