//! A reader of HTTP/1.1 requests that accepts only what every server in the world reads in the same way.
//!
//! It is written for these tests and shares nothing with the proxy, on purpose.

/// One request as it went over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// The method.
    pub(crate) method: String,
    /// The target.
    pub(crate) target: String,
    /// Names in lower case, values without the space around them.
    pub(crate) headers: Vec<(String, String)>,
    /// The body without its framing.
    pub(crate) body: Vec<u8>,
}

/// What bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Whole requests and nothing else.
    Whole(Vec<Request>),
    /// Whole requests, then the beginning of one more, which is flawless as far as it goes.
    Partial(Vec<Request>),
}

impl Request {
    /// All values of a header.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(own, _)| own == name).map(|(_, value)| value.as_str()).collect()
    }

    fn framing(&self) -> Result<Framing, String> {
        framing(&self.values("content-length"), &self.values("transfer-encoding"))
    }
}

enum Framing {
    None,
    Length(usize),
    Chunked,
}

enum Step<T> {
    Done(T, usize),
    More,
}

/// Reads everything that went over one connection. An error says what two readers could read differently.
pub(crate) fn read(bytes: &[u8]) -> Result<Reading, String> {
    let (mut at, mut requests) = (0, Vec::new());
    while at < bytes.len() {
        match request(&bytes[at..])? {
            Step::Done(request, length) => {
                at += length;
                requests.push(request);
            }
            Step::More => return Ok(Reading::Partial(requests)),
        }
    }
    Ok(Reading::Whole(requests))
}

fn request(bytes: &[u8]) -> Result<Step<Request>, String> {
    let Step::Done(first, mut at) = line(bytes)? else { return Ok(Step::More) };
    let words: Vec<&str> = first.split(' ').collect();
    let [method, target, "HTTP/1.1"] = words.as_slice() else {
        return Err(format!("request line {first:?}"));
    };
    if !is_token(method) || *method == "CONNECT" {
        return Err(format!("method {method:?}"));
    }
    if !(target.starts_with('/') || *target == "*") || !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("target {target:?}"));
    }
    let Step::Done(headers, length) = fields(&bytes[at..])? else { return Ok(Step::More) };
    at += length;
    let mut request =
        Request { method: (*method).to_owned(), target: (*target).to_owned(), headers, body: Vec::new() };
    if request.values("host").len() != 1 {
        return Err(format!("hosts {:?}", request.values("host")));
    }
    match request.framing()? {
        Framing::None => {}
        Framing::Length(length) if bytes.len() - at < length => return Ok(Step::More),
        Framing::Length(length) => {
            request.body = bytes[at..at + length].to_vec();
            at += length;
        }
        Framing::Chunked => {
            let Step::Done(body, length) = chunks(&bytes[at..])? else { return Ok(Step::More) };
            request.body = body;
            at += length;
        }
    }
    Ok(Step::Done(request, at))
}

fn framing(lengths: &[&str], encodings: &[&str]) -> Result<Framing, String> {
    match (lengths, encodings) {
        ([], []) => Ok(Framing::None),
        ([length], []) if !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit()) => {
            length.parse().map(Framing::Length).map_err(|_| format!("length {length:?}"))
        }
        ([], ["chunked"]) => Ok(Framing::Chunked),
        _ => Err(format!("lengths {lengths:?} and encodings {encodings:?}")),
    }
}

/// One line without its end. A bare CR or LF, a NUL and other control characters are errors.
fn line(bytes: &[u8]) -> Result<Step<String>, String> {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let text = match end {
        Some(end) if end > 0 && bytes[end - 1] == b'\r' => &bytes[..end - 1],
        Some(end) => return Err(format!("a bare LF after {:?}", String::from_utf8_lossy(&bytes[..end]))),
        None => bytes.strip_suffix(b"\r").unwrap_or(bytes),
    };
    if let Some(bad) = text.iter().find(|byte| byte.is_ascii_control() && **byte != b'\t') {
        return Err(format!("byte {bad:#x} in {:?}", String::from_utf8_lossy(text)));
    }
    match end {
        Some(end) => Ok(Step::Done(String::from_utf8_lossy(text).into_owned(), end + 1)),
        None => Ok(Step::More),
    }
}

fn fields(bytes: &[u8]) -> Result<Step<Vec<(String, String)>>, String> {
    let (mut at, mut fields) = (0, Vec::new());
    loop {
        let Step::Done(text, length) = line(&bytes[at..])? else { return Ok(Step::More) };
        at += length;
        if text.is_empty() {
            return Ok(Step::Done(fields, at));
        }
        let (name, value) = text.split_once(':').ok_or_else(|| format!("header {text:?}"))?;
        if !is_token(name) {
            return Err(format!("header name {name:?}"));
        }
        fields.push((name.to_ascii_lowercase(), value.trim_matches([' ', '\t']).to_owned()));
    }
}

fn chunks(bytes: &[u8]) -> Result<Step<Vec<u8>>, String> {
    let (mut at, mut body) = (0, Vec::new());
    loop {
        let Step::Done(size, length) = line(&bytes[at..])? else { return Ok(Step::More) };
        at += length;
        if size.is_empty() || size.len() > 8 || !size.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(format!("chunk size {size:?}"));
        }
        let size = usize::from_str_radix(&size, 16).map_err(|error| error.to_string())?;
        if size == 0 {
            let Step::Done(trailers, length) = fields(&bytes[at..])? else { return Ok(Step::More) };
            let forbidden = ["content-length", "transfer-encoding", "host", "connection", "authorization"];
            if let Some((name, _)) = trailers.iter().find(|(name, _)| forbidden.contains(&name.as_str())) {
                return Err(format!("{name} in the trailers"));
            }
            return Ok(Step::Done(body, at + length));
        }
        let Some(data) = bytes[at..].get(..size) else { return Ok(Step::More) };
        body.extend_from_slice(data);
        at += size;
        match &bytes[at..] {
            [b'\r', b'\n', ..] => at += 2,
            [] | [b'\r'] => return Ok(Step::More),
            _ => return Err("a chunk is longer than it says".to_owned()),
        }
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[test]
fn the_strict_reader_is_strict() {
    let good = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n";
    let Ok(Reading::Whole(requests)) = read(good) else { panic!("{:?}", read(good)) };
    assert_eq!((requests.len(), requests[0].body.as_slice()), (2, &b"ab"[..]));
    assert!(matches!(read(&good[..good.len() - 40]), Ok(Reading::Partial(_))));
    for bad in [
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;x\r\na\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nHost: b\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
    ] {
        assert!(read(bad.as_bytes()).is_err(), "{bad:?}");
    }
}
