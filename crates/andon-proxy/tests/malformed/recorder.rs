//! A server behind the proxy that keeps every byte and answers as the test wants.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::strict::{self, Reading};

/// What the server says to a whole request.
pub(crate) type Answer = Arc<dyn Fn(&strict::Request) -> Reply + Send + Sync>;

/// One answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    /// The bytes.
    pub(crate) bytes: Vec<u8>,
    /// Whether the connection ends with them.
    pub(crate) close: bool,
}

/// The server.
pub(crate) struct Recorder {
    address: SocketAddr,
    connections: Arc<Mutex<Vec<Vec<u8>>>>,
}

/// `200` with `ok`, and the connection stays open.
pub(crate) fn well(_: &strict::Request) -> Reply {
    Reply { bytes: b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec(), close: false }
}

impl Recorder {
    /// Listens on a free port.
    pub(crate) fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&connections);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (all, answer) = (Arc::clone(&all), Arc::clone(&answer));
                thread::spawn(move || serve(stream, &all, &answer));
            }
        });
        Self { address, connections }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every byte that came, by connection; those without a byte are left out.
    pub(crate) fn recorded(&self) -> Vec<Vec<u8>> {
        self.connections.lock().unwrap().iter().filter(|bytes| !bytes.is_empty()).cloned().collect()
    }
}

fn serve(mut stream: TcpStream, all: &Mutex<Vec<Vec<u8>>>, answer: &Answer) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
    let number = {
        let mut all = all.lock().unwrap();
        all.push(Vec::new());
        all.len() - 1
    };
    let (mut answered, mut piece) = (0, [0; 16 * 1024]);
    while let Ok(read @ 1..) = stream.read(&mut piece) {
        let so_far = {
            let mut all = all.lock().unwrap();
            all[number].extend_from_slice(&piece[..read]);
            all[number].clone()
        };
        // What is not flawless gets no answer: the test finds it in the record.
        let (Ok(Reading::Whole(requests)) | Ok(Reading::Partial(requests))) = strict::read(&so_far) else {
            continue;
        };
        for request in &requests[answered..] {
            let reply = answer(request);
            if stream.write_all(&reply.bytes).is_err() {
                return;
            }
            if reply.close {
                let _ = stream.shutdown(Shutdown::Write);
                // Bytes that were not read would turn the end into a reset, which may overtake the answer.
                while matches!(stream.read(&mut piece), Ok(1..)) {}
                return;
            }
        }
        answered = requests.len();
    }
}
