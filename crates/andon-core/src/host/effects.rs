//! The effects of a host's work, in the order in which they become durable. A crash or a power cut may fall between any
//! two of them, and whoever looks afterwards must find a state that says where the host stands.
//!
//! Orders only: a file's change is one effect here, whole or not at all, and durable before the next one begins. How it
//! is made so is for the agent, and nothing is decided here about what follows from an effect that fails.

/// One effect of accepting a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Acceptance {
    /// Make a directory that no token names.
    Directory,
    /// Take the step's lock, which whoever carries the step out holds as long as it is at work.
    Lock,
    /// Write what was asked.
    Order,
    /// Write in which boot it was accepted.
    Accepted,
    /// Set space aside for the result.
    Reserve,
    /// Make the directory's content durable.
    Flush,
    /// Give it the token's name: the step is accepted.
    Name,
    /// Make the name durable. Only then may the step begin.
    FlushName,
}

/// The way of a step into the journal.
pub const ACCEPTANCE: [Acceptance; 8] = [
    Acceptance::Directory,
    Acceptance::Lock,
    Acceptance::Order,
    Acceptance::Accepted,
    Acceptance::Reserve,
    Acceptance::Flush,
    Acceptance::Name,
    Acceptance::FlushName,
];

/// One effect of making a release complete on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unpacking {
    /// Unpack it under a name that no release has.
    Unpack,
    /// Record its digest: a directory without a record counts as somebody else's.
    Record,
    /// Give it its name.
    Name,
    /// Make the name durable.
    FlushName,
    /// Remove the artifact that it came in.
    ForgetUpload,
}

/// The way of a release onto the disk.
pub const UNPACKING: [Unpacking; 5] =
    [Unpacking::Unpack, Unpacking::Record, Unpacking::Name, Unpacking::FlushName, Unpacking::ForgetUpload];

/// One effect of removing a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Removal {
    /// Take its name away: a release is never seen with half of its files.
    Unname,
    /// Make that durable.
    FlushName,
    /// Remove its files.
    Files,
    /// Remove the record of its digest.
    Record,
}

/// The way of a release off the disk.
pub const REMOVAL: [Removal; 4] = [Removal::Unname, Removal::FlushName, Removal::Files, Removal::Record];

/// One effect of an activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Activation {
    /// See that the release is complete on disk; else nothing else happens.
    RequireComplete,
    /// Write the marker that says "incomplete": the host's point of no return.
    MarkBegun,
    /// Point `current` at the release.
    Switch,
    /// Stop what runs, and start every instance on the release.
    Restart,
    /// Write the marker that says "complete".
    MarkComplete,
}

/// The way of a release into its processes.
pub const ACTIVATION: [Activation; 5] = [
    Activation::RequireComplete,
    Activation::MarkBegun,
    Activation::Switch,
    Activation::Restart,
    Activation::MarkComplete,
];
