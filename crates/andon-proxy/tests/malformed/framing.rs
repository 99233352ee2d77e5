//! Where a body ends: `Content-Length`, `Transfer-Encoding`, chunks and trailers.

use crate::stage::Stage;

/// A second request that hides in the body of the first one.
const HIDDEN: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/// A request with these headers, and a body that means one thing by its chunks and another by a length.
fn with(headers: &str) -> Vec<u8> {
    format!("POST /outer HTTP/1.1\r\nHost: a\r\n{headers}\r\n0\r\n\r\n{HIDDEN}").into_bytes()
}

#[test]
fn a_length_beside_an_encoding_is_refused_in_every_order_and_spelling() {
    for headers in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 44\r\nTransfer-Encoding: chunked\r\n",
        "content-length:0\r\ntransfer-encoding:chunked\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: identity\r\n",
        "Content-Length: 5\r\nTransfer-Encoding:\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: gzip, chunked\r\n",
    ] {
        Stage::start().refuses(headers, &with(headers), &[400, 501]);
    }
}

#[test]
fn an_encoding_that_somebody_could_overlook_is_refused() {
    for headers in [
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunkedx\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: identity, chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked,\r\n",
        "Transfer-Encoding: ,chunked\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding: 'chunked'\r\n",
        "Transfer-Encoding: chunked;q=1\r\n",
        "Transfer-Encoding: \u{b}chunked\r\n",
        "Transfer-Encoding: chunked\u{b}\r\n",
        "Transfer-Encoding: \u{c}chunked\r\n",
        "Transfer-Encoding: \u{85}chunked\r\n",
        "Transfer-Encoding: chunked\0\r\n",
        "Transfer-Encoding: chu\rnked\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
        "Transfer-Encoding:\r\n\tchunked\r\n",
        "Transfer-Encoding: chunked\r\n , identity\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-encoding: cow\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding\t: chunked\r\n",
        " Transfer-Encoding: chunked\r\n",
        "\tTransfer-Encoding: chunked\r\n",
        "X: y\r\n Transfer-Encoding: chunked\r\n",
        "X: y\nTransfer-Encoding: chunked\r\n",
        "X: y\rTransfer-Encoding: chunked\r\n",
        "\0Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding\0: chunked\r\n",
        "Transfer\u{200b}-Encoding: chunked\r\n",
        "Transfer-Encoding\r\n: chunked\r\n",
        "Transfer-Encoding\r\n : chunked\r\n",
    ] {
        Stage::start().refuses(headers, &with(headers), &[400, 501]);
    }
}

#[test]
fn an_encoding_that_is_only_spelled_differently_is_passed_on_as_everybody_spells_it() {
    for header in
        ["Transfer-Encoding:chunked", "transfer-encoding: \t chunked \t", "TRANSFER-ENCODING: Chunked"]
    {
        let bytes = format!("POST /outer HTTP/1.1\r\nHost: a\r\n{header}\r\n\r\n2\r\nab\r\n0\r\n\r\n");
        Stage::start().passes(header, bytes.as_bytes(), b"ab");
    }
}

#[test]
fn a_length_that_two_could_read_differently_is_refused() {
    for headers in [
        "Content-Length: 5\r\nContent-Length: 0\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: 5, 0\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5_0\r\n",
        "Content-Length: 5 0\r\n",
        "Content-Length: 5.0\r\n",
        "Content-Length: 5;\r\n",
        "Content-Length: \"5\"\r\n",
        "Content-Length:\r\n",
        "Content-Length: \u{b}5\r\n",
        "Content-Length: 5\u{b}\r\n",
        "Content-Length:\r\n 5\r\n",
        "Content-Length: 5\r\n 0\r\n",
        "Content-Length: ٥\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Content-Length: 18446744073709551621\r\n",
        "Content-Length: 99999999999999999999999999999999\r\n",
        "Content-Length : 5\r\n",
        " Content-Length: 5\r\n",
        "Content_Length: 5\r\nContent-Length: 5\r\nContent-Length : 0\r\n",
    ] {
        Stage::start().refuses(headers, &with(headers), &[400, 413]);
    }
}

