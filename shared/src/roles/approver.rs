//! The approver says yes to one content, and the coordinator accepts that yes.
//!
//! [`approve`] runs on the approver's device, after a person has read the decoded batch and typed its words.
//! [`accept`] runs in the coordinator to fail early; what counts is the signer's rule over the same proof.

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
    /// The proof is not over this content, or not by this person's device.
    #[error("the approval of {person} is not over this batch, or not by their device")]
    Proof {
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
    if !approval.is_by_device(digest, &approver.device) {
        return Err(ApprovalError::Proof { person });
    }
    approvals.retain(|given| given.person != person);
    approvals.push(approval);
    approvals.sort_by(|a, b| a.person.cmp(&b.person));
    Ok(())
}
