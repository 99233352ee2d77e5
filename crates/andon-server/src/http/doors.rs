//! How this server is reached, and by what right: what the gate, the pages to sign in at and the headers of answers ask.

use std::net::{IpAddr, SocketAddr};

use andon_core::line::tell::leads_to_this_machine;
use axum::http::{HeaderMap, header};

use super::token::Token;
use crate::access::{Access, AccessError, Oidc, Requests, ServerSettings, SignIns, hex, random};

/// What proxies write of whom they ask for.
const FORWARDED: [&str; 6] =
    ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// The ways in.
#[derive(Debug)]
pub struct Doors {
    /// What the configuration file says.
    pub settings: ServerSettings,
    /// Where this server listens.
    pub listens: SocketAddr,
    /// The one token of the token file, which programs share.
    pub token: Option<Token>,
    /// Another system that signs people in.
    pub oidc: Option<Oidc>,
    /// Users, tokens and sessions.
    pub access: Access,
    /// Sign-ins that are being tried.
    pub(super) sign_ins: SignIns,
    /// Requests that were made.
    pub(super) requests: Requests,
    /// What forms send back where nobody has to sign in.
    pub(super) own_csrf: String,
}

impl Doors {
    /// The doors of a server at `listens`.
    ///
    /// # Errors
    /// [`AccessError::Random`].
    pub fn new(
        settings: ServerSettings,
        listens: SocketAddr,
        token: Option<Token>,
        oidc: Option<Oidc>,
        access: Access,
    ) -> Result<Self, AccessError> {
        let own_csrf = hex(&random()?);
        let (sign_ins, requests) = (SignIns::default(), Requests::default());
        Ok(Self { settings, listens, token, oidc, access, sign_ins, requests, own_csrf })
    }

    /// Whether nobody has to say who they are: on this machine alone, while there is neither a user, nor a token, nor
    /// another system that signs people in. What came through a proxy came from anywhere.
    pub(super) async fn is_open(&self, headers: &HeaderMap) -> Result<bool, AccessError> {
        let fronted = !self.settings.trusted_proxies.0.is_empty()
            || self.settings.external_url.as_deref().is_some_and(|url| !leads_here(url))
            || FORWARDED.iter().any(|name| headers.contains_key(*name));
        let closed =
            fronted || self.token.is_some() || self.oidc.is_some() || !self.listens.ip().is_loopback();
        Ok(!closed && self.access.directory().await?.is_empty())
    }

    /// Whether browsers reach this server over TLS, here or at a proxy in front.
    pub(super) fn is_secure(&self) -> bool {
        let outside = self.settings.external_url.as_ref().is_some_and(|url| url.starts_with("https://"));
        self.settings.tls.is_some() || outside
    }

    /// Whether what comes over this connection was readable by nobody on the way.
    pub(super) fn is_private(&self, peer: Peer) -> bool {
        let peer = peer.0.ip().to_canonical();
        self.settings.tls.is_some()
            || peer.is_loopback()
            || (self.is_secure() && self.settings.trusted_proxies.holds(peer))
    }

    /// Who is at the other end, behind proxies that are trusted.
    pub(super) fn client(&self, peer: Peer, headers: &HeaderMap) -> IpAddr {
        let lines = headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok());
        self.settings.trusted_proxies.client(peer.0.ip(), &lines.collect::<Vec<_>>())
    }

    /// The name of the cookie with the session. A browser keeps one of the first name only from this very host, over TLS.
    pub(super) fn cookie(&self) -> &'static str {
        if self.is_secure() { "__Host-andon" } else { "andon" }
    }

    /// The name of the cookie of somebody on their way through another system.
    pub(super) fn way_cookie(&self) -> &'static str {
        if self.is_secure() { "__Host-andon-way" } else { "andon-way" }
    }

    /// A cookie for this server alone, which scripts cannot read; an empty value ends it.
    pub(super) fn set_cookie(&self, name: &str, value: &str) -> String {
        let secure = if self.is_secure() { "; Secure" } else { "" };
        let ends = if value.is_empty() { "; Max-Age=0" } else { "" };
        format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{ends}")
    }

    /// Whether a request may ask for this host. A page elsewhere could make its own name mean this machine (DNS rebinding):
    /// such a name is none of ours. Where everybody has to say who they are that would win nothing, so there a name is
    /// refused only when the configuration says which one is right.
    pub(super) fn answers_for(&self, host: &str, open: bool) -> bool {
        let name = host_name(host);
        let own = self.settings.external_url.as_deref().and_then(|url| url.split_once("://"));
        if own.is_some_and(|(_, own)| {
            host.eq_ignore_ascii_case(own) || name.eq_ignore_ascii_case(host_name(own))
        }) {
            return true;
        }
        let here = name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok();
        here || !(open || self.settings.external_url.is_some())
    }
}

/// Whether an address leads to nobody but this machine.
fn leads_here(url: &str) -> bool {
    let own = url.split_once("://").map_or(url, |(_, own)| own);
    leads_to_this_machine(&own.to_ascii_lowercase())
}

/// A host without its port.
fn host_name(host: &str) -> &str {
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or_default(),
    }
}

/// The value of a cookie. One that stands there twice is none: somebody else may have set it.
pub(super) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut found = lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value.to_owned());
    match (found.next(), found.next()) {
        (Some(value), None) => Some(value),
        _ => None,
    }
}
