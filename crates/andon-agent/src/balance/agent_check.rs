//! HAProxy's `agent-check`, answered on the host where the service runs: the way for those who have no access to
//! HAProxy. What is wished is written down; a resident [responder] tells it to every HAProxy that asks.
//!
//! It sees only who asks. Sessions, queues and checks of HAProxy's own stay unknown to it.

use std::path::Path;
use std::time::{Duration, Instant};

use andon_core::balance::{
    BalancerFailure, FailureKind, Pool, PoolSight, ServerSight, ServerState, Traffic, Wishes,
};

use super::failure;
use crate::run::SelfExe;
use answers::{Answer, Answers};
use asked::Asked;

mod answers;
mod asked;
pub(crate) mod responder;
mod start;

/// How long a responder that was just started is given to be asked for the first time: more than twice HAProxy's own
/// `agent-inter`.
const FIRST_QUESTION: Duration = Duration::from_secs(5);

/// Nobody has asked for so long: nobody asks.
const SILENCE: Duration = Duration::from_secs(10);

/// Whoever has not asked for so long is not there any more, and need not know what is wished.
const ABSENCE: Duration = Duration::from_secs(60);

/// So often must each HAProxy have asked since something was wished: whoever asks again has had its first answer.
const PROOF: u64 = 2;

const LOOK: Duration = Duration::from_millis(50);

/// See [`super::balance`]. `port` is the one that HAProxy asks on.
pub(super) fn balance(
    pool: &Pool,
    port: u16,
    wishes: &Wishes,
    records: &Path,
    exe: &SelfExe,
) -> Result<PoolSight, BalancerFailure> {
    let (answers, changed) = Answers::update(records, &pool.servers, wishes).map_err(|error| {
        let reason = format!("what HAProxy is to be told cannot be kept in {}: {error}", records.display());
        failure(FailureKind::Refused, reason)
    })?;
    let asked = match Asked::of(records) {
        Ok(asked) => asked,
        Err(_) => first_asked(records, port, exe, &answers)?,
    };
    let servers = answers.servers.iter();
    let servers = servers.map(|(name, answer)| (name.clone(), sight(port, answer, &asked, name.as_str())));
    Ok(PoolSight { servers: servers.collect(), changed })
}

/// Starts a responder, and waits a while for the first question about each server.
fn first_asked(
    records: &Path,
    port: u16,
    exe: &SelfExe,
    answers: &Answers,
) -> Result<Asked, BalancerFailure> {
    start::responder(records, port, exe)?;
    let begun = Instant::now();
    loop {
        let asked = Asked::of(records).map_err(|error| {
            let reason = format!("who answers HAProxy on port {port} cannot be asked: {error}");
            failure(FailureKind::Unreachable, reason)
        })?;
        let all = answers.servers.keys().all(|name| asked.is_asked(name.as_str(), SILENCE));
        if all || begun.elapsed() > FIRST_QUESTION {
            return Ok(asked);
        }
        std::thread::sleep(LOOK);
    }
}

fn sight(port: u16, answer: &Answer, asked: &Asked, name: &str) -> ServerSight {
    let known = asked.is_told(name, answer.number, PROOF, ABSENCE);
    let share = if known { answer.share } else { answer.before };
    let state = if !asked.is_asked(name, SILENCE) {
        let stranger = asked.stranger.as_ref();
        let stranger = stranger.map(|name| format!("; one asked for {name:?}, which is none of its servers"));
        let stranger = stranger.unwrap_or_default();
        ServerState::Down { why: format!("no HAProxy asks on port {port} for {name}{stranger}") }
    } else if share > 0 {
        ServerState::Up
    } else if answer.share == 0 {
        ServerState::Out
    } else {
        ServerState::Down { why: "HAProxy has not asked again since it was put back".to_owned() }
    };
    ServerSight { state, weight: share, sessions: None, queued: 0, counters: None }
}

/// The share in hundredths that an answer names: without runtime access nothing can be cut.
fn share(traffic: Traffic) -> u8 {
    match traffic {
        Traffic::In(share) => share.clamp(1, 100),
        Traffic::Out | Traffic::Cut => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(share: u8, before: u8) -> Answer {
        Answer { share, before, number: 3 }
    }

    fn state(answer: &Answer, asked: &Asked) -> (ServerState, u8) {
        let sight = sight(9990, answer, asked, "web1");
        (sight.state, sight.weight)
    }

    #[test]
    fn it_is_out_only_once_every_haproxy_has_asked_twice() {
        let out = answer(0, 100);
        let told = |one, two| asked::told("web1", 3, &[(one, 1), (two, 1)]);
        assert_eq!(state(&out, &told(0, 0)), (ServerState::Up, 100));
        assert_eq!(state(&out, &told(5, 1)), (ServerState::Up, 100));
        assert_eq!(state(&out, &told(2, 2)), (ServerState::Out, 0));
    }

    #[test]
    fn an_haproxy_that_is_gone_needs_to_know_nothing() {
        let out = answer(0, 100);
        assert_eq!(state(&out, &asked::told("web1", 3, &[(2, 1), (0, 59)])).0, ServerState::Up);
        assert_eq!(state(&out, &asked::told("web1", 3, &[(2, 1), (0, 61)])).0, ServerState::Out);
    }

    #[test]
    fn without_questions_nothing_is_known() {
        for share in [0, 100] {
            let (state, _) = state(&answer(share, 100), &asked::told("web1", 3, &[(9, 11)]));
            assert_eq!(state, ServerState::Down { why: "no HAProxy asks on port 9990 for web1".into() });
        }
    }

    #[test]
    fn it_is_up_only_once_it_is_known_to_be_back() {
        let back = answer(100, 0);
        assert!(matches!(state(&back, &asked::told("web1", 3, &[(1, 1)])).0, ServerState::Down { .. }));
        assert_eq!(state(&back, &asked::told("web1", 3, &[(2, 1)])), (ServerState::Up, 100));
        // What was counted for an earlier answer proves nothing.
        assert!(matches!(state(&back, &asked::told("web1", 2, &[(9, 1)])).0, ServerState::Down { .. }));
    }
}
