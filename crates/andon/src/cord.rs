//! The line's state in words, with moments as a terminal shows them. What is said is the core's.

use andon_core::cord::words;
pub(crate) use andon_core::cord::words::next;
use andon_core::cord::{Cord, Stop};
use andon_core::deployment::Deployment;
use andon_core::sentence::Sentence;
use andon_core::time::Time;

use crate::when;

/// `line running`, `line stopped`: for the end of a headline.
pub(crate) fn brief(cord: &Cord) -> &'static str {
    cord.brief()
}

/// The state in one sentence, without a full stop.
pub(crate) fn sentence(cord: &Cord, now: Time) -> String {
    said(&cord.sentence(), now)
}

/// Who stopped the line, when and why, and how many other reasons there are.
pub(crate) fn stopped(stops: &[Stop], now: Time) -> String {
    said(&words::standing(stops), now)
}

/// One reason: who, when, why.
pub(crate) fn reason(stop: &Stop, now: Time) -> String {
    said(&stop.sentence(), now)
}

/// What a deployment that has ended leaves to say of the line.
pub(crate) fn after(cord: &Cord, ended: &Deployment, now: Time) -> Option<String> {
    cord.after(ended).map(|sentence| said(&sentence, now))
}

fn said(sentence: &Sentence, now: Time) -> String {
    sentence.text(|moment| when::ago(moment, now))
}
