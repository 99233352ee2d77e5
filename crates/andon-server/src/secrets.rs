//! Passwords and keys, found at the moment of use and never written anywhere.
//!
//! A process that has found one is kept out of core dumps, and what it starts does not inherit those of its environment.

use std::fmt;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use andon_api::secret::{self, SecretValue};
use andon_core::line::Service;
use andon_core::masking::SHORTEST;
use andon_core::name::SecretName;
use tokio::process::Command;

/// The largest secret, in bytes.
const MOST: u64 = 64 << 10;

/// What begins the name of an environment variable that holds a secret.
const VARIABLES: &str = "ANDON_SECRET_";

/// Where secrets are found.
#[derive(Debug, Clone)]
pub struct Secrets {
    directory: PathBuf,
}

/// Why there is no secret. Never says what it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretError {
    /// Nobody has said it.
    #[error("the secret {name} is not known: set {variable}, or write it into {path} (mode 0600)")]
    Unknown {
        /// Its name.
        name: SecretName,
        /// The environment variable that would hold it.
        variable: String,
        /// The file that would hold it.
        path: String,
    },
    /// Others can read it, so it is no secret.
    #[error("{path} may be read by others: chmod 600 {path}")]
    Open {
        /// The file.
        path: String,
    },
    /// It is there and is no secret that can be used.
    #[error("{path} cannot be used: {why}")]
    Unusable {
        /// The file or the variable.
        path: String,
        /// Why.
        why: String,
    },
    /// It is too short to be hidden in what programs print.
    #[error(
        "the secret {name} has less than {SHORTEST} characters: it could not be hidden in what a test prints"
    )]
    Short {
        /// Its name.
        name: SecretName,
    },
}

/// A secret. It has no text but for who asks for it by name.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// What nobody else may see.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl Secrets {
    /// Secrets of the environment, and below the directory `data`.
    pub fn new(data: &Path) -> Self {
        Self { directory: data.join("secrets") }
    }

    pub(crate) fn find(&self, name: &SecretName) -> Result<Secret, SecretError> {
        let variable = variable(name);
        match std::env::var(&variable) {
            Ok(value) => usable(&variable, value),
            Err(std::env::VarError::NotUnicode(_)) => {
                Err(SecretError::Unusable { path: variable, why: "it is not text".to_owned() })
            }
            Err(std::env::VarError::NotPresent) => self.in_file(name, variable),
        }
    }

    /// The secrets that the production tests of `service` name: what travels beside an order.
    pub(crate) fn of_tests(&self, service: &Service) -> Result<secret::Secrets, SecretError> {
        let mut found = secret::Secrets::default();
        for name in service.tests.iter().flat_map(|test| test.probe.secrets()) {
            if found.get(name).is_none() {
                let value = self.find(name)?;
                if value.reveal().len() < SHORTEST {
                    return Err(SecretError::Short { name: name.clone() });
                }
                found.insert(name.clone(), SecretValue::new(value.reveal()));
            }
        }
        Ok(found)
    }

    fn in_file(&self, name: &SecretName, variable: String) -> Result<Secret, SecretError> {
        let path = self.directory.join(name.as_str());
        let shown = path.display().to_string();
        let unusable = |why: String| SecretError::Unusable { path: shown.clone(), why };
        // Not a pipe that would keep us waiting, nor a link to a file that others look after.
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let flags = i32::try_from(flags.bits()).unwrap_or_default();
        let file = match std::fs::File::options().read(true).custom_flags(flags).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(SecretError::Unknown { name: name.clone(), variable, path: shown });
            }
            Err(error) => return Err(unusable(error.to_string())),
        };
        let found = file.metadata().map_err(|error| unusable(error.to_string()))?;
        if !found.is_file() {
            return Err(unusable("it is not a plain file".to_owned()));
        }
        if found.mode() & 0o077 != 0 {
            return Err(SecretError::Open { path: shown });
        }
        if found.uid() != rustix::process::geteuid().as_raw() && found.uid() != 0 {
            return Err(unusable("it belongs to another user".to_owned()));
        }
        let mut text = String::new();
        file.take(MOST + 1).read_to_string(&mut text).map_err(|error| unusable(error.to_string()))?;
        usable(&shown, text)
    }
}

fn usable(path: &str, text: String) -> Result<Secret, SecretError> {
    let kept = text.strip_suffix('\n').unwrap_or(&text);
    let kept = kept.strip_suffix('\r').unwrap_or(kept);
    let why = match kept {
        "" => "it is empty",
        kept if kept.len() as u64 > MOST => "it is too long",
        kept if kept.chars().any(char::is_control) => "it holds more than one line",
        kept => {
            // What cannot be had (a kernel without it) must not keep people from their secrets.
            let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
            return Ok(Secret(kept.to_owned()));
        }
    };
    Err(SecretError::Unusable { path: path.to_owned(), why: why.to_owned() })
}

/// Keeps the secrets of our own environment from what `command` starts.
pub(crate) fn withhold(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(VARIABLES.as_bytes()) {
            command.env_remove(name);
        }
    }
    command
}

fn variable(name: &SecretName) -> String {
    let clean = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("{VARIABLES}{}", name.as_str().chars().map(clean).collect::<String>())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_that_others_can_read_is_none() {
        let data = tempfile::tempdir().unwrap();
        let (secrets, name) = (Secrets::new(data.path()), SecretName::new("hook.key-1").unwrap());
        let unknown = secrets.find(&name).unwrap_err().to_string();
        assert!(
            unknown.contains("ANDON_SECRET_HOOK_KEY_1") && unknown.contains("secrets/hook.key-1"),
            "{unknown}"
        );
        fs::create_dir(data.path().join("secrets")).unwrap();
        let path = data.path().join("secrets/hook.key-1");
        fs::write(&path, "hush\n").unwrap();
        for mode in [0o640, 0o604, 0o620] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(matches!(secrets.find(&name), Err(SecretError::Open { .. })), "{mode:o}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let found = secrets.find(&name).unwrap();
        assert_eq!(found.reveal(), "hush");
        assert_eq!(format!("{found:?}"), "Secret(…)");
        fs::write(&path, "two\nlines\n").unwrap();
        let error = secrets.find(&name).unwrap_err().to_string();
        assert!(error.contains("more than one line") && !error.contains("two"), "{error}");
        fs::rename(&path, data.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink(data.path().join("elsewhere"), &path).unwrap();
        assert!(matches!(secrets.find(&name), Err(SecretError::Unusable { .. })));
    }
}
