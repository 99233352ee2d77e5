//! Output of a command, bounded: all of it while it is short, else its beginning and its end.

use std::collections::VecDeque;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

/// What a command wrote, as bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Output {
    /// The beginning.
    pub head: Vec<u8>,
    /// How many bytes are missing between the two.
    pub omitted: u64,
    /// The end; empty as long as the beginning is all.
    pub tail: Vec<u8>,
}

impl Output {
    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.head.is_empty() && self.tail.is_empty()
    }

    /// How many bytes the command wrote.
    pub fn len(&self) -> u64 {
        self.head.len() as u64 + self.omitted + self.tail.len() as u64
    }

    /// All that was kept, with a line of its own that says what is missing.
    pub fn joined(&self) -> Vec<u8> {
        let mut bytes = self.head.clone();
        if self.omitted > 0 {
            if !bytes.ends_with(b"\n") {
                bytes.push(b'\n');
            }
            bytes.extend_from_slice(format!("[... {} bytes left out ...]\n", self.omitted).as_bytes());
        }
        bytes.extend_from_slice(&self.tail);
        bytes
    }
}

impl Serialize for Output {
    /// Writes the kept bytes as text, with `�` for what is not UTF-8, and says whether anything was lost.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = self.joined();
        let mut fields = serializer.serialize_struct("Output", 4)?;
        fields.serialize_field("text", &String::from_utf8_lossy(&bytes))?;
        fields.serialize_field("bytes", &self.len())?;
        fields.serialize_field("omitted", &self.omitted)?;
        fields.serialize_field("is_text", &std::str::from_utf8(&bytes).is_ok())?;
        fields.end()
    }
}

/// Collects an [`Output`] of which at most `limit` bytes are kept, half of them from the end.
#[derive(Debug)]
pub(super) struct Collector {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    omitted: u64,
    half: usize,
}

impl Collector {
    pub(super) fn new(limit: usize) -> Self {
        Self { head: Vec::new(), tail: VecDeque::new(), omitted: 0, half: (limit / 2).max(1) }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let room = self.half - self.head.len();
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(head);
        let kept = &rest[rest.len().saturating_sub(self.half)..];
        let excess = (self.tail.len() + kept.len()).saturating_sub(self.half);
        self.tail.drain(..excess);
        self.tail.extend(kept);
        self.omitted += (rest.len() - kept.len() + excess) as u64;
    }

    /// The bytes that are kept now.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.head.capacity() + self.tail.capacity()
    }

    pub(super) fn finish(self) -> Output {
        let (mut head, mut tail) = (self.head, Vec::from(self.tail));
        if self.omitted == 0 {
            head.append(&mut tail);
        }
        head.shrink_to_fit();
        Output { head, omitted: self.omitted, tail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collected(limit: usize, chunks: &[&[u8]]) -> Output {
        let mut collector = Collector::new(limit);
        chunks.iter().for_each(|chunk| collector.push(chunk));
        collector.finish()
    }

    #[test]
    fn short_output_is_whole_however_it_arrives() {
        assert_eq!(collected(10, &[b"0123", b"456789"]).joined(), b"0123456789");
        assert_eq!(collected(10, &[b"0123456789"]), collected(10, &[b"0", b"123456", b"789"]));
    }

    #[test]
    fn long_output_keeps_its_beginning_and_its_end() {
        let whole: Vec<u8> = (b'a'..=b'z').collect();
        for size in 1..=26 {
            let chunks: Vec<&[u8]> = whole.chunks(size).collect();
            let output = collected(10, &chunks);
            assert_eq!((output.head.as_slice(), output.tail.as_slice()), (&b"abcde"[..], &b"vwxyz"[..]));
            assert_eq!((output.omitted, output.len()), (16, 26));
            assert_eq!(output.joined(), b"abcde\n[... 16 bytes left out ...]\nvwxyz");
        }
    }

    #[test]
    fn endless_output_takes_no_more_memory_than_the_limit() {
        let mut collector = Collector::new(1 << 20);
        for _ in 0..1000 {
            collector.push(&[b'y'; 70_001]);
            assert!(collector.kept() <= 2 << 20, "{}", collector.kept());
        }
        assert_eq!(collector.finish().len(), 70_001_000);
    }
}
