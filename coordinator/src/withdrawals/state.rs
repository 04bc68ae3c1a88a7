//! The withdrawal's states and the only function that moves between them.
//!
//! ```text
//! pending -> approved -> queued -> wallet_funded -> processing -> signing -> signed -> energy_requested
//!   -> energy_received -> broadcasting -> broadcasted -> confirming -> completed
//! pending .. wallet_funded -> cancelled | failed          (nothing of it has left the coordinator)
//! wallet_funded, processing .. confirming -> queued       (requeue: its attempt is proven dead, or its batch was)
//! confirming -> broadcasted                               (exclude: a reorg took the block)
//! ```
//!
//! [`next`](State::next) is pure; `store::transition` applies it in the database. A step that does not apply (energy on
//! EVM) is passed in the same commit, still recorded. The hold ends with `completed`, `failed` or `cancelled` only.

use airlock_shared::Address;
use std::fmt;

/// Where a withdrawal stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum State {
    /// Requested, funds held, waiting for approval.
    Pending,
    /// Approved by a person or a rule.
    Approved,
    /// Waiting for its turn.
    Queued,
    /// The paying wallet has enough for it.
    WalletFunded,
    /// In a draft batch.
    Processing,
    /// Its batch has been exported.
    Signing,
    /// Signed bytes are stored.
    Signed,
    /// Energy has been asked for.
    EnergyRequested,
    /// Energy is there, or not needed.
    EnergyReceived,
    /// Being sent to nodes.
    Broadcasting,
    /// At least one node took it.
    Broadcasted,
    /// Seen in a block that is not final.
    Confirming,
    /// Final on chain; the hold is settled.
    Completed,
    /// Given up before export; the hold is released.
    Failed,
    /// Withdrawn by its requester before export; the hold is released.
    Cancelled,
}

/// What can happen to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// Enough approvals.
    Approve,
    /// Put in line.
    Queue,
    /// The paying wallet covers it.
    Fund,
    /// Taken into a draft batch.
    Take,
    /// The batch left for the signer.
    Export,
    /// The signature came back and was verified.
    Sign,
    /// Energy was asked for.
    RequestEnergy,
    /// Energy arrived, or none is needed.
    ReceiveEnergy,
    /// Sending begins.
    Broadcast,
    /// A node took it.
    Accept,
    /// Seen in a block.
    Include,
    /// A reorg took the block away.
    Exclude,
    /// Final and successful, paid from this wallet.
    Complete {
        /// The wallet that paid.
        source: Address,
    },
    /// Its batch or its attempt is over without a payment; the proof is the caller's.
    Requeue,
    /// Given up.
    Fail,
    /// Withdrawn by the requester.
    Cancel,
}

/// What the ledger must do in the same commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Settle the hold: the wallet's reserve pays the amount, fees earned receive the fee.
    Settle {
        /// The wallet that paid.
        source: Address,
    },
    /// Release the hold.
    Release,
    /// Tell the partner.
    Notify,
}

/// An event that the state does not know.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a withdrawal that is {state} cannot {event}")]
pub struct Illegal {
    /// Where it stands.
    pub state: State,
    /// What was tried.
    pub event: Event,
}

