//! TLS by files, and what a server beyond its own machine needs.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use andon_testbed::deadline::wait_until;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::browser::Browser;
use crate::house::{House, PASSWORD};
use crate::project::{LIMIT, Project};

/// A certificate for 127.0.0.1 and its key, written to these files.
fn pair(certificate: &Path, key: &Path) -> Vec<u8> {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(key, made.signing_key.serialize_pem()).unwrap();
    std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(certificate, made.cert.pem()).unwrap();
    made.cert.der().to_vec()
}

/// A client that believes this certificate and no other.
fn client(certificate: &[u8]) -> ureq::Agent {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = RootCerts::Specific(Arc::new(vec![Certificate::from_der(certificate).to_owned()]));
    let tls = TlsConfig::builder().unversioned_rustls_crypto_provider(provider).root_certs(roots).build();
    let config = ureq::Agent::config_builder()
        .tls_config(tls)
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(20)));
    config.build().into()
}

#[test]
fn over_tls_cookies_keep_to_it_and_a_new_certificate_is_taken_without_a_restart() {
    let project = Project::local(1);
    let (certificate, key) = (project.path().join("chain.pem"), project.path().join("key.pem"));
    let first = pair(&certificate, &key);
    let words = ["--tls-cert", certificate.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let house = House::in_project(project, &words);
    house.users(&[]);
    let url = |path: &str| format!("https://{}{path}", house.address);
    let health = client(&first).get(url("/health")).call().unwrap();
    assert_eq!(health.headers()["strict-transport-security"], "max-age=31536000");
    let origin = format!("https://{}", house.address);
    let form = [("name", "ana"), ("password", PASSWORD), ("to", "/")];
    let signed = client(&first).post(url("/sign-in")).header("Origin", &origin).send_form(form).unwrap();
    assert_eq!(signed.status(), 303);
    let cookie = signed.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(
        cookie.starts_with("__Host-andon=") && cookie.ends_with("; HttpOnly; SameSite=Lax; Secure"),
        "{cookie}"
    );
    let pair_of = cookie.split(';').next().unwrap();
    let me = client(&first).get(url("/v1/me")).header("Cookie", pair_of).call().unwrap();
    assert_eq!(me.status(), 200);
    // The same key under the name that any site of this host could set is none.
    let plain = pair_of.replace("__Host-", "");
    assert_eq!(client(&first).get(url("/v1/me")).header("Cookie", &plain).call().unwrap().status(), 401);
    // Without TLS nothing is answered there.
    assert_eq!(house.ask("GET", "/health", "", "").status, 0);

    std::fs::write(&certificate, "no certificate").unwrap();
    house.hang_up();
    let looked = wait_until(LIMIT, || house.said().contains("the certificate of before stays in force"));
    assert!(looked, "it never looked: {}", house.said());
    assert!(client(&first).get(url("/health")).call().is_ok(), "the one of before stays in force");
    let second = pair(&certificate, &key);
    let taken = wait_until(LIMIT, || {
        house.hang_up();
        client(&second).get(url("/health")).call().is_ok()
    });
    assert!(taken, "the new certificate was never taken: {}", house.said());
    assert!(client(&first).get(url("/health")).call().is_err());
}

#[test]
fn beyond_this_machine_nothing_is_answered_before_somebody_is_known() {
    let project = Project::local(1);
    let refused = project.run(&["server", "--listen", "0.0.0.0:0"]).code(2);
    refused
        .says("can be reached from other machines")
        .says("neither a user nor a token")
        .says("andon user add");
    project.write("key.pem", "x");
    let key = project.path().join("key.pem");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let certificate = project.path().join("chain.pem");
    pair(&certificate, &project.path().join("other.pem"));
    let words = ["server", "--tls-cert", certificate.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    project.run(&words).code(2).says("can be read by others on this machine");
    project.write("server.toml", "listen = \"127.0.0.1:0\"\nlistne = 1\n");
    project.run(&["server", "--config", "server.toml"]).code(2).says("unknown field `listne`");
    project.write(
        "server.toml",
        "[oidc]\nissuer = \"https://id\"\nclient_id = \"a\"\nclient_secret_file = \"b\"\n",
    );
    project.run(&["server", "--config", "server.toml"]).code(2).says("[oidc] needs external_url");
    project.well(&["user", "add", "ana", "--grant", "admin", "--without-password"]);
    let house = House::in_project(project, &["--listen", "0.0.0.0:0"]);
    let mut house = house;
    house.address.set_ip([127, 0, 0, 1].into());
    house.ask("GET", "/v1/line", "", "").is(401);
    let token = house.token("ana", &["line"], "1d");
    house.bearer(&token, "GET", "/v1/line", "").is(200);
    assert!(Browser::new(&house).get("/sign-in").is(200).body.contains("Sign in"));
}
