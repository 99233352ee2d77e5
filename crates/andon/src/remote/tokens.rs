//! The tokens of this person: one for each server, in a file that nobody else may read, or in the environment.

use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use andon_core::line::ServerUrl;

use crate::failure::Failure;

/// The environment variable that counts for more than the file.
pub(crate) const VARIABLE: &str = "ANDON_TOKEN";
/// The largest file that is read, in bytes.
const LARGEST: u64 = 1 << 20;
/// The longest token, in characters.
const LONGEST: usize = 4096;

/// A token, and where it was found. It has no text but for who asks for it by name.
#[derive(Clone)]
pub(crate) struct Token {
    text: String,
    found: String,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token({})", self.found)
    }
}

impl Token {
    /// A token that was found there.
    pub(crate) fn new(text: &str, found: &str) -> Result<Self, Failure> {
        let text = text.trim();
        let fit = !text.is_empty() && text.len() <= LONGEST && text.chars().all(|c| c.is_ascii_graphic());
        if fit {
            return Ok(Self { text: text.to_owned(), found: found.to_owned() });
        }
        Err(Failure::usage(format!("what stands in {found} is no token"))
            .why("a token is one word of visible ASCII characters"))
    }

    /// What only the server may see.
    pub(crate) fn reveal(&self) -> &str {
        &self.text
    }

    /// Where it was found.
    pub(crate) fn found(&self) -> &str {
        &self.found
    }
}

/// The token for a server; `None` when there is none.
pub(crate) fn find(url: &ServerUrl) -> Result<Option<Token>, Failure> {
    match std::env::var(VARIABLE) {
        Ok(text) if !text.trim().is_empty() => Token::new(&text, VARIABLE).map(Some),
        _ => match path() {
            Some(path) => find_in(&path, url),
            None => Ok(None),
        },
    }
}

/// Where the file is: below `XDG_CONFIG_HOME`, or below `~/.config`. `None` without either.
pub(crate) fn path() -> Option<PathBuf> {
    let of = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let config = of("XDG_CONFIG_HOME").or_else(|| of("HOME").map(|home| home.join(".config")))?;
    Some(config.join("andon/tokens"))
}

fn find_in(path: &Path, url: &ServerUrl) -> Result<Option<Token>, Failure> {
    let shown = path.display().to_string();
    let rows = read(path)?;
    let row = rows.into_iter().find(|(server, _)| server == url.as_str());
    row.map(|(_, token)| Token::new(&token, &shown)).transpose()
}

/// Keeps a token for a server, in the place of an older one.
pub(crate) fn keep(path: &Path, url: &ServerUrl, token: &Token) -> Result<(), Failure> {
    let cannot =
        |error: std::io::Error| Failure::broken(format!("{} cannot be written: {error}", path.display()));
    let mut rows = read(path)?;
    rows.retain(|(server, _)| server != url.as_str());
    rows.push((url.to_string(), token.reveal().to_owned()));
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(cannot)?;
    let temporary = directory.join(format!(".tokens-{}", std::process::id()));
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&temporary)
        .map_err(cannot)?;
    let text: String = rows.iter().map(|(server, token)| format!("{server} {token}\n")).collect();
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.and_then(|()| std::fs::rename(&temporary, path)).map_err(cannot)
}

/// Every server with its token.
fn read(path: &Path) -> Result<Vec<(String, String)>, Failure> {
    let shown = path.display();
    let about = match std::fs::metadata(path) {
        Ok(about) => about,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failure::broken(format!("{shown} cannot be read: {error}"))),
    };
    if about.mode() & 0o077 != 0 {
        return Err(Failure::refused(format!("{shown} may be read by others"))
            .why("whoever reads a token is you to the server; nothing was sent")
            .next(format!("chmod 600 {shown}; and if others may have read it, ask for new tokens")));
    }
    if about.len() > LARGEST {
        return Err(Failure::usage(format!("{shown} is too large to be a file of tokens")));
    }
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::broken(format!("{shown} cannot be read: {error}")))?;
    let rows = text.lines().filter_map(|line| line.trim().split_once(char::is_whitespace));
    Ok(rows.map(|(server, token)| (server.to_owned(), token.trim().to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn tokens_are_kept_one_for_each_server_and_only_where_nobody_else_can_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("andon/tokens");
        let url = |text: &str| ServerUrl::new(text).unwrap();
        let (one, two) = (url("https://one.example.com"), url("https://two.example.com"));
        let token = |text: &str| Token::new(text, "here").unwrap();
        for (server, text) in [(&one, "first"), (&two, "second"), (&one, "third")] {
            keep(&path, server, &token(text)).unwrap();
        }
        let found = |server| find_in(&path, server).unwrap().map(|token| token.reveal().to_owned());
        assert_eq!((found(&one).as_deref(), found(&two).as_deref()), (Some("third"), Some("second")));
        assert_eq!(found(&url("https://three.example.com")), None);
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert!(!format!("{:?}", find_in(&path, &one)).contains("third"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(find_in(&path, &one).unwrap_err().what.contains("may be read by others"));
    }
}
