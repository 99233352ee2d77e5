//! What must hold for whatever Flagger, or another client in its place, sends.

use super::body::Bytes;
use super::flagger::{Hook, Payload, id, request};

/// `data` is a hook and, behind a line break, the body that is posted to it.
pub fn flagger(data: &[u8]) {
    let (hook, body) = match data.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (&[][..], data),
    };
    let hook = String::from_utf8_lossy(hook).into_owned();
    let _ = serde_json::from_value::<Hook>(serde_json::Value::String(hook));
    let Ok(payload) = Bytes(body.to_vec()).json::<Payload>() else { return };
    let Ok(id) = id(&payload, payload.metadata("evaluation")) else { return };
    let Some(text) = payload.metadata("request") else { return };
    if let Ok(request) = request(text, &id) {
        assert_eq!(request.id, id, "another evaluation than the one that was named");
    }
}
