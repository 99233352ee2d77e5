//! A real OpenID provider on loopback: npm's `oidc-provider`, with accounts that a test names.
//!
//! People sign in there by their name alone, in a form with the one field `login`; nobody is asked for consent. It ends
//! with its value, and with the process that started it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use crate::balancer::daemon::LIMIT;
use crate::balancer::{BalancerError, free_ports};
use crate::deadline::wait_until;
use crate::packages::{self, PackagesError};

const PROGRAM: &str = include_str!("oidc/provider.mjs");
/// Time for one piece of a conversation on loopback.
const PATIENCE: Duration = Duration::from_secs(20);
/// Redirections from the first request until the client is called back.
const MOST_STEPS: usize = 10;

/// Somebody who has an account at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The name to sign in with; also the claims `sub`, `name` and `preferred_username`.
    pub name: String,
    /// The claim `email`, which counts as verified.
    pub email: String,
    /// The claim `groups`, when the scope `groups` is asked for.
    pub groups: Vec<String>,
}

impl Account {
    /// Somebody at example.com in these groups.
    pub fn new(name: &str, groups: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            email: format!("{name}@example.com"),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        }
    }
}

/// Why no provider runs, or nobody could sign in.
#[derive(thiserror::Error)]
pub enum OidcError {
    /// Its packages are not there.
    #[error(transparent)]
    Packages(#[from] PackagesError),
    /// It could not be started.
    #[error(transparent)]
    Start(#[from] BalancerError),
    /// A conversation with it took a wrong turn.
    #[error("nobody could sign in at the provider: {0}")]
    SignIn(String),
}

// A failed `unwrap` prints the debug form, and the person who reads it wants the sentence.
impl std::fmt::Debug for OidcError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// A running provider with one client.
#[derive(Debug)]
pub struct OidcProvider {
    child: Child,
    address: SocketAddr,
    directory: TempDir,
    told: String,
    /// As long as it lives nobody else takes the provider's port, also while the provider starts again.
    _held: TcpListener,
}

impl OidcProvider {
    /// The id of its one client.
    pub const CLIENT_ID: &str = "andon";
    /// The secret of its client, for HTTP basic authentication.
    pub const CLIENT_SECRET: &str = "a secret of tests only";

    /// Starts one whose client is called back at `redirect`, for example `http://127.0.0.1/sign-in/callback`, at any
    /// port of loopback.
    ///
    /// # Errors
    /// [`OidcError`] says what is missing or did not start.
    pub fn start(redirect: &str, accounts: &[Account]) -> Result<Self, OidcError> {
        let modules = packages::node_modules()?;
        let directory = tempfile::Builder::new()
            .prefix("andon-oidc-")
            .tempdir()
            .map_err(BalancerError::io("make a temporary directory"))?;
        let (held, port) = free_ports(1).map_err(BalancerError::io("find a free port"))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let program = directory.path().join("provider.mjs");
        fs::write(&program, PROGRAM).map_err(BalancerError::io("write the provider"))?;
        let accounts: Vec<_> = accounts
            .iter()
            .map(|it| json!({ "name": it.name, "email": it.email, "groups": it.groups }))
            .collect();
        let client = json!({ "id": Self::CLIENT_ID, "secret": Self::CLIENT_SECRET, "redirect": redirect });
        let told = json!({
            "modules": modules, "port": port, "client": client, "accounts": accounts,
        });
        let told = told.to_string();
        let child = launch(&directory, &told)?;
        let mut provider = Self { child, address, directory, told, _held: held };
        provider.until_ready()?;
        Ok(provider)
    }

    /// Starts it again at the same address, with new keys to sign with, and with nobody signed in.
    ///
    /// # Errors
    /// [`OidcError`] says why it does not start.
    pub fn renew_keys(&mut self) -> Result<(), OidcError> {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.child = launch(&self.directory, &self.told)?;
        self.until_ready()
    }

    fn until_ready(&mut self) -> Result<(), OidcError> {
        let address = self.address;
        let decided = wait_until(LIMIT, || self.has_ended() || TcpStream::connect(address).is_ok());
        if !decided || self.has_ended() {
            let log = self.log();
            return Err(BalancerError::NotReady { program: "node", what: "start the provider", log }.into());
        }
        Ok(())
    }

    /// Its name for clients: `http://127.0.0.1:PORT`.
    pub fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it has complained of.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Does what the browser of `name` would do, beginning with the address that a client has sent it to. Returns the
    /// address at which the client is called back, with its code and state.
    ///
    /// # Errors
    /// [`OidcError::SignIn`], for example when nobody has that name.
    pub fn sign_in(&self, name: &str, authorization: &str) -> Result<String, OidcError> {
        let mut cookies: BTreeMap<String, String> = BTreeMap::new();
        let (mut url, mut form) = (authorization.to_owned(), None);
        for _ in 0..MOST_STEPS {
            let Some(path) = self.path_of(&url) else { return Ok(url) };
            let answer = self.ask(&path, &cookies, form.take())?;
            // Their paths are not looked at: the one that was set last is the one that is meant next.
            cookies.extend(answer.cookies);
            match answer.location {
                Some(next) => url = next,
                None if answer.status == 200 && path.starts_with("/interaction/") => {
                    form = Some(format!("login={}", encoded(name)));
                }
                None => {
                    let what = format!("{path} answered {}: {}", answer.status, answer.body);
                    return Err(OidcError::SignIn(what));
                }
            }
        }
        Err(OidcError::SignIn(format!("it goes on for ever, now at {url}")))
    }

    /// The path of an address of this provider; `None` when it leads elsewhere.
    fn path_of(&self, url: &str) -> Option<String> {
        match url.strip_prefix(&self.issuer()) {
            Some(path) => Some(path.to_owned()),
            None => url.starts_with('/').then(|| url.to_owned()),
        }
    }

    fn ask(
        &self,
        path: &str,
        cookies: &BTreeMap<String, String>,
        form: Option<String>,
    ) -> Result<Answer, OidcError> {
        let cookies: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let method = if form.is_some() { "POST" } else { "GET" };
        let body = form.unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.0\r\nHost: {}\r\nCookie: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            cookies.join("; "),
            body.len()
        );
        let converse = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(self.address)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(request.as_bytes())?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        let text = converse().map_err(|error| OidcError::SignIn(format!("{path}: {error}")))?;
        Answer::read(&text).ok_or_else(|| OidcError::SignIn(format!("{path} answered no HTTP: {text}")))
    }

    fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for OidcProvider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn launch(directory: &TempDir, told: &str) -> Result<Child, OidcError> {
    let log = fs::File::create(directory.path().join("log")).map_err(BalancerError::io("make a log"))?;
    let started = Command::new("node")
        .arg(directory.path().join("provider.mjs"))
        .arg(told)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn();
    Ok(started.map_err(BalancerError::io("start node"))?)
}

/// A value as a form sends it.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// What the provider answers to a browser.
struct Answer {
    status: u16,
    location: Option<String>,
    cookies: Vec<(String, String)>,
    body: String,
}

impl Answer {
    fn read(text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let fields = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let (mut location, mut cookies) = (None, Vec::new());
        for (name, value) in fields {
            match name.to_ascii_lowercase().as_str() {
                "location" => location = Some(value.to_owned()),
                "set-cookie" => {
                    let pair = value.split(';').next().unwrap_or_default();
                    cookies.extend(pair.split_once('=').map(|(n, v)| (n.to_owned(), v.to_owned())));
                }
                _ => {}
            }
        }
        Some(Self { status, location, cookies, body: body.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLBACK: &str = "http://127.0.0.1/callback";

    fn authorization(provider: &OidcProvider) -> String {
        format!(
            "{}/auth?client_id={}&response_type=code&scope=openid%20email%20groups&state=s&nonce=n&\
             redirect_uri=http%3A%2F%2F127.0.0.1%3A1234%2Fcallback&code_challenge_method=S256&\
             code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
            provider.issuer(),
            OidcProvider::CLIENT_ID
        )
    }

    #[test]
    fn somebody_with_an_account_is_sent_back_with_a_code() {
        let provider = OidcProvider::start(CALLBACK, &[Account::new("ana", &["deployers"])]).unwrap();
        let back = provider.sign_in("ana", &authorization(&provider)).unwrap();
        assert!(back.starts_with("http://127.0.0.1:1234/callback?code="), "{back}");
        assert!(back.contains("state=s"), "{back}");
    }

    #[test]
    fn a_name_may_hold_what_means_something_in_a_form() {
        let name = "<b>&login=mallory+%41 é";
        let provider = OidcProvider::start(CALLBACK, &[Account::new(name, &[])]).unwrap();
        let back = provider.sign_in(name, &authorization(&provider)).unwrap();
        assert!(back.starts_with("http://127.0.0.1:1234/callback?code="), "{back}");
    }

    #[test]
    fn somebody_without_one_is_not() {
        let provider = OidcProvider::start(CALLBACK, &[Account::new("ana", &[])]).unwrap();
        let refused = provider.sign_in("mallory", &authorization(&provider)).unwrap_err();
        assert!(refused.to_string().contains("Nobody has that name"), "{refused}");
    }
}
