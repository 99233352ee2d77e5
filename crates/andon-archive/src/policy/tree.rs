//! The tree of an archive, in memory, and where symbolic links lead in it. It knows no limits but time.

use std::collections::BTreeMap;

use super::Refusal;

/// As many links as Linux follows before it gives up.
const MAX_FOLLOWED: u32 = 40;
/// How many names may be looked up to follow all links of an archive: a few seconds of work at most.
pub(super) const RESOLUTION_BUDGET: u64 = 16_000_000;

/// A place in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NodeId(usize);

/// What is at a place.
#[derive(Debug)]
pub(super) enum Content {
    Directory(BTreeMap<Box<[u8]>, NodeId>),
    File,
    Symlink(Box<[u8]>),
}

impl Content {
    pub(super) fn directory() -> Self {
        Self::Directory(BTreeMap::new())
    }
}

struct Node {
    parent: NodeId,
    content: Content,
}

/// Directories, files and links, with the release's own directory as the root.
pub(super) struct Tree {
    nodes: Vec<Node>,
}

impl Tree {
    pub(super) const ROOT: NodeId = NodeId(0);

    pub(super) fn new() -> Self {
        Self { nodes: vec![Node { parent: Self::ROOT, content: Content::directory() }] }
    }

    pub(super) fn content(&self, at: NodeId) -> &Content {
        &self.nodes[at.0].content
    }

    /// What is called `name` in the directory `dir`, if it is a directory and has such a thing.
    pub(super) fn child(&self, dir: NodeId, name: &[u8]) -> Option<NodeId> {
        match self.content(dir) {
            Content::Directory(children) => children.get(name).copied(),
            Content::File | Content::Symlink(_) => None,
        }
    }

    /// Adds `content` to the directory `dir`. `None` when the name is taken or `dir` is no directory.
    pub(super) fn insert(&mut self, dir: NodeId, name: &[u8], content: Content) -> Option<NodeId> {
        let id = NodeId(self.nodes.len());
        let Content::Directory(children) = &mut self.nodes[dir.0].content else { return None };
        if children.contains_key(name) {
            return None;
        }
        children.insert(name.into(), id);
        self.nodes.push(Node { parent: dir, content });
        Some(id)
    }

    /// Follows the link `link` in `dir` as the kernel would, and refuses it if that ever leads above the root.
    ///
    /// Names that do not exist count as directories: something could come to be there, and then the rest of
    /// the target would matter.
    pub(super) fn follow(&self, dir: NodeId, link: NodeId, steps: &mut u64) -> Result<(), Refusal> {
        let mut at = dir;
        let mut missing: usize = 0;
        let mut followed = 0;
        let mut ahead: Vec<&[u8]> = Vec::new();
        let mut next = Some(link);
        let mut latest: &[u8] = b"";
        loop {
            if let Some(Content::Symlink(target)) = next.take().map(|node| self.content(node)) {
                followed += 1;
                if followed > MAX_FOLLOWED {
                    return Err(Refusal::LinkCircle);
                }
                latest = target;
                ahead.extend(target.rsplit(|b| *b == b'/').filter(|name| !name.is_empty() && *name != b"."));
            }
            let Some(name) = ahead.pop() else { return Ok(()) };
            *steps = steps.checked_sub(1).ok_or(Refusal::LinksEntangled)?;
            if name == b".." {
                if missing > 0 {
                    missing -= 1;
                } else if at == Self::ROOT {
                    return Err(Refusal::LinkLeaves(crate::legible::legible(latest)));
                } else {
                    at = self.nodes[at.0].parent;
                }
                continue;
            }
            match self.child(at, name).filter(|_| missing == 0) {
                None => missing += 1,
                Some(child) if matches!(self.content(child), Content::Symlink(_)) => next = Some(child),
                Some(child) => at = child,
            }
        }
    }
}
