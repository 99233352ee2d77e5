//! A connection with its two buffers: what was read and not looked at, what is to be written.

use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use crate::body::{Piece, Trailers};

/// Bytes that one read asks for at least.
const READ: usize = 4 * 1024;

/// Bytes that one read asks for while a body flows.
const READ_MUCH: usize = 64 * 1024;

/// Pieces below this size are copied: cheaper than another slice.
const COPIED: usize = 4 * 1024;

/// Bytes that wait to be written before more are taken.
const ENOUGH: usize = 16 * 1024;

/// A connection and its buffers.
#[derive(Debug)]
pub(crate) struct Wire<S> {
    stream: S,
    /// What was read.
    pub(crate) read: BytesMut,
    /// Whether the other side will send no more.
    pub(crate) over: bool,
    /// Whether the last read filled all the room that it had.
    much: bool,
    /// What is written first.
    small: BytesMut,
    /// What is written then, without having been copied.
    large: Bytes,
    /// What is written at last.
    tail: &'static [u8],
    /// Bytes written.
    pub(crate) written: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// A connection of which `read` was read already.
    pub(crate) fn new(stream: S, read: BytesMut) -> Self {
        Self {
            stream,
            read,
            over: false,
            much: false,
            small: BytesMut::new(),
            large: Bytes::new(),
            tail: b"",
            written: 0,
        }
    }

    /// The connection itself.
    pub(crate) fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    /// The connection as one that begins with what was read and not looked at.
    pub(crate) fn prefixed(self) -> Prefixed<S> {
        Prefixed { prefix: self.read, stream: self.stream }
    }

    /// Reads more, and says how much; nothing is the end.
    pub(crate) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.over {
            return Poll::Ready(Ok(0));
        }
        let room = self.read.capacity() - self.read.len();
        if room < READ {
            self.read.reserve(if self.much { READ_MUCH } else { READ * 2 });
        }
        let room = self.read.capacity() - self.read.len();
        let count = ready!(pin!(self.stream.read_buf(&mut self.read)).poll(cx))?;
        self.much = count == room;
        self.over = count == 0;
        Poll::Ready(Ok(count))
    }

    /// What is to be written next.
    pub(crate) fn out(&mut self) -> &mut BytesMut {
        &mut self.small
    }

    /// Whether all has been written.
    pub(crate) fn is_flushed(&self) -> bool {
        self.small.is_empty() && self.large.is_empty() && self.tail.is_empty()
    }

    /// Whether more may be put into the buffer.
    pub(crate) fn has_room(&self) -> bool {
        self.large.is_empty() && self.tail.is_empty() && self.small.len() < ENOUGH
    }

    /// Puts bytes into the buffer, which must have room.
    pub(crate) fn put(&mut self, data: Bytes) {
        if data.len() < COPIED {
            self.small.extend_from_slice(&data);
        } else {
            self.large = data;
        }
    }

    /// Puts a piece of a body into the buffer, which must have room.
    pub(crate) fn put_piece(&mut self, piece: Piece, chunked: bool) {
        match piece {
            Piece::Data(data) if chunked => {
                self.put_hex(data.len());
                self.put(data);
                if self.large.is_empty() {
                    self.small.extend_from_slice(b"\r\n");
                } else {
                    self.tail = b"\r\n";
                }
            }
            Piece::Data(data) => self.put(data),
            Piece::End(trailers) if chunked => self.put_end(&trailers),
            Piece::End(_) => {}
        }
    }

    fn put_hex(&mut self, number: usize) {
        let mut digits = [0; 18];
        let mut at = digits.len() - 2;
        digits[at..].copy_from_slice(b"\r\n");
        let mut rest = number;
        loop {
            at -= 1;
            digits[at] = b"0123456789abcdef"[rest & 15];
            rest >>= 4;
            if rest == 0 || at == 0 {
                break;
            }
        }
        self.small.extend_from_slice(&digits[at..]);
    }

    fn put_end(&mut self, trailers: &Trailers) {
        self.small.extend_from_slice(b"0\r\n");
        for (name, value) in trailers.iter() {
            for part in [name, b": ", value, b"\r\n"] {
                self.small.extend_from_slice(part);
            }
        }
        self.small.extend_from_slice(b"\r\n");
    }

    /// Writes what is in the buffer; ready when all of it is.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_flushed() {
            return Poll::Ready(Ok(()));
        }
        while !self.is_flushed() {
            let slices = [IoSlice::new(&self.small), IoSlice::new(&self.large), IoSlice::new(self.tail)];
            let stream = Pin::new(&mut self.stream);
            let mut count = if self.large.is_empty() && self.tail.is_empty() {
                ready!(stream.poll_write(cx, &self.small))?
            } else {
                ready!(stream.poll_write_vectored(cx, &slices))?
            };
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count as u64;
            let small = count.min(self.small.len());
            self.small.advance(small);
            count -= small;
            let large = count.min(self.large.len());
            self.large.advance(large);
            self.tail = self.tail.get(count - large..).unwrap_or_default();
        }
        self.small.clear();
        self.large = Bytes::new();
        Pin::new(&mut self.stream).poll_flush(cx)
    }
}

/// A connection that begins with bytes that were read already.
#[derive(Debug)]
pub(crate) struct Prefixed<S> {
    prefix: BytesMut,
    stream: S,
}

impl<S: AsyncRead + Unpin> AsyncRead for Prefixed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.prefix.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let count = self.prefix.len().min(buffer.remaining());
        buffer.put_slice(&self.prefix.split_to(count));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Prefixed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
