//! The approver says yes to one content, and the coordinator accepts that yes.
//!
//! [`approve`] runs on the approver's device, after a person has read the decoded batch and typed its words.
//! [`accept`] runs in the coordinator to fail early; what counts is the signer's rule over the same proof.

use crate::approval::proven::{ProofError, counted, proven};
use crate::approval::{Approval, Proof, SeenHead, statement};
use crate::batch::Content;
use crate::digest::Digest;
use crate::id::PersonId;
use crate::identity::{Identity, IdentitySignature};
use crate::policy::Policy;
use ed25519_dalek::SigningKey;

/// Approves `content` as `person` with a device's key; `seen` is the newest journal head that the device
/// remembers.
pub fn approve(content: &Content, person: PersonId, seen: Option<SeenHead>, key: &SigningKey) -> Approval {
    let statement = statement(&content.digest(), &person, seen.as_ref());
    let signature = IdentitySignature::by(key, &statement);
    Approval { person, seen, proof: Proof::Device { identity: Identity::of(key), signature } }
}

/// Why an approval is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalError {
    /// The policy does not list this person.
    #[error("{person} is not an approver of this policy")]
    UnknownPerson {
        /// Who.
        person: PersonId,
    },
    /// The creator never counts.
    #[error("{person} made this batch and cannot approve it")]
    Creator {
        /// Who.
        person: PersonId,
    },
    /// Nothing of this person's stands behind it.
    #[error("the approval of {person} does not count: {why}")]
    Proof {
        /// Who.
        person: PersonId,
        /// Why not.
        why: ProofError,
    },
    /// A key of theirs is listed for the creator, or for somebody else whose approval is here already.
    #[error(
        "the approval of {person} does not count: a key of theirs is the creator's, or of another person who approved"
    )]
    SharedKey {
        /// Who.
        person: PersonId,
    },
}

/// Adds an approval to those a batch has; the same person's earlier one is replaced, so repeats change nothing.
pub fn accept(
    approvals: &mut Vec<Approval>,
    approval: Approval,
    content: &Content,
    digest: &Digest,
    policy: &Policy,
) -> Result<(), ApprovalError> {
    let person = approval.person.clone();
    if person == content.creator {
        return Err(ApprovalError::Creator { person });
    }
    let Some(approver) = policy.approvers.iter().find(|approver| approver.person == person) else {
        return Err(ApprovalError::UnknownPerson { person });
    };
    if let Err(why) = proven(&approval, digest, approver, policy.passkeys.as_ref()) {
        return Err(ApprovalError::Proof { person, why });
    }
    let others = approvals.iter().filter(|given| given.person != person).cloned();
    let mut together: Vec<_> = others.chain([approval]).collect();
    together.sort_by(|a, b| a.person.cmp(&b.person));
    if counted(policy, content, digest, &together).len() < together.len() {
        return Err(ApprovalError::SharedKey { person });
    }
    *approvals = together;
    Ok(())
}
