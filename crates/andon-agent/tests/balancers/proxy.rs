//! What the agent asks on the control socket of the built-in proxy, and what it makes of the answers.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use andon_api::frame::{self, HEADER};
use andon_api::proxy::{FromProxy, PROTOCOL, ToProxy};
use andon_core::balance::{BalancerFailure, FailureKind, PoolSight, ServerSight, ServerState, Traffic};
use andon_core::line::BalancerKind;

use crate::pool::{Balancer, authority, server};

fn kind(socket: &Path, pool: &str) -> BalancerKind {
    BalancerKind::Proxy { control: socket.to_owned(), pool: pool.to_owned() }
}

fn hear(stream: &mut UnixStream) -> Option<ToProxy> {
    let mut header = [0; HEADER];
    stream.read_exact(&mut header).ok()?;
    let mut body = vec![0; frame::body_length(header).ok()?];
    stream.read_exact(&mut body).ok()?;
    frame::decode(&body).ok()
}

/// A control socket on which every question is answered by `answer`, and what was asked.
struct Control {
    directory: tempfile::TempDir,
    asked: Receiver<ToProxy>,
}

impl Control {
    fn start(answer: impl Fn(&ToProxy) -> Option<Vec<u8>> + Send + 'static) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("s")).unwrap();
        let (sender, asked) = channel();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                while let Some(question) = hear(&mut stream) {
                    let bytes = answer(&question);
                    let _ = sender.send(question);
                    match bytes {
                        Some(bytes) => drop(stream.write_all(&bytes)),
                        None => break,
                    }
                }
            }
        });
        Self { directory, asked }
    }

    fn told(&self, pool: &str, wishes: &[(&str, Traffic)]) -> Result<PoolSight, BalancerFailure> {
        let backends = ["web1", "web2"].map(|name| andon_testbed::Backend {
            name: name.to_owned(),
            address: "127.0.0.1:1".parse().unwrap(),
        });
        Balancer::new(kind(&self.directory.path().join("s"), pool), &backends).told(&authority(1), wishes)
    }
}

fn welcome(protocol: u32) -> Vec<u8> {
    let pools = vec!["api".to_owned(), "www".to_owned()];
    let version = "9.9".to_owned();
    frame::encode(&FromProxy::Welcome { protocol, version, pid: 7, serving_ms: 1, pools }).unwrap()
}

fn sight() -> PoolSight {
    let web1 =
        ServerSight { state: ServerState::Up, weight: 25, sessions: Some(3), queued: 0, counters: None };
    PoolSight { servers: BTreeMap::from([(server("web1"), web1)]), changed: [server("web1")].into() }
}

fn as_ever(question: &ToProxy) -> Option<Vec<u8>> {
    Some(match question {
        ToProxy::Hello { .. } => welcome(PROTOCOL),
        _ => frame::encode(&FromProxy::Sight { sight: Ok(Box::new(sight())) }).unwrap(),
    })
}

#[test]
fn wishes_are_passed_on_and_what_the_proxy_sees_comes_back() {
    let control = Control::start(as_ever);
    assert_eq!(control.told("www", &[]), Ok(sight()));
    assert_eq!(control.told("www", &[("web1", Traffic::In(25))]), Ok(sight()));
    let asked: Vec<ToProxy> = control.asked.try_iter().collect();
    assert!(
        matches!(&asked[..], [ToProxy::Hello { .. }, ToProxy::Show { pool }, ToProxy::Hello { .. }, ToProxy::Assert { wishes, .. }]
        if pool == "www" && wishes.get("web1") == Some(&Traffic::In(25))),
        "{asked:?}"
    );
}

#[test]
fn a_pool_that_the_proxy_lacks_is_answered_with_the_nearest() {
    let control = Control::start(as_ever);
    let failure = control.told("wwww", &[]).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Missing);
    assert_eq!(failure.reason, "the proxy has no pool wwww; did you mean www?");
    let failure = control.told("payments", &[]).unwrap_err();
    assert_eq!(failure.reason, "the proxy has no pool payments; it has api, www");
}

#[test]
fn the_proxy_s_own_reason_is_passed_on() {
    let refused = BalancerFailure {
        kind: FailureKind::Missing,
        reason: "the pool www has no server web2".to_owned(),
        details: "details".to_owned(),
    };
    let said = refused.clone();
    let control = Control::start(move |question| match question {
        ToProxy::Hello { .. } => Some(welcome(PROTOCOL)),
        _ => Some(frame::encode(&FromProxy::Sight { sight: Err(said.clone()) }).unwrap()),
    });
    assert_eq!(control.told("www", &[("web2", Traffic::Out)]), Err(refused));
}

#[test]
fn another_protocol_and_confusion_are_said() {
    let failure = Control::start(|_| Some(welcome(PROTOCOL + 1))).told("www", &[]).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Refused);
    assert!(failure.reason.contains("version 9.9"), "{failure}");
    let confused = |_: &ToProxy| Some(frame::encode(&FromProxy::Confused { why: "what?".into() }).unwrap());
    let failure = Control::start(confused).told("www", &[]).unwrap_err();
    assert!(failure.reason.contains("what?"), "{failure}");
}

#[test]
fn nonsense_and_silence_are_not_taken_for_an_answer() {
    for nonsense in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], &[0, 0, 0, 2, 0xff, 0xff], &[0xff; 64]] {
        let failure = Control::start(|_| Some(nonsense.to_vec())).told("www", &[]).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unreachable, "{failure:?}");
        assert!(failure.reason.contains("no proxy of Andon's"), "{failure}");
    }
    let failure = Control::start(|_| None).told("www", &[]).unwrap_err();
    assert!(failure.reason.contains("ended the conversation"), "{failure}");
    let half = |_: &ToProxy| Some(welcome(PROTOCOL)[..10].to_vec());
    let failure = Control::start(half).told("www", &[]).unwrap_err();
    assert!(failure.reason.contains("did not answer"), "{failure}");
}

#[test]
fn a_socket_that_is_missing_unserved_or_closed_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("s");
    let mut balancer = Balancer::new(kind(&socket, "www"), &[]);
    let mut said = || balancer.told(&authority(1), &[]).unwrap_err();
    let nobody = format!("no proxy listens on {}; is `andon proxy` running?", socket.display());
    assert_eq!((said().kind, said().reason), (FailureKind::Unreachable, nobody.clone()));
    drop(UnixListener::bind(&socket).unwrap());
    assert_eq!(said().reason, nobody);
    // Root may open everything.
    if !rustix::process::geteuid().is_root() {
        std::fs::set_permissions(&socket, PermissionsExt::from_mode(0o000)).unwrap();
        assert_eq!(said().kind, FailureKind::Refused);
    }
}
