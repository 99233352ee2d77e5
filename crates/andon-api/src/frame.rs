//! Frames: four bytes of length (big-endian), then so many bytes of CBOR.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::agent::CHUNK;

/// The longest body of a frame, in bytes. Leaves room around a full [`CHUNK`] and for large plans.
pub const MAX_BODY: usize = 4 * 1024 * 1024;

/// Bytes of the length in front of the body.
pub const HEADER: usize = 4;

const _: () = assert!(MAX_BODY > 2 * CHUNK);

/// Why bytes are not a frame.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The peer announces more than [`MAX_BODY`] bytes: it does not speak this protocol.
    #[error("a message of {0} bytes was announced, {MAX_BODY} are the most: this is not an agent talking")]
    TooLong(usize),
    /// The body is not the message that was expected.
    #[error("a message could not be understood: {0}")]
    Malformed(String),
}

/// The frame of `message`.
pub fn encode<M: Serialize>(message: &M) -> Result<Vec<u8>, FrameError> {
    let mut frame = vec![0; HEADER];
    ciborium::into_writer(message, &mut frame).map_err(|error| FrameError::Malformed(error.to_string()))?;
    let length = frame.len() - HEADER;
    match u32::try_from(length) {
        Ok(prefix) if length <= MAX_BODY => frame[..HEADER].copy_from_slice(&prefix.to_be_bytes()),
        _ => return Err(FrameError::TooLong(length)),
    }
    Ok(frame)
}

/// The length of the body that `header` announces.
pub fn body_length(header: [u8; HEADER]) -> Result<usize, FrameError> {
    let length = u32::from_be_bytes(header) as usize;
    if length > MAX_BODY { Err(FrameError::TooLong(length)) } else { Ok(length) }
}

/// The message in a frame's body.
pub fn decode<M: DeserializeOwned>(body: &[u8]) -> Result<M, FrameError> {
    // The nesting limit keeps a hostile body from exhausting the stack.
    ciborium::de::from_reader_with_recursion_limit(body, 64)
        .map_err(|error| FrameError::Malformed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::ToHost;

    #[test]
    fn a_message_survives_the_journey() {
        let message = ToHost::Piece { id: 7, offset: 42, bytes: vec![0, 159, 146, 150] };
        let frame = encode(&message).unwrap();
        let length = body_length(frame[..HEADER].try_into().unwrap()).unwrap();
        assert_eq!(length, frame.len() - HEADER);
        assert_eq!(decode::<ToHost>(&frame[HEADER..]).unwrap(), message);
    }

    #[test]
    fn an_announcement_beyond_the_limit_is_refused_before_anything_is_read() {
        assert!(matches!(body_length([0xff; 4]), Err(FrameError::TooLong(_))));
        // What a shell's greeting looks like when it is taken for a length.
        assert!(body_length(*b"Welc").is_err());
    }

    #[test]
    fn hostile_bodies_are_errors() {
        for body in
            [&[][..], &[0xff; 16], &[0x9f; 4096], &[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]]
        {
            assert!(decode::<ToHost>(body).is_err());
        }
    }

    #[test]
    fn a_newer_peer_may_say_more() {
        #[derive(serde::Serialize)]
        #[serde(rename_all = "snake_case")]
        enum Newer {
            Hello { protocol: u32, version: String, mood: String },
        }
        let newer = Newer::Hello { protocol: 1, version: "9".into(), mood: "fine".into() };
        let frame = encode(&newer).unwrap();
        assert!(matches!(decode::<ToHost>(&frame[HEADER..]), Ok(ToHost::Hello { protocol: 1, .. })));
    }
}
