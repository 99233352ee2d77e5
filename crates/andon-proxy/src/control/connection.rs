//! One end of a connection over the control socket: whole frames in, whole frames out, and file descriptors along.
//!
//! Both the proxy and its clients use it. It bounds what it reads and does not know what the messages mean.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use andon_api::frame::{self, FrameError, HEADER};
use andon_api::proxy::MAX_SOCKETS;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::UnixStream;
use tokio::time::timeout;

/// How long the rest of a frame may take once it has begun, and how long a frame may take to be sent.
const FRAME_TIME: Duration = Duration::from_secs(10);

/// Why a conversation over the control socket ended.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The socket failed.
    #[error("the control connection failed: {0}")]
    Io(#[from] io::Error),
    /// What came is not a message.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The peer began a frame and did not end it in time, or does not read.
    #[error("the other end of the control socket took longer than {} s for a message", FRAME_TIME.as_secs())]
    Stuck,
    /// The peer closed the connection where an answer was due.
    #[error("the other end closed the control connection without an answer")]
    Closed,
}

/// One end.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    longest: usize,
}

impl Connection {
    /// Takes over a connected stream; reads frames whose bodies have at most `longest` bytes.
    pub fn new(stream: UnixStream, longest: usize) -> Self {
        Self { stream, longest }
    }

    /// The next message, and the file descriptors that came with it; `None` at the end of the connection. Waits for a
    /// frame to begin as long as it takes. May be dropped while it waits for that, and not later.
    pub async fn receive<M: DeserializeOwned>(
        &mut self,
    ) -> Result<Option<(M, Vec<OwnedFd>)>, ConnectionError> {
        let mut header = [0; HEADER];
        let (read, descriptors) = self.begin(&mut header).await?;
        if read == 0 {
            return Ok(None);
        }
        let body =
            timeout(FRAME_TIME, self.rest(header, read)).await.map_err(|_| ConnectionError::Stuck)??;
        Ok(Some((frame::decode(&body)?, descriptors)))
    }

    /// Sends a message with file descriptors, at most [`MAX_SOCKETS`].
    pub async fn send<M: Serialize>(
        &mut self,
        message: &M,
        with: &[BorrowedFd<'_>],
    ) -> Result<(), ConnectionError> {
        let bytes = frame::encode(message)?;
        timeout(FRAME_TIME, self.put(&bytes, with)).await.map_err(|_| ConnectionError::Stuck)?
    }

    async fn put(&mut self, bytes: &[u8], with: &[BorrowedFd<'_>]) -> Result<(), ConnectionError> {
        let sent = if with.is_empty() { 0 } else { self.attach(bytes, with).await? };
        Ok(self.stream.write_all(&bytes[sent..]).await?)
    }

    /// Sends the first bytes together with the descriptors; says how many bytes went.
    async fn attach(&self, bytes: &[u8], with: &[BorrowedFd<'_>]) -> io::Result<usize> {
        loop {
            self.stream.writable().await?;
            let sent = self.stream.try_io(Interest::WRITABLE, || {
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_SOCKETS))];
                let mut ancillary = SendAncillaryBuffer::new(&mut space);
                if !ancillary.push(SendAncillaryMessage::ScmRights(with)) {
                    return Err(io::Error::other(format!("more than {MAX_SOCKETS} sockets in one message")));
                }
                Ok(sendmsg(&self.stream, &[IoSlice::new(bytes)], &mut ancillary, SendFlags::NOSIGNAL)?)
            });
            match sent {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
        }
    }

    /// Reads the first bytes of a frame; says how many, and what came along.
    async fn begin(&self, header: &mut [u8; HEADER]) -> Result<(usize, Vec<OwnedFd>), ConnectionError> {
        loop {
            self.stream.readable().await?;
            let received = self.stream.try_io(Interest::READABLE, || {
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_SOCKETS))];
                let mut ancillary = RecvAncillaryBuffer::new(&mut space);
                let mut buffers = [IoSliceMut::new(header)];
                let got = recvmsg(&self.stream, &mut buffers, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
                let mut descriptors = Vec::new();
                for message in ancillary.drain() {
                    if let RecvAncillaryMessage::ScmRights(sent) = message {
                        descriptors.extend(sent);
                    }
                }
                Ok((got.bytes, descriptors))
            });
            match received {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return Ok(other?),
            }
        }
    }

    async fn rest(&mut self, mut header: [u8; HEADER], read: usize) -> Result<Vec<u8>, ConnectionError> {
        self.stream.read_exact(&mut header[read..]).await?;
        let length = frame::body_length(header)?;
        if length > self.longest {
            return Err(FrameError::TooLong(length).into());
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        Ok(body)
    }
}
