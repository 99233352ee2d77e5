//! What must hold for whatever a plugin prints.

use std::time::Duration;

use super::nagios::judge;
use super::{MAX_DETAIL, MAX_MESSAGE};
use crate::run::child::{Ended, Finished};
use andon_core::legible::is_formatting;

/// `data` is what a plugin prints; its first byte is its exit code and says where it prints.
pub fn nagios(data: &[u8]) {
    let Some((code, output)) = data.split_first() else { return };
    let ended = match code % 8 {
        6 => Ended::TimedOut,
        7 => Ended::Signal(9),
        code => Ended::Code(code.into()),
    };
    let (stdout, stderr) = if *code < 128 { (output, &[][..]) } else { (&[][..], output) };
    let finished = Finished { ended, stdout: stdout.to_vec(), stderr: stderr.to_vec() };
    let answer = judge(finished, true, Duration::from_secs(1));
    assert!(answer.message.len() <= MAX_MESSAGE && answer.detail.len() <= MAX_DETAIL);
    let odd = |character: char| character.is_control() || is_formatting(character);
    assert!(!answer.message.is_empty() && !answer.message.contains(odd), "{:?}", answer.message);
    assert!(!answer.detail.contains(|c: char| c != '\n' && odd(c)), "{:?}", answer.detail);
    assert_eq!(answer.passed, matches!(code % 8, 0 | 1), "{:?}", answer.message);
}
