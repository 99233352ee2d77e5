//! Webhooks, against a web server that answers as it is told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use andon_core::line::{Hook, HookForm, HookUrl, Tell};
use andon_core::name::SecretName;
use andon_core::telling::LetterState;
use serde_json::Value;

use crate::desk::{Desk, pass, telling};

/// A request as it came in.
pub(crate) struct Heard {
    head: Vec<String>,
    body: String,
}

impl Heard {
    pub(crate) fn header(&self, name: &str) -> &str {
        let start = format!("{}:", name.to_lowercase());
        let line = self.head.iter().find(|line| line.to_lowercase().starts_with(&start));
        line.unwrap_or_else(|| panic!("no {name} in {:?}", self.head))[start.len()..].trim()
    }
}

/// A web server that gives these answers, one after the other, and its port.
pub(crate) fn serve(answers: Vec<String>) -> (u16, Receiver<Heard>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, heard) = channel();
    std::thread::spawn(move || {
        for answer in answers {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream);
            let mut head = Vec::new();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if line.trim().is_empty() {
                    break;
                }
                head.push(line.trim().to_owned());
            }
            let mut request = Heard { head, body: String::new() };
            let length: usize = request.header("content-length").parse().unwrap();
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            request.body = String::from_utf8(body).unwrap();
            tell.send(request).unwrap();
            // Whoever has heard enough may have gone.
            let _ = reader.get_mut().write_all(answer.as_bytes());
        }
    });
    (port, heard)
}

pub(crate) fn answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

fn team(form: HookForm, url: HookUrl, secret: Option<&str>) -> Tell {
    let secret = secret.map(|name| SecretName::new(name).unwrap());
    Tell { mail: None, author: true, to: Vec::new(), team: vec![Hook { form, url, secret, ca: None }] }
}

/// HMAC-SHA256 as another program computes it.
fn openssl(key: &str, text: &str) -> String {
    let mut child = Command::new("openssl")
        .args(["dgst", "-sha256", "-hmac", key])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap().split_whitespace().last().unwrap().to_owned()
}

#[tokio::test]
async fn a_webhook_is_signed_and_repeated_under_the_same_name_until_it_is_taken() {
    let (port, heard) = serve(vec![answer("500 Oh", "not today"), answer("200 OK", "")]);
    let desk = Desk::new();
    desk.secret("hook", "a long key");
    let tell = team(HookForm::Json, HookUrl::Said(format!("http://127.0.0.1:{port}/in?x=1")), Some("hook"));
    desk.queue(&telling(), &tell).await;
    assert_eq!(desk.deliver(false).await.waiting, 1);
    let (state, _) = desk.said().await;
    assert!(
        matches!(&state, LetterState::Waiting { why: Some(why), .. } if why.contains("500: not today")),
        "{state:?}"
    );
    pass(Duration::from_secs(11));
    assert_eq!(desk.deliver(false).await.delivered, 1, "{:?}", desk.said().await);

    let (first, second) = (heard.recv().unwrap(), heard.recv().unwrap());
    assert_eq!(first.header("andon-delivery"), second.header("andon-delivery"));
    for request in [&first, &second] {
        assert!(request.head[0].starts_with("POST /in?x=1 "), "{:?}", request.head);
        assert_eq!(request.header("andon-event"), "put_back");
        let signed = format!("{}.{}", request.header("andon-timestamp"), request.body);
        assert_eq!(request.header("andon-signature"), format!("v1={}", openssl("a long key", &signed)));
        let body: Value = serde_json::from_str(&request.body).unwrap();
        assert_eq!((&body["kind"], &body["service"]), (&Value::from("put_back"), &Value::from("www")));
        assert_eq!(body["delivery"], request.header("andon-delivery"));
    }
    assert_ne!(
        first.header("andon-timestamp"),
        second.header("andon-timestamp"),
        "an old call cannot be replayed"
    );
    assert!(!desk.ledger().await.contains("a long key"));
}

#[tokio::test]
async fn a_hook_that_is_gone_is_not_called_again_and_redirects_lead_nowhere() {
    let elsewhere = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    let (port, heard) = serve(vec![elsewhere.to_owned(), answer("410 Gone", "")]);
    let desk = Desk::new();
    let tell = team(HookForm::Json, HookUrl::Said(format!("http://127.0.0.1:{port}/")), None);
    desk.queue(&telling(), &tell).await;
    desk.deliver(false).await;
    let (state, _) = desk.said().await;
    assert!(
        matches!(&state, LetterState::Waiting { why: Some(why), .. } if why.contains("redirects")),
        "{state:?}"
    );
    desk.deliver(true).await;
    let (state, tries) = desk.said().await;
    assert!(matches!(&state, LetterState::GivenUp { why, .. } if why.contains("410")), "{state:?}");
    desk.deliver(true).await;
    assert_eq!((desk.said().await.1, heard.iter().count()), (tries, 2));
}

#[tokio::test]
async fn a_chat_is_told_and_its_address_stays_secret() {
    let (port, heard) = serve(vec![answer("200 OK", "ok")]);
    let desk = Desk::new();
    let (name, path) = (SecretName::new("chat").unwrap(), "services/T000/B000/sesame");
    let tell = team(HookForm::Slack, HookUrl::Secret(name), None);
    desk.queue(&telling(), &tell).await;
    desk.deliver(false).await;
    let (state, _) = desk.said().await;
    let LetterState::Waiting { why: Some(why), .. } = &state else { panic!("{state:?}") };
    assert!(why.contains("ANDON_SECRET_CHAT"), "{why}");
    // Nobody listens there: the error must not name what it called.
    desk.secret("chat", &format!("http://127.0.0.1:1/{path}"));
    desk.deliver(true).await;
    desk.secret("chat", &format!("http://127.0.0.1:{port}/{path}"));
    assert_eq!(desk.deliver(true).await.delivered, 1, "{:?}", desk.said().await);
    let request = heard.recv().unwrap();
    assert!(request.head[0].contains(path));
    let body: Value = serde_json::from_str(&request.body).unwrap();
    let text = body["text"].as_str().unwrap();
    assert!(text.contains("&lt;script&gt;") && !text.contains("<script>"), "{text}");
    assert!(!text.contains("eve@example"), "an @ calls nobody: {text}");
    assert!(!desk.ledger().await.contains("sesame"), "whoever knows the address can write there");
}

#[tokio::test]
async fn an_answer_without_end_is_cut() {
    let endless = format!("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n{}", "x".repeat(100_000));
    let (port, _heard) = serve(vec![endless]);
    let desk = Desk::new();
    let tell = team(HookForm::Json, HookUrl::Said(format!("http://127.0.0.1:{port}/")), None);
    desk.queue(&telling(), &tell).await;
    assert_eq!(desk.deliver(false).await.delivered, 1, "{:?}", desk.said().await);
}
