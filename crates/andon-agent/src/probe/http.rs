//! The HTTP probe: one GET to this host, bounded as a whole. Follows no redirect and uses no proxy: the answer of
//! the instance itself counts.

use std::io::Read;
use std::net::Ipv4Addr;
use std::time::Duration;

use ureq::Agent;

use super::{Answer, MAX_DETAIL};

/// The most that is read of a body.
const MAX_BODY: u64 = 1 << 20;

/// One request and what is expected of its answer.
#[derive(Debug)]
pub(super) struct Question<'a> {
    pub(super) port: u16,
    pub(super) path: &'a str,
    pub(super) status: Option<u16>,
    pub(super) contains: Option<&'a str>,
    pub(super) host_header: Option<&'a str>,
}

impl Question<'_> {
    /// Asks, and takes no longer than `timeout` from the connection to the last byte of the body.
    pub(super) fn ask(&self, timeout: Duration) -> Answer {
        let agent: Agent = Agent::config_builder()
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .max_idle_connections(0)
            .user_agent("andon")
            .build()
            .into();
        let request = agent
            .get(format!("http://{}:{}{}", Ipv4Addr::LOCALHOST, self.port, self.path))
            .header("Host", self.host_header.unwrap_or("localhost"));
        let mut response = match request.call() {
            Ok(response) => response,
            Err(error) => return self.unanswered(&error, timeout),
        };
        let status = response.status().as_u16();
        let good = self.status.map_or((200..400).contains(&status), |wanted| wanted == status);
        let expected = self.status.map_or_else(|| "200 to 399".to_owned(), |wanted| wanted.to_string());
        if !good {
            // The body often says why; it does not matter when it does not come.
            let mut body = Vec::new();
            let _ = response.body_mut().as_reader().take(MAX_DETAIL as u64).read_to_end(&mut body);
            return Answer::new(false, &format!("answered {status}, expected {expected}"), &body);
        }
        match self.contains {
            Some(wanted) => self.look_for(wanted, status, response.body_mut().as_reader()),
            None => Answer::new(true, &format!("answered {status}"), b""),
        }
    }

    fn look_for(&self, wanted: &str, status: u16, body: impl Read) -> Answer {
        let mut bytes = Vec::new();
        let read = body.take(MAX_BODY).read_to_end(&mut bytes);
        let found =
            wanted.is_empty() || bytes.windows(wanted.len()).any(|window| window == wanted.as_bytes());
        if found {
            return Answer::new(true, &format!("answered {status} with {wanted:?}"), b"");
        }
        let message = match read {
            Err(error) => format!("answered {status}, but its body broke off: {error}"),
            Ok(_) => format!("answered {status}, but its body does not contain {wanted:?}"),
        };
        Answer::new(false, &message, &bytes[..bytes.len().min(MAX_DETAIL)])
    }

    fn unanswered(&self, error: &ureq::Error, timeout: Duration) -> Answer {
        Answer::failed(&match error {
            ureq::Error::Timeout(_) => format!("did not answer within {timeout:?}"),
            ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                format!("nothing listens on port {}", self.port)
            }
            ureq::Error::Http(error) => format!("cannot be asked for {:?}: {error}", self.path),
            other => format!("did not answer properly: {other}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::{TcpListener, TcpStream};
    use std::time::Instant;

    use super::*;

    /// A server that treats one connection as `answer` does, after it has read the request. Answers its port.
    fn serve(answer: impl FnOnce(String, TcpStream) + Send + 'static) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let mut request = String::new();
            while let Some(Ok(line)) =
                lines.next().filter(|line| line.as_ref().is_ok_and(|line| !line.is_empty()))
            {
                request += &line;
                request.push('\n');
            }
            answer(request, stream);
        });
        port
    }

    fn question(port: u16) -> Question<'static> {
        Question { port, path: "/healthz?full=1", status: None, contains: None, host_header: None }
    }

    const LONG: Duration = Duration::from_secs(60);

    fn fixed(text: &'static str) -> impl FnOnce(String, TcpStream) + Send {
        move |_, mut stream| stream.write_all(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_request_names_the_path_and_the_host_header() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let port = serve(move |request, mut stream| {
            sender.send(request).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
        });
        let answer = Question { host_header: Some("www.example.com"), ..question(port) }.ask(LONG);
        assert!(answer.passed, "{}", answer.message);
        let request = receiver.recv().unwrap().to_lowercase();
        assert!(request.starts_with("get /healthz?full=1 http/1.1\n"), "{request}");
        assert!(request.contains("host: www.example.com\n"), "{request}");
        assert_eq!(request.matches("host:").count(), 1);
    }

    #[test]
    fn a_wrong_status_fails_and_says_what_was_expected() {
        let answer = question(serve(fixed("HTTP/1.1 500 No\r\nContent-Length: 4\r\n\r\noops"))).ask(LONG);
        assert_eq!((answer.passed, answer.message.as_str()), (false, "answered 500, expected 200 to 399"));
        assert_eq!(answer.detail, "oops");
        let port = serve(fixed("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
        assert_eq!(
            Question { status: Some(204), ..question(port) }.ask(LONG).message,
            "answered 200, expected 204"
        );
    }

    #[test]
    fn a_redirect_is_an_answer_and_is_not_followed() {
        let port =
            serve(fixed("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"));
        let answer = Question { status: Some(302), ..question(port) }.ask(LONG);
        assert!(answer.passed, "{}", answer.message);
    }

    #[test]
    fn the_body_must_contain_the_text() {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        assert!(Question { contains: Some("ell"), ..question(serve(fixed(text))) }.ask(LONG).passed);
        let answer = Question { contains: Some("bye"), ..question(serve(fixed(text))) }.ask(LONG);
        assert_eq!(answer.message, r#"answered 200, but its body does not contain "bye""#);
    }

    #[test]
    fn an_endless_body_is_read_for_one_mebibyte_only() {
        let port = serve(|_, mut stream| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
            while stream.write_all(&[b'x'; 4096]).is_ok() {}
        });
        assert!(!Question { contains: Some("y"), ..question(port) }.ask(LONG).passed);
    }

    #[test]
    fn one_byte_at_a_time_does_not_stretch_the_time_out() {
        let port = serve(|_, mut stream| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX-Slow: ");
            while stream.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let begun = Instant::now();
        let answer = question(port).ask(Duration::from_millis(300));
        assert_eq!((answer.passed, answer.message.as_str()), (false, "did not answer within 300ms"));
        assert!(begun.elapsed() < LONG, "the time-out was stretched");
    }

    #[test]
    fn a_slow_body_does_not_stretch_the_time_out_either() {
        let port = serve(|_, mut stream| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
            while stream.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let answer = Question { contains: Some("y"), ..question(port) }.ask(Duration::from_millis(300));
        assert!(answer.message.starts_with("answered 200, but its body broke off"), "{}", answer.message);
    }

    #[test]
    fn nobody_there_nonsense_and_silence_are_told_apart() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        assert_eq!(question(free).ask(LONG).message, format!("nothing listens on port {free}"));
        assert!(
            question(serve(fixed("SSH-2.0-OpenSSH\r\n")))
                .ask(LONG)
                .message
                .starts_with("did not answer properly")
        );
        assert!(
            question(serve(|_, stream| drop(stream)))
                .ask(LONG)
                .message
                .starts_with("did not answer properly")
        );
        let odd = Question { path: "/a b", ..question(free) }.ask(LONG);
        assert!(!odd.passed);
    }
}