#[test]
fn a_hidden_request_behind_a_plain_length_is_a_request_of_its_own() {
    let stage = Stage::start();
    let mut client = stage.client();
    client.say(
        &[&b"POST /outer HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"[..], HIDDEN.as_bytes()]
            .concat(),
    );
    for _ in 0..2 {
        assert_eq!(client.response(false).unwrap().status, 200);
    }
    let targets: Vec<String> = stage.reached("two").into_iter().map(|request| request.target).collect();
    assert_eq!(targets, ["/outer", "/smuggled"]);
}

/// A request with this body, in chunks.
fn chunked(body: &[u8]) -> Vec<u8> {
    [b"POST /outer HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", body].concat()
}

/// Broken chunks: the server may have got the beginning of the request, but never its end.
fn never_whole(body: &[u8]) {
    let case = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
    let stage = Stage::start();
    let mut client = stage.client();
    client.say(&chunked(&[body, HIDDEN.as_bytes()].concat()));
    if let Some(response) = client.response(false) {
        assert!((400..500).contains(&response.status), "{case}: {response:?}");
        assert!(client.ends(), "{case}: the connection goes on");
    }
    assert!(stage.reached(&case).is_empty(), "{case}: {:?}", stage.reached(&case));
}

#[test]
fn a_chunk_size_that_two_could_read_differently_ends_the_request() {
    for size in [
        "-1",
        "+1",
        "0x1",
        "0X1",
        "1x",
        " 1",
        "\t1",
        "1 ",
        "1\t",
        "1\u{b}",
        "",
        "g",
        "1_0",
        "1,1",
        "\"1\"",
        "1\0",
        "10000000000000000",
        "fffffffffffffffff",
        "ffffffffffffffff",
        "8000000000000000",
        "00000000000000000000001",
        "1\r",
        "1\r\r",
    ] {
        never_whole(format!("{size}\r\nx\r\n0\r\n\r\n").as_bytes());
    }
}

#[test]
fn chunks_that_do_not_keep_to_their_lines_end_the_request() {
    for body in [
        "1\nx\r\n0\r\n\r\n",
        "1\r\nx\n0\r\n\r\n",
        "1\rx\r\n0\r\n\r\n",
        "1\r\nxy\r\n0\r\n\r\n",
        "1\r\nx0\r\n\r\n",
        "1\r\nx\r\r\n0\r\n\r\n",
        "1\r\nx\r\n0\n\n",
        "1\r\nx\r\n0\r\n\n",
        "1\r\nx\r\n0\r\nX: y\n\r\n",
        "\r\n1\r\nx\r\n0\r\n\r\n",
        "1;a\nb\r\nx\r\n0\r\n\r\n",
        "1;a=\"b\nc\"\r\nx\r\n0\r\n\r\n",
        "1;a\rb\r\nx\r\n0\r\n\r\n",
        "1;\0\r\nx\r\n0\r\n\r\n",
    ] {
        never_whole(body.as_bytes());
    }
    // An extension without an end.
    never_whole(&[b"1;a=", vec![b'b'; 256 * 1024].as_slice(), b"\r\nx\r\n0\r\n\r\n"].concat());
}

#[test]
fn the_extension_of_a_chunk_is_not_passed_on() {
    for body in ["2;a=b\r\nab\r\n0\r\n\r\n", "2;a=\"b;c\"\r\nab\r\n0;x\r\n\r\n"] {
        let stage = Stage::start();
        let mut client = stage.client();
        client.say(&chunked(body.as_bytes()));
        let response = client.response(false).unwrap();
        match response.status {
            200 => assert_eq!(stage.reached(body)[0].body, b"ab"),
            status => {
                assert_eq!((status, client.ends(), stage.reached(body).len()), (400, true, 0), "{body}")
            }
        }
    }
}

#[test]
fn trailers_never_become_headers() {
    for trailer in [
        "Content-Length: 44",
        "Transfer-Encoding: chunked",
        "Host: b",
        "Connection: close",
        "Authorization: Basic eA==",
        "X-Forwarded-For: 1.2.3.4",
        "Trailer : x",
        " folded",
        "no colon",
        ": no name",
    ] {
        let stage = Stage::start();
        stage.is_safe_with(trailer, &chunked(format!("1\r\nx\r\n0\r\n{trailer}\r\n\r\n{HIDDEN}").as_bytes()));
    }
}

#[test]
fn too_many_trailers_end_the_request() {
    never_whole(format!("1\r\nx\r\n0\r\n{}\r\n", "X: y\r\n".repeat(100_000)).as_bytes());
}
