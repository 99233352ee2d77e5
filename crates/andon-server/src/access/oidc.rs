//! OpenID Connect: another system says who somebody is. Authorization code with PKCE, state and nonce; what it says is
//! believed only with its signature, for this server, from this provider and in time.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use andon_core::access::{Grant, Identity, UserName};
use andon_core::time::Time;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType, CoreGenderClaim,
    CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata,
    CoreRevocableToken, CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AccessToken, AdditionalClaims, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken,
    EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse,
    IdTokenClaims, IdTokenFields, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, Scope, StandardErrorResponse, StandardTokenResponse, SubjectIdentifier, TokenResponse,
    UserInfoClaims,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::settings::OidcSettings;
use super::{AccessError, hex, random};
use crate::clock;

/// People who are on their way through the provider at the same time.
const MOST_ON_THEIR_WAY: usize = 10_000;
/// How long that may take them.
const WAY: Duration = Duration::from_secs(600);
/// What the provider says of itself is asked again after this time.
const FRESH: Duration = Duration::from_secs(600);
/// How far the provider's clock may be from ours.
const SKEW: i64 = 60;
/// How old a token of identity may be.
const OLDEST: i64 = 600;
/// The provider answers within this time.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer of the provider, in bytes.
const MOST_BYTES: u64 = 1 << 20;
/// The most groups that are looked at.
const MOST_GROUPS: usize = 1000;
/// The longest name that a provider has for a person, in bytes, as its standard says.
const LONGEST_SUBJECT: usize = 255;

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// The provider cannot be asked.
    #[error("the provider {0} cannot be asked: {1}")]
    Unreachable(String, String),
    /// The browser that comes back is not the one that left, or it took too long.
    #[error("this sign-in was not begun here, or it took longer than {} minutes", WAY.as_secs() / 60)]
    Stranger,
    /// The provider says no.
    #[error("the provider says: {0}")]
    Denied(String),
    /// What the provider says cannot be believed.
    #[error("what the provider says is not believed: {0}")]
    Unbelievable(String),
    /// The person has no name that can be used here.
    #[error("the provider names no claim {0} that can be a user's name")]
    NoName(String),
    /// The person's address of mail is not one of those that are let in.
    #[error("only people with a verified address of mail in one of these domains are let in: {0}")]
    Domain(String),
    /// The secret of this server, or its certificates, cannot be read.
    #[error("{0} cannot be used: {1}")]
    Secret(String, String),
    /// Too many people are on their way.
    #[error("too many people sign in at this moment")]
    Crowded,
    /// No random numbers.
    #[error(transparent)]
    Access(#[from] AccessError),
}

/// Somebody whom the provider named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outsider {
    /// What they are called here, if they are not known yet.
    pub name: UserName,
    /// Who they are there.
    pub identity: Identity,
    /// What their groups may do; `None` where groups mean nothing.
    pub grants: Option<Vec<Grant>>,
}

/// Every claim, also those that no standard names.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct AnyClaims(BTreeMap<String, Value>);

impl AdditionalClaims for AnyClaims {}

type Fields = IdTokenFields<
    AnyClaims,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
type Answer = StandardTokenResponse<Fields, CoreTokenType>;
type Relying = Client<
    AnyClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Answer,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

struct OnTheWay {
    state: String,
    nonce: String,
    verifier: String,
    began: Time,
}

/// A provider.
#[derive(Clone)]
pub struct Oidc(Arc<Inner>);

struct Inner {
    settings: OidcSettings,
    redirect: String,
    agent: ureq::Agent,
    known: Mutex<Option<(CoreProviderMetadata, Time)>>,
    on_their_way: Mutex<BTreeMap<String, OnTheWay>>,
}

