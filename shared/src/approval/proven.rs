//! Which of an approver's keys stands behind an approval, if any does.
//!
//! Called by the rules that count, by the coordinator's acceptance and by reviews, so that all of them judge one proof
//! alike. What must stay true: only keys that the policy lists for this very person prove anything; a passkey proves
//! nothing under a policy without terms for passkeys; a passkey vouches for no journal head.

use super::passkey::{
    Asserted, Assertion, Counter, Expected, PasskeyError, compare, credential_digest, verify,
};
use super::{Approval, Proof};
use crate::batch::Content;
use crate::digest::Digest;
use crate::id::PersonId;
use crate::identity::Identity;
use crate::policy::{Approver, Passkey, PasskeyTerms, Policy, UserVerification};

/// What stands behind an approval.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proven<'a> {
    /// A device that decoded the batch.
    ByDevice(&'a Identity),
    /// A passkey, which shows that somebody was present.
    ByPasskey {
        /// Which.
        passkey: &'a Passkey,
        /// What it said besides.
        asserted: Asserted,
    },
}

/// Why nothing stands behind an approval.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// It names another person.
    #[error("it is the approval of {found}")]
    OtherPerson {
        /// Whose.
        found: PersonId,
    },
    /// A device that the policy does not list for this person.
    #[error("device {found} is not theirs in this policy")]
    OtherDevice {
        /// Which.
        found: Identity,
    },
    /// The device's signature is over something else.
    #[error("their device's signature is not over this batch")]
    Signature,
    /// The policy says nothing about passkeys.
    #[error("this policy accepts no passkeys")]
    NoPasskeys,
    /// A credential that the policy does not list for this person.
    #[error("the credential is not theirs in this policy")]
    OtherCredential,
    /// A journal head stands beside a passkey, whose signature does not cover it.
    #[error("a passkey vouches for no journal head")]
    Head,
    /// The assertion itself.
    #[error(transparent)]
    Passkey(#[from] PasskeyError),
}

/// What stands behind `approval` of the content with this digest.
pub fn proven<'a>(
    approval: &Approval,
    content: &Digest,
    approver: &'a Approver,
    terms: Option<&PasskeyTerms>,
) -> Result<Proven<'a>, ProofError> {
    if approval.person != approver.person {
        return Err(ProofError::OtherPerson { found: approval.person.clone() });
    }
    match &approval.proof {
        Proof::Device { identity, .. } => {
            let device = approver.device.as_ref().filter(|device| *device == identity);
            let device = device.ok_or(ProofError::OtherDevice { found: *identity })?;
            if approval.is_by_device(content, device) {
                Ok(Proven::ByDevice(device))
            } else {
                Err(ProofError::Signature)
            }
        }
        Proof::Passkey { credential, authenticator_data, client_data, signature } => {
            if approval.seen.is_some() {
                return Err(ProofError::Head);
            }
            let terms = terms.ok_or(ProofError::NoPasskeys)?;
            let passkey = approver.passkeys.iter().find(|passkey| passkey.credential == *credential);
            let passkey = passkey.ok_or(ProofError::OtherCredential)?;
            let assertion = Assertion { authenticator_data, client_data, signature };
            let asserted = verify(&assertion, &passkey.public_key, &expected(content, terms))?;
            Ok(Proven::ByPasskey { passkey, asserted })
        }
    }
}

fn expected<'a>(content: &'a Digest, terms: &'a PasskeyTerms) -> Expected<'a> {
    Expected {
        content,
        rp_id: &terms.rp_id,
        origins: &terms.origins,
        user_verification: terms.user_verification == UserVerification::Required,
    }
}

/// An approval that counts, and what stands behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counted<'a> {
    /// Who.
    pub person: &'a PersonId,
    /// By what.
    pub proven: Proven<'a>,
}

/// The approvals of a content that count under a policy, by person: each person once, the creator never (neither by
/// name nor by any key listed for them), and nobody who shares any key or credential with one who counts: whoever
/// holds two keys, one of which is listed for a second name as well, would be two people.
pub fn counted<'a>(
    policy: &'a Policy,
    content: &Content,
    digest: &Digest,
    approvals: &[Approval],
) -> Vec<Counted<'a>> {
    let (creators, others): (Vec<_>, Vec<_>) =
        policy.approvers.iter().partition(|approver| approver.person == content.creator);
    let mut taken: Vec<&[u8]> = creators.into_iter().flat_map(keys_of).collect();
    let mut counted = Vec::new();
    for approver in others {
        let terms = policy.passkeys.as_ref();
        let proven = approvals.iter().find_map(|approval| proven(approval, digest, approver, terms).ok());
        let Some(proven) = proven else { continue };
        if keys_of(approver).all(|key| !taken.contains(&key)) {
            taken.extend(keys_of(approver));
            counted.push(Counted { person: &approver.person, proven });
        }
    }
    counted
}

fn keys_of(approver: &Approver) -> impl Iterator<Item = &[u8]> {
    let device = approver.device.iter().map(|device| &device.as_bytes()[..]);
    let passkeys = approver.passkeys.iter();
    device.chain(passkeys.flat_map(|passkey| [&passkey.credential[..], &passkey.public_key[..]]))
}

/// A passkey whose counter did not rise: for the person who reviews, not a refusal.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "its passkey counts {counter}, after {remembered} before: an older approval, or a copy of the authenticator"
)]
pub struct FallenCounter {
    /// Whose passkey.
    pub person: PersonId,
    /// What its assertion says.
    pub counter: u32,
    /// What was remembered of an earlier one.
    pub remembered: u32,
}

/// The counted passkeys whose counters did not rise above what is `remembered`, by [`credential_digest`].
pub fn fallen_counters(
    counted: &[Counted<'_>],
    remembered: impl Fn(&Digest) -> Option<u32>,
) -> Vec<FallenCounter> {
    let fallen = |one: &Counted<'_>| {
        let (credential, counter) = one.counter()?;
        match compare(counter, remembered(&credential)) {
            Counter::DidNotRise { remembered } => {
                Some(FallenCounter { person: one.person.clone(), counter, remembered })
            }
            Counter::Good => None,
        }
    };
    counted.iter().filter_map(fallen).collect()
}

impl Counted<'_> {
    /// The credential's digest and what its authenticator counted, for a passkey.
    pub fn counter(&self) -> Option<(Digest, u32)> {
        match self.proven {
            Proven::ByDevice(_) => None,
            Proven::ByPasskey { passkey, asserted } => {
                Some((credential_digest(&passkey.credential), asserted.counter))
            }
        }
    }
}
