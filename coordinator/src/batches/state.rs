//! The batch's states and the only function that moves between them.
//!
//! ```text
//! draft -> awaiting_approval -> exported -> signed -> broadcasting -> completed | partial | failed
//! draft, awaiting_approval -> abandoned | expired        (nothing has left)
//! exported -> refused                                    (a signed refusal)
//! exported -> expired | abandoned                        (only after `expires_at`: nothing is signed any more)
//! expired, abandoned -> signed                           (it had been exported, and its signatures came late)
//! ```
//!
//! [`State::next`] is pure; `store::transition` applies it and records who, when and why. What must stay true: once a
//! batch is exported its transactions count as possibly signed until a refusal, its expiry, or the chain says otherwise.

use std::fmt;

/// Where a batch stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum State {
    /// Its content is frozen.
    Draft,
    /// Approvers may approve it.
    AwaitingApproval,
    /// It was sealed into a bundle for the signer.
    Exported,
    /// Its signatures are here and verified.
    Signed,
    /// Its transactions are being sent.
    Broadcasting,
    /// Every item was paid, final.
    Completed,
    /// Some items were paid, final; the others are not and will not be.
    Partial,
    /// No item was paid and none will be.
    Failed,
    /// Its time ran out before it was signed.
    Expired,
    /// A person dropped it.
    Abandoned,
    /// The signer refused it.
    Refused,
}

/// What can happen to it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// Offered to approvers.
    Submit,
    /// Sealed into a bundle.
    Export,
    /// Signatures accepted.
    Sign,
    /// The signer's signed refusal accepted.
    Refuse,
    /// Sending begins.
    Broadcast,
    /// Every item is paid.
    Complete,
    /// Some items are paid, the rest ended otherwise.
    CompletePartly,
    /// No item is paid, all have ended.
    Fail,
    /// Its time ran out.
    Expire,
    /// Dropped by a person.
    Abandon,
}

/// An event that the state does not know.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a batch that is {state} cannot {event}")]
pub struct Illegal {
    /// Where it stands.
    pub state: State,
    /// What was tried.
    pub event: Event,
}

impl State {
    /// Every state, in order.
    pub const ALL: [Self; 11] = [
        Self::Draft,
        Self::AwaitingApproval,
        Self::Exported,
        Self::Signed,
        Self::Broadcasting,
        Self::Completed,
        Self::Partial,
        Self::Failed,
        Self::Expired,
        Self::Abandoned,
        Self::Refused,
    ];

    /// The state after `event`.
    pub const fn next(self, event: Event) -> Result<Self, Illegal> {
        use State as S;
        Ok(match (self, event) {
            (S::Draft, Event::Submit) => S::AwaitingApproval,
            (S::AwaitingApproval, Event::Export) => S::Exported,
            (S::Exported | S::Expired | S::Abandoned, Event::Sign) => S::Signed,
            (S::Exported, Event::Refuse) => S::Refused,
            (S::Signed, Event::Broadcast) => S::Broadcasting,
            (S::Broadcasting, Event::Complete) => S::Completed,
            (S::Broadcasting, Event::CompletePartly) => S::Partial,
            (S::Broadcasting, Event::Fail) => S::Failed,
            (S::Draft | S::AwaitingApproval | S::Exported, Event::Expire) => S::Expired,
            (S::Draft | S::AwaitingApproval | S::Exported, Event::Abandon) => S::Abandoned,
            (state, event) => return Err(Illegal { state, event }),
        })
    }

    /// As tables and API spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::AwaitingApproval => "awaiting_approval",
            Self::Exported => "exported",
            Self::Signed => "signed",
            Self::Broadcasting => "broadcasting",
            Self::Completed => "completed",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Abandoned => "abandoned",
            Self::Refused => "refused",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Is nothing more expected to happen?
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Partial | Self::Failed | Self::Expired | Self::Abandoned | Self::Refused
        )
    }
}

impl Event {
    /// Every event.
    pub const ALL: [Self; 10] = [
        Self::Submit,
        Self::Export,
        Self::Sign,
        Self::Refuse,
        Self::Broadcast,
        Self::Complete,
        Self::CompletePartly,
        Self::Fail,
        Self::Expire,
        Self::Abandon,
    ];

    /// As transitions record it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Export => "export",
            Self::Sign => "sign",
            Self::Refuse => "refuse",
            Self::Broadcast => "broadcast",
            Self::Complete => "complete",
            Self::CompletePartly => "complete_partly",
            Self::Fail => "fail",
            Self::Expire => "expire",
            Self::Abandon => "abandon",
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

    #[test]
    fn the_straight_line_reaches_completed() {
        let line = [Event::Submit, Event::Export, Event::Sign, Event::Broadcast, Event::Complete];
        let end = line.into_iter().try_fold(State::Draft, State::next);
        assert_eq!(end, Ok(State::Completed));
    }

    #[test]
    fn a_terminal_state_knows_no_event_but_late_signatures_for_what_was_dropped() {
        for state in State::ALL.into_iter().filter(|state| state.is_terminal()) {
            let late = |event| event == Event::Sign && matches!(state, State::Expired | State::Abandoned);
            assert!(Event::ALL.into_iter().all(|event| state.next(event).is_ok() == late(event)), "{state}");
        }
    }

    #[test]
    fn what_is_signed_is_never_expired_abandoned_or_refused() {
        for state in [State::Signed, State::Broadcasting] {
            for event in [Event::Expire, Event::Abandon, Event::Refuse] {
                assert!(state.next(event).is_err(), "{state} {event}");
            }
        }
    }

    #[test]
    fn every_name_is_read_back_and_every_state_is_reached() {
        for state in State::ALL {
            assert_eq!(State::from_name(state.name()), Some(state));
            let reached =
                State::ALL.iter().any(|from| Event::ALL.iter().any(|event| from.next(*event) == Ok(state)));
            assert!(reached || state == State::Draft, "{state}");
        }
    }
}
