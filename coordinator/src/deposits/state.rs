//! The states of a deposit and what may follow what: a pure table, used by `store` before every change.
//!
//! What must stay true: nothing leads out of `credited`; nothing but a second provider's word (or a person's, out of
//! suspense) leads into it.

use std::fmt;

/// Where a deposit is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// In a block that can still disappear.
    Seen,
    /// In a final block; a second provider is still to be asked.
    Confirming,
    /// Booked to its owner.
    Credited,
    /// Its block disappeared; it may come back in another.
    Orphaned,
    /// Arrived, but cannot be booked; the reason is beside it and a person decides.
    Rejected,
    /// Arrived, but nobody knows whose it is.
    Suspense,
}

/// What happens to a deposit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// Seen in a block at the head.
    SeenAtHead,
    /// Seen in a final block.
    SeenFinal,
    /// Its block left the chain, or its height became final without it.
    LeftTheChain,
    /// A second provider has the same event in the same final block.
    ConfirmedBySecond,
    /// The ledger cannot hold the amount.
    Unbookable,
    /// It arrived where no owner is known.
    OwnerUnknown,
    /// A person assigned it, with a second pair of eyes.
    Assigned,
}

/// An event that cannot happen in that state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a deposit that is {state} cannot take {event:?}")]
pub struct Illegal {
    /// The state.
    pub state: State,
    /// The event.
    pub event: Event,
}

impl State {
    /// Every state, in the order of a deposit's life.
    pub const ALL: [Self; 6] =
        [Self::Seen, Self::Confirming, Self::Credited, Self::Orphaned, Self::Rejected, Self::Suspense];

    /// The state after `event`.
    pub fn next(self, event: Event) -> Result<Self, Illegal> {
        use Event as E;
        match (self, event) {
            (Self::Seen | Self::Orphaned, E::SeenAtHead) => Ok(Self::Seen),
            (Self::Seen | Self::Orphaned | Self::Confirming, E::SeenFinal) => Ok(Self::Confirming),
            (Self::Seen, E::LeftTheChain) => Ok(Self::Orphaned),
            (Self::Confirming, E::ConfirmedBySecond) => Ok(Self::Credited),
            (Self::Confirming, E::Unbookable) => Ok(Self::Rejected),
            (Self::Confirming, E::OwnerUnknown) => Ok(Self::Suspense),
            (Self::Suspense, E::Assigned) => Ok(Self::Credited),
            (state, event) => Err(Illegal { state, event }),
        }
    }

    /// As the database and the API spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::Confirming => "confirming",
            Self::Credited => "credited",
            Self::Orphaned => "orphaned",
            Self::Rejected => "rejected",
            Self::Suspense => "suspense",
        }
    }

    /// The state with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: [Event; 7] = [
        Event::SeenAtHead,
        Event::SeenFinal,
        Event::LeftTheChain,
        Event::ConfirmedBySecond,
        Event::Unbookable,
        Event::OwnerUnknown,
        Event::Assigned,
    ];

    #[test]
    fn nothing_leads_out_of_credited() {
        for event in EVENTS {
            assert!(State::Credited.next(event).is_err(), "{event:?}");
        }
    }

    #[test]
    fn only_a_second_provider_or_a_person_leads_into_credited() {
        for state in State::ALL {
            for event in EVENTS {
                if state.next(event) == Ok(State::Credited) {
                    assert!(matches!(event, Event::ConfirmedBySecond | Event::Assigned), "{state} {event:?}");
                }
            }
        }
    }

    #[test]
    fn a_deposit_that_was_reorganised_away_can_come_back() {
        let gone = State::Seen.next(Event::LeftTheChain).unwrap();
        assert_eq!(gone.next(Event::SeenAtHead), Ok(State::Seen));
        assert_eq!(gone.next(Event::SeenFinal), Ok(State::Confirming));
    }

    #[test]
    fn a_deposit_that_is_final_cannot_be_orphaned() {
        assert!(State::Confirming.next(Event::LeftTheChain).is_err());
    }
}
