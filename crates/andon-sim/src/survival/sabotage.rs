//! Hosts and ledgers that are broken on purpose, to see that a simulation finds what they do.

/// What is broken in a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// Hosts obey any fence.
    FencesAreIgnored,
    /// The balancer's host obeys any fence.
    BalancerIgnoresFences,
    /// The balancer's host obeys wishes that newer ones have overtaken.
    LateWishesAreObeyed,
    /// The disks of hosts never make the activation marker durable.
    MarkerIsNotSynced,
    /// The ledger acknowledges before it has written: intents are recorded after they were acted upon.
    LedgerAcknowledgesEarly,
    /// A host begins a step again whose order arrives twice.
    StepsAreRepeated,
    /// A host says of an interrupted step that it never started.
    InterruptedIsNeverStarted,
    /// A release gets its name before it is unpacked.
    NamedBeforeUnpacked,
    /// The driver's drains are acknowledged by a balancer that has done nothing.
    DrainsAreFeigned,
}

impl Sabotage {
    /// Everything that can be broken, by the name that commands know it by.
    pub const ALL: [(&'static str, Sabotage); 9] = [
        ("fences-are-ignored", Sabotage::FencesAreIgnored),
        ("balancer-ignores-fences", Sabotage::BalancerIgnoresFences),
        ("late-wishes-are-obeyed", Sabotage::LateWishesAreObeyed),
        ("marker-is-not-synced", Sabotage::MarkerIsNotSynced),
        ("ledger-acknowledges-early", Sabotage::LedgerAcknowledgesEarly),
        ("steps-are-repeated", Sabotage::StepsAreRepeated),
        ("interrupted-is-never-started", Sabotage::InterruptedIsNeverStarted),
        ("named-before-unpacked", Sabotage::NamedBeforeUnpacked),
        ("drains-are-feigned", Sabotage::DrainsAreFeigned),
    ];

    /// The name that commands know it by.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, sabotage)| *sabotage == self).map_or("", |(name, _)| name)
    }
}
