//! The bearer token that a server beyond its own machine asks for.

use std::path::Path;

use axum::http::{HeaderMap, header};

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

    /// Whether a request shows it. Digests are compared, in a time that says nothing of where they differ.
    pub(super) fn is_shown(&self, headers: &HeaderMap) -> bool {
        shown(headers).is_some_and(|shown| blake3::hash(shown.as_bytes()) == self.0)
    }
}

/// The token that a request shows, whatever it is worth; `None` when it shows none, or several.
pub(super) fn shown(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (all.next(), all.next()) else { return None };
    let (scheme, shown) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| shown.trim())
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}