impl Oidc {
    /// The provider of `settings`, which leads people back to `external` (`https://andon.example.com`).
    ///
    /// # Errors
    /// [`OidcError::Secret`].
    pub fn new(settings: OidcSettings, external: &str) -> Result<Self, OidcError> {
        secret(&settings.client_secret_file)?;
        let agent = agent(settings.ca.as_deref())?;
        let redirect = format!("{}/sign-in/oidc/return", external.trim_end_matches('/'));
        Ok(Self(Arc::new(Inner {
            settings,
            redirect,
            agent,
            known: Mutex::default(),
            on_their_way: Mutex::default(),
        })))
    }

    /// What the button on the page says.
    pub fn label(&self) -> &str {
        &self.0.settings.label
    }

    /// Sends somebody on their way: the address at the provider, and what their browser keeps until it comes back.
    ///
    /// # Errors
    /// [`OidcError`].
    pub async fn begin(&self) -> Result<(String, String), OidcError> {
        let own = self.clone();
        blocking(move || {
            let client = own.client(false)?;
            let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
            let flow = CoreAuthenticationFlow::AuthorizationCode;
            let mut request = client.authorize_url(flow, CsrfToken::new_random, Nonce::new_random);
            for scope in &own.0.settings.scopes {
                request = request.add_scope(Scope::new(scope.clone()));
            }
            let (url, state, nonce) = request.set_pkce_challenge(challenge).url();
            let key = hex(&random()?);
            let now = clock::now();
            let mut all = own.0.on_their_way.lock().unwrap_or_else(PoisonError::into_inner);
            all.retain(|_, one| now.since(one.began) < WAY);
            if all.len() >= MOST_ON_THEIR_WAY {
                return Err(OidcError::Crowded);
            }
            let one = OnTheWay {
                state: state.into_secret(),
                nonce: nonce.secret().clone(),
                verifier: verifier.into_secret(),
                began: now,
            };
            all.insert(digest(&key), one);
            Ok((url.to_string(), key))
        })
        .await
    }

    /// Who came back with `state` and `code`, and what their browser kept. Works once.
    ///
    /// # Errors
    /// [`OidcError`].
    pub async fn end(&self, kept: &str, state: &str, code: &str) -> Result<Outsider, OidcError> {
        let one = {
            let mut all = self.0.on_their_way.lock().unwrap_or_else(PoisonError::into_inner);
            all.remove(&digest(kept)).ok_or(OidcError::Stranger)?
        };
        // Digests are compared, in a time that says nothing of where they differ.
        let same = blake3::hash(one.state.as_bytes()) == blake3::hash(state.as_bytes());
        if !same || clock::now().since(one.began) >= WAY {
            return Err(OidcError::Stranger);
        }
        let (own, code) = (self.clone(), code.to_owned());
        blocking(move || own.exchange(&one, code)).await
    }