impl State {
    /// Every state, in order.
    pub const ALL: [Self; 15] = [
        Self::Pending,
        Self::Approved,
        Self::Queued,
        Self::WalletFunded,
        Self::Processing,
        Self::Signing,
        Self::Signed,
        Self::EnergyRequested,
        Self::EnergyReceived,
        Self::Broadcasting,
        Self::Broadcasted,
        Self::Confirming,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The state after `event`, with what the ledger must do.
    pub fn next(self, event: Event) -> Result<(Self, Vec<Effect>), Illegal> {
        use State as S;
        let to = match (self, event) {
            (S::Pending, Event::Approve) => S::Approved,
            (S::Approved, Event::Queue) => S::Queued,
            (S::Queued, Event::Fund) => S::WalletFunded,
            (S::WalletFunded, Event::Take) => S::Processing,
            (S::Processing, Event::Export) => S::Signing,
            (S::Signing, Event::Sign) => S::Signed,
            (S::Signed, Event::RequestEnergy) => S::EnergyRequested,
            (S::EnergyRequested, Event::ReceiveEnergy) => S::EnergyReceived,
            (S::EnergyReceived, Event::Broadcast) => S::Broadcasting,
            (S::Broadcasting, Event::Accept) | (S::Confirming, Event::Exclude) => S::Broadcasted,
            // A node may say no and mean yes: the chain decides.
            (S::Broadcasting | S::Broadcasted, Event::Include) => S::Confirming,
            (S::Confirming, Event::Complete { source }) => {
                return Ok((S::Completed, vec![Effect::Settle { source }, Effect::Notify]));
            }
            (
                S::WalletFunded
                | S::Processing
                | S::Signing
                | S::Signed
                | S::EnergyRequested
                | S::EnergyReceived
                | S::Broadcasting
                | S::Broadcasted
                | S::Confirming,
                Event::Requeue,
            ) => S::Queued,
            (S::Pending | S::Approved | S::Queued | S::WalletFunded, Event::Fail) => {
                return Ok((S::Failed, vec![Effect::Release, Effect::Notify]));
            }
            (S::Pending | S::Approved | S::Queued | S::WalletFunded, Event::Cancel) => {
                return Ok((S::Cancelled, vec![Effect::Release, Effect::Notify]));
            }
            (state, event) => return Err(Illegal { state, event }),
        };
        Ok((to, vec![Effect::Notify]))
    }

    /// As tables and API spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Queued => "queued",
            Self::WalletFunded => "wallet_funded",
            Self::Processing => "processing",
            Self::Signing => "signing",
            Self::Signed => "signed",
            Self::EnergyRequested => "energy_requested",
            Self::EnergyReceived => "energy_received",
            Self::Broadcasting => "broadcasting",
            Self::Broadcasted => "broadcasted",
            Self::Confirming => "confirming",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Is nothing more going to happen?
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

impl Event {
    /// As transitions record it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Queue => "queue",
            Self::Fund => "fund",
            Self::Take => "take",
            Self::Export => "export",
            Self::Sign => "sign",
            Self::RequestEnergy => "request_energy",
            Self::ReceiveEnergy => "receive_energy",
            Self::Broadcast => "broadcast",
            Self::Accept => "accept",
            Self::Include => "include",
            Self::Exclude => "exclude",
            Self::Complete { .. } => "complete",
            Self::Requeue => "requeue",
            Self::Fail => "fail",
            Self::Cancel => "cancel",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use airlock_shared::Network;

    fn events() -> Vec<Event> {
        let source = Address::new(Network::EVM_DEV, [1; 20]);
        vec![
            Event::Approve,
            Event::Queue,
            Event::Fund,
            Event::Take,
            Event::Export,
            Event::Sign,
            Event::RequestEnergy,
            Event::ReceiveEnergy,
            Event::Broadcast,
            Event::Accept,
            Event::Include,
            Event::Exclude,
            Event::Complete { source },
            Event::Requeue,
            Event::Fail,
            Event::Cancel,
        ]
    }

    #[test]
    fn the_straight_line_reaches_completed() {
        let source = Address::new(Network::EVM_DEV, [1; 20]);
        let mut state = State::Pending;
        for event in events().into_iter().filter(|event| *event != Event::Exclude).take(11) {
            state = state.next(event).unwrap().0;
        }
        let (state, effects) = state.next(Event::Complete { source }).unwrap();
        assert_eq!((state, effects[0]), (State::Completed, Effect::Settle { source }));
    }

    #[test]
    fn a_terminal_state_knows_no_event() {
        for state in State::ALL.into_iter().filter(|state| state.is_terminal()) {
            for event in events() {
                assert_eq!(state.next(event), Err(Illegal { state, event }));
            }
        }
    }

    #[test]
    fn the_hold_ends_exactly_when_the_withdrawal_does() {
        for state in State::ALL {
            for event in events() {
                let Ok((to, effects)) = state.next(event) else { continue };
                let ends = effects.iter().any(|effect| *effect != Effect::Notify);
                assert_eq!(ends, to.is_terminal(), "{state} {event}");
            }
        }
    }

    #[test]
    fn nothing_is_cancelled_or_failed_once_it_is_in_a_batch() {
        for state in State::ALL.into_iter().filter(|state| *state >= State::Processing) {
            assert!(state.next(Event::Cancel).is_err() && state.next(Event::Fail).is_err(), "{state}");
        }
    }

    #[test]
    fn every_name_is_read_back() {
        for state in State::ALL {
            assert_eq!(State::from_name(state.name()), Some(state));
        }
        assert_eq!(State::from_name("done"), None);
    }
}
