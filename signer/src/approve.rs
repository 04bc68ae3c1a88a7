//! An approver's device: it decodes the batch itself, a person reads it, and only then does it say yes.
//!
//! Called by the command `approve`, and by tests without a terminal. What must stay true: the device
//! approves nothing that it cannot decode and build, nothing of another profile, nothing expired, nothing
//! its own person made; it remembers the journal heads it is shown and prints the newest into its approval,
//! so that a rolled-back signer is noticed (the third memory).

use crate::session::Refusal;
use crate::vault::{Device, MAX_SEEN};
use airlock_shared::approval::SeenHead;
use airlock_shared::document;
use airlock_shared::envelope::{ApprovalReply, ApprovalRequest};
use airlock_shared::journal::Entry;
use airlock_shared::roles::{approver, creator};

/// A request that may be shown to the person.
pub struct Readable {
    request: ApprovalRequest,
    heads: Vec<SeenHead>,
}

impl Readable {
    /// Decodes and checks the request with this number.
    pub fn read(bytes: &[u8], number: usize, device: &Device, now: u64) -> Result<Self, Refusal> {
        let request: ApprovalRequest =
            document::read(bytes).map_err(|error| Refusal::of("decode", number, error.at.clone(), &error))?;
        let content = &request.content;
        creator::transactions(content)
            .map_err(|error| Refusal::of("build", number, content.batch_id, &error).at(error.item))?;
        if content.profile != device.profile {
            let why = format!(
                "a batch of profile {}, this device is for {}",
                content.profile.name(),
                device.profile.name()
            );
            return Err(Refusal::of("fresh.profile", number, content.profile.name(), why));
        }
        if content.expires_at <= now {
            let why = format!("it expired at {}, now is {now}", content.expires_at);
            return Err(Refusal::of("policy.expired", number, content.expires_at, why));
        }
        if content.creator == device.name {
            let why = format!("{} made this batch and cannot approve it", content.creator);
            return Err(Refusal::of("approve.creator", number, &content.creator, why));
        }
        for entry in &request.heads {
            check_head(number, entry, device)?;
        }
        let heads: Vec<_> = request.heads.iter().map(SeenHead::of).collect();
        check_memory(number, &heads, device)?;
        check_vault(number, content.vault, &heads, device)?;
        Ok(Self { request, heads })
    }

    /// The request.
    pub const fn request(&self) -> &ApprovalRequest {
        &self.request
    }

    /// Journal heads that are older than what this device has seen: late, or rolled back. For review.
    pub fn stale_heads<'a>(&'a self, device: &'a Device) -> impl Iterator<Item = &'a SeenHead> {
        self.heads.iter().filter(|head| {
            device.seen.iter().any(|known| known.signer == head.signer && known.sequence > head.sequence)
        })
    }

    /// The person has read it and typed its words: approves, and remembers the heads.
    pub fn approve(self, typed: &str, number: usize, device: &mut Device) -> Result<ApprovalReply, Refusal> {
        let content = &self.request.content;
        let digest = content.digest();
        if !airlock_shared::words::confirms(typed, &digest) {
            let found: String = typed.chars().take(128).collect();
            return Err(Refusal::of("confirmation", number, found, "the words do not name this batch"));
        }
        self.heads.iter().for_each(|head| device.remember(*head));
        let seen = heads_of(content.vault, &device.seen, device).next().copied();
        let approval = approver::approve(content, device.name.clone(), seen, &device.key);
        Ok(ApprovalReply { content: digest, approval })
    }
}

/// The signer itself must have signed the entry. Two heads with one number: its journal has forked.
fn check_head(number: usize, entry: &Entry, device: &Device) -> Result<(), Refusal> {
    let head = SeenHead::of(entry);
    if !entry.signer.verifies(&head.head, &entry.signature) {
        let why = format!("journal entry {} is not signed by signer {}", entry.sequence, entry.signer);
        return Err(Refusal::of("approve.head_forged", number, head.head, why));
    }
    let forked = device.seen.iter().any(|known| {
        known.signer == head.signer && known.sequence == head.sequence && known.head != head.head
    });
    if !forked {
        return Ok(());
    }
    let why = format!(
        "this device saw another head for journal entry {} of signer {}: its journal was replaced",
        head.sequence, head.signer
    );
    Err(Refusal::of("approve.head_forked", number, head.head, why))
}

/// The heads among these that may be of the vault that a batch names. Its name is short: where the roster has a signer
/// of that name, no other one is meant.
fn heads_of<'a>(
    vault: [u8; 4],
    heads: &'a [SeenHead],
    device: &'a Device,
) -> impl Iterator<Item = &'a SeenHead> {
    let custodians = device.roster.iter().flat_map(|roster| &roster.custodians);
    let pinned = custodians.map(|one| one.identity).find(|one| one.fingerprint() == vault);
    heads.iter().filter(move |head| {
        head.signer.fingerprint() == vault && pinned.is_none_or(|signer| signer == head.signer)
    })
}

/// Four bytes name a vault, and a key with the same four can be searched for. Whoever plants its journal here would have
/// the true signer's head left out of the approval, so two signers of one name stop everything.
fn check_vault(number: usize, vault: [u8; 4], heads: &[SeenHead], device: &Device) -> Result<(), Refusal> {
    let mut known = heads_of(vault, &device.seen, device).chain(heads_of(vault, heads, device));
    let Some(first) = known.next() else { return Ok(()) };
    match known.find(|head| head.signer != first.signer) {
        None => Ok(()),
        Some(other) => {
            let name = hex::encode(vault);
            let why = format!("signers {} and {} are both called vault {name}", first.signer, other.signer);
            Err(Refusal::of("approve.vault_ambiguous", number, name, why))
        }
    }
}

/// A coordinator that fills this memory with signers of its own making must not thereby have a real one
/// forgotten.
fn check_memory(number: usize, heads: &[SeenHead], device: &Device) -> Result<(), Refusal> {
    let known = |head: &&SeenHead| device.seen.iter().any(|seen| seen.signer == head.signer);
    let found = device.seen.len() + heads.iter().filter(|head| !known(head)).count();
    if found <= MAX_SEEN {
        return Ok(());
    }
    let why =
        format!("this device would have to remember the journals of {found} signers, at most {MAX_SEEN}");
    Err(Refusal::of("approve.memory_full", number, found, why))
}
