//! What every rule says about a bundle, also where the first of them already refuses it.
//!
//! Called by `policy explain`. What must stay true: nothing is changed, nothing is signed, and the verdict
//! that counts is still the one of [`Signer::examine`], which this gives beside the rules'.

use super::{Decoded, Refusal, Signer, Standing, Verdicts, checks};
use airlock_shared::batch::Content;
use airlock_shared::policy::Facts;
use airlock_shared::policy::Policy;
use airlock_shared::policy::rules::explain;

/// A bundle, explained.
pub struct Explained {
    /// Each batch with every rule's verdict.
    pub batches: Vec<(Content, Verdicts)>,
    /// The first check of all, the policy's or another, that refuses the bundle as things stand.
    pub refusal: Option<Refusal>,
}

impl Signer {
    /// Asks every rule about every batch, by the policy in force or by `under`.
    pub fn explain_bundle(
        &self,
        bytes: &[u8],
        under: Option<&Policy>,
        now: u64,
    ) -> Result<Explained, Refusal> {
        let Decoded(mut batches) = Decoded::read(bytes)?;
        for (number, batch) in batches.iter_mut().enumerate() {
            // What was journalled already counts once, not twice, in the day's sum.
            batch.standing = checks::standing(self, number, batch).unwrap_or(Standing::Interrupted);
        }
        let policy = under.unwrap_or(self.policy());
        let time = now.max(self.journal().time());
        let mut explained = Vec::with_capacity(batches.len());
        for number in 0..batches.len() {
            let earlier = checks::earlier(&batches[..number], time)?;
            let verdicts = checks::with_facts(self, &batches, number, &earlier, time, |facts| {
                explain(&Facts { policy, ..*facts })
            });
            explained.push((batches[number].envelope.content.clone(), verdicts));
        }
        let refusal = self.examine(bytes, now).err().map(|examined| examined.refusal);
        Ok(Explained { batches: explained, refusal })
    }
}
