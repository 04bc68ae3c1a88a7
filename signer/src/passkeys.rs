//! What this signer remembers of passkeys: the highest counter that each has shown.
//!
//! Read when a batch is reviewed, written when one is signed. What must stay true: a counter that did not rise is a
//! warning for the person who reviews, never a refusal, for two approvals may cross the gap in either order; what is
//! remembered never falls; authenticators that count nothing (always 0) take no room.

use crate::vault::{Device, MAX_PASSKEYS, PasskeyCounter};
use airlock_shared::Digest;
use airlock_shared::approval::Approval;
use airlock_shared::approval::passkey::credential_digest;
use airlock_shared::approval::proven::{FallenCounter, counted, fallen_counters};
use airlock_shared::batch::Content;
use airlock_shared::policy::Policy;

/// The approvals that count and whose passkey's counter did not rise since this signer last saw it.
pub fn fallen(
    device: &Device,
    policy: &Policy,
    content: &Content,
    digest: &Digest,
    approvals: &[Approval],
) -> Vec<FallenCounter> {
    let counted = counted(policy, content, digest, approvals);
    fallen_counters(&counted, |credential| {
        let known = device.passkey_counters.iter().find(|known| known.credential == *credential);
        known.map(|known| known.counter)
    })
}

/// Takes in the counters of a batch that is being signed. Passkeys that the policy lists no longer are forgotten; beyond the
/// most that the vault has room for, further ones are not remembered.
pub fn remember(
    device: &mut Device,
    policy: &Policy,
    content: &Content,
    digest: &Digest,
    approvals: &[Approval],
) {
    let known = &mut device.passkey_counters;
    let listed = policy.approvers.iter().flat_map(|approver| &approver.passkeys);
    let listed: Vec<_> = listed.map(|passkey| credential_digest(&passkey.credential)).collect();
    known.retain(|known| listed.contains(&known.credential));
    let counted = counted(policy, content, digest, approvals);
    for (credential, counter) in counted.iter().filter_map(|one| one.counter()) {
        let room = known.len() < MAX_PASSKEYS;
        match known.iter_mut().find(|known| known.credential == credential) {
            Some(known) => known.counter = known.counter.max(counter),
            None if counter > 0 && room => known.push(PasskeyCounter { credential, counter }),
            None => {}
        }
    }
}
