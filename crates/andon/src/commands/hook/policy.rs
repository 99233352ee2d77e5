//! What commits have to be like: pure. Every mistake of a push at once, up to a bound.

use super::commit::Commit;
use super::settings::Messages;

/// Mistakes that are shown.
pub(super) const SHOWN: usize = 10;

impl Messages {
    /// Whether nothing is asked of messages.
    pub(super) fn is_empty(&self) -> bool {
        self.pattern.is_none()
            && self.min_subject == 0
            && self.max_subject.is_none()
            && self.require_trailers.is_empty()
            && self.forbid.is_empty()
    }

    /// What is wrong with a commit's message: one sentence each, without its subject.
    pub(super) fn mistakes(&self, commit: &Commit) -> Vec<String> {
        let subject = commit.subject.trim();
        let length = subject.chars().count();
        let mut mistakes = Vec::new();
        let low = subject.to_lowercase();
        if let Some(word) = self.forbid.iter().find(|word| begins_with(&low, &word.to_lowercase())) {
            mistakes.push(format!("its subject begins with {word:?}"));
        }
        if length < self.min_subject {
            mistakes.push(format!(
                "its subject has {length} characters, at least {} are asked for",
                self.min_subject
            ));
        }
        if let Some(most) = self.max_subject.filter(|most| length > *most) {
            mistakes.push(format!("its subject has {length} characters, at most {most} may be"));
        }
        if let Some(pattern) = self.pattern.as_ref().filter(|pattern| !pattern.0.is_match(subject)) {
            mistakes.push(format!("its subject does not match {}", pattern.0));
        }
        let missing = self.require_trailers.iter().filter(|key| commit.trailer(key).next().is_none());
        mistakes.extend(missing.map(|key| format!("it has no trailer {key}")));
        mistakes
    }
}

/// Whether a subject begins with a word; `WIP` is not the beginning of `wiping`.
fn begins_with(subject: &str, word: &str) -> bool {
    let Some(rest) = subject.strip_prefix(word) else { return false };
    let inside = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    !(inside(word.chars().next_back()) && inside(rest.chars().next()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::hook::settings::Pattern;

    fn commit(subject: &str, trailers: &[(&str, &str)]) -> Commit {
        let trailers = trailers.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Commit { id: "a".repeat(40), author: "Ana".into(), subject: subject.into(), trailers }
    }

    #[test]
    fn every_mistake_is_named_and_a_good_message_has_none() {
        let messages = Messages {
            pattern: Some(Pattern::try_from("^[a-z]+: ".to_owned()).unwrap()),
            min_subject: 8,
            max_subject: Some(20),
            require_trailers: vec!["Reviewed-by".into()],
            forbid: vec!["WIP".into(), "fixup!".into()],
        };
        assert!(!messages.is_empty() && Messages::default().is_empty());
        assert_eq!(
            messages.mistakes(&commit("web: retry on 409", &[("reviewed-by", "Ben")])),
            Vec::<String>::new()
        );
        assert_eq!(messages.mistakes(&commit("wip", &[])).len(), 4);
        assert_eq!(
            messages.mistakes(&commit("web: wiping the disks of all", &[("Reviewed-by", "Ben")])).len(),
            1
        );
        assert!(messages.mistakes(&commit("fixup! web: x", &[]))[0].contains("fixup!"));
        assert_eq!(Messages::default().mistakes(&commit("", &[])), Vec::<String>::new());
    }

    #[test]
    fn a_forbidden_word_is_a_word() {
        assert!(
            begins_with("wip: x", "wip") && begins_with("wip", "wip") && begins_with("fixup!x", "fixup!")
        );
        assert!(!begins_with("wiping", "wip") && !begins_with("a wip", "wip"));
    }
}
