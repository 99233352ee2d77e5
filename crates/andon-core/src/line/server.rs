//! The server that a line belongs to: where the controller runs that people's commands speak with. Only its address.

use serde::{Deserialize, Serialize};

use super::tell::{HookUrlError, hook_host};

/// The longest address, in bytes.
const LONGEST: usize = 300;

/// The address of an `andon server`: `https://` and a host, perhaps with a port and a path; `http://` on this machine alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServerUrl(String);

/// Why a text is no address of a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerUrlError {
    /// Neither `https://` nor `http://`, or with blanks, a user, a question or no host.
    #[error("this is not a URL like https://andon.example.com")]
    Malformed,
    /// Not encrypted, and not on this machine.
    #[error(
        "http:// is for this machine alone (127.0.0.1, [::1], localhost): a token would cross the network in clear"
    )]
    InClear,
}

impl ServerUrl {
    /// The address in `text`; slashes at its end mean nothing.
    ///
    /// # Errors
    /// See [`ServerUrlError`].
    pub fn new(text: &str) -> Result<Self, ServerUrlError> {
        let text = text.trim().trim_end_matches('/');
        if text.len() > LONGEST || text.contains(['?', '#', '"', '<', '>']) {
            return Err(ServerUrlError::Malformed);
        }
        hook_host(text).map_err(|error| match error {
            HookUrlError::Malformed => ServerUrlError::Malformed,
            HookUrlError::InClear => ServerUrlError::InClear,
        })?;
        Ok(Self(text.to_owned()))
    }

    /// As it is shown and used: without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether what is said to it is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.0.starts_with("https://")
    }
}

impl std::fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ServerUrl {
    type Error = ServerUrlError;

    fn try_from(text: String) -> Result<Self, ServerUrlError> {
        Self::new(&text)
    }
}

impl From<ServerUrl> for String {
    fn from(url: ServerUrl) -> Self {
        url.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_reached_encrypted_or_on_this_machine() {
        for (given, kept) in [
            ("https://andon.example.com/", "https://andon.example.com"),
            (" https://andon.example.com:8420/team ", "https://andon.example.com:8420/team"),
            ("http://127.0.0.1:8420", "http://127.0.0.1:8420"),
            ("http://[::1]:8420", "http://[::1]:8420"),
        ] {
            assert_eq!(ServerUrl::new(given).unwrap().as_str(), kept);
        }
        assert_eq!(ServerUrl::new("http://andon.example.com"), Err(ServerUrlError::InClear));
        for wrong in
            ["", "andon.example.com", "https://", "https://ana@x", "https://x?y", "ftp://x", "https://x y"]
        {
            assert_eq!(ServerUrl::new(wrong), Err(ServerUrlError::Malformed), "{wrong}");
        }
    }
}
