//! A load of a fixed rate, which `wrk` does not have: each connection has a timetable, and what is late is late from
//! the moment at which it was due. A pause of the proxy is therefore seen by all requests that it would have hurt.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::Figures;
use crate::failure::Failure;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: bench.example\r\n\r\n";

/// What one connection saw.
#[derive(Default)]
struct Seen {
    us: Vec<u32>,
    failed: u64,
}

/// Sends `rate` requests a second over all connections together, for `span`.
pub(super) fn run(
    address: SocketAddr,
    connections: usize,
    rate: f64,
    span: Duration,
) -> Result<Figures, Failure> {
    let interval = Duration::from_secs_f64(connections as f64 / rate.max(1.0));
    let began = Instant::now() + Duration::from_millis(50);
    let threads: Vec<_> = (0..connections)
        .map(|number| {
            // Evenly spread, not all at once.
            let first = began + interval.mul_f64(number as f64 / connections as f64);
            thread::spawn(move || timetable(address, first, interval, began + span))
        })
        .collect();
    let mut all = Seen::default();
    for thread in threads {
        let seen =
            thread.join().map_err(|_| Failure::Found("a connection of the load broke down".to_owned()))?;
        all.us.extend(seen.us);
        all.failed += seen.failed;
    }
    all.us.sort_unstable();
    let quantile = |per_mille: usize| {
        let index = (all.us.len() * per_mille / 1000).min(all.us.len().saturating_sub(1));
        all.us.get(index).map_or(0.0, |us| f64::from(*us) / 1e3)
    };
    Ok(Figures {
        requests: all.us.len() as u64,
        rate: all.us.len() as f64 / span.as_secs_f64(),
        quantiles_ms: [500, 990, 999].map(quantile),
        failed: all.failed,
        ..Figures::default()
    })
}

fn timetable(address: SocketAddr, first: Instant, interval: Duration, end: Instant) -> Seen {
    let (mut seen, mut due, mut connection) = (Seen::default(), first, None);
    while due < end {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        match exchange(&mut connection, address) {
            Ok(()) => seen.us.push(u32::try_from(due.elapsed().as_micros()).unwrap_or(u32::MAX)),
            Err(_) => {
                connection = None;
                seen.failed += 1;
            }
        }
        due += interval;
    }
    seen
}

/// One request and its whole response, on the connection that is open or a new one.
pub(super) fn exchange(connection: &mut Option<TcpStream>, address: SocketAddr) -> io::Result<()> {
    let stream = match connection {
        Some(stream) => stream,
        None => {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            connection.insert(stream)
        }
    };
    stream.write_all(REQUEST)?;
    let (mut buffer, mut read) = ([0; 8 * 1024], 0);
    loop {
        match stream.read(&mut buffer[read..])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            more => read += more,
        }
        if let Some(length) = whole(&buffer[..read])? {
            return if length == read { Ok(()) } else { Err(io::Error::other("more than was asked for")) };
        }
    }
}

/// The length of the response when its head is here; `None` before, and while its body is not.
fn whole(bytes: &[u8]) -> io::Result<Option<usize>> {
    let Some(head) = bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4) else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    if !text.starts_with("http/1.1 200") {
        return Err(io::Error::other("not 200"));
    }
    let length =
        text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    let length = head + length.ok_or_else(|| io::Error::other("no length"))?;
    Ok((bytes.len() >= length).then_some(length))
}

#[test]
fn a_response_is_whole_when_its_body_is() {
    let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    assert_eq!(whole(bytes).unwrap(), Some(bytes.len()));
    assert_eq!(whole(&bytes[..bytes.len() - 1]).unwrap(), None);
    assert_eq!(whole(&bytes[..20]).unwrap(), None);
    assert!(whole(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n").is_err());
}
