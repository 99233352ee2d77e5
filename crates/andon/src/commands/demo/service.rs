//! The web service of the demo: the pages of one release over HTTP, on loopback.
//!
//! Small and bounded: a few threads, one request for each connection, nothing but reading files of one directory.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;

use crate::commands::Done;
use crate::exit;
use crate::failure::Failure;

/// Connections that are served at once.
const THREADS: usize = 4;
/// The longest head of a request, in bytes.
const MAX_HEAD: usize = 8 << 10;
/// The largest page, in bytes.
const MAX_PAGE: u64 = 1 << 20;
/// The time for one request, from its first byte to the last of its answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the demo's web service is told.
#[derive(Debug, Args)]
pub(crate) struct ServiceArgs {
    /// The port to listen on
    #[arg(long)]
    port: u16,
    /// The directory that holds index.html and the other pages
    #[arg(long, value_name = "DIR")]
    pages: PathBuf,
}

/// Serves until the process is ended.
pub(crate) fn serve(args: &ServiceArgs) -> Done {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port))
        .map_err(|error| Failure::broken(format!("port {} of 127.0.0.1: {error}", args.port)))?;
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| accept(&listener, &args.pages));
        }
    });
    Ok(exit::OK)
}

fn accept(listener: &TcpListener, pages: &Path) {
    loop {
        match listener.accept() {
            // A visitor who goes away harms nobody.
            Ok((stream, _)) => drop(answer(stream, pages)),
            // Out of descriptors, perhaps: spinning would not help.
            Err(_) => thread::sleep(Duration::from_millis(50)),
        }
    }
}

fn answer(mut stream: TcpStream, pages: &Path) -> io::Result<()> {
    let head = head(&mut stream)?;
    let (status, kind, body) = respond(&head, pages);
    let length = body.len();
    let start = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(start.as_bytes())?;
    if !head.starts_with("HEAD ") {
        stream.write_all(&body)?;
    }
    Ok(())
}

/// The head of a request, without what follows it.
fn head(stream: &mut TcpStream) -> io::Result<String> {
    let begun = Instant::now();
    let mut head = Vec::new();
    let mut piece = [0_u8; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < MAX_HEAD {
        let left = PATIENCE.saturating_sub(begun.elapsed()).max(Duration::from_millis(1));
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut piece)? {
            0 => break,
            _ if begun.elapsed() > PATIENCE => return Err(io::ErrorKind::TimedOut.into()),
            read => head.extend_from_slice(&piece[..read]),
        }
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

type Response = (&'static str, &'static str, Vec<u8>);

fn respond(head: &str, pages: &Path) -> Response {
    let mut words = head.split_ascii_whitespace();
    let (Some("GET" | "HEAD"), Some(target)) = (words.next(), words.next()) else {
        return ("405 Method Not Allowed", "text/plain", b"Only GET and HEAD.\n".to_vec());
    };
    let path = target.split('?').next().unwrap_or_default();
    let name = match path {
        "/healthz" => return ("200 OK", "text/plain", b"ok\n".to_vec()),
        "/" => "index.html",
        "/checkout" => "checkout.html",
        other => other.trim_start_matches('/'),
    };
    match page(pages, name) {
        Some(body) => ("200 OK", "text/html", body),
        None => ("404 Not Found", "text/plain", b"There is no such page.\n".to_vec()),
    }
}

/// A page of the release. Names with anything but letters, digits and single dots lead nowhere.
fn page(pages: &Path, name: &str) -> Option<Vec<u8>> {
    let plain =
        name.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric()));
    if !plain {
        return None;
    }
    let mut body = Vec::new();
    File::open(pages.join(name)).ok()?.take(MAX_PAGE).read_to_end(&mut body).ok()?;
    Some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_the_release_are_served() {
        let pages = tempfile::tempdir().unwrap();
        std::fs::write(pages.path().join("index.html"), "Welcome").unwrap();
        std::fs::write(pages.path().join(".secret"), "no").unwrap();
        let ask = |request: &str| respond(request, pages.path());
        assert_eq!(ask("GET / HTTP/1.1\r\n\r\n"), ("200 OK", "text/html", b"Welcome".to_vec()));
        assert_eq!(ask("GET /index.html?x=1 HTTP/1.1\r\n\r\n").0, "200 OK");
        assert_eq!(ask("GET /healthz HTTP/1.1\r\n\r\n").2, b"ok\n");
        for hostile in ["/../x", "/..", "//etc/passwd", "/.secret", "/.", "/a/b", "/missing.html", "x"] {
            assert_eq!(ask(&format!("GET {hostile} HTTP/1.1\r\n\r\n")).0, "404 Not Found", "{hostile}");
        }
        for odd in ["", "GET", "POST / HTTP/1.1", "\0\0\0"] {
            assert_eq!(ask(odd).0, "405 Method Not Allowed", "{odd:?}");
        }
    }
}
