//! What no release may hold, as sentences that follow the entry's name.

use andon_core::quantity::ByteSize;

/// Why an entry makes an archive unfit to be a release. Names inside are escaped for terminals.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its path starts with a slash.
    #[error("its path is absolute; pack with paths relative to the release, as `tar -C DIR -c .` does")]
    Absolute,
    /// Its path has a `..`.
    #[error(
        "its path contains `..`, which could lead out of the release; pack from the release's own directory"
    )]
    Upwards,
    /// It is a file or link without a name.
    #[error("it is not a directory and has no name; build the archive again")]
    Unnamed,
    /// A name or target contains a NUL byte.
    #[error("its name or target contains a NUL byte, which no file system takes; build the archive again")]
    NulInName,
    /// A directory above it is a symbolic link.
    #[error("it lies behind the symbolic link `{0}`; pack it under its real path")]
    ThroughLink(String),
    /// A directory above it is a file.
    #[error("it lies below `{0}`, which is a file; build the archive again")]
    ThroughFile(String),
    /// Something with this path came before.
    #[error("it is in the archive twice; pack into a new archive instead of appending to an old one")]
    Twice,
    /// The symbolic link leads out of the release.
    #[error("it is a symbolic link that leads out of the release, by way of `{0}`; link to something inside")]
    LinkLeaves(String),
    /// The symbolic link leads back to itself.
    #[error("it is a symbolic link that leads in a circle; remove it")]
    LinkCircle,
    /// The symbolic link has no target.
    #[error("it is a symbolic link to nothing; remove it")]
    LinkWithoutTarget,
    /// Following all symbolic links would take too long.
    #[error(
        "the symbolic links of the archive are entangled beyond reason; replace chains of links by direct ones"
    )]
    LinksEntangled,
    /// The hard link names something that is no earlier file of the archive.
    #[error(
        "it is a hard link to `{0}`, which is no file that came before it in the archive; pack both as files"
    )]
    HardLinkToNothing(String),
    /// It would run with its owner's rights.
    #[error("it is set-uid or set-gid, which a release may not be; take the bit away with `chmod ug-s`")]
    SetId,
    /// It is a device node, a fifo or another thing that is neither file, directory nor link.
    #[error("it is {0}; a release holds only files, directories and links")]
    Special(&'static str),
    /// It is stored with holes.
    #[error("it is stored as a sparse file; pack without `--sparse`")]
    Sparse,
    /// A directory or link claims to have content.
    #[error("it is a directory or link but carries data; build the archive again with another tool")]
    UnexpectedData,
    /// Its path or name is given more than once, so that tools would disagree about it.
    #[error("its headers contradict each other about `{0}`; build the archive again with another tool")]
    Ambiguous(&'static str),
    /// Its path or target is too long (bytes).
    #[error("its path or target is longer than {0} bytes; shorten it")]
    PathTooLong(usize),
    /// One name in its path is too long (bytes).
    #[error("a name in its path is longer than {0} bytes, which file systems do not take; shorten it")]
    NameTooLong(usize),
    /// Too many directories are above it.
    #[error("it lies below more than {0} directories; flatten the tree")]
    TooDeep(usize),
    /// The archive has too many entries.
    #[error("with it, the archive has more than {0} entries; leave out what the service does not need")]
    TooManyEntries(u64),
    /// The archive's names are too long taken together.
    #[error("with it, the names in the archive take more than {0}; leave out what the service does not need")]
    TooManyNames(ByteSize),
    /// The archive unpacks to too much.
    #[error("with it, the release takes more than {0} unpacked; leave out what the service does not need")]
    TooLarge(ByteSize),
}
