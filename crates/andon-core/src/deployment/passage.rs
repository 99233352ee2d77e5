//! The passage of one host through a deployment, step by step, as its facts tell it.

use super::story::tell_host;
use super::{Doing, Fact, HostState};
use crate::host::Token;
use crate::name::HostName;
use crate::time::Time;

/// One step of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// What was done.
    pub doing: Doing,
    /// When it was ordered.
    pub began: Time,
    /// When its end was known; `None` while it is not.
    pub ended: Option<Time>,
    /// What became of the host then, in words; nothing where the next step simply followed.
    pub became: Option<String>,
}

impl Passed {
    /// The name of the step on the host: what it printed is kept below this name.
    pub fn token(&self) -> &Token {
        &self.doing.token
    }
}

/// The steps of `host`, the first one first.
pub fn passage<'a>(host: &HostName, facts: impl IntoIterator<Item = (Time, &'a Fact)>) -> Vec<Passed> {
    let mut steps: Vec<Passed> = Vec::new();
    for (at, fact) in facts {
        let Fact::Host { host: whose, state } = fact else { continue };
        if whose != host {
            continue;
        }
        match state {
            HostState::Doing(doing) => {
                if let Some(last) = steps.last_mut() {
                    if last.doing == *doing {
                        // It was unknown for a while, and is heard of again.
                        (last.ended, last.became) = (None, None);
                        continue;
                    }
                    last.ended.get_or_insert(at);
                }
                steps.push(Passed { doing: doing.clone(), began: at, ended: None, became: None });
            }
            HostState::Unknown { .. } => {
                if let Some(last) = steps.last_mut() {
                    last.became = Some(tell_host(state));
                }
            }
            other => {
                if let Some(last) = steps.last_mut().filter(|last| last.ended.is_none()) {
                    last.ended = Some(at);
                    last.became = Some(tell_host(other));
                }
            }
        }
    }
    steps
}

/// What the steps of a host printed, divided by the lines that name them: the name of each step, and its text. What stands
/// before the first such line has no name: it is the end of something longer.
pub fn by_step(output: &str) -> Vec<(Option<&str>, String)> {
    let mut parts: Vec<(Option<&str>, String)> = Vec::new();
    for line in output.split_inclusive('\n') {
        match line.strip_prefix("── ") {
            Some(name) => parts.push((Some(name.trim_end()), String::new())),
            None => {
                if parts.is_empty() {
                    parts.push((None, String::new()));
                }
                if let Some((_, text)) = parts.last_mut() {
                    text.push_str(line);
                }
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::super::{Failure, Way};
    use super::*;
    use crate::host::Stage;

    fn at(seconds: i64, host: &str, state: HostState) -> (Time, Fact) {
        (Time(seconds * 1000), Fact::Host { host: HostName::new(host).unwrap(), state })
    }

    fn doing(stage: Stage) -> HostState {
        let token = Token::try_from(format!("d1.f1.web1.{stage}.1")).unwrap();
        HostState::Doing(Doing { stage, way: Way::Forward, token })
    }

    #[test]
    fn steps_follow_each_other_and_the_last_one_says_how_it_ended() {
        let failure = Failure { stage: Stage::Verify, reason: "answered 500".into(), tail: String::new() };
        let facts = [
            at(1, "web1", doing(Stage::Prepare)),
            at(2, "web2", doing(Stage::Prepare)),
            at(3, "web1", HostState::Prepared),
            at(5, "web1", doing(Stage::Activate)),
            at(6, "web1", doing(Stage::Verify)),
            at(9, "web1", HostState::Failed(failure)),
        ];
        let told = passage(&HostName::new("web1").unwrap(), facts.iter().map(|(at, fact)| (*at, fact)));
        let row = |step: &Passed| {
            (step.doing.stage, step.began.0 / 1000, step.ended.map(|at| at.0 / 1000), step.became.clone())
        };
        assert_eq!(
            told.iter().map(row).collect::<Vec<_>>(),
            [
                (Stage::Prepare, 1, Some(3), Some("prepared".into())),
                (Stage::Activate, 5, Some(6), None),
                (Stage::Verify, 6, Some(9), Some("failed: answered 500".into())),
            ]
        );
    }

    #[test]
    fn a_step_that_was_lost_and_found_is_one_step() {
        let HostState::Doing(step) = doing(Stage::Verify) else { unreachable!() };
        let lost = HostState::Unknown { doing: step, since: Time(2000), why: "no answer".into() };
        let facts = [
            at(1, "web1", doing(Stage::Verify)),
            at(2, "web1", lost),
            at(4, "web1", doing(Stage::Verify)),
            at(5, "web1", HostState::Succeeded),
        ];
        let told = passage(&HostName::new("web1").unwrap(), facts.iter().map(|(at, fact)| (*at, fact)));
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].ended, told[0].became.as_deref()), (Some(Time(5000)), Some("succeeded")));
    }

    #[test]
    fn output_is_divided_by_the_names_of_its_steps() {
        let parts = by_step("tail of something\n── d1.a\none\ntwo\n── d1.b\n── d1.c\nend");
        assert_eq!(
            parts,
            [
                (None, "tail of something\n".to_owned()),
                (Some("d1.a"), "one\ntwo\n".to_owned()),
                (Some("d1.b"), String::new()),
                (Some("d1.c"), "end".to_owned()),
            ]
        );
    }
}