    fn exchange(&self, one: &OnTheWay, code: String) -> Result<Outsider, OidcError> {
        let client = self.client(false)?;
        let http = |request| call(&self.0.agent, request);
        let wrong = |error: &dyn std::fmt::Display| OidcError::Unbelievable(short(&error.to_string()));
        let answer = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| wrong(&error))?
            .set_pkce_verifier(PkceCodeVerifier::new(one.verifier.clone()))
            .request(&http)
            .map_err(|error| OidcError::Denied(short(&error.to_string())))?;
        let nonce = Nonce::new(one.nonce.clone());
        let claims = match self.verified(&client, &answer, &nonce) {
            Ok(claims) => claims,
            // It may have new keys since it was asked.
            Err(_) => self.verified(&self.client(true)?, &answer, &nonce)?,
        };
        let subject = claims.subject().clone();
        let mut said = all_of(&claims);
        let wants = [&self.0.settings.name_claim, &self.0.settings.groups_claim, &"email".to_owned()];
        if wants.iter().any(|claim| !said.contains_key(claim.as_str())) {
            for (claim, value) in self.more(&client, answer.access_token().clone(), subject.clone())? {
                said.entry(claim).or_insert(value);
            }
        }
        self.outsider(&said, subject.as_str())
    }

    fn verified(
        &self,
        client: &Relying,
        answer: &Answer,
        nonce: &Nonce,
    ) -> Result<IdTokenClaims<AnyClaims, CoreGenderClaim>, OidcError> {
        use CoreJwsSigningAlgorithm as Alg;
        let missing = || OidcError::Unbelievable("it sends no token of identity".to_owned());
        let token = answer.id_token().ok_or_else(missing)?;
        let now = || jiff::Timestamp::now().as_second();
        // Only signatures that this server could not make itself.
        let algorithms = [
            Alg::RsaSsaPkcs1V15Sha256,
            Alg::RsaSsaPkcs1V15Sha384,
            Alg::RsaSsaPkcs1V15Sha512,
            Alg::RsaSsaPssSha256,
            Alg::RsaSsaPssSha384,
            Alg::RsaSsaPssSha512,
            Alg::EcdsaP256Sha256,
            Alg::EcdsaP384Sha384,
            Alg::EdDsa,
        ];
        let verifier = client.id_token_verifier().set_allowed_algs(algorithms).set_issue_time_verifier_fn(
            move |issued| {
                let (issued, now) = (issued.timestamp(), now());
                if issued > now + SKEW || issued < now - OLDEST {
                    return Err(format!("it was made at {issued}, and it is {now}"));
                }
                Ok(())
            },
        );
        token
            .claims(&verifier, nonce)
            .cloned()
            .map_err(|error| OidcError::Unbelievable(short(&error.to_string())))
    }

    /// What the provider tells of the person beyond the token; nothing where it has no such place.
    fn more(
        &self,
        client: &Relying,
        token: AccessToken,
        subject: SubjectIdentifier,
    ) -> Result<BTreeMap<String, Value>, OidcError> {
        let Ok(request) = client.user_info(token, Some(subject)) else { return Ok(BTreeMap::new()) };
        let http = |request| call(&self.0.agent, request);
        let claims: UserInfoClaims<AnyClaims, CoreGenderClaim> =
            request.request(&http).map_err(|error| OidcError::Unbelievable(short(&error.to_string())))?;
        Ok(flat(&claims))
    }

    fn outsider(&self, said: &BTreeMap<String, Value>, subject: &str) -> Result<Outsider, OidcError> {
        let settings = &self.0.settings;
        let text = |claim: &str| said.get(claim).and_then(Value::as_str);
        if !settings.allowed_domains.is_empty() {
            let verified = said.get("email_verified").and_then(Value::as_bool) == Some(true);
            let domain = text("email").and_then(|mail| mail.rsplit_once('@')).map(|(_, domain)| domain);
            let allowed =
                |domain: &str| settings.allowed_domains.iter().any(|it| it.eq_ignore_ascii_case(domain));
            if !(verified && domain.is_some_and(allowed)) {
                return Err(OidcError::Domain(settings.allowed_domains.join(", ")));
            }
        }
        let name = text(&settings.name_claim).and_then(|name| UserName::new(name).ok());
        let name = name.ok_or_else(|| OidcError::NoName(settings.name_claim.clone()))?;
        let grants = (!settings.grants.is_empty()).then(|| {
            let groups = said.get(&settings.groups_claim).and_then(Value::as_array);
            let groups = groups.into_iter().flatten().take(MOST_GROUPS).filter_map(Value::as_str);
            let granted = groups.filter_map(|group| settings.grants.get(group)).flatten();
            granted
                .map(|grant| grant.0.clone())
                .collect::<std::collections::BTreeSet<_>>()
                .into_iter()
                .collect()
        });
        // Two people whose names begin alike are not taken for one.
        if subject.len() > LONGEST_SUBJECT {
            return Err(OidcError::Unbelievable(format!("sub has more than {LONGEST_SUBJECT} bytes")));
        }
        let identity = Identity { issuer: settings.issuer.clone(), subject: subject.to_owned() };
        Ok(Outsider { name, identity, grants })
    }

    fn client(&self, anew: bool) -> Result<Relying, OidcError> {
        let settings = &self.0.settings;
        let unreachable = |why: &dyn std::fmt::Display| {
            OidcError::Unreachable(settings.issuer.clone(), short(&why.to_string()))
        };
        let now = clock::now();
        let known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let fresh = known.filter(|(_, asked)| !anew && now.since(*asked) < FRESH);
        let metadata = match fresh {
            Some((metadata, _)) => metadata,
            None => {
                let issuer = IssuerUrl::new(settings.issuer.clone()).map_err(|error| unreachable(&error))?;
                let http = |request| call(&self.0.agent, request);
                let metadata = CoreProviderMetadata::discover(&issuer, &http)
                    .map_err(|error| unreachable(&full(&error)))?;
                *self.0.known.lock().unwrap_or_else(PoisonError::into_inner) = Some((metadata.clone(), now));
                metadata
            }
        };
        let secret = secret(&settings.client_secret_file)?;
        let redirect = RedirectUrl::new(self.0.redirect.clone()).map_err(|error| unreachable(&error))?;
        let client = Client::from_provider_metadata(
            metadata,
            ClientId::new(settings.client_id.clone()),
            Some(ClientSecret::new(secret)),
        );
        Ok(client.set_redirect_uri(redirect))
    }
}

