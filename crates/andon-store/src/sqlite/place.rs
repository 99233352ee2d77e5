//! Where a ledger lies, and what the errors of SQLite mean there.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::error::StoreError;

/// The path of a ledger. It puts its name into errors.
#[derive(Debug, Clone)]
pub(super) struct Place {
    path: PathBuf,
}

/// Files are made one at a time in this process: closing a file drops every lock that the process has
/// on it, also those that SQLite took through another handle.
static MAKING: Mutex<()> = Mutex::new(());

// The primary result codes of SQLite that a caller does something different about.
const NO_PERMISSION: i32 = 3;
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READ_ONLY: i32 = 8;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANNOT_OPEN: i32 = 14;
const CONSTRAINT: i32 = 19;
const NOT_A_DATABASE: i32 = 26;
/// The extended code for a shared-memory file that could not be made larger: no space either.
const SHARED_MEMORY_SIZE: i32 = 4874;

impl Place {
    /// An absolute path: SQLite would take a relative one that begins with `file:` for a URI.
    pub(super) fn new(path: &Path) -> Result<Self, StoreError> {
        let invalid = |why: &str| {
            StoreError::Invalid(format!("{} cannot be the path of a ledger: {why}", path.display()))
        };
        let absolute = std::path::absolute(path).map_err(|error| invalid(&error.to_string()))?;
        if absolute.to_str().is_none_or(|text| text.contains('\0')) {
            return Err(invalid("it is not UTF-8 text"));
        }
        Ok(Self { path: absolute })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A file beside the ledger, named after it.
    pub(super) fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    }

    /// Which file lies here now: its device and its number there. `None` when there is none.
    pub(super) fn identity(&self) -> Option<(u64, u64)> {
        std::fs::metadata(&self.path).ok().map(|found| (found.dev(), found.ino()))
    }

    /// The name of the ledger in errors.
    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Makes the directories of the file when they are missing, for this user only.
    pub(super) fn prepare_directory(&self) -> Result<(), StoreError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(self.path.parent().unwrap_or(Path::new("/")))
            .map_err(|error| self.system_error(&error, "its directory cannot be made"))
    }

    /// Makes the file and its directories when they are missing, for this user only.
    pub(super) fn prepare(&self) -> Result<(), StoreError> {
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        self.prepare_directory()?;
        let _one_at_a_time = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.path) {
            Ok(file) => file
                .sync_all()
                .and_then(|()| File::open(directory)?.sync_all())
                .map_err(|error| self.system_error(&error, "its directory cannot be synced")),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => self.check_existing(),
            Err(error) => Err(self.system_error(&error, "its file cannot be made")),
        }
    }

    fn check_existing(&self) -> Result<(), StoreError> {
        match std::fs::metadata(&self.path) {
            Ok(found) if found.is_file() => Ok(()),
            Ok(_) => Err(self.not_a_ledger("it is not a file")),
            Err(error) => Err(self.system_error(&error, "it cannot be looked at")),
        }
    }

    pub(super) fn not_a_ledger(&self, why: &str) -> StoreError {
        StoreError::NotALedger { place: self.name(), why: why.to_owned() }
    }

    pub(super) fn damaged(&self, what: impl Into<String>) -> StoreError {
        StoreError::Damaged { place: self.name(), what: what.into() }
    }

    /// What an error of the system means for the file here.
    pub(super) fn file_error(&self, error: &io::Error) -> StoreError {
        self.system_error(error, "its file cannot be used")
    }

    fn system_error(&self, error: &io::Error, what: &str) -> StoreError {
        let place = self.name();
        let why = format!("{what}: {error}");
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::Full { place },
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                StoreError::NotWritable { place, why }
            }
            _ => StoreError::Unavailable { place, why },
        }
    }

    /// What an error of the database means.
    pub(super) fn error(&self, error: &sqlx::Error) -> StoreError {
        let place = self.name();
        let why = error.to_string();
        match error {
            sqlx::Error::Database(cause) => {
                let code = cause.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or(0);
                let why = cause.message().to_owned();
                match code & 0xff {
                    _ if code == SHARED_MEMORY_SIZE => StoreError::Full { place },
                    FULL => StoreError::Full { place },
                    BUSY | LOCKED => StoreError::Busy { place },
                    NO_PERMISSION | READ_ONLY | CANNOT_OPEN => StoreError::NotWritable { place, why },
                    NOT_A_DATABASE | CORRUPT => self.damaged(why),
                    // Nothing that this crate writes breaks a constraint of a sound ledger.
                    CONSTRAINT => self.damaged(format!("{why}. Verify the ledger to see where")),
                    _ => StoreError::Unavailable { place, why: cause.to_string() },
                }
            }
            sqlx::Error::PoolTimedOut => StoreError::Busy { place },
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::RowNotFound => {
                self.damaged(why)
            }
            sqlx::Error::Io(cause) => self.system_error(cause, "its file cannot be used"),
            _ => StoreError::Unavailable { place, why },
        }
    }
}
