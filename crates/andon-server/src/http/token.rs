//! The bearer token that a server beyond its own machine asks for.

use std::path::Path;

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The shortest token, in characters: nobody guesses it.
const SHORTEST: usize = 16;
/// The longest file that is read for a token, in bytes.
const LONGEST: u64 = 4096;

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read.
    #[error("{0} cannot be read: {1}")]
    Unreadable(String, std::io::Error),
    /// The file holds no token.
    #[error("{0} must hold one line of {SHORTEST} to {LONGEST} visible ASCII characters")]
    Unfit(String),
    /// Others can read it.
    #[error("{0} can be read by others on this machine")]
    Open(String),
}

/// A secret that clients show. Only its digest is kept.
pub struct Token(blake3::Hash);

impl Token {
    /// The token in a file: its only line.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub fn from_file(path: &Path) -> Result<Self, TokenError> {
        use std::os::unix::fs::PermissionsExt;
        let name = path.display().to_string();
        let unreadable = |error| TokenError::Unreadable(name.clone(), error);
        let about = std::fs::metadata(path).map_err(unreadable)?;
        if about.permissions().mode() & 0o004 != 0 {
            return Err(TokenError::Open(name));
        }
        if about.len() > LONGEST {
            return Err(TokenError::Unfit(name));
        }
        let text =
            std::fs::read_to_string(path).map_err(|error| TokenError::Unreadable(name.clone(), error))?;
        let text = text.trim_end_matches(['\r', '\n']);
        let fit = text.len() >= SHORTEST && text.chars().all(|c| c.is_ascii_graphic());
        if fit { Ok(Self(blake3::hash(text.as_bytes()))) } else { Err(TokenError::Unfit(name)) }
    }

    /// Whether it is what was shown. Digests are compared, in a time that says nothing of where they differ.
    pub(super) fn is(&self, shown: &str) -> bool {
        blake3::hash(shown.as_bytes()) == self.0
    }
}

/// The token that a request shows, whatever it is worth; `None` when it shows none, or several.
pub(super) fn shown(headers: &HeaderMap) -> Option<&str> {
    let (scheme, shown) = authorization(headers)?;
    scheme.eq_ignore_ascii_case("bearer").then_some(shown)
}

/// The token that a request shows as a password, under whatever name: programs that know no other way.
pub(super) fn shown_as_password(headers: &HeaderMap) -> Option<String> {
    let (scheme, shown) = authorization(headers)?;
    let both = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(shown).ok())??;
    String::from_utf8(both).ok()?.split_once(':').map(|(_, password)| password.to_owned())
}

/// The scheme and the rest of the only such header.
fn authorization(headers: &HeaderMap) -> Option<(&str, &str)> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (all.next(), all.next()) else { return None };
    let (scheme, shown) = value.to_str().ok()?.split_once(' ')?;
    Some((scheme, shown.trim()))
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}
