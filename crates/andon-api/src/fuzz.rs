//! What must hold for any bytes that are taken for a frame. Called by fuzzing and by the replay of its corpus.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::agent::{FromHost, ToHost, question_in};
use crate::frame::{HEADER, MAX_BODY, body_length, decode, encode};
use crate::proxy::{FromProxy, ToProxy};

/// `data` is a stream of frames, as either side may get it.
pub fn frame(data: &[u8]) {
    let mut rest = data;
    while let Some((header, behind)) = rest.split_first_chunk::<HEADER>() {
        let Ok(length) = body_length(*header) else { return };
        assert!(length <= MAX_BODY, "a body of {length} bytes would be waited for");
        let body = behind.get(..length).unwrap_or(behind);
        message::<ToHost>(body);
        message::<FromHost>(body);
        message::<ToProxy>(body);
        message::<FromProxy>(body);
        let _ = question_in(body);
        rest = behind.get(length..).unwrap_or_default();
    }
}

/// What was understood is said again, and then understood as the same.
fn message<M: Serialize + DeserializeOwned + Debug>(body: &[u8]) {
    let Ok(message) = decode::<M>(body) else { return };
    // What decodes may take more room when it is written with all of its fields.
    let Ok(frame) = encode(&message) else { return };
    let (header, body) = frame.split_at(HEADER);
    let length = header.try_into().ok().and_then(|header| body_length(header).ok());
    assert_eq!(length, Some(body.len()));
    let again = decode::<M>(body).map(|again| encode(&again).ok());
    // Compared as bytes: a float that is no number equals nothing.
    assert_eq!(again.ok().flatten().as_ref(), Some(&frame), "{message:?}");
}

#[cfg(test)]
mod tests {
    #[test]
    fn frames_that_were_found_do_no_harm() {
        andon_testbed::corpus::replay("frame", super::frame);
    }
}
