//! What was wished of servers, on disk: a drain outlives the process that was told of it.
//!
//! Only another wish ends a wish. The file is small JSON for people to read; it is replaced as a whole, so that a
//! crash leaves the old one or the new one.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use andon_core::balance::{Traffic, Wishes};
use serde::{Deserialize, Serialize};

/// The longest file that is read, in bytes.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// Why wishes could not be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum WishError {
    /// The file or its directory cannot be used.
    #[error(
        "the wishes in {path} cannot be kept: {source}; make its directory writable for the proxy, or name another file as `state`"
    )]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what this program wrote.
    #[error(
        "the wishes in {path} make no sense: {why}; remove the file to begin with all servers in traffic"
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// All wishes that are in force, by pool. A server without one gets its full share.
#[derive(Debug)]
pub struct WishBook {
    path: Option<PathBuf>,
    pages: Pages,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Pages {
    version: u32,
    pools: BTreeMap<String, Wishes>,
}

/// The version of the file.
const VERSION: u32 = 1;

impl WishBook {
    /// A book that is forgotten with the process.
    pub fn in_memory() -> Self {
        Self { path: None, pages: Pages { version: VERSION, ..Pages::default() } }
    }

    /// Reads the book; one that does not exist is empty.
    pub fn open(path: &Path) -> Result<Self, WishError> {
        let io_error = |source| WishError::Io { path: path.to_owned(), source };
        let malformed = |why: String| WishError::Malformed { path: path.to_owned(), why };
        let mut text = Vec::new();
        match File::open(path) {
            Ok(file) => file.take(MAX_FILE + 1).read_to_end(&mut text).map_err(io_error)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { path: Some(path.to_owned()), ..Self::in_memory() });
            }
            Err(error) => return Err(io_error(error)),
        };
        if text.len() as u64 > MAX_FILE {
            return Err(malformed(format!("it is longer than {MAX_FILE} bytes")));
        }
        let pages: Pages = serde_json::from_slice(&text).map_err(|error| malformed(error.to_string()))?;
        if pages.version != VERSION {
            return Err(malformed(format!("it has version {}, this proxy knows {VERSION}", pages.version)));
        }
        Ok(Self { path: Some(path.to_owned()), pages })
    }

    /// What is wished in a pool.
    pub fn of(&self, pool: &str) -> Wishes {
        self.pages.pools.get(pool).cloned().unwrap_or_default()
    }

    /// Adds wishes to those of a pool. They are on disk when this returns; when it fails, all is as it was.
    pub fn add(&mut self, pool: &str, wishes: &Wishes) -> Result<(), WishError> {
        let mut pages = self.pages.clone();
        let page = pages.pools.entry(pool.to_owned()).or_default();
        for (server, traffic) in wishes {
            // The full share is what everybody gets anyway.
            if *traffic == Traffic::FULL {
                page.remove(server);
            } else {
                page.insert(server.clone(), *traffic);
            }
        }
        pages.pools.retain(|_, page| !page.is_empty());
        if pages != self.pages {
            if let Some(path) = &self.path {
                save(path, &pages).map_err(|source| WishError::Io { path: path.clone(), source })?;
            }
            self.pages = pages;
        }
        Ok(())
    }
}

/// Written beside, brought to the disk, then renamed.
fn save(path: &Path, pages: &Pages) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut file = File::create(&beside)?;
    file.write_all(&serde_json::to_vec_pretty(pages)?)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use andon_core::name::ServerName;

    use super::*;

    fn wish(server: &str, traffic: Traffic) -> Wishes {
        BTreeMap::from([(ServerName::new(server).unwrap(), traffic)])
    }

    #[test]
    fn a_drain_outlives_the_process_and_ends_by_another_wish() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("wishes.json");
        let mut book = WishBook::open(&path).unwrap();
        book.add("www", &wish("web1", Traffic::Out)).unwrap();
        book.add("www", &wish("web2", Traffic::In(25))).unwrap();
        drop(book);
        let mut book = WishBook::open(&path).unwrap();
        assert_eq!(
            book.of("www"),
            [wish("web1", Traffic::Out), wish("web2", Traffic::In(25))].into_iter().flatten().collect()
        );
        assert!(book.of("api").is_empty());
        book.add("www", &wish("web1", Traffic::FULL)).unwrap();
        assert_eq!(WishBook::open(&path).unwrap().of("www"), wish("web2", Traffic::In(25)));
    }

    #[test]
    fn a_wish_that_cannot_be_kept_is_an_error_and_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let mut book = WishBook::open(&directory.path().join("absent/wishes.json")).unwrap();
        let error = book.add("www", &wish("web1", Traffic::Out)).unwrap_err();
        assert!(error.to_string().contains("absent/wishes.json"), "{error}");
        assert!(book.of("www").is_empty());
    }

    #[test]
    fn a_file_that_is_not_ours_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("wishes.json");
        for text in
            ["", "{\"version\":1,\"pools\":{\"www\":{\"../x\":\"out\"}}}", "{\"version\":9,\"pools\":{}}"]
        {
            std::fs::write(&path, text).unwrap();
            assert!(matches!(WishBook::open(&path), Err(WishError::Malformed { .. })), "{text}");
        }
    }
}
