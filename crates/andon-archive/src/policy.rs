//! Decides which entries a release may hold, given those that came before. Pure: it touches no file.
//!
//! The policy keeps the tree that the archive describes in memory. An entry is admitted when its path stays
//! inside of the release, runs only through directories, and is new. Symbolic links are judged when the
//! whole tree is known, because an entry that comes later can change where an earlier link leads.

mod refusal;
mod tree;

use andon_core::quantity::ByteSize;

pub use refusal::Refusal;
use tree::{Content, NodeId, Tree};

/// How much an archive may ask for. The defaults fit any release that a host should take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most space on the host, with each entry rounded up to whole blocks. Default 32 GiB.
    pub unpacked: ByteSize,
    /// Most files, links and directories, counting directories that are only implied. Default 1,000,000.
    pub entries: u64,
    /// Longest path or link target in bytes. Default 1024.
    pub path_len: usize,
    /// Most directories above an entry. Default 64.
    pub depth: usize,
    /// Most bytes of all names together, which bounds the memory that is used. Default 256 MiB.
    pub names: ByteSize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            unpacked: ByteSize(32 << 30),
            entries: 1_000_000,
            path_len: 1024,
            depth: 64,
            names: ByteSize(256 << 20),
        }
    }
}

/// The longest name of one file that Linux file systems take, in bytes.
const MAX_COMPONENT_LEN: usize = 255;
/// File systems give out space in blocks of this many bytes.
const BLOCK: u64 = 4096;

/// One entry as the archive describes it, its path and targets being raw bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) path: Vec<u8>,
    pub(crate) mode: u32,
    pub(crate) kind: MemberKind,
}

/// What an archive's entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MemberKind {
    Directory,
    File { size: u64 },
    Symlink { target: Vec<u8> },
    HardLink { original: Vec<u8> },
}

/// What to create for an admitted entry. Paths are relative, have no `.` or `..`, and run through directories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Placement {
    /// The release's own directory, which exists already.
    Root,
    Directory {
        path: Vec<u8>,
        mode: u32,
    },
    File {
        path: Vec<u8>,
        mode: u32,
        size: u64,
    },
    Symlink {
        path: Vec<u8>,
        target: Vec<u8>,
    },
    HardLink {
        path: Vec<u8>,
        original: Vec<u8>,
    },
}

/// What a whole archive amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) entries: u64,
    pub(crate) files: u64,
    pub(crate) unpacked: ByteSize,
}

/// The tree that an archive has described so far, and what is left of its limits.
pub(crate) struct Policy {
    limits: Limits,
    tree: Tree,
    links: Vec<Link>,
    totals: Totals,
    names: u64,
}

/// A symbolic link to be judged at the end: the directory that it is in, and its path for messages.
struct Link {
    dir: NodeId,
    node: NodeId,
    path: Vec<u8>,
}

impl Policy {
    pub(crate) fn new(limits: Limits) -> Self {
        let totals = Totals { entries: 0, files: 0, unpacked: ByteSize(0) };
        Self { limits, tree: Tree::new(), links: Vec::new(), totals, names: 0 }
    }

    /// Admits the next entry of the archive, or says why the archive is refused.
    pub(crate) fn admit(&mut self, member: &Member) -> Result<Placement, Refusal> {
        let components = self.components(&member.path)?;
        // On a directory the set-group-id bit lends nobody's rights, and modes are normalised anyway.
        if member.mode & 0o6000 != 0 && member.kind != MemberKind::Directory {
            return Err(Refusal::SetId);
        }
        let Some((name, parents)) = components.split_last() else {
            return match member.kind {
                MemberKind::Directory => Ok(Placement::Root),
                _ => Err(Refusal::Unnamed),
            };
        };
        let parent = self.enter(parents)?;
        let path = components.join(&b'/');
        match &member.kind {
            MemberKind::Directory => {
                self.admit_directory(parent, name)?;
                Ok(Placement::Directory { path, mode: directory_mode(member.mode) })
            }
            MemberKind::File { size } => {
                self.charge(name.len(), *size)?;
                self.totals.files += 1;
                self.insert(parent, name, Content::File)?;
                Ok(Placement::File { path, mode: file_mode(member.mode), size: *size })
            }
            MemberKind::Symlink { target } => {
                self.admit_symlink(parent, name, &path, target)?;
                Ok(Placement::Symlink { path, target: target.clone() })
            }
            MemberKind::HardLink { original } => {
                let original = self.original(original)?;
                self.charge(name.len(), 0)?;
                self.insert(parent, name, Content::File)?;
                Ok(Placement::HardLink { path, original })
            }
        }
    }

    /// Judges the symbolic links now that the tree is complete. An error names the link.
    pub(crate) fn finish(self) -> Result<Totals, (Vec<u8>, Refusal)> {
        let mut steps = tree::RESOLUTION_BUDGET;
        for link in self.links {
            self.tree.follow(link.dir, link.node, &mut steps).map_err(|refusal| (link.path, refusal))?;
        }
        Ok(self.totals)
    }

