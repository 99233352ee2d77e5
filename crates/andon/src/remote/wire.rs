//! Requests to a server, and its answers. Every one is bounded in size and time; what goes wrong is said with the server that
//! was asked, and what to do next.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use andon_core::line::ServerUrl;
use andon_core::line::tell::{hook_host, leads_to_this_machine};
use andon_server::Problem;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::Agent;
use ureq::http::{Request, Response, StatusCode};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::choice::Chosen;
use super::tokens::{self, Token};
use crate::failure::Failure;

/// The largest answer, in bytes.
const LARGEST: u64 = 128 << 20;
/// A connection is there within this time.
const CONNECT: Duration = Duration::from_secs(10);

/// A request that a busy server has not taken is made again so often, when it wants no longer pause than that, in seconds.
const TRIES: usize = 5;
const LONGEST_PAUSE: u64 = 30;

/// How long an answer is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Somebody waits at a push: five seconds, and a server that has too much to do is not asked again.
    Brief,
    /// The server only looks something up.
    Short,
    /// It asks hosts, or walks over all that it has.
    Long,
}

impl Patience {
    fn span(self) -> Duration {
        match self {
            Self::Brief => Duration::from_secs(5),
            Self::Short => Duration::from_secs(60),
            Self::Long => Duration::from_secs(20 * 60),
        }
    }

    fn tries(self) -> usize {
        if self == Self::Brief { 0 } else { TRIES }
    }
}

/// Why a request came to nothing.
#[derive(Debug)]
pub(crate) enum Wrong {
    /// The controller there says so.
    Problem(Problem),
    /// Everything else.
    Failure(Failure),
    /// The server does not know the path; it said which version it is, where it did.
    Unknown(Option<String>),
    /// The server does not know who asks (401), or they may not (403).
    Barred(StatusCode, Failure),
    /// It cannot be reached, or the connection broke.
    Broken(Failure),
}

impl From<Failure> for Wrong {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<Wrong> for Failure {
    fn from(wrong: Wrong) -> Self {
        match wrong {
            Wrong::Problem(problem) => problem.into(),
            Wrong::Failure(failure) | Wrong::Broken(failure) | Wrong::Barred(_, failure) => failure,
            Wrong::Unknown(version) => {
                let version = version.unwrap_or_else(|| "of another version".to_owned());
                Failure::broken(format!("the server does not know this command: it is andon {version}"))
                    .why(format!("this is andon {}; nothing has been changed", env!("CARGO_PKG_VERSION")))
                    .next("use the same version on both sides")
            }
        }
    }
}

/// The way to a server. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    agent: Agent,
    url: ServerUrl,
    named_by: String,
    token: Option<Token>,
}

impl Wire {
    /// The way to the server that was chosen, with the token that is kept for it.
    pub(crate) fn new(chosen: Chosen) -> Result<Self, Failure> {
        let token = tokens::find(&chosen.url)?;
        Ok(Self { agent: agent(&chosen.url), url: chosen.url, named_by: chosen.named_by, token })
    }

    /// The same with another token.
    pub(crate) fn with_token(chosen: Chosen, token: Token) -> Self {
        Self { agent: agent(&chosen.url), url: chosen.url, named_by: chosen.named_by, token: Some(token) }
    }

    /// Where the server is.
    pub(crate) fn url(&self) -> &str {
        self.url.as_str()
    }

