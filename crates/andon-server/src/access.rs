//! Who is let in: users, their passwords and tokens, the sessions of browsers. Proves who somebody is; what they may do is
//! `andon_core::access`'s to say.
//!
//! What may be read by everybody is in the ledger; secret material is in files beside it (`docs/design/access.md`).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use andon_core::access::{
    AccessFact, AccessRefusal, Directory, Fingerprint, Grant, Identity, TokenId, UserName, Way,
};
use andon_core::time::Time;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

use crate::clock::{self, Clock};
use crate::records::{Records, RecordsError, Versioned, is_conflict};

mod address;
mod oidc;
mod password;
mod sessions;
mod settings;
mod throttle;
mod vault;

pub use address::{Network, NetworkError, Trusted};
pub use oidc::{Oidc, OidcError, Outsider};
pub use sessions::{Session, SessionKey};
pub use settings::{OidcSettings, ServerSettings, SessionSettings, SettingsError, Span, TlsFiles};
pub use throttle::{Requests, SignIns};

pub use password::PasswordError;
use sessions::Sessions;
use vault::Vault;

/// A lost race is run again so often.
const RACES: usize = 20;
/// Passwords that are checked at the same time: each takes 19 MiB.
const CHECKS: usize = 2;
/// How long a check waits for its turn.
const TURN: Duration = Duration::from_secs(5);

/// Why something about users could not be done.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The rules refuse it.
    #[error(transparent)]
    Refused(#[from] AccessRefusal),
    /// The password is not good enough.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The ledger could not be read or written.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// Secret material could not be read or written.
    #[error("{0} cannot be used: {1}")]
    Vault(String, std::io::Error),
    /// The system gives no random numbers.
    #[error("this system gives no random numbers")]
    Random,
    /// Others were faster, again and again.
    #[error("users change too fast: others were faster {RACES} times")]
    Busy,
    /// Too many passwords are being checked.
    #[error("too many people sign in at this moment")]
    Crowded,
    /// Name and password do not belong together. Which of them is wrong is not said.
    #[error("this name and this password do not belong together")]
    Wrong,
}

/// A token as it is shown, once.
#[derive(Debug, Clone)]
pub struct MadeToken {
    /// Its number.
    pub id: TokenId,
    /// What programs show.
    pub text: String,
    /// From when on it is worth nothing.
    pub expires: Time,
}

/// What a token that was shown is worth.
#[derive(Debug, Clone)]
pub struct Bearer {
    /// Its number.
    pub id: TokenId,
    /// For whom it speaks.
    pub user: UserName,
    /// What it is for.
    pub name: String,
    /// What it may do now.
    pub grants: Vec<Grant>,
}

/// The door.
#[derive(Clone)]
pub struct Access(Arc<Inner>);

struct Inner {
    records: Records,
    vault: Vault,
    /// The directory, and the newest record of the ledger when it was folded.
    known: Mutex<(u64, Versioned<Arc<Directory>>)>,
    sessions: Sessions,
    checks: Arc<Semaphore>,
    clock: Clock,
}

impl Access {
    /// Whoever is let in by what `records` say, with secret material below `data`.
    ///
    /// # Errors
    /// [`AccessError::Vault`] when the sessions of before cannot be read.
    pub fn open(records: Records, data: &Path, sessions: SessionSettings) -> Result<Self, AccessError> {
        let vault = Vault::new(data.join("access"));
        let sessions = Sessions::open(vault.directory(), sessions)
            .map_err(|error| AccessError::Vault(vault.directory().display().to_string(), error))?;
        let known = Versioned { value: Arc::default(), seq: 0 };
        Ok(Self(Arc::new(Inner {
            records,
            vault,
            known: Mutex::new((0, known)),
            sessions,
            checks: Arc::new(Semaphore::new(CHECKS)),
            clock: clock::now,
        })))
    }

    /// Everybody who is let in at this moment, whoever changed that.
    ///
    /// # Errors
    /// [`AccessError::Records`].
    pub async fn directory(&self) -> Result<Arc<Directory>, AccessError> {
        Ok(self.known().await?.value)
    }

