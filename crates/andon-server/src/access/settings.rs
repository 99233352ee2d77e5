//! What the server's configuration file says: where it listens, how it proves itself, and whom it lets in.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use andon_core::access::Grant;
use andon_core::quantity::parse_duration;
use serde::Deserialize;

use super::address::Trusted;

/// A span as people write it: `12h`, `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Span(pub Duration);

impl TryFrom<String> for Span {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        parse_duration(&text).map(Self).map_err(|error| error.to_string())
    }
}

/// The file as a whole. Everything may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSettings {
    /// The address to answer on.
    pub listen: Option<SocketAddr>,
    /// Where people reach this server: `https://andon.example.com`. Nothing but scheme, host and port.
    pub external_url: Option<String>,
    /// Proxies that are believed when they say for whom they ask.
    pub trusted_proxies: Trusted,
    /// A file with one token for programs that share it: it may do everything.
    pub token_file: Option<PathBuf>,
    /// How the server proves itself.
    pub tls: Option<TlsFiles>,
    /// How long sessions last.
    pub session: SessionSettings,
    /// Another system that signs people in.
    pub oidc: Option<OidcSettings>,
}

/// Where a certificate chain and its key are, in PEM form.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// The chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// How long sessions last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SessionSettings {
    /// Without a request.
    pub idle: Span,
    /// In any case.
    pub absolute: Span,
}

impl Default for SessionSettings {
    fn default() -> Self {
        let hours = |hours: u64| Span(Duration::from_secs(hours * 3600));
        Self { idle: hours(12), absolute: hours(7 * 24) }
    }
}

/// A provider of OpenID Connect, and what is made of what it says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcSettings {
    /// The provider: `https://id.example.com`. Plain http only on this machine.
    pub issuer: String,
    /// The name that this server has there.
    pub client_id: String,
    /// A file with the secret that belongs to it.
    pub client_secret_file: PathBuf,
    /// What the button on the page says.
    #[serde(default = "label")]
    pub label: String,
    /// What is asked for beyond `openid`.
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
    /// The claim that becomes the user's name.
    #[serde(default = "name_claim")]
    pub name_claim: String,
    /// The claim that lists the person's groups.
    #[serde(default = "groups_claim")]
    pub groups_claim: String,
    /// Only people with a verified address of mail in one of these domains; anybody whom the provider knows when empty.
    #[serde(default)]
    pub allowed_domains: Vec<String>,
    /// What each group may do. When any are named, the groups decide at every sign-in.
    #[serde(default)]
    pub grants: BTreeMap<String, Vec<WrittenGrant>>,
    /// Certificates that are trusted instead of those of the system, in PEM form.
    pub ca: Option<PathBuf>,
}

/// A grant as it is written: `deploy:www/production`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct WrittenGrant(pub Grant);

impl TryFrom<String> for WrittenGrant {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|error: andon_core::access::GrantError| error.to_string())
    }
}

fn label() -> String {
    "Sign in with your organisation".to_owned()
}

fn scopes() -> Vec<String> {
    vec!["profile".to_owned(), "email".to_owned()]
}

fn name_claim() -> String {
    "preferred_username".to_owned()
}

fn groups_claim() -> String {
    "groups".to_owned()
}

/// Why settings make no sense together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The external address has more or less than scheme, host and port.
    #[error("external_url = {0:?} is not of the form https://HOST or https://HOST:PORT")]
    External(String),
    /// A provider leads people back to this server, so it has to know where that is.
    #[error("[oidc] needs external_url: the provider leads people back there")]
    NoExternal,
    /// Whoever listens could read what the provider says.
    #[error("the provider {0:?} has to be reached over https")]
    PlainProvider(String),
    /// A session that ends before it begins.
    #[error("[session] idle and absolute are at least one minute, and idle is not longer than absolute")]
    Session,
}

impl ServerSettings {
    /// Checks what no single value tells.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn check(&self) -> Result<(), SettingsError> {
        if let Some(url) = &self.external_url {
            let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
            let host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
            if !rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(host)) {
                return Err(SettingsError::External(url.clone()));
            }
        }
        let (idle, absolute) = (self.session.idle.0, self.session.absolute.0);
        if idle < Duration::from_secs(60) || idle > absolute {
            return Err(SettingsError::Session);
        }
        let Some(oidc) = &self.oidc else { return Ok(()) };
        if self.external_url.is_none() {
            return Err(SettingsError::NoExternal);
        }
        let here = ["http://127.0.0.1:", "http://localhost:", "http://[::1]:"];
        let safe =
            oidc.issuer.starts_with("https://") || here.iter().any(|here| oidc.issuer.starts_with(here));
        if safe { Ok(()) } else { Err(SettingsError::PlainProvider(oidc.issuer.clone())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_together_is_refused() {
        let with = |url: &str| ServerSettings { external_url: Some(url.into()), ..ServerSettings::default() };
        for good in ["https://andon.example.com", "http://127.0.0.1:8420", "https://[::1]:9"] {
            assert_eq!(with(good).check(), Ok(()), "{good}");
        }
        for bad in ["andon.example.com", "https://", "https://a/b", "https://a?b", "ftp://a", "https://u@a"] {
            assert!(with(bad).check().is_err(), "{bad}");
        }
        let oidc = |issuer: &str| -> OidcSettings {
            serde_json::from_value(serde_json::json!({
                "issuer": issuer, "client_id": "andon", "client_secret_file": "/x",
                "grants": { "operators": ["deploy", "line"] },
            }))
            .unwrap()
        };
        let mut settings = with("https://andon.example.com");
        settings.oidc = Some(oidc("http://id.example.com"));
        assert!(matches!(settings.check(), Err(SettingsError::PlainProvider(_))));
        settings.oidc = Some(oidc("https://id.example.com"));
        assert_eq!(settings.check(), Ok(()));
        settings.external_url = None;
        assert_eq!(settings.check(), Err(SettingsError::NoExternal));
        settings.oidc = None;
        settings.session.idle = Span(Duration::from_secs(30 * 86_400));
        assert_eq!(settings.check(), Err(SettingsError::Session));
        let wrong = serde_json::json!({ "oidc": { "issuer": "https://x", "client_id": "a", "client_secret_file": "b", "grants": { "g": ["root"] } } });
        assert!(serde_json::from_value::<ServerSettings>(wrong).is_err());
        assert!(
            serde_json::from_value::<ServerSettings>(serde_json::json!({ "listne": "127.0.0.1:1" })).is_err()
        );
    }
}
