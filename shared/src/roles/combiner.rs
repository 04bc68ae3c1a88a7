//! The combiner merges what several signers answered to one batch. Merging is commutative, associative and
//! idempotent; two different answers by one signer are a conflict, never a choice.

use crate::envelope::{Outcome, Reply};
use crate::identity::Identity;

/// One signer answered twice, differently.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("signer {signer} gave two different answers to one batch")]
pub struct Conflict {
    /// Which signer.
    pub signer: Identity,
}

/// Merges two sets of replies to one batch; the result is sorted by signer. A repeated answer with the
/// same signatures is the same answer, even if its receipt was written at another time; the one that is
/// earlier in the signer's journal, then in time, is kept.
pub fn combine(left: Vec<Reply>, right: Vec<Reply>) -> Result<Vec<Reply>, Conflict> {
    let mut all: Vec<_> = left.into_iter().chain(right).collect();
    all.sort_by_key(|reply| {
        let receipt = &reply.receipt;
        (receipt.signer(), receipt.entry.sequence, receipt.time, *receipt.digest().as_bytes())
    });
    let conflict = all.windows(2).find(|pair| {
        pair[0].receipt.signer() == pair[1].receipt.signer() && !same_answer(&pair[0], &pair[1])
    });
    if let Some(pair) = conflict {
        return Err(Conflict { signer: pair[0].receipt.signer() });
    }
    all.dedup_by_key(|reply| reply.receipt.signer());
    Ok(all)
}

fn same_answer(a: &Reply, b: &Reply) -> bool {
    let refused = |reply: &Reply| matches!(reply.receipt.outcome, Outcome::Refused { .. });
    a.receipt.content == b.receipt.content && a.signatures == b.signatures && refused(a) == refused(b)
}
