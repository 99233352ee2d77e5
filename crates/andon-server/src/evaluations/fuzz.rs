//! What must hold for whatever somebody asks to be judged.

use std::fmt::Debug;

use andon_core::analysis::{Baseline, Entry, Header, Judge};
use andon_core::time::Time;

use super::request::Request;
use super::view::{Life, View};

/// The most entries of an input. Each costs more than the one before.
const MOST_ENTRIES: usize = 20;

/// `data` is a request and, in lines behind it, what the caller tells.
pub fn evaluation(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let Some(request) = lines.next().and_then(|line| serde_json::from_slice::<Request>(line).ok()) else {
        return;
    };
    let Ok(spec) = request.spec() else { return };
    let _ = (request.digest(&spec), request.watched(&spec));
    if request.is_asked() {
        assert!(request.arms().is_ok_and(|arms| !arms.members().is_empty()));
    }
    // A name that was given may well be this one, and JSON has no such number.
    let names_it = |given: &dyn Debug| format!("{given:?}").contains("NaN");
    let mut is_named = names_it(&spec);
    let mut judge = Judge::new(spec.clone(), Baseline::default());
    for line in lines.take(MOST_ENTRIES) {
        let Ok(entry) = serde_json::from_slice::<Entry>(line) else { return };
        is_named |= names_it(&entry);
        judge.apply(&entry);
        let standing = judge.standing();
        assert!(standing.ln_evidence.is_finite(), "{standing:?}");
        assert!(is_named || !standing.sentence.contains("NaN"), "{standing:?}");
        let view = View::of(&request.id, Time(0), &spec, standing, Life::Running);
        assert!(serde_json::to_vec(&view.metrics).is_ok() && !view.sentence.contains(char::is_control));
    }
    assert!(serde_json::to_vec(&judge).is_ok() && Header::new(spec, Baseline::default()).is_known());
}