    async fn known(&self) -> Result<Versioned<Arc<Directory>>, AccessError> {
        let head = self.0.records.ledger().head().await.map_err(RecordsError::from)?;
        let mut known = self.0.known.lock().await;
        // Most of what moves the ledger is about no user: then nothing is copied.
        while known.0 != head {
            let facts = self.0.records.access_facts(known.1.seq).await?;
            if facts.is_empty() {
                known.0 = head;
            }
            for (at, seq, fact) in &facts {
                Arc::make_mut(&mut known.1.value).apply(*at, fact);
                known.1.seq = *seq;
            }
        }
        Ok(known.1.clone())
    }

    /// Changes users or tokens as the rules allow, in the name of `by`. No facts, no change.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn change(
        &self,
        by: &str,
        decide: impl Fn(&Directory) -> Result<Vec<AccessFact>, AccessRefusal>,
    ) -> Result<Vec<AccessFact>, AccessError> {
        for _ in 0..RACES {
            let known = self.known().await?;
            let facts = decide(&known.value)?;
            if facts.is_empty() {
                return Ok(facts);
            }
            match self.0.records.commit_access((self.0.clock)(), by, known.seq, &facts).await {
                Ok(()) => return Ok(facts),
                Err(error) if is_conflict(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(AccessError::Busy)
    }

    /// Adds a user, with a password or without one.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn add_user(
        &self,
        by: &str,
        user: &UserName,
        grants: &[Grant],
        password: Option<&str>,
    ) -> Result<(), AccessError> {
        // Asked first: a digest that nobody needs is not kept.
        self.directory().await?.add_user(user.clone(), grants.to_vec(), None, None)?;
        let kept = match password {
            Some(password) => Some(self.keep_password(password).await?),
            None => None,
        };
        self.change(by, |directory| directory.add_user(user.clone(), grants.to_vec(), None, kept.clone()))
            .await
            .map(drop)
    }

    /// Sets a password; every session that began before it ends.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn set_password(&self, by: &str, user: &UserName, password: &str) -> Result<(), AccessError> {
        let before = self.directory().await?.user(user.as_str()).and_then(|user| user.password.clone());
        let kept = self.keep_password(password).await?;
        self.change(by, |directory| directory.set_password(user.clone(), kept.clone())).await?;
        self.forget(before);
        self.0.sessions.end_all_of(user, (self.0.clock)());
        Ok(())
    }

    /// Lets a user in no more, and tells them of nothing any more.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn remove_user(&self, by: &str, user: &UserName) -> Result<(), AccessError> {
        let before = self.directory().await?;
        // Asked first: of somebody who stays, nothing ends. Ended before they are gone: what fails can be tried again.
        before.remove_user(user.clone())?;
        self.0.records.unsubscribe_all_of((self.0.clock)(), by, user.as_str()).await?;
        self.change(by, |directory| directory.remove_user(user.clone())).await?;
        self.forget(before.user(user.as_str()).and_then(|user| user.password.clone()));
        for (_, token) in before.tokens().filter(|(_, token)| token.user == *user) {
            self.forget(Some(token.fingerprint.clone()));
        }
        self.0.sessions.end_all_of(user, (self.0.clock)());
        Ok(())
    }

    /// Makes a token for a user. This is the only time that it can be read.
    ///
    /// # Errors
    /// [`AccessError`]; above all that it would do more than its user.
    pub async fn make_token(
        &self,
        by: &str,
        user: &UserName,
        name: &str,
        grants: &[Grant],
        lifetime: Duration,
    ) -> Result<MadeToken, AccessError> {
        let secret = hex(&random()?);
        let digest = blake3::hash(secret.as_bytes()).to_hex();
        let fingerprint = Fingerprint::of(digest.as_bytes());
        let now = (self.0.clock)();
        let decide = |directory: &Directory| {
            let (user, name, grants) = (user.clone(), name.to_owned(), grants.to_vec());
            directory.make_token(user, name, grants, lifetime, now, fingerprint.clone())
        };
        let before = self.directory().await?;
        decide(&before)?;
        self.keep(&fingerprint, digest.as_bytes())?;
        let mut made = Err(AccessError::Busy);
        for fact in self.change(by, decide).await? {
            match fact {
                AccessFact::TokenMade { token: id, expires, .. } => {
                    made = Ok(MadeToken { id, text: format!("andon_{id}_{secret}"), expires });
                }
                AccessFact::TokenRevoked { token } => self.forget_token(&before, token),
                _ => {}
            }
        }
        made
    }

    /// Makes a token worth nothing.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn revoke_token(&self, by: &str, id: TokenId) -> Result<(), AccessError> {
        let before = self.directory().await?;
        self.change(by, |directory| directory.revoke_token(id)).await?;
        self.forget_token(&before, id);
        Ok(())
    }

    /// What a token that a program shows is worth; `None` for one that is unknown, wrong, expired or revoked.
    ///
    /// # Errors
    /// [`AccessError::Records`].
    pub async fn bearer(&self, shown: &str) -> Result<Option<Bearer>, AccessError> {
        let parts = shown.strip_prefix("andon_").and_then(|rest| rest.split_once('_'));
        let Some((id, secret)) = parts.and_then(|(id, secret)| Some((TokenId(id.parse().ok()?), secret)))
        else {
            return Ok(None);
        };
        let directory = self.directory().await?;
        let Some(token) = directory.token(id, (self.0.clock)()) else { return Ok(None) };
        let kept = self.0.vault.read(&token.fingerprint);
        let kept = kept.and_then(|kept| blake3::Hash::from_hex(kept).ok());
        // Digests are compared, in a time that says nothing of where they differ.
        if kept != Some(blake3::hash(secret.as_bytes())) {
            return Ok(None);
        }
        let grants = directory.grants_of(token);
        Ok(Some(Bearer { id, user: token.user.clone(), name: token.name.clone(), grants }))
    }

    /// Signs a person in by their password: a new session.
    ///
    /// # Errors
    /// [`AccessError::Wrong`], whatever of the two was wrong, and after the same time.
    pub async fn sign_in(&self, name: &str, password: &str, from: &str) -> Result<SessionKey, AccessError> {
        match UserName::new(name) {
            Ok(user) if self.knows(&user, password).await? => self.let_in(user, Way::Password, from).await,
            Ok(_) => Err(AccessError::Wrong),
            Err(_) => {
                self.check(password, None).await?;
                Err(AccessError::Wrong)
            }
        }
    }

    /// Signs in whom another system named. Who comes for the first time becomes a user; `grants` are set when groups of
    /// that system mean any.
    ///
    /// # Errors
    /// [`AccessRefusal::OtherIdentity`] when the name belongs to somebody else here.
    pub async fn sign_in_outsider(
        &self,
        name: &UserName,
        identity: &Identity,
        grants: Option<Vec<Grant>>,
        from: &str,
    ) -> Result<SessionKey, AccessError> {
        let by = format!("{name} (signed in by {})", identity.issuer);
        let directory = self.directory().await?;
        let known = directory.by_identity(identity).cloned();
        let user = known.clone().unwrap_or_else(|| name.clone());
        if known.is_none() {
            if directory.user(user.as_str()).is_some() {
                return Err(AccessRefusal::OtherIdentity(user).into());
            }
            let grants = grants.clone().unwrap_or_default();
            let added = self.change(&by, |directory| {
                directory.add_user(user.clone(), grants.clone(), Some(identity.clone()), None)
            });
            added.await?;
        } else if let Some(grants) = grants {
            let set = self.change(&by, |directory| directory.set_grants(user.clone(), grants.clone())).await;
            match set {
                // Somebody has to look after users, whatever the groups say.
                Ok(_) | Err(AccessError::Refused(AccessRefusal::LastAdmin(_))) => {}
                Err(error) => return Err(error),
            }
        }
        self.let_in(user, Way::Oidc, from).await
    }

    async fn let_in(&self, user: UserName, with: Way, from: &str) -> Result<SessionKey, AccessError> {
        let from: String = from.chars().filter(|c| !c.is_control()).take(64).collect();
        let fact = AccessFact::SignedIn { user: user.clone(), with, from: from.clone() };
        self.change(user.as_str(), |directory| match directory.user(user.as_str()) {
            Some(_) => Ok(vec![fact.clone()]),
            None => Err(AccessRefusal::NoUser(user.clone())),
        })
        .await?;
        let key = SessionKey::new()?;
        self.0.sessions.begin(&key, user, from, (self.0.clock)());
        Ok(key)
    }

    /// The session that a browser shows, and what its user may do now; `None` when it is over.
    ///
    /// # Errors
    /// [`AccessError::Records`].
    pub async fn session(&self, key: &SessionKey) -> Result<Option<(Session, Vec<Grant>)>, AccessError> {
        let Some(session) = self.0.sessions.seen(key, (self.0.clock)()) else { return Ok(None) };
        let directory = self.directory().await?;
        let user = directory.user(session.user.as_str());
        match user.filter(|user| session.began >= user.since && session.began >= user.secured) {
            Some(user) => Ok(Some((session, user.grants.clone()))),
            None => {
                self.0.sessions.end(key);
                Ok(None)
            }
        }
    }

    /// Ends a session.
    pub fn sign_out(&self, key: &SessionKey) {
        self.0.sessions.end(key);
    }

    /// Whether a password is the one of a user.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn knows(&self, user: &UserName, password: &str) -> Result<bool, AccessError> {
        let directory = self.directory().await?;
        let known = directory.user(user.as_str());
        let kept = known.and_then(|user| self.0.vault.read(user.password.as_ref()?));
        self.check(password, kept).await
    }

    async fn check(&self, password: &str, kept: Option<String>) -> Result<bool, AccessError> {
        let (turn, password) = (self.turn().await?, password.to_owned());
        let checked = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            password::is_right(&password, kept.as_deref())
        });
        Ok(checked.await.unwrap_or(false))
    }

    /// Leave to reckon with a password. Whoever reckons keeps it, also where nobody waits for them any more.
    async fn turn(&self) -> Result<OwnedSemaphorePermit, AccessError> {
        match tokio::time::timeout(TURN, Arc::clone(&self.0.checks).acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(AccessError::Crowded),
        }
    }

    async fn keep_password(&self, password: &str) -> Result<Fingerprint, AccessError> {
        let (turn, password, salt) = (self.turn().await?, password.to_owned(), random()?);
        let hashed = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            password::hash(&password, &salt[..16])
        });
        let hashed = hashed.await.map_err(|_| AccessError::Random)??;
        let fingerprint = Fingerprint::of(hashed.as_bytes());
        self.keep(&fingerprint, hashed.as_bytes())?;
        Ok(fingerprint)
    }

    fn keep(&self, fingerprint: &Fingerprint, material: &[u8]) -> Result<(), AccessError> {
        let failed = |error| AccessError::Vault(self.0.vault.directory().display().to_string(), error);
        self.0.vault.keep(fingerprint, material).map_err(failed)
    }

    fn forget_token(&self, before: &Directory, id: TokenId) {
        let token = before.tokens().find(|(other, _)| *other == id);
        self.forget(token.map(|(_, token)| token.fingerprint.clone()));
    }

    /// What is not needed any more is deleted; where that fails it is worth nothing all the same.
    fn forget(&self, fingerprint: Option<Fingerprint>) {
        fingerprint.iter().for_each(|fingerprint| self.0.vault.forget(fingerprint));
    }
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Access")
    }
}

/// 256 random bits.
pub(crate) fn random() -> Result<[u8; 32], AccessError> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| AccessError::Random)?;
    Ok(bytes)
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
