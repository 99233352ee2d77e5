//! A message as a call of a webhook: JSON by POST, signed where there is a key, redirects never followed.

use std::sync::Arc;
use std::time::Duration;

use andon_core::line::tell::{hook_host, leads_to_this_machine};
use andon_core::line::{Hook, HookForm, HookUrl};
use andon_core::telling::Outcome;
use andon_core::time::Time;
use ring::hmac;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::post::{Post, PostError};

/// The longest answer that is read, in bytes.
const MOST_ANSWER: u64 = 4 << 10;

pub(super) fn send(post: &Post, hook: &Hook) -> Result<Outcome, PostError> {
    let url = match &hook.url {
        HookUrl::Said(url) => url.clone(),
        HookUrl::Secret(name) => post.secrets.find(name)?.reveal().to_owned(),
    };
    let host = hook_host(&url).map_err(|error| PostError::Unable(error.to_string()))?.to_owned();
    let body = match hook.form {
        HookForm::Slack => serde_json::to_string(&post.telling.slack()),
        HookForm::Json => serde_json::to_string(&post.telling.payload(&post.id)),
    };
    let body = body.map_err(|error| PostError::Unable(format!("the message cannot be written: {error}")))?;
    let mut request = agent(hook, &url, &host, post.patience)?
        .post(&url)
        .header("Content-Type", "application/json")
        .header("User-Agent", concat!("andon/", env!("CARGO_PKG_VERSION")))
        .header("Andon-Delivery", &post.id)
        .header("Andon-Event", post.telling.kind.name());
    if let Some(name) = &hook.secret {
        let key = post.secrets.find(name)?;
        let seconds = post.now.since(Time(0)).as_secs().to_string();
        let signature = sign(key.reveal(), &seconds, &body);
        request = request.header("Andon-Timestamp", seconds).header("Andon-Signature", signature);
    }
    Ok(match request.send(&body) {
        Ok(mut answer) => {
            let status = answer.status().as_u16();
            let words =
                answer.body_mut().with_config().limit(MOST_ANSWER).read_to_string().unwrap_or_default();
            outcome(&host, status, &words)
        }
        Err(error) => {
            // The address of a chat is as good as a password: only its host may be named.
            let path = url.split_once(&host).map_or("", |(_, path)| path);
            let mut words = error.to_string().replace(&url, &host);
            if path.len() > 1 {
                words = words.replace(path, "/…");
            }
            Outcome::NotNow(format!("{host}: {words}"))
        }
    })
}

/// `v1=` and HMAC-SHA256 in hexadecimal over the time, a full stop and the body.
fn sign(key: &str, seconds: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    let tag = hmac::sign(&key, format!("{seconds}.{body}").as_bytes());
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("v1={hex}")
}

/// What an answer means. `410 Gone` is the one that asks for no further try.
fn outcome(host: &str, status: u16, words: &str) -> Outcome {
    let words = words.trim();
    let text = if words.is_empty() {
        format!("{host} answered {status}")
    } else {
        format!("{host} answered {status}: {words}")
    };
    match status {
        200..=299 => Outcome::Delivered(text),
        300..=399 => Outcome::NotNow(format!("{host} answered {status}, and redirects are not followed")),
        410 => Outcome::Never(text),
        _ => Outcome::NotNow(text),
    }
}

fn agent(hook: &Hook, url: &str, host: &str, patience: Duration) -> Result<ureq::Agent, PostError> {
    let mut config = ureq::Agent::config_builder()
        .timeout_global(Some(patience))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .max_response_header_size(16 << 10);
    if leads_to_this_machine(host) {
        config = config.proxy(None);
    }
    if url.starts_with("https://") {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder().unversioned_rustls_crypto_provider(provider).root_certs(roots(hook)?);
        config = config.tls_config(tls.build());
    }
    Ok(config.build().into())
}

/// What is trusted: the certificates that the line names, or those of the system.
fn roots(hook: &Hook) -> Result<RootCerts, PostError> {
    let certificates: Vec<Certificate<'static>> = match &hook.ca {
        Some(pem) => {
            let items = parse_pem(pem.as_bytes()).filter_map(|item| match item {
                Ok(PemItem::Certificate(certificate)) => Some(certificate),
                _ => None,
            });
            items.collect()
        }
        None => {
            let found = rustls_native_certs::load_native_certs().certs;
            found.iter().map(|der| Certificate::from_der(der).to_owned()).collect()
        }
    };
    if certificates.is_empty() {
        let next = "install ca-certificates, or name a file with `ca = ...`";
        return Err(PostError::Unable(format!("no certificate is trusted here: {next}")));
    }
    Ok(RootCerts::Specific(Arc::new(certificates)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_what_openssl_computes() {
        // printf '1700000000.{}' | openssl dgst -sha256 -hmac key
        let signed = sign("key", "1700000000", "{}");
        assert_eq!(signed, SIGNED);
    }

    const SIGNED: &str = "v1=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae";

    #[test]
    fn only_gone_ends_the_tries() {
        assert!(matches!(outcome("x", 204, ""), Outcome::Delivered(_)));
        assert!(matches!(outcome("x", 410, ""), Outcome::Never(_)));
        for status in [302, 400, 401, 404, 429, 500, 503] {
            assert!(matches!(outcome("x", status, "no"), Outcome::NotNow(_)), "{status}");
        }
    }
}
