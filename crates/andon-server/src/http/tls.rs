//! Certificates and keys of the server: read from files, and read again when the files change.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::access::TlsFiles;

/// The largest PEM file that is read, in bytes.
const MOST: u64 = 1 << 20;

/// Why a certificate or key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read.
    #[error("{0} cannot be read: {1}")]
    Read(PathBuf, io::Error),
    /// The file holds something else.
    #[error("{0} holds no {1} in PEM form ({2})")]
    Form(PathBuf, &'static str, pem::Error),
    /// Others can read the key.
    #[error("the key {0} can be read by others on this machine: chmod o= {0}")]
    Open(PathBuf),
    /// The two make no pair, or are of a kind that is not supported.
    #[error("the certificate {0} and the key {1} cannot be used: {2}")]
    Pair(PathBuf, PathBuf, rustls::Error),
}

/// What changes about two files when they are written or replaced.
type Stamp = [Option<(u64, u64, i64, i64)>; 2];

/// What the server proves itself with.
#[derive(Debug)]
pub struct Keyring {
    files: TlsFiles,
    current: RwLock<Arc<ServerConfig>>,
    stamp: Mutex<Stamp>,
}

impl Keyring {
    /// Reads a certificate chain and its key.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        // Looked at before it is read: what changes in between is read once more.
        let stamp = Mutex::new(stamp(&files));
        let current = RwLock::new(Arc::new(read(&files)?));
        Ok(Self { files, current, stamp })
    }

    /// For the next handshake.
    pub(super) fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the files again if they have changed; with an error, what was in force still is. `None`: no change.
    pub fn refresh(&self) -> Option<Result<(), TlsError>> {
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

fn stamp(files: &TlsFiles) -> Stamp {
    [&files.certificate, &files.key].map(|path| {
        let file = fs::metadata(path).ok()?;
        Some((file.ino(), file.size(), file.mtime(), file.mtime_nsec()))
    })
}

fn read(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let (certificate, key) = (&files.certificate, &files.key);
    let chain = CertificateDer::pem_slice_iter(&contents(certificate)?)
        .collect::<Result<Vec<_>, _>>()
        .and_then(|chain| if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) })
        .map_err(|error| TlsError::Form(certificate.clone(), "certificate", error))?;
    let about = fs::metadata(key).map_err(|error| TlsError::Read(key.clone(), error))?;
    if about.permissions().mode() & 0o004 != 0 {
        return Err(TlsError::Open(key.clone()));
    }
    let private = PrivateKeyDer::from_pem_slice(&contents(key)?)
        .map_err(|error| TlsError::Form(key.clone(), "private key", error))?;
    let pair = |error| TlsError::Pair(certificate.clone(), key.clone(), error);
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(pair)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(pair)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn contents(path: &Path) -> Result<Vec<u8>, TlsError> {
    let mut contents = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MOST).read_to_end(&mut contents))
        .map_err(|error| TlsError::Read(path.to_owned(), error))?;
    Ok(contents)
}