    /// Asks for something.
    pub(crate) async fn get<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &str,
        patience: Patience,
    ) -> Result<T, Wrong> {
        self.talk(self.request("GET", path), Vec::new(), patience).await
    }

    /// Says something.
    pub(crate) async fn post<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &str,
        body: &impl Serialize,
        patience: Patience,
    ) -> Result<T, Wrong> {
        let bytes = serde_json::to_vec(body)
            .map_err(|error| Failure::broken(format!("the request cannot be written: {error}")))?;
        let request = self
            .request("POST", path)
            .header("content-type", "application/json")
            // Whoever sends it twice by accident means one thing.
            .header("idempotency-key", key());
        self.talk(request, bytes, patience).await
    }

    /// Takes something away.
    pub(crate) async fn delete<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &str,
        patience: Patience,
    ) -> Result<T, Wrong> {
        self.talk(self.request("DELETE", path), Vec::new(), patience).await
    }

    /// Brings bytes. An answer of 409 is one, too.
    pub(crate) async fn put(&self, path: &str, bytes: Vec<u8>) -> Result<(StatusCode, Value), Wrong> {
        let (wire, request) = (self.clone(), self.request("PUT", path));
        let request = request.header("content-type", "application/octet-stream");
        blocking(move || {
            let mut answer = wire.send(request, bytes, Patience::Short)?;
            let status = answer.status();
            if status != StatusCode::CONFLICT && !status.is_success() {
                return Err(wire.refused(&mut answer));
            }
            wire.read(&mut answer).map(|value| (status, value))
        })
        .await
    }

    /// A body as it is; `None` when there is none.
    pub(crate) async fn bytes(&self, path: &str) -> Result<Option<Vec<u8>>, Failure> {
        let (wire, request) = (self.clone(), self.request("GET", path));
        let read = blocking(move || {
            let mut answer = wire.send(request, Vec::new(), Patience::Short)?;
            match answer.status() {
                StatusCode::NOT_FOUND => Ok(None),
                status if status.is_success() => {
                    let body = answer.body_mut().with_config().limit(LARGEST).read_to_vec();
                    body.map(Some).map_err(|error| wire.broken(&error.to_string()))
                }
                _ => Err(wire.refused(&mut answer)),
            }
        });
        Ok(read.await?)
    }

    /// A stream of events, to be read while it comes; blocking. It ends by itself within `most`.
    pub(crate) fn stream(&self, path: &str, most: Duration) -> Result<impl Read + use<>, Wrong> {
        let request = self.request("GET", path).header("accept", "text/event-stream");
        let mut answer = self.send_within(request, Vec::new(), most, TRIES)?;
        if !answer.status().is_success() {
            return Err(self.refused(&mut answer));
        }
        Ok(answer.into_body().into_reader())
    }

    async fn talk<T: DeserializeOwned + Send + 'static>(
        &self,
        request: ureq::http::request::Builder,
        body: Vec<u8>,
        patience: Patience,
    ) -> Result<T, Wrong> {
        let wire = self.clone();
        blocking(move || {
            let mut answer = wire.send(request, body, patience)?;
            if !answer.status().is_success() {
                return Err(wire.refused(&mut answer));
            }
            wire.read(&mut answer)
        })
        .await
    }

    fn request(&self, method: &str, path: &str) -> ureq::http::request::Builder {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {}", token.reveal()));
        }
        request
    }

    fn send(
        &self,
        request: ureq::http::request::Builder,
        body: Vec<u8>,
        patience: Patience,
    ) -> Result<Response<ureq::Body>, Wrong> {
        self.send_within(request, body, patience.span(), patience.tries())
    }

    fn send_within(
        &self,
        request: ureq::http::request::Builder,
        body: Vec<u8>,
        within: Duration,
        tries: usize,
    ) -> Result<Response<ureq::Body>, Wrong> {
        let request = request
            .body(body)
            .map_err(|error| Failure::broken(format!("the request cannot be written: {error}")))?;
        for _ in 0..tries {
            let again = request.clone();
            let answer = self.once(again, within)?;
            match pause_of(&answer) {
                Some(pause) => std::thread::sleep(pause),
                None => return Ok(answer),
            }
        }
        self.once(request, within)
    }

    fn once(&self, request: Request<Vec<u8>>, within: Duration) -> Result<Response<ureq::Body>, Wrong> {
        let request = self.agent.configure_request(request).timeout_global(Some(within)).build();
        self.agent.run(request).map_err(|error| self.unreachable(&error))
    }

    fn read<T: DeserializeOwned>(&self, answer: &mut Response<ureq::Body>) -> Result<T, Wrong> {
        let body = answer.body_mut().with_config().limit(LARGEST).read_to_vec();
        let body = body.map_err(|error| self.broken(&error.to_string()))?;
        serde_json::from_slice(&body).map_err(|error| {
            let what = format!("the answer of {} cannot be understood: {error}", self.url);
            Failure::broken(what).next("use the same version of andon on both sides").into()
        })
    }

    /// What the server said instead of doing it.
    fn refused(&self, answer: &mut Response<ureq::Body>) -> Wrong {
        let status = answer.status();
        let version = answer.headers().get("andon-version").and_then(|value| value.to_str().ok());
        let version = version.map(str::to_owned);
        let body = answer.body_mut().with_config().limit(1 << 20).read_to_vec().unwrap_or_default();
        let value: Value = serde_json::from_slice(&body).unwrap_or_default();
        let error = &value["error"];
        if let Ok(problem) = serde_json::from_value::<Problem>(error["problem"].clone()) {
            return Wrong::Problem(problem);
        }
        let text = |name: &str| error[name].as_str().map(str::to_owned);
        let Some(message) = text("message") else { return self.stranger(status) };
        if status == StatusCode::NOT_FOUND && message.starts_with("there is nothing at") {
            return Wrong::Unknown(version);
        }
        let failure = match status {
            StatusCode::UNAUTHORIZED => {
                let failure = Failure::refused(format!("{} does not know who asks: {message}", self.url))
                    .why(format!("{}; nothing has been changed", self.shown_token()))
                    .next(format!("andon login {}", self.url));
                return Wrong::Barred(status, failure);
            }
            StatusCode::BAD_REQUEST => Failure::usage(message),
            status if status.is_server_error() => Failure::broken(message),
            _ => Failure::refused(message),
        };
        let failure = Failure { why: text("why"), next: text("next"), ..failure };
        if status == StatusCode::FORBIDDEN { Wrong::Barred(status, failure) } else { failure.into() }
    }

    /// Something answers, and it is no andon.
    fn stranger(&self, status: StatusCode) -> Wrong {
        Failure::broken(format!("what answers at {} is no andon server: {status}", self.url))
            .why(format!("it was named by {}; nothing has been changed", self.named_by))
            .next("name another one: --server URL; or work without one: --local")
            .into()
    }

    fn shown_token(&self) -> String {
        match &self.token {
            Some(token) => format!("the token of {} was shown", token.found()),
            None => "no token is kept for it here".to_owned(),
        }
    }

    fn unreachable(&self, error: &ureq::Error) -> Wrong {
        let words = error.to_string();
        let tls =
            matches!(error, ureq::Error::Tls(_) | ureq::Error::Rustls(_)) || words.contains("certificate");
        if tls {
            return Wrong::Broken(
                Failure::broken(format!("{} is not trusted: {words}", self.url))
                    .why("nothing was sent to it: somebody else may stand in its place")
                    .next("if its certificate is from an authority of your own: SSL_CERT_FILE=FILE andon …"),
            );
        }
        self.broken(&words)
    }

    fn broken(&self, words: &str) -> Wrong {
        let next = if self.is_here() {
            "andon server starts one; or work without one: --local"
        } else {
            "see whether it runs there: systemctl status andon; or work without one: --local"
        };
        Wrong::Broken(
            Failure::broken(format!("{} cannot be reached: {words}", self.url))
                .why(format!(
                    "it was named by {}; what goes on there goes on, and nothing more has been asked of it",
                    self.named_by
                ))
                .next(next),
        )
    }

    fn is_here(&self) -> bool {
        hook_host(self.url.as_str()).is_ok_and(leads_to_this_machine)
    }

    /// A first request that came to nothing: a server that does not know who it is itself is an old one.
    pub(crate) fn unfit(&self, wrong: Wrong) -> Failure {
        match wrong {
            Wrong::Unknown(version) => {
                let version = version.unwrap_or_else(|| "older than this one".to_owned());
                Failure::broken(format!("{} is andon {version}: commands cannot speak with it", self.url))
                    .why(format!("this is andon {}; nothing has been changed", env!("CARGO_PKG_VERSION")))
                    .next("put the same version on the server; or work without it: --local")
            }
            other => other.into(),
        }
    }
}