    /// Splits a path into its names, dropping `.` and doubled slashes.
    fn components<'a>(&self, path: &'a [u8]) -> Result<Vec<&'a [u8]>, Refusal> {
        if path.contains(&0) {
            return Err(Refusal::NulInName);
        }
        if path.len() > self.limits.path_len {
            return Err(Refusal::PathTooLong(self.limits.path_len));
        }
        if path.starts_with(b"/") {
            return Err(Refusal::Absolute);
        }
        let components: Vec<&[u8]> =
            path.split(|b| *b == b'/').filter(|name| !name.is_empty() && *name != b".").collect();
        if components.contains(&b"..".as_slice()) {
            return Err(Refusal::Upwards);
        }
        if components.iter().any(|name| name.len() > MAX_COMPONENT_LEN) {
            return Err(Refusal::NameTooLong(MAX_COMPONENT_LEN));
        }
        if components.len() > self.limits.depth + 1 {
            return Err(Refusal::TooDeep(self.limits.depth));
        }
        Ok(components)
    }

    /// Walks down `parents`, adding directories that the archive only implies.
    fn enter(&mut self, parents: &[&[u8]]) -> Result<NodeId, Refusal> {
        let mut at = Tree::ROOT;
        for (depth, name) in parents.iter().enumerate() {
            at = match self.tree.child(at, name) {
                None => {
                    self.charge(name.len(), BLOCK)?;
                    self.insert(at, name, Content::directory())?
                }
                Some(child) => match self.tree.content(child) {
                    Content::Directory(_) => child,
                    Content::File => return Err(Refusal::ThroughFile(shown(&parents[..=depth]))),
                    Content::Symlink(_) => return Err(Refusal::ThroughLink(shown(&parents[..=depth]))),
                },
            };
        }
        Ok(at)
    }

    /// A directory may be named again, as archives that were appended to do. Nothing else may.
    fn admit_directory(&mut self, parent: NodeId, name: &[u8]) -> Result<(), Refusal> {
        match self.tree.child(parent, name).map(|child| self.tree.content(child)) {
            Some(Content::Directory(_)) => {
                // Counted all the same: an archive could otherwise go on for ever.
                self.charge(0, 0)
            }
            Some(_) => Err(Refusal::Twice),
            None => {
                self.charge(name.len(), BLOCK)?;
                self.insert(parent, name, Content::directory()).map(|_| ())
            }
        }
    }

    fn admit_symlink(&mut self, dir: NodeId, name: &[u8], path: &[u8], target: &[u8]) -> Result<(), Refusal> {
        if target.is_empty() {
            return Err(Refusal::LinkWithoutTarget);
        }
        if target.contains(&0) {
            return Err(Refusal::NulInName);
        }
        if target.len() > self.limits.path_len {
            return Err(Refusal::PathTooLong(self.limits.path_len));
        }
        if target.starts_with(b"/") {
            return Err(Refusal::LinkLeaves(crate::legible::legible(target)));
        }
        self.charge(name.len() + path.len() + target.len(), BLOCK)?;
        let node = self.insert(dir, name, Content::Symlink(target.into()))?;
        self.links.push(Link { dir, node, path: path.to_vec() });
        Ok(())
    }

    /// The normalised path of the file that a hard link names; it must have come before.
    fn original(&self, original: &[u8]) -> Result<Vec<u8>, Refusal> {
        let refused = || Refusal::HardLinkToNothing(crate::legible::legible(original));
        let components = self.components(original).map_err(|_| refused())?;
        let mut at = Tree::ROOT;
        for name in &components {
            at = self.tree.child(at, name).ok_or_else(refused)?;
        }
        match self.tree.content(at) {
            Content::File => Ok(components.join(&b'/')),
            Content::Directory(_) | Content::Symlink(_) => Err(refused()),
        }
    }

    fn insert(&mut self, parent: NodeId, name: &[u8], content: Content) -> Result<NodeId, Refusal> {
        self.tree.insert(parent, name, content).ok_or(Refusal::Twice)
    }

    /// Takes an entry's cost from the limits.
    fn charge(&mut self, name_len: usize, size: u64) -> Result<(), Refusal> {
        self.totals.entries += 1;
        if self.totals.entries > self.limits.entries {
            return Err(Refusal::TooManyEntries(self.limits.entries));
        }
        self.names = self.names.saturating_add(name_len as u64);
        if self.names > self.limits.names.0 {
            return Err(Refusal::TooManyNames(self.limits.names));
        }
        let blocks = size.div_ceil(BLOCK).saturating_mul(BLOCK);
        self.totals.unpacked = ByteSize(self.totals.unpacked.0.saturating_add(blocks));
        if self.totals.unpacked > self.limits.unpacked {
            return Err(Refusal::TooLarge(self.limits.unpacked));
        }
        Ok(())
    }
}

fn shown(components: &[&[u8]]) -> String {
    crate::legible::legible(&components.join(&b'/'))
}

/// Files are read-only once unpacked; whoever unpacked them can read them.
fn file_mode(mode: u32) -> u32 {
    mode & 0o555 | 0o400
}

/// Only the owner may change directories, and always can: else a release could not be removed.
fn directory_mode(mode: u32) -> u32 {
    mode & 0o755 | 0o700
}

#[cfg(test)]
mod tests;
