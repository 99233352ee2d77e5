//! Certificates and keys: read from files, and read again when the files change.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::Tls;

/// The largest PEM file that is read, in bytes.
const MAX_PEM: u64 = 1024 * 1024;

/// Why a certificate or key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The kernel's words.
        error: io::Error,
    },
    /// The file holds something else.
    #[error("{} holds no {what} in PEM form ({error})", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
        /// The parser's words.
        error: pem::Error,
    },
    /// The two do not make a pair, or are of a kind that is not supported.
    #[error("the certificate {} and the key {} cannot be used: {error}", certificate.display(), key.display())]
    Pair {
        /// The chain.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
        /// The words of the TLS library.
        error: rustls::Error,
    },
}

/// What a listener proves itself with.
pub(crate) struct Keyring {
    files: Tls,
    current: RwLock<Arc<ServerConfig>>,
    /// What the files looked like when they were read last, with success or without.
    stamp: Mutex<Stamp>,
}

/// What changes about two files when they are written or replaced.
type Stamp = [Option<(u64, u64, i64, i64)>; 2];

impl Keyring {
    /// Reads a certificate and its key.
    pub(crate) fn load(files: &Tls) -> Result<Self, TlsError> {
        // Looked at before it is read: what changes in between is read once more.
        let stamp = stamp(files);
        let current = RwLock::new(Arc::new(read(files)?));
        Ok(Self { files: files.clone(), current, stamp: Mutex::new(stamp) })
    }

    /// For the next handshake.
    pub(crate) fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Where the certificate is.
    pub(crate) fn certificate(&self) -> &Path {
        &self.files.certificate
    }

    /// Reads the files again if they have changed; with an error, what was in force still is. `None`: no change.
    pub(crate) fn refresh(&self) -> Option<Result<(), TlsError>> {
        let seen = stamp(&self.files);
        {
            let mut last = self.stamp.lock().unwrap_or_else(PoisonError::into_inner);
            if *last == seen {
                return None;
            }
            *last = seen;
        }
        Some(read(&self.files).map(|config| {
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
        }))
    }
}

fn stamp(files: &Tls) -> Stamp {
    [&files.certificate, &files.key].map(|path| {
        let file = fs::metadata(path).ok()?;
        Some((file.ino(), file.size(), file.mtime(), file.mtime_nsec()))
    })
}

fn read(files: &Tls) -> Result<ServerConfig, TlsError> {
    let form = |path: &Path, what, error| TlsError::Form { path: path.to_owned(), what, error };
    let chain = CertificateDer::pem_slice_iter(&contents(&files.certificate)?)
        .collect::<Result<Vec<_>, _>>()
        .and_then(|chain| if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) })
        .map_err(|error| form(&files.certificate, "certificate", error))?;
    let key = PrivateKeyDer::from_pem_slice(&contents(&files.key)?)
        .map_err(|error| form(&files.key, "private key", error))?;
    let pair =
        |error| TlsError::Pair { certificate: files.certificate.clone(), key: files.key.clone(), error };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(pair)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(pair)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    if let Ok(ticketer) = ring::Ticketer::new() {
        config.ticketer = ticketer;
    }
    Ok(config)
}

fn contents(path: &Path) -> Result<Vec<u8>, TlsError> {
    use io::Read;
    let mut contents = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAX_PEM).read_to_end(&mut contents))
        .map_err(|error| TlsError::Read { path: path.to_owned(), error })?;
    Ok(contents)
}
