//! Where things are below a service's root. Knows paths and creates directories; reads and removes nothing.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use andon_core::digest::Digest;
use andon_core::host::{Placement, Token};
use andon_core::release::ReleaseId;

/// Longest name of a step's directory that is the token itself; longer tokens are shortened and hashed, because
/// file systems allow 255 bytes.
const MAX_PLAIN_NAME: usize = 200;

/// Why a place cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LayoutError {
    /// The root is relative, is `/`, or winds through `..`.
    #[error("{} cannot be a service's root: give an absolute path without `.` and `..`", .0.display())]
    Root(PathBuf),
    /// A directory could not be made.
    #[error("{} cannot be created: {source}; check its owner and whether the file system is writable", path.display())]
    Create {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Andon's own directory belongs to somebody else, who could plant orders in it.
    #[error("{} is not a directory of the user that the agent runs as; remove it or give it to that user", .0.display())]
    Foreign(PathBuf),
}

/// The places of one service on this host.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout below the root of `placement`, which is checked and not touched.
    pub(crate) fn of(placement: &Placement) -> Result<Self, LayoutError> {
        Self::at(&placement.root)
    }

    /// The layout below `root`, which is checked and not touched.
    pub(crate) fn at(root: &Path) -> Result<Self, LayoutError> {
        let mut parts = root.components();
        let absolute = parts.next() == Some(Component::RootDir);
        let names = parts.clone().count();
        // `components` hides a `.` in the middle, which is harmless: the path is rebuilt without it.
        if !absolute || names == 0 || !parts.all(|part| matches!(part, Component::Normal(_))) {
            return Err(LayoutError::Root(root.to_owned()));
        }
        Ok(Self { root: root.components().collect() })
    }

    /// The root itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Holds a directory per release.
    pub(crate) fn releases(&self) -> PathBuf {
        self.root.join("releases")
    }

    /// The directory of one release.
    pub(crate) fn release(&self, id: &ReleaseId) -> PathBuf {
        self.releases().join(id.as_str())
    }

    /// The link to what should run.
    pub(crate) fn current(&self) -> PathBuf {
        self.root.join("current")
    }

    /// Andon's own directory, closed to others.
    pub(crate) fn private(&self) -> PathBuf {
        self.root.join(".andon")
    }

    /// Who is obeyed.
    pub(crate) fn authority(&self) -> PathBuf {
        self.private().join("authority.json")
    }

    /// The activation marker.
    pub(crate) fn marker(&self) -> PathBuf {
        self.private().join("activation.json")
    }

    /// Locked while somebody decides whether a step may begin.
    pub(crate) fn lock(&self) -> PathBuf {
        self.private().join("lock")
    }

    /// Holds a directory per step.
    pub(crate) fn steps(&self) -> PathBuf {
        self.private().join("steps")
    }

    /// The directory of one step.
    pub(crate) fn step(&self, token: &Token) -> PathBuf {
        let text = token.as_str();
        if text.len() <= MAX_PLAIN_NAME {
            return self.steps().join(text);
        }
        // `~` is not in the alphabet of tokens, hence no other token has this name.
        let digest = Digest::of(text.as_bytes()).to_string();
        self.steps().join(format!("{}~{}", &text[..150], &digest[..40]))
    }

    /// Holds uploads that are not unpacked yet.
    pub(crate) fn incoming(&self) -> PathBuf {
        self.private().join("incoming")
    }

    /// One upload.
    pub(crate) fn upload(&self, digest: &Digest) -> PathBuf {
        self.incoming().join(digest.to_string())
    }

    /// Holds the digest of every release that was unpacked by us.
    pub(crate) fn records(&self) -> PathBuf {
        self.private().join("releases")
    }

    /// The record of one release.
    pub(crate) fn record(&self, id: &ReleaseId) -> PathBuf {
        self.records().join(id.as_str())
    }

    /// What is remembered of one pool; `key` tells it from the other pools of this root.
    pub(crate) fn pool(&self, key: &str) -> PathBuf {
        self.private().join("balance").join(key)
    }

    /// Makes every directory that is not there yet.
    pub(crate) fn create(&self) -> Result<(), LayoutError> {
        make(&self.releases(), 0o755)?;
        make(&self.root.join("shared"), 0o755)?;
        self.create_private()?;
        for path in [self.steps(), self.incoming(), self.records()] {
            make(&path, 0o700)?;
        }
        Ok(())
    }

    /// Makes the directory of one pool, and no more: the service itself may have nothing on this host.
    pub(crate) fn create_pool(&self, key: &str) -> Result<PathBuf, LayoutError> {
        make(&self.root, 0o755)?;
        self.create_private()?;
        let pool = self.pool(key);
        make(&pool, 0o700)?;
        Ok(pool)
    }

    fn create_private(&self) -> Result<(), LayoutError> {
        make(&self.private(), 0o700)?;
        let private = self.private();
        let found = fs::symlink_metadata(&private)
            .map_err(|source| LayoutError::Create { path: private.clone(), source })?;
        if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() {
            return Err(LayoutError::Foreign(private));
        }
        if found.mode() & 0o077 != 0 {
            // It is ours and was opened to others by somebody: what is in it is not for them.
            fs::set_permissions(&private, fs::Permissions::from_mode(0o700))
                .map_err(|source| LayoutError::Create { path: private.clone(), source })?;
        }
        Ok(())
    }
}

fn make(path: &Path, mode: u32) -> Result<(), LayoutError> {
    let made = DirBuilder::new().recursive(true).mode(mode).create(path);
    made.map_err(|source| LayoutError::Create { path: path.to_owned(), source })
}

/// `root` with a leading `~` made `home`, the home of the user whom this agent runs as. Without a home the root stays
/// relative, and is refused as such.
pub(crate) fn at_home(root: PathBuf, home: Option<&Path>) -> PathBuf {
    match (home.filter(|home| home.is_absolute()), root.strip_prefix("~")) {
        (Some(home), Ok(below)) => home.join(below),
        _ => root,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::fixture;

    fn placement(root: &str) -> Placement {
        Placement { root: root.into(), ..fixture::order().placement }
    }

    #[test]
    fn a_root_is_absolute_and_straight() {
        assert!(Layout::of(&placement("/srv/www")).is_ok());
        for wrong in ["", "/", "srv/www", "../www", "/srv/../etc", "."] {
            assert!(Layout::of(&placement(wrong)).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn every_token_names_its_own_directory_inside_of_the_steps() {
        let layout = Layout::of(&placement("/srv/www")).unwrap();
        let long = |end: &str| Token::try_from(format!("{}{end}", "h".repeat(299))).unwrap();
        let (one, two) = (layout.step(&long("1")), layout.step(&long("2")));
        assert_ne!(one, two);
        for path in [&one, &two] {
            assert_eq!(path.parent(), Some(&*layout.steps()));
            assert!(path.file_name().unwrap().len() < 256);
        }
        for hostile in ["../x", "a/b", ".", "..", "", ".hidden", "~new", "a\0b"] {
            assert!(Token::try_from(hostile.to_owned()).is_err(), "{hostile:?}");
        }
    }

    #[test]
    fn a_root_below_the_home_of_the_user_is_found_there() {
        let home = Some(Path::new("/home/ana"));
        assert_eq!(at_home("~/www".into(), home), Path::new("/home/ana/www"));
        assert_eq!(at_home("/srv/www".into(), home), Path::new("/srv/www"));
        assert!(Layout::at(&at_home("~/www".into(), None)).is_err(), "without a home it is refused");
    }
}
