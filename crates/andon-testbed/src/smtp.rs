//! A real SMTP server on loopback, with STARTTLS, logins and a certificate of its own.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::deadline::wait_until;
use crate::program::{MissingPrograms, require};

/// The server, on the library that Debian brings; it runs under Debian's own Python.
const SERVER: &str = include_str!("smtp/server.py");
const PYTHON: &str = "/usr/bin/python3";
/// How long it may take to start, on a machine that does much else.
const LIMIT: Duration = Duration::from_secs(30);

/// How a server behaves.
#[derive(Debug, Clone, Copy)]
pub struct Manners {
    /// Offers STARTTLS, and takes nothing without it.
    pub starttls: bool,
    /// The only user and password; without them nobody needs to log in.
    pub login: Option<(&'static str, &'static str)>,
    /// Takes a mail and never says so.
    pub slow: bool,
    /// The port; 0 chooses one.
    pub port: u16,
}

impl Default for Manners {
    fn default() -> Self {
        Self { starttls: true, login: None, slow: false, port: 0 }
    }
}

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub struct SmtpServer {
    child: Child,
    directory: TempDir,
    port: u16,
    certificate: String,
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum SmtpError {
    /// Its programs are missing.
    #[error("{0:?}")]
    Missing(MissingPrograms),
    /// Files or processes fail.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Its certificate cannot be made.
    #[error(transparent)]
    Certificate(#[from] rcgen::Error),
    /// It did not come up.
    #[error("the SMTP server did not start: {0}")]
    NotReady(String),
}

impl SmtpServer {
    /// Starts one and waits until it listens.
    ///
    /// # Errors
    /// Programs are missing, or it does not come up.
    pub fn start(manners: Manners) -> Result<Self, SmtpError> {
        require(&["aiosmtpd"]).map_err(SmtpError::Missing)?;
        let directory = tempfile::Builder::new().prefix("andon-smtp-").tempdir()?;
        let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
        let certificate = key.cert.pem();
        fs::write(directory.path().join("cert.pem"), &certificate)?;
        fs::write(directory.path().join("key.pem"), key.signing_key.serialize_pem())?;
        fs::write(directory.path().join("server.py"), SERVER)?;
        let login =
            manners.login.map_or("null".to_owned(), |(user, word)| format!("[\"{user}\", \"{word}\"]"));
        let told = format!(
            "{{\"starttls\": {}, \"login\": {login}, \"slow\": {}, \"port\": {}}}",
            manners.starttls, manners.slow, manners.port
        );
        let log = File::create(directory.path().join("log"))?;
        let mut child = Command::new(PYTHON)
            .arg(directory.path().join("server.py"))
            .arg(told)
            .arg(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        let port = directory.path().join("port");
        wait_until(LIMIT, || port.exists() || !matches!(child.try_wait(), Ok(None)));
        let said = fs::read_to_string(&port).ok().and_then(|text| text.parse().ok());
        let mut server = Self { child, directory, port: 0, certificate };
        match said {
            Some(port) => server.port = port,
            None => return Err(SmtpError::NotReady(server.log())),
        }
        Ok(server)
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its certificate, for `localhost`, in PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The mails that it has taken, oldest first: each a JSON object with `from`, `to`, `tls`, `user`, `headers` and
    /// `parts`.
    pub fn mails(&self) -> Vec<String> {
        let mut paths: Vec<PathBuf> = fs::read_dir(self.directory.path())
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
            .collect();
        paths.sort();
        paths.iter().filter_map(|path| fs::read_to_string(path).ok()).collect()
    }

    /// What it complained about.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        // The two failures are "has ended already" and "was waited for already".
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
