//! Sessions of browsers: who signed in, until when. Only digests of their keys are kept, in a file that only the server's
//! user can read, so that they survive a restart. Bounded in number and in time.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use andon_core::access::UserName;
use andon_core::time::Time;
use serde::{Deserialize, Serialize};

use super::settings::SessionSettings;
use super::vault::write_private;
use super::{AccessError, hex, random};
use crate::private;

/// The most sessions; the one that was seen longest ago makes room.
const MOST: usize = 10_000;
/// The most sessions of one user.
const MOST_OF_ONE: usize = 20;
/// The largest file that is read, in bytes.
const MOST_BYTES: u64 = 16 << 20;
/// So often it is written down that a session was seen.
const NOTED: Duration = Duration::from_secs(60);

/// What a browser shows: 256 random bits. Whoever has it is the user.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKey(String);

impl SessionKey {
    /// A new one.
    pub(super) fn new() -> Result<Self, AccessError> {
        Ok(Self(hex(&random()?)))
    }

    /// The one that a cookie holds; `None` when it cannot be one.
    pub fn read(text: &str) -> Option<Self> {
        let good = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        good.then(|| Self(text.to_owned()))
    }

    /// For the cookie, and for nothing else.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What forms send back: it belongs to this session, and nothing can be told from it about the key.
    pub fn csrf(&self) -> String {
        blake3::Hash::from_bytes(blake3::derive_key("andon 2026 access: csrf token", self.0.as_bytes()))
            .to_hex()
            .to_string()
    }

    fn digest(&self) -> String {
        blake3::hash(self.0.as_bytes()).to_hex().to_string()
    }
}

impl std::fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionKey")
    }
}

/// Somebody who signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Who.
    pub user: UserName,
    /// When.
    pub began: Time,
    /// When it was shown last.
    pub seen: Time,
    /// Where they came from.
    pub from: String,
}

#[derive(Debug, Default)]
struct Held {
    /// By the digest of the key.
    all: BTreeMap<String, Session>,
    written: Time,
}

/// All sessions.
#[derive(Debug)]
pub(super) struct Sessions {
    path: PathBuf,
    settings: SessionSettings,
    held: Mutex<Held>,
}

impl Sessions {
    /// Those of before; a file that is no such file is none.
    pub(super) fn open(directory: &Path, settings: SessionSettings) -> io::Result<Self> {
        let path = directory.join("sessions.json");
        let all = match std::fs::metadata(&path) {
            Ok(about) if about.len() <= MOST_BYTES => {
                serde_json::from_slice(&std::fs::read(&path)?).unwrap_or_default()
            }
            Ok(_) => BTreeMap::new(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        Ok(Self { path, settings, held: Mutex::new(Held { all, written: Time(0) }) })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self, session: &Session, now: Time) -> bool {
        now.since(session.seen) >= self.settings.idle.0
            || now.since(session.began) >= self.settings.absolute.0
    }

    /// Begins a session under a new key.
    pub(super) fn begin(&self, key: &SessionKey, user: UserName, from: String, now: Time) {
        let mut held = self.lock();
        held.all.retain(|_, session| !self.is_over(session, now));
        while held.all.values().filter(|session| session.user == user).count() >= MOST_OF_ONE {
            drop_oldest(&mut held.all, |session| session.user == user);
        }
        while held.all.len() >= MOST {
            drop_oldest(&mut held.all, |_| true);
        }
        held.all.insert(key.digest(), Session { user, began: now, seen: now, from });
        self.write(&mut held, now);
    }

    /// The session of a key, which was seen now; `None` when it is over.
    pub(super) fn seen(&self, key: &SessionKey, now: Time) -> Option<Session> {
        let mut held = self.lock();
        let digest = key.digest();
        let session = held.all.get_mut(&digest)?;
        if self.is_over(session, now) {
            held.all.remove(&digest);
            self.write(&mut held, now);
            return None;
        }
        session.seen = now;
        let session = session.clone();
        if now.since(held.written) >= NOTED {
            self.write(&mut held, now);
        }
        Some(session)
    }

    /// Ends a session.
    pub(super) fn end(&self, key: &SessionKey) {
        let mut held = self.lock();
        if let Some(ended) = held.all.remove(&key.digest()) {
            self.write(&mut held, ended.seen);
        }
    }

    /// Ends every session of a user.
    pub(super) fn end_all_of(&self, user: &UserName, now: Time) {
        let mut held = self.lock();
        let before = held.all.len();
        held.all.retain(|_, session| session.user != *user);
        if held.all.len() != before {
            self.write(&mut held, now);
        }
    }

    /// Writes them down. Where that fails, people sign in again after a restart.
    fn write(&self, held: &mut Held, now: Time) {
        held.written = now;
        let Some(directory) = self.path.parent() else { return };
        if let Ok(text) = serde_json::to_vec(&held.all) {
            let _ = private::directory(directory).and_then(|()| write_private(&self.path, &text));
        }
    }
}

fn drop_oldest(all: &mut BTreeMap<String, Session>, which: impl Fn(&Session) -> bool) {
    let candidates = all.iter().filter(|(_, session)| which(session));
    if let Some(oldest) = candidates.min_by_key(|(_, session)| session.seen).map(|(digest, _)| digest.clone())
    {
        all.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::Span;
    use super::*;

    fn sessions(directory: &Path) -> Sessions {
        let hour = Duration::from_secs(3600);
        let settings = SessionSettings { idle: Span(hour), absolute: Span(hour * 3) };
        Sessions::open(directory, settings).unwrap()
    }

    const MINUTE: i64 = 60_000;

    #[test]
    fn a_session_ends_when_it_is_idle_when_it_is_old_and_when_it_is_ended_and_survives_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let held = sessions(dir.path());
        let ana = UserName::new("ana").unwrap();
        let keys: Vec<SessionKey> = (0..3).map(|_| SessionKey::new().unwrap()).collect();
        for key in &keys {
            held.begin(key, ana.clone(), "here".into(), Time(0));
        }
        let file = std::fs::read_to_string(dir.path().join("sessions.json")).unwrap();
        assert!(keys.iter().all(|key| !file.contains(key.reveal())), "only digests are kept");
        held.end(&keys[2]);
        let held = sessions(dir.path());
        assert!(held.seen(&keys[2], Time(1)).is_none(), "ended");
        for minute in [59, 118, 177] {
            assert!(held.seen(&keys[0], Time(minute * MINUTE)).is_some(), "{minute}");
        }
        assert!(held.seen(&keys[1], Time(60 * MINUTE)).is_none(), "idle");
        assert!(held.seen(&keys[0], Time(180 * MINUTE)).is_none(), "old");
        held.begin(&keys[0], ana.clone(), "here".into(), Time(0));
        held.end_all_of(&ana, Time(1));
        assert!(held.seen(&keys[0], Time(1)).is_none());
    }

    #[test]
    fn their_number_is_bounded_and_the_oldest_makes_room() {
        let dir = tempfile::tempdir().unwrap();
        let held = sessions(dir.path());
        let ana = UserName::new("ana").unwrap();
        let keys: Vec<SessionKey> = (0..=MOST_OF_ONE).map(|_| SessionKey::new().unwrap()).collect();
        for (key, at) in keys.iter().zip(0..) {
            held.begin(key, ana.clone(), "here".into(), Time(at));
        }
        assert!(held.seen(&keys[0], Time(100)).is_none());
        assert!(keys[1..].iter().all(|key| held.seen(key, Time(100)).is_some()));
        assert_ne!(keys[1].csrf(), keys[2].csrf());
        assert!(SessionKey::read("../../etc/passwd").is_none());
    }
}