impl std::fmt::Debug for Oidc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Oidc")
    }
}

fn all_of(claims: &IdTokenClaims<AnyClaims, CoreGenderClaim>) -> BTreeMap<String, Value> {
    flat(claims)
}

/// Standard claims and others, side by side.
fn flat(claims: &impl Serialize) -> BTreeMap<String, Value> {
    match serde_json::to_value(claims) {
        Ok(Value::Object(fields)) => fields.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        _ => BTreeMap::new(),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, OidcError> + Send + 'static,
) -> Result<T, OidcError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(OidcError::Denied("the question was given up".to_owned())))
}

fn digest(key: &str) -> String {
    blake3::hash(key.as_bytes()).to_hex().to_string()
}

/// Words of others, short and on one line.
fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// An error with what caused it.
fn full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// The secret in a file: its only line. Read at each use, so that it may be renewed there.
fn secret(path: &Path) -> Result<String, OidcError> {
    let name = path.display().to_string();
    let failed = |error: std::io::Error| OidcError::Secret(name.clone(), error.to_string());
    let about = std::fs::metadata(path).map_err(failed)?;
    if about.permissions().mode() & 0o004 != 0 {
        return Err(OidcError::Secret(name, "others on this machine can read it".to_owned()));
    }
    if about.len() > 4096 {
        return Err(OidcError::Secret(name, "it is longer than any secret".to_owned()));
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn agent(ca: Option<&Path>) -> Result<ureq::Agent, OidcError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = match ca {
        None => RootCerts::PlatformVerifier,
        Some(path) => {
            let name = path.display().to_string();
            let pem =
                std::fs::read(path).map_err(|error| OidcError::Secret(name.clone(), error.to_string()))?;
            let certificates: Vec<Certificate<'static>> = parse_pem(&pem)
                .filter_map(|item| match item {
                    Ok(PemItem::Certificate(certificate)) => Some(certificate),
                    _ => None,
                })
                .collect();
            if certificates.is_empty() {
                return Err(OidcError::Secret(name, "it holds no certificate".to_owned()));
            }
            RootCerts::Specific(Arc::new(certificates))
        }
    };
    let tls = TlsConfig::builder().root_certs(roots).unversioned_rustls_crypto_provider(provider).build();
    // Redirects are not followed: the provider must not send this server elsewhere.
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .tls_config(tls)
        .user_agent("andon");
    Ok(config.build().into())
}

fn call(agent: &ureq::Agent, request: HttpRequest) -> Result<HttpResponse, ureq::Error> {
    let (parts, body) = agent.run(request)?.into_parts();
    let body = body.into_with_config().limit(MOST_BYTES).read_to_vec()?;
    Ok(HttpResponse::from_parts(parts, body))
}
