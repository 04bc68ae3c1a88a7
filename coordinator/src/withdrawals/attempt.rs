//! One try to pay a withdrawal on chain: its states, from built to final or proven dead.
//!
//! ```text
//! built -> exported -> signed -> sent -> included -> final
//!   built, exported -> dead            (batch dropped, or expired unsigned / refused by a signed receipt)
//!   signed, sent -> dead | replaced    (expired on chain by proof | nonce final with another id of ours)
//!   included -> sent                   (reorg)      included -> failed_on_chain
//!   dead -> exported                   (its batch was dropped unanswered, and the signatures came after all)
//! ```
//!
//! Used by batches through `store.rs`. What must stay true: from `exported` on it counts as possibly on
//! chain until proven dead; the database allows one live attempt per withdrawal and one per account nonce.

use std::fmt;

/// Where an attempt stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum AttemptState {
    /// Its unsigned transaction is fixed.
    Built,
    /// Its batch left for the signer.
    Exported,
    /// Signed bytes and transaction id are stored.
    Signed,
    /// Sent at least once.
    Sent,
    /// In a block that is not final.
    Included,
    /// Paid, final.
    Final,
    /// In a final block, but it failed; the fee was paid.
    FailedOnChain,
    /// Can never be included any more, by proof.
    Dead,
    /// Another transaction of ours at the same nonce is final.
    Replaced,
}

/// A step that an attempt cannot take.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("an attempt that is {from} cannot become {to}")]
pub struct IllegalAttempt {
    /// Where it stands.
    pub from: AttemptState,
    /// Where it should go.
    pub to: AttemptState,
}

impl AttemptState {
    /// Every state, in order.
    pub const ALL: [Self; 9] = [
        Self::Built,
        Self::Exported,
        Self::Signed,
        Self::Sent,
        Self::Included,
        Self::Final,
        Self::FailedOnChain,
        Self::Dead,
        Self::Replaced,
    ];

    /// May it go there?
    pub fn step(self, to: Self) -> Result<Self, IllegalAttempt> {
        use AttemptState as A;
        let allowed = match self {
            A::Built => matches!(to, A::Exported | A::Dead),
            A::Exported => matches!(to, A::Signed | A::Dead),
            // Signed bytes may reach the chain through anyone who has seen them.
            A::Signed => matches!(to, A::Sent | A::Included | A::Dead | A::Replaced),
            A::Sent => matches!(to, A::Included | A::Dead | A::Replaced),
            A::Included => matches!(to, A::Final | A::FailedOnChain | A::Sent),
            A::Dead => matches!(to, A::Exported),
            A::Final | A::FailedOnChain | A::Replaced => false,
        };
        if allowed { Ok(to) } else { Err(IllegalAttempt { from: self, to }) }
    }

    /// Is nothing more expected of it?
    pub const fn is_ended(self) -> bool {
        matches!(self, Self::Final | Self::FailedOnChain | Self::Dead | Self::Replaced)
    }

    /// As the table spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Built => "built",
            Self::Exported => "exported",
            Self::Signed => "signed",
            Self::Sent => "sent",
            Self::Included => "included",
            Self::Final => "final",
            Self::FailedOnChain => "failed_on_chain",
            Self::Dead => "dead",
            Self::Replaced => "replaced",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

impl fmt::Display for AttemptState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ended_attempt_stays_ended() {
        use AttemptState as A;
        for from in A::ALL.into_iter().filter(|state| state.is_ended()) {
            // Only a late signature brings one back, and only to where it was when its batch was dropped.
            let back = |to: A| from == A::Dead && to == A::Exported;
            assert!(A::ALL.into_iter().all(|to| from.step(to).is_ok() == back(to)), "{from}");
        }
    }

    #[test]
    fn what_is_in_a_block_is_not_declared_dead() {
        assert!(AttemptState::Included.step(AttemptState::Dead).is_err());
    }
}
