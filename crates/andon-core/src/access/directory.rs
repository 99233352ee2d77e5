//! Everybody who is let in: a fold of the facts, and the rules by which it changes. Questions in, facts or a refusal out.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{AccessFact, AccessRefusal, Fingerprint, Grant, Identity, Role, TokenId, UserName};
use crate::time::Time;

/// The most users.
pub const MOST_USERS: usize = 10_000;
/// The most tokens of one user; those that have expired make room for others.
pub const MOST_TOKENS: usize = 100;
/// The most grants of one user or token.
pub const MOST_GRANTS: usize = 200;
/// The longest name of a token, in characters.
const LONGEST_NAME: usize = 100;
/// The longest life of a token.
const LONGEST_LIFE: Duration = Duration::from_secs(366 * 86_400);
/// The shortest life of a token.
const SHORTEST_LIFE: Duration = Duration::from_secs(1);

/// Somebody who is let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// What they may do beyond reading.
    pub grants: Vec<Grant>,
    /// Since when.
    pub since: Time,
    /// Of the digest of their password, where they have one.
    pub password: Option<Fingerprint>,
    /// What was signed in earlier than this is out again: the password changed.
    pub secured: Time,
    /// Who they are for another system that signs them in.
    pub identity: Option<Identity>,
    /// When they signed in last.
    pub signed_in: Option<Time>,
}

/// A secret that a program shows, and speaks for a user with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// For whom it speaks.
    pub user: UserName,
    /// What it is for.
    pub name: String,
    /// What it may do of what its user may.
    pub grants: Vec<Grant>,
    /// When it was made.
    pub made: Time,
    /// From when on it is worth nothing.
    pub expires: Time,
    /// Of its digest.
    pub fingerprint: Fingerprint,
}

/// All users and tokens.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Directory {
    users: BTreeMap<UserName, User>,
    tokens: BTreeMap<TokenId, Token>,
    /// Tokens that were ever made.
    made: u32,
    /// Who was removed, and another system would still sign in.
    removed: BTreeMap<Identity, UserName>,
}

impl Directory {
    /// Adds a fact. Any sequence of facts is accepted: what was recorded has happened.
    pub fn apply(&mut self, at: Time, fact: &AccessFact) {
        match fact {
            AccessFact::UserAdded { user, grants, identity } => {
                let (grants, identity) = (grants.clone(), identity.clone());
                if let Some(identity) = &identity {
                    self.removed.remove(identity);
                }
                let user = (
                    user.clone(),
                    User { grants, since: at, password: None, secured: at, identity, signed_in: None },
                );
                self.users.insert(user.0, user.1);
            }
            AccessFact::PasswordSet { user, fingerprint } => {
                if let Some(user) = self.users.get_mut(user) {
                    user.password = Some(fingerprint.clone());
                    user.secured = at;
                }
            }
            AccessFact::GrantsSet { user, grants } => {
                if let Some(user) = self.users.get_mut(user) {
                    user.grants.clone_from(grants);
                }
            }
            AccessFact::UserRemoved { user } => {
                if let Some(identity) = self.users.remove(user).and_then(|user| user.identity) {
                    self.removed.insert(identity, user.clone());
                }
                self.tokens.retain(|_, token| token.user != *user);
            }
            AccessFact::TokenMade { token, user, name, grants, expires, fingerprint } => {
                self.made = self.made.max(token.0);
                let made = Token {
                    user: user.clone(),
                    name: name.clone(),
                    grants: grants.clone(),
                    made: at,
                    expires: *expires,
                    fingerprint: fingerprint.clone(),
                };
                self.tokens.insert(*token, made);
            }
            AccessFact::TokenRevoked { token } => drop(self.tokens.remove(token)),
            AccessFact::SignedIn { user, .. } => {
                if let Some(user) = self.users.get_mut(user) {
                    user.signed_in = Some(at);
                }
            }
        }
    }

    /// Whether nobody was ever added, or everybody was removed.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// Everybody, by name.
    pub fn users(&self) -> impl Iterator<Item = (&UserName, &User)> {
        self.users.iter()
    }

