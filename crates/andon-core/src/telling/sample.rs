//! A message that means nothing, to see whether messages arrive.

use std::time::Duration;

use super::{Kind, Picture, Telling};
use crate::person::Person;
use crate::release::Revision;
use crate::scope::ScopeName;
use crate::time::Time;

/// The test of `scope` that `by` asked for at `at`. It goes wherever a message about a bad release would go; the author
/// is that of `revision`.
pub fn sample(scope: ScopeName, revision: Option<Revision>, by: &Person, at: Time) -> Telling {
    Telling {
        kind: Kind::Test,
        key: format!("test/{}", at.0),
        at,
        deployment: None,
        headline: format!("{by} tests whether messages about {} arrive: this one did", scope.service),
        scope: Some(scope),
        release: None,
        revision,
        by: by.name.clone(),
        blames_the_release: true,
        done: "Nothing has happened, and nothing needs to be done.".to_owned(),
        next: Vec::new(),
        output: None,
        picture: Some(picture(at)),
        asked: None,
    }
}

/// Three minutes of invented numbers that end at `at`.
fn picture(at: Time) -> Picture {
    const TICKS: i64 = 36;
    const DEPLOYED: i64 = 14;
    let begin = Time(at.0.saturating_sub(TICKS * 5_000));
    let moment = |tick: i64| begin + Duration::from_secs(5 * tick.unsigned_abs());
    let wobble = |tick: i64| f64::from(i8::try_from(tick * 37 % 11).unwrap_or_default()) / 10.0;
    let risen = |tick: i64| f64::from(i8::try_from((tick - DEPLOYED).max(0)).unwrap_or_default()) / 2.5;
    Picture {
        title: "errors".to_owned(),
        unit: "per second".to_owned(),
        canary: (0..TICKS).map(|tick| (moment(tick), 0.4 + wobble(tick) + risen(tick))).collect(),
        control: (0..TICKS).map(|tick| (moment(tick), 0.5 + wobble(tick + 3))).collect(),
        deploy: moment(DEPLOYED),
        verdict: moment(TICKS - 4),
        sentence: "invented numbers: this is a test".to_owned(),
    }
}
