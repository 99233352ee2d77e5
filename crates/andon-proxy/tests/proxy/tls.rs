//! TLS: both versions of HTTP over it, and certificates that change.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use andon_proxy::config::Tls;
use andon_proxy::{Config, Proxy};
use http::{Request, Version};
use hyper::client::conn::http2::handshake;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::backend::Backend;
use crate::http2::{Upload, read};
use crate::scene::{Scene, config, run, servers, until};

/// Writes a certificate for `example.test`, signed by itself, and its key.
fn certify(directory: &Path) -> CertificateDer<'static> {
    let pair = rcgen::generate_simple_self_signed(["example.test".to_owned()]).unwrap();
    std::fs::write(directory.join("key.pem"), pair.signing_key.serialize_pem()).unwrap();
    std::fs::write(directory.join("cert.pem"), pair.cert.pem()).unwrap();
    pair.cert.der().clone()
}

fn secured(directory: &Path, backend: &Backend) -> Config {
    let mut config = config("", &servers(&[backend]));
    let file = |name: &str| directory.join(name);
    config.listen[0].tls = Some(Tls { certificate: file("cert.pem"), key: file("key.pem") });
    config
}

/// Connects, and is content with this certificate only.
async fn connect(
    address: SocketAddr,
    trusted: &CertificateDer<'static>,
    protocol: &[u8],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("example.test").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

#[test]
fn both_versions_are_offered_over_tls() {
    let directory = tempfile::tempdir().unwrap();
    let certificate = certify(directory.path());
    let backend = Backend::named("a");
    let scene = Scene::of(secured(directory.path(), &backend));
    run(async {
        let mut stream = connect(scene.address, &certificate, b"http/1.1").await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        assert!(reply.starts_with("HTTP/1.1 200 OK\r\n") && reply.ends_with("\r\n\r\na"), "{reply}");

        let stream = connect(scene.address, &certificate, b"h2").await.unwrap();
        let (mut sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = Request::builder().version(Version::HTTP_2).uri("https://example.test/");
        let response = sender.send_request(request.body(Upload::of("")).unwrap()).await.unwrap();
        assert_eq!(read(response).await.unwrap().0, "a");
    });
    assert!(backend.heard().iter().all(|heard| heard.head.contains("X-Forwarded-Proto: https\r\n")));
}

#[test]
fn a_certificate_that_changes_is_used_and_a_bad_one_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let first = certify(directory.path());
    let backend = Backend::named("a");
    let scene = Scene::of(secured(directory.path(), &backend));
    let mut news = scene.proxy.news();
    assert!(run(connect(scene.address, &first, b"http/1.1")).is_ok());
    let second = certify(directory.path());
    until("the new certificate", || run(connect(scene.address, &second, b"http/1.1")).ok());
    assert!(run(connect(scene.address, &first, b"http/1.1")).is_err());
    std::fs::write(directory.path().join("cert.pem"), "no certificate").unwrap();
    until("the news about it", || {
        news.try_recv().ok().filter(|news| news.contains("goes on with the certificate that it has"))
    });
    assert!(run(connect(scene.address, &second, b"http/1.1")).is_ok());
}

#[test]
fn a_reload_with_a_bad_certificate_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let certificate = certify(directory.path());
    let backend = Backend::named("a");
    let config = secured(directory.path(), &backend);
    let scene = Scene::of(config.clone());
    std::fs::remove_file(directory.path().join("key.pem")).unwrap();
    let error = scene.proxy.reload(config.clone()).unwrap_err();
    assert!(error.to_string().contains("key.pem"), "{error}");
    assert!(run(connect(scene.address, &certificate, b"http/1.1")).is_ok());
    assert!(Proxy::new(config).is_err());
}

#[test]
fn who_does_not_finish_the_handshake_is_let_go() {
    let directory = tempfile::tempdir().unwrap();
    certify(directory.path());
    let backend = Backend::named("a");
    let mut config = secured(directory.path(), &backend);
    config.timeouts.head = std::time::Duration::from_millis(100);
    let scene = Scene::of(config);
    let mut client = crate::client::Client::to(scene.address);
    assert!(client.say(b"\x16\x03\x01").is_ended());
}