    /// One user.
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.get(name)
    }

    /// Whoever has this identity elsewhere.
    pub fn by_identity(&self, identity: &Identity) -> Option<&UserName> {
        self.users.iter().find(|(_, user)| user.identity.as_ref() == Some(identity)).map(|(name, _)| name)
    }

    /// Every token that was not revoked, by number; also those that have expired.
    pub fn tokens(&self) -> impl Iterator<Item = (TokenId, &Token)> {
        self.tokens.iter().map(|(id, token)| (*id, token))
    }

    /// A token that is worth something at `now`.
    pub fn token(&self, id: TokenId, now: Time) -> Option<&Token> {
        self.tokens.get(&id).filter(|token| now < token.expires)
    }

    /// What a token may do: what it was made for, as far as its user still may.
    pub fn grants_of(&self, token: &Token) -> Vec<Grant> {
        let Some(user) = self.users.get(&token.user) else { return Vec::new() };
        let pairs = token.grants.iter().flat_map(|one| user.grants.iter().filter_map(|two| one.meet(two)));
        let mut grants: Vec<Grant> = pairs.collect();
        grants.sort();
        grants.dedup();
        grants
    }

    /// Adds a user. The first one has to look after users. Whom another system signs in and who was removed here does not
    /// come back by that: somebody adds a user of that name without a password, and so lets that person in again.
    ///
    /// # Errors
    /// [`AccessRefusal`].
    pub fn add_user(
        &self,
        user: UserName,
        grants: Vec<Grant>,
        identity: Option<Identity>,
        password: Option<Fingerprint>,
    ) -> Result<Vec<AccessFact>, AccessRefusal> {
        if self.users.contains_key(&user) {
            return Err(AccessRefusal::Known(user));
        }
        if self.users.len() >= MOST_USERS {
            return Err(AccessRefusal::TooMany { what: "users", most: MOST_USERS });
        }
        if self.is_empty() && identity.is_none() && !grants.iter().any(is_admin) {
            return Err(AccessRefusal::FirstWithoutAdmin(user));
        }
        if identity.as_ref().is_some_and(|identity| self.removed.contains_key(identity)) {
            return Err(AccessRefusal::Removed(user));
        }
        // With a password it may be a namesake.
        let before =
            || self.removed.iter().find(|(_, name)| **name == user).map(|(before, _)| before.clone());
        let identity = if password.is_none() { identity.or_else(before) } else { identity };
        let grants = bounded(grants)?;
        let set = password.map(|fingerprint| AccessFact::PasswordSet { user: user.clone(), fingerprint });
        Ok([AccessFact::UserAdded { user, grants, identity }].into_iter().chain(set).collect())
    }

    /// Sets a password.
    ///
    /// # Errors
    /// [`AccessRefusal::NoUser`].
    pub fn set_password(
        &self,
        user: UserName,
        fingerprint: Fingerprint,
    ) -> Result<Vec<AccessFact>, AccessRefusal> {
        self.known(&user)?;
        Ok(vec![AccessFact::PasswordSet { user, fingerprint }])
    }

    /// Sets what a user may do. Nothing changes when they may just that.
    ///
    /// # Errors
    /// [`AccessRefusal::NoUser`], [`AccessRefusal::LastAdmin`].
    pub fn set_grants(&self, user: UserName, grants: Vec<Grant>) -> Result<Vec<AccessFact>, AccessRefusal> {
        let known = self.known(&user)?;
        let grants = bounded(grants)?;
        if known.grants == grants {
            return Ok(Vec::new());
        }
        if !grants.iter().any(is_admin) {
            self.another_admin(&user)?;
        }
        Ok(vec![AccessFact::GrantsSet { user, grants }])
    }

    /// Lets a user in no more.
    ///
    /// # Errors
    /// [`AccessRefusal::NoUser`], [`AccessRefusal::LastAdmin`].
    pub fn remove_user(&self, user: UserName) -> Result<Vec<AccessFact>, AccessRefusal> {
        self.known(&user)?;
        self.another_admin(&user)?;
        Ok(vec![AccessFact::UserRemoved { user }])
    }

    /// Makes a token, and says which number it gets. Where there are as many as there may be, those of the user that expired
    /// first are revoked before.
    ///
    /// # Errors
    /// [`AccessRefusal`]; above all [`AccessRefusal::Beyond`].
    pub fn make_token(
        &self,
        user: UserName,
        name: String,
        grants: Vec<Grant>,
        lifetime: Duration,
        now: Time,
        fingerprint: Fingerprint,
    ) -> Result<Vec<AccessFact>, AccessRefusal> {
        let known = self.known(&user)?;
        let fit = (1..=LONGEST_NAME).contains(&name.trim().chars().count());
        if !fit || name.chars().any(char::is_control) {
            return Err(AccessRefusal::TokenName(LONGEST_NAME));
        }
        if !(SHORTEST_LIFE..=LONGEST_LIFE).contains(&lifetime) {
            return Err(AccessRefusal::Lifetime(LONGEST_LIFE));
        }
        let room = self.room_for_token(&user, now)?;
        let grants = bounded(grants)?;
        let beyond = grants.iter().find(|grant| !known.grants.iter().any(|has| grant.is_within(has)));
        if let Some(grant) = beyond {
            return Err(AccessRefusal::Beyond { user, grant: grant.clone() });
        }
        let token = self.next_token();
        let name = name.trim().to_owned();
        let made = AccessFact::TokenMade { token, user, name, grants, expires: now + lifetime, fingerprint };
        Ok(room.into_iter().chain([made]).collect())
    }

    /// What has to go before another token of a user is kept.
    fn room_for_token(&self, user: &UserName, now: Time) -> Result<Vec<AccessFact>, AccessRefusal> {
        let theirs: Vec<(TokenId, &Token)> = self.tokens().filter(|(_, token)| token.user == *user).collect();
        let too_many = (theirs.len() + 1).saturating_sub(MOST_TOKENS);
        let mut expired: Vec<_> = theirs.into_iter().filter(|(_, token)| now >= token.expires).collect();
        if expired.len() < too_many {
            return Err(AccessRefusal::TooMany { what: "tokens of this user", most: MOST_TOKENS });
        }
        expired.sort_by_key(|(id, token)| (token.expires, *id));
        let gone = expired.into_iter().take(too_many);
        Ok(gone.map(|(token, _)| AccessFact::TokenRevoked { token }).collect())
    }

    /// The number of the next token.
    pub fn next_token(&self) -> TokenId {
        TokenId(self.made.saturating_add(1))
    }

    /// Makes a token worth nothing.
    ///
    /// # Errors
    /// [`AccessRefusal::NoToken`].
    pub fn revoke_token(&self, token: TokenId) -> Result<Vec<AccessFact>, AccessRefusal> {
        if !self.tokens.contains_key(&token) {
            return Err(AccessRefusal::NoToken(token));
        }
        Ok(vec![AccessFact::TokenRevoked { token }])
    }

    fn known(&self, user: &UserName) -> Result<&User, AccessRefusal> {
        self.users.get(user).ok_or_else(|| AccessRefusal::NoUser(user.clone()))
    }

    /// Somebody else looks after users, or `user` does not.
    fn another_admin(&self, user: &UserName) -> Result<(), AccessRefusal> {
        let looks = |user: &User| user.grants.iter().any(is_admin);
        let last = self.users.get(user).is_some_and(looks)
            && !self.users.iter().any(|(name, other)| name != user && looks(other));
        if last { Err(AccessRefusal::LastAdmin(user.clone())) } else { Ok(()) }
    }
}

/// Whether a grant lets its holder look after users.
fn is_admin(grant: &Grant) -> bool {
    *grant == Grant::everywhere(Role::Admin)
}

/// The grants in their order, each once.
fn bounded(mut grants: Vec<Grant>) -> Result<Vec<Grant>, AccessRefusal> {
    grants.sort();
    grants.dedup();
    if grants.len() > MOST_GRANTS {
        return Err(AccessRefusal::TooMany { what: "grants", most: MOST_GRANTS });
    }
    Ok(grants)
}
