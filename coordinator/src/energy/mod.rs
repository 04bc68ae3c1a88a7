//! Energy for TRON transfers, between `signed` and `broadcasting`.
//!
//! `batches/broadcast.rs` asks [`plan`] before it sends a batch. Today there is one way: burn the sender's TRX, bounded by
//! the fee limit that is signed; so both energy states are passed in one commit and recorded with the reason.
//! What must stay true: nothing is bought before the signatures are here, so nothing rented runs out on the trip.

use airlock_shared::{Family, Network};

/// Where a batch's energy comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Plan {
    /// The sender's own TRX is burned, at most the signed fee limit per transaction.
    Burn,
    /// The network has no energy.
    NotNeeded,
}

/// The plan for a batch on `network`.
pub const fn plan(network: Network) -> Plan {
    match network.family() {
        Family::Tron => Plan::Burn,
        Family::Evm => Plan::NotNeeded,
    }
}

impl Plan {
    /// Why `energy_requested` is passed, as transitions record it.
    pub const fn requested(self) -> &'static str {
        match self {
            Self::Burn => "nothing is rented: energy is burned",
            Self::NotNeeded => "this network needs no energy",
        }
    }

    /// Why `energy_received` is passed.
    pub const fn received(self) -> &'static str {
        match self {
            Self::Burn => "the signed fee limit covers the burn",
            Self::NotNeeded => "this network needs no energy",
        }
    }
}
