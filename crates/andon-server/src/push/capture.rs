//! Finds a command's output in a stream: between two markers, with anything before and behind. Pure.

use super::output::{Collector, Output};

/// What is kept of the noise before the start marker, which says why there was no start.
const MAX_NOISE: usize = 8192;
/// Digits and full stop behind the end marker.
const MAX_CODE_LEN: usize = 4;

/// One stream as it arrives.
#[derive(Debug)]
pub(super) struct Capture {
    start: Vec<u8>,
    end: Vec<u8>,
    phase: Phase,
    noise: Collector,
    output: Collector,
    /// Bytes that may be the beginning of a marker.
    pending: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Noise,
    Output,
    Ended(u8),
}

/// The result of one look at the pending bytes.
enum Found {
    /// No marker is in them; so many bytes cannot be part of one.
    Nothing(usize),
    /// A marker begins after so many bytes and takes so many.
    Marker { at: usize, len: usize, code: Option<u8> },
}

impl Capture {
    pub(super) fn new(start: Vec<u8>, end: Vec<u8>, limit: usize) -> Self {
        let (noise, output) = (Collector::new(MAX_NOISE), Collector::new(limit));
        Self { start, end, phase: Phase::Noise, noise, output, pending: Vec::new() }
    }

    /// Whether the command has begun.
    pub(super) fn started(&self) -> bool {
        self.phase != Phase::Noise
    }

    /// The exit code, once the command has ended and its output is complete.
    pub(super) fn ended(&self) -> Option<u8> {
        match self.phase {
            Phase::Ended(code) => Some(code),
            Phase::Noise | Phase::Output => None,
        }
    }

    /// Takes in what has arrived, and passes on what of it belongs to the command.
    pub(super) fn push(&mut self, bytes: &[u8], mut pass_on: impl FnMut(&[u8])) {
        self.pending.extend_from_slice(bytes);
        let mut pending = std::mem::take(&mut self.pending);
        let mut from = 0;
        loop {
            let rest = &pending[from..];
            let found = match self.phase {
                Phase::Noise => find(rest, &self.start, false),
                Phase::Output => find(rest, &self.end, true),
                // What a daemon writes that outlives the command is nobody's output.
                Phase::Ended(_) => Found::Nothing(rest.len()),
            };
            let (plain, next) = match found {
                Found::Nothing(plain) => (plain, plain),
                Found::Marker { at, len, .. } => (at, at + len),
            };
            match self.phase {
                Phase::Noise => self.noise.push(&rest[..plain]),
                Phase::Output if plain > 0 => {
                    self.output.push(&rest[..plain]);
                    pass_on(&rest[..plain]);
                }
                Phase::Output | Phase::Ended(_) => {}
            }
            from += next;
            match found {
                Found::Nothing(_) => break,
                Found::Marker { code: None, .. } => self.phase = Phase::Output,
                Found::Marker { code: Some(code), .. } => self.phase = Phase::Ended(code),
            }
        }
        pending.drain(..from);
        self.pending = pending;
    }

    /// What came before the start, and the command's output. A marker that never was completed is output.
    pub(super) fn finish(mut self) -> (Output, Output) {
        let pending = std::mem::take(&mut self.pending);
        match self.phase {
            Phase::Noise => self.noise.push(&pending),
            Phase::Output => self.output.push(&pending),
            Phase::Ended(_) => {}
        }
        (self.noise.finish(), self.output.finish())
    }
}

/// Looks for `marker`, with an exit code behind it when `with_code` is set.
fn find(bytes: &[u8], marker: &[u8], with_code: bool) -> Found {
    let mut from = 0;
    while let Some(offset) = bytes[from..].iter().position(|b| *b == marker[0]) {
        let at = from + offset;
        let rest = &bytes[at..];
        if rest.len() < marker.len() && marker.starts_with(rest) {
            return Found::Nothing(at);
        }
        if let Some(behind) = rest.strip_prefix(marker) {
            if !with_code {
                return Found::Marker { at, len: marker.len(), code: None };
            }
            let digits = behind.iter().take(MAX_CODE_LEN).take_while(|b| b.is_ascii_digit()).count();
            let code = std::str::from_utf8(&behind[..digits]).ok().and_then(|code| code.parse().ok());
            match (behind.get(digits), code) {
                (None, _) if digits < MAX_CODE_LEN => return Found::Nothing(at),
                (Some(b'.'), Some(code)) => {
                    return Found::Marker { at, len: marker.len() + digits + 1, code: Some(code) };
                }
                _ => {}
            }
        }
        from = at + 1;
    }
    Found::Nothing(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is made of `bytes` when they arrive in chunks of `size`: noise, output, exit code.
    fn captured(bytes: &[u8], size: usize) -> (Vec<u8>, Vec<u8>, Option<u8>) {
        let mut capture = Capture::new(b"\x1eS+".to_vec(), b"\x1eS-".to_vec(), 1000);
        let mut passed_on = Vec::new();
        for chunk in bytes.chunks(size) {
            capture.push(chunk, |bytes| passed_on.extend_from_slice(bytes));
        }
        let ended = capture.ended();
        let (noise, output) = capture.finish();
        assert!(output.joined().starts_with(&passed_on));
        (noise.joined(), output.joined(), ended)
    }

    #[test]
    fn output_is_what_stands_between_the_markers_however_it_arrives() {
        for (bytes, noise, output, code) in [
            (&b"welcome\n\x1eS+hello\n\x1eS-0."[..], &b"welcome\n"[..], &b"hello\n"[..], Some(0)),
            (b"\x1eS+\x1eS-255.daemon still here", b"", b"", Some(255)),
            (b"\x1eS+a\x1eb\x1e\x1eS\x1eS-\x1eS-x\x1eS-3.", b"", b"a\x1eb\x1e\x1eS\x1eS-\x1eS-x", Some(3)),
            (b"\x1eS+\x1eS+\x1eS-7.", b"", b"\x1eS+", Some(7)),
            (b"\x1eS-1.\x1eS+out", b"\x1eS-1.", b"out", None),
            (b"\x1eS+\xff\x00\x80\x1eS-1.", b"", b"\xff\x00\x80", Some(1)),
            (b"\x1eS+cut\x1eS-25", b"", b"cut\x1eS-25", None),
            (b"\x1eS+\x1eS-256.\x1eS-99999.\x1eS-.\x1eS-5.", b"", b"\x1eS-256.\x1eS-99999.\x1eS-.", Some(5)),
            (b"no shell here\n", b"no shell here\n", b"", None),
            (b"half\x1eS", b"half\x1eS", b"", None),
        ] {
            for size in 1..=bytes.len() {
                let expected = (noise.to_vec(), output.to_vec(), code);
                assert_eq!(captured(bytes, size), expected, "{} by {size}", bytes.escape_ascii());
            }
        }
    }

    #[test]
    fn endless_noise_is_not_kept() {
        let mut capture = Capture::new(b"\x1eS+".to_vec(), b"\x1eS-".to_vec(), 1000);
        for _ in 0..1000 {
            capture.push(&[b'n'; 5000], |_| panic!("noise is no output"));
        }
        let (noise, _) = capture.finish();
        assert_eq!((noise.head.len() + noise.tail.len(), noise.len()), (MAX_NOISE, 5_000_000));
    }
}
