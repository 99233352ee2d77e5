//! Commands in arguments: a text split like a shell would, or a list of words. No shell is ever involved.

use crate::call::Call;
use crate::kind::{Given, Kind};
use crate::source::Place;

/// A command, as a parameter takes it.
pub(super) const COMMAND: Kind = Kind::Either(&[Kind::Text, Kind::List(&Kind::Text)]);

/// The words of a command, at least one, each with its place. `None` if there is none, or after what is wrong with it
/// was recorded.
pub(super) fn words(call: &Call<'_>, name: &str) -> Option<Vec<(String, Place)>> {
    let given = call.given(name)?;
    let words: Vec<(String, Place)> = match given.text() {
        Some(text) => match shell_words::split(text) {
            Ok(words) => words.into_iter().map(|word| (word, given.place)).collect(),
            Err(_) => {
                call.error(given.place, "a quotation mark in this command is never closed");
                return None;
            }
        },
        None => {
            let words = call.list(name).iter();
            words.filter_map(|word: &Given| Some((word.text()?.to_owned(), word.place))).collect()
        }
    };
    if words.first().is_none_or(|(program, _)| program.trim().is_empty()) {
        call.error(given.place, "this command is empty");
        return None;
    }
    Some(words)
}

/// [`words`] where nobody asks for their places.
pub(super) fn bare_words(call: &Call<'_>, name: &str) -> Option<Vec<String>> {
    Some(words(call, name)?.into_iter().map(|(word, _)| word).collect())
}