/// How long a server that has too much to do wants to be left alone, where that is short.
fn pause_of(answer: &Response<ureq::Body>) -> Option<Duration> {
    let wanted =
        answer.headers().get("retry-after").filter(|_| answer.status() == StatusCode::TOO_MANY_REQUESTS);
    let seconds = wanted?.to_str().ok()?.parse::<u64>().ok()?;
    (seconds <= LONGEST_PAUSE).then(|| Duration::from_secs(seconds.max(1)))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Wrong> + Send + 'static,
) -> Result<T, Wrong> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(Failure::broken(format!("the request stumbled: {error}")).into()))
}

/// A name that no other request has.
fn key() -> String {
    let random = || {
        use std::hash::{BuildHasher, Hasher};
        std::collections::hash_map::RandomState::new().build_hasher().finish()
    };
    format!("{:016x}{:016x}", random(), random())
}

fn agent(url: &ServerUrl) -> Agent {
    let mut config = Agent::config_builder()
        .timeout_connect(Some(CONNECT))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("andon/", env!("CARGO_PKG_VERSION")));
    if hook_host(url.as_str()).is_ok_and(leads_to_this_machine) {
        config = config.proxy(None);
    }
    if url.is_encrypted() {
        let found = rustls_native_certs::load_native_certs().certs;
        let roots: Vec<Certificate<'static>> =
            found.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(provider)
            .root_certs(RootCerts::Specific(Arc::new(roots)));
        config = config.tls_config(tls.build());
    }
    config.build().into()
}
