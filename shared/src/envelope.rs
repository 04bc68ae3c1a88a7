//! What crosses the gap around a content: envelope and bundle out, reply and receipt back, and the
//! signed-batch file that keeps both for auditors.
//!
//! ```text
//! Bundle [ Envelope { Content, approvals, heads, coordinator, signature } ... ]       out
//! Replies [ Reply { receipt, signatures: 65 bytes each, item by item, level by level } ... ]   back
//! SignedBatch { Envelope, roster, policy, replies, transactions?, hardware? }         kept
//! ```
//! Merging is the combiner's, verification the auditor's; here are the fields and their digests.

use crate::approval::{self, Approval, MAX_APPROVALS, SeenHead};
use crate::batch::{Content, MAX_ITEMS, MAX_LEVELS};
use crate::chain::Signature;
use crate::digest::Digest;
use crate::document::Document;
use crate::form::{self, Form, FormError, Node, Reader, Writer};
use crate::id::PersonId;
use crate::identity::{Identity, IdentitySignature, Roster};
use crate::journal::{Chain, Entry};
use crate::network::Profile;
use crate::policy::SignedPolicy;
use ed25519_dalek::SigningKey;

/// The most batches that cross in one scan (S13).
pub const MAX_BUNDLE: usize = 16;
/// The most signers whose heads or replies one batch may carry.
pub const MAX_SIGNERS: usize = 16;
/// The most journal entries a receipt may carry. A signer refuses to sign for a coordinator that has missed
/// more, and lets it catch up by the receipts of refusals.
pub const MAX_UNACKNOWLEDGED: usize = 64;
/// The most signatures of one batch by one signer.
pub const MAX_SIGNATURES: usize = MAX_ITEMS * (MAX_LEVELS + 1);

/// A content with everything a signer needs to judge it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Envelope {
    /// The batch.
    pub content: Content,
    /// Who approved it, sorted by person.
    pub approvals: Vec<Approval>,
    /// The newest journal head the coordinator holds, per signer, sorted by signer.
    pub heads: Vec<SeenHead>,
    /// The coordinator's identity.
    pub coordinator: Identity,
    /// Its signature over [`Envelope::digest`].
    pub signature: IdentitySignature,
}

impl Envelope {
    /// Seals a content: sorts approvals and heads and signs the whole.
    pub fn seal(
        content: Content,
        mut approvals: Vec<Approval>,
        mut heads: Vec<SeenHead>,
        key: &SigningKey,
    ) -> Self {
        approvals.sort_by(|a, b| a.person.cmp(&b.person));
        heads.sort_by_key(|head| head.signer);
        let coordinator = Identity::of(key);
        let signature = IdentitySignature::from_bytes([0; 64]);
        let mut envelope = Self { content, approvals, heads, coordinator, signature };
        envelope.signature = IdentitySignature::by(key, &envelope.digest());
        envelope
    }

    /// What the coordinator signs: content, approvals and heads.
    pub fn digest(&self) -> Digest {
        Digest::of("airlock:envelope:1", &form::to_cbor(&Signed(self)))
    }

    /// Did the coordinator it names sign it?
    pub fn is_authentic(&self) -> bool {
        self.coordinator.verifies(&self.digest(), &self.signature)
    }
}

/// The envelope as its signature covers it: the content by its digest.
struct Signed<'a>(&'a Envelope);

impl Form for Signed<'_> {
    fn write(&self, to: &mut Writer) {
        to.digest(0, "content", &self.0.content.digest());
        to.parts(1, "approvals", &self.0.approvals);
        to.parts(2, "heads", &self.0.heads);
        to.bytes(3, "coordinator", self.0.coordinator.as_bytes());
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        Err(from.refused("envelope", "is not read in this form"))
    }
}

impl Form for Envelope {
    fn write(&self, to: &mut Writer) {
        to.part(0, "content", &self.content);
        to.parts(1, "approvals", &self.approvals);
        to.parts(2, "heads", &self.heads);
        to.bytes(3, "coordinator", self.coordinator.as_bytes());
        to.bytes(4, "signature", self.signature.as_bytes());
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let envelope = Self {
            content: from.part(0, "content")?,
            approvals: from.parts(1, "approvals", MAX_APPROVALS)?,
            heads: from.parts(2, "heads", MAX_SIGNERS)?,
            coordinator: Identity::from_bytes(from.exact(3, "coordinator")?),
            signature: IdentitySignature::from_bytes(from.exact(4, "signature")?),
        };
        if !envelope.approvals.is_sorted_by(|a, b| a.person < b.person) {
            return Err(from.refused("approvals", "must be sorted by person, each person once"));
        }
        if !envelope.heads.is_sorted_by(|a, b| a.signer < b.signer) {
            return Err(from.refused("heads", "must be sorted by signer, each signer once"));
        }
        Ok(envelope)
    }
}

/// Batches that belong together and cross in one scan, in the order in which they are broadcast.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bundle {
    /// 1 to 16 envelopes.
    pub envelopes: Vec<Envelope>,
}

impl Bundle {
    /// What the eight words on the signer's screen stand for: the content's digest if there is one batch,
    /// else a digest over the content digests in order.
    pub fn words_digest(&self) -> Digest {
        let digests: Vec<_> = self.envelopes.iter().map(|envelope| envelope.content.digest()).collect();
        words_digest_of(&digests)
    }
}

/// See [`Bundle::words_digest`].
pub fn words_digest_of(contents: &[Digest]) -> Digest {
    match contents {
        [one] => *one,
        many => {
            let bytes: Vec<u8> = many.iter().flat_map(|digest| *digest.as_bytes()).collect();
            Digest::of("airlock:bundle:1", &bytes)
        }
    }
}

impl Form for Bundle {
    fn write(&self, to: &mut Writer) {
        to.parts(0, "envelopes", &self.envelopes);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let envelopes: Vec<Envelope> = from.parts(0, "envelopes", MAX_BUNDLE)?;
        if envelopes.is_empty() {
            return Err(from.refused("envelopes", "a bundle has at least one"));
        }
        Ok(Self { envelopes })
    }
}

impl Document for Bundle {
    const KIND: u8 = 1;
    const NAME: &'static str = "airlock bundle";
}

/// A signer's answer to one batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    /// What the signer did, under its own signature.
    pub receipt: Receipt,
    /// Item by item, within an item level by level, then the cancel; empty in a refusal.
    pub signatures: Vec<Signature>,
}

/// A signer's signed statement of what it did with a batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// Digest of the content.
    pub content: Digest,
    /// Digest of the approvals that the signer saw.
    pub approvals: Digest,
    /// Signed or refused.
    pub outcome: Outcome,
    /// The journal entry that records it: the `signed` event, or in a refusal the newest entry of the
    /// journal, which a refusal does not move.
    pub entry: Entry,
    /// The highest item id this signer has ever signed.
    pub highest_item: u64,
    /// The highest account nonce this signer has signed for the batch's source (0 on TRON).
    pub highest_nonce: u64,
    /// When the reply was made, UTC seconds.
    pub time: u64,
    /// Earlier journal entries that the coordinator's head did not cover, oldest first.
    pub unacknowledged: Vec<Entry>,
    /// The signer's signature over [`Receipt::digest`].
    pub signature: IdentitySignature,
}

/// How a batch ended at a signer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// All of it is signed.
    Signed {
        /// [`signatures_digest`] of the reply's signatures.
        signatures: Digest,
    },
    /// None of it is signed.
    Refused {
        /// The refusal code, such as `policy.per_item_limit`.
        code: String,
        /// The sentence the custodian saw.
        why: String,
    },
}

/// The digest of a reply's signatures.
pub fn signatures_digest(signatures: &[Signature]) -> Digest {
    Digest::of("airlock:signatures:1", &signature_bytes(signatures))
}

fn signature_bytes(signatures: &[Signature]) -> Vec<u8> {
    signatures.iter().flat_map(|signature| signature.to_bytes()).collect()
}

impl Receipt {
    /// What the signer signs.
    pub fn digest(&self) -> Digest {
        Digest::of("airlock:receipt:1", &form::to_cbor(&Unsigned(self)))
    }

    /// Signs the receipt with the signer's identity.
    pub fn sign(mut self, key: &SigningKey) -> Self {
        self.signature = IdentitySignature::by(key, &self.digest());
        self
    }

    /// Whose receipt it is.
    pub const fn signer(&self) -> Identity {
        self.entry.signer
    }

    /// Did that signer sign it, and the entry in it?
    pub fn is_authentic(&self) -> bool {
        let signer = self.signer();
        signer.verifies(&self.digest(), &self.signature)
            && signer.verifies(&self.entry.head(Chain::Journal), &self.entry.signature)
    }

    /// The journal head after this receipt.
    pub fn head(&self) -> SeenHead {
        SeenHead::of(&self.entry)
    }
}

struct Unsigned<'a>(&'a Receipt);

impl Form for Unsigned<'_> {
    fn write(&self, to: &mut Writer) {
        let Self(receipt) = self;
        to.digest(0, "content", &receipt.content);
        to.digest(1, "approvals", &receipt.approvals);
        match &receipt.outcome {
            Outcome::Signed { signatures } => to.digest(2, "signatures_digest", signatures),
            Outcome::Refused { code, why } => {
                to.text(3, "code", code);
                to.text(4, "why", why);
            }
        }
        to.part(5, "entry", &receipt.entry);
        to.wide(6, "highest_item", receipt.highest_item);
        to.wide(7, "highest_nonce", receipt.highest_nonce);
        to.uint(8, "time", receipt.time);
        to.parts(9, "unacknowledged", &receipt.unacknowledged);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        Err(from.refused("receipt", "an unsigned receipt is never read"))
    }
}

impl Form for Receipt {
    fn write(&self, to: &mut Writer) {
        Unsigned(self).write(to);
        to.bytes(10, "signature", self.signature.as_bytes());
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let content = from.digest(0, "content")?;
        let approvals = from.digest(1, "approvals")?;
        let outcome = if from.has(2, "signatures_digest") {
            Outcome::Signed { signatures: from.digest(2, "signatures_digest")? }
        } else {
            Outcome::Refused { code: from.text(3, "code", 64)?, why: from.text(4, "why", 512)? }
        };
        Ok(Self {
            content,
            approvals,
            outcome,
            entry: from.part(5, "entry")?,
            highest_item: from.wide(6, "highest_item")?,
            highest_nonce: from.wide(7, "highest_nonce")?,
            time: from.uint(8, "time")?,
            unacknowledged: from.parts(9, "unacknowledged", MAX_UNACKNOWLEDGED)?,
            signature: IdentitySignature::from_bytes(from.exact(10, "signature")?),
        })
    }
}

impl Form for Reply {
    fn write(&self, to: &mut Writer) {
        to.part(0, "receipt", &self.receipt);
        write_signatures(&self.signatures, to);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let receipt = from.part(0, "receipt")?;
        let signatures = read_signatures(from)?;
        Ok(Self { receipt, signatures })
    }
}

/// Field 1 of a reply: 65 bytes each, in CBOR as one string.
fn write_signatures(signatures: &[Signature], to: &mut Writer) {
    match to.spelling() {
        form::Spelling::Cbor => to.bytes(1, "signatures", &signature_bytes(signatures)),
        form::Spelling::Json => {
            let nodes = signatures.iter().map(|s| to.bytes_node(&s.to_bytes())).collect();
            to.put(1, "signatures", Node::List(nodes));
        }
    }
}

fn read_signatures(from: &mut Reader) -> Result<Vec<Signature>, FormError> {
    let signatures: Vec<[u8; 65]> = match from.spelling() {
        form::Spelling::Cbor => {
            let bytes = from.bytes(1, "signatures", 65 * MAX_SIGNATURES)?;
            let (each, rest) = bytes.as_chunks::<65>();
            if !rest.is_empty() {
                return Err(from.refused("signatures", "65 bytes each"));
            }
            each.to_vec()
        }
        form::Spelling::Json => {
            let nodes = from.list(1, "signatures", MAX_SIGNATURES)?;
            nodes.into_iter().map(|node| from.exact_from("signatures", node)).collect::<Result<_, _>>()?
        }
    };
    let read = |(i, bytes): (usize, &[u8; 65])| {
        Signature::from_bytes(bytes)
            .map_err(|error| FormError::refused(format!("{}[{i}]", from.at("signatures")), error))
    };
    signatures.iter().enumerate().map(read).collect()
}

/// What comes back across the gap: one reply per batch of the bundle, in its order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replies {
    /// 1 to 16 replies.
    pub replies: Vec<Reply>,
}

impl Form for Replies {
    fn write(&self, to: &mut Writer) {
        to.parts(0, "replies", &self.replies);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let replies: Vec<Reply> = from.parts(0, "replies", MAX_BUNDLE)?;
        if replies.is_empty() {
            return Err(from.refused("replies", "there is at least one"));
        }
        Ok(Self { replies })
    }
}

impl Document for Replies {
    const KIND: u8 = 2;
    const NAME: &'static str = "airlock reply";
}

/// A content on its way to an approver's device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApprovalRequest {
    /// The batch to approve.
    pub content: Content,
    /// The newest journal entry the coordinator holds of each signer, sorted by signer. They are whole entries,
    /// so that the device sees the signer's own signature before it remembers a head: a coordinator must not be
    /// able to plant one.
    pub heads: Vec<Entry>,
}

impl Form for ApprovalRequest {
    fn write(&self, to: &mut Writer) {
        to.part(0, "content", &self.content);
        to.parts(1, "heads", &self.heads);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let request = Self { content: from.part(0, "content")?, heads: from.parts(1, "heads", MAX_SIGNERS)? };
        if !request.heads.is_sorted_by(|a, b| a.signer < b.signer) {
            return Err(from.refused("heads", "must be sorted by signer, each signer once"));
        }
        Ok(request)
    }
}

impl Document for ApprovalRequest {
    const KIND: u8 = 3;
    const NAME: &'static str = "airlock approval request";
}

/// An approval on its way back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApprovalReply {
    /// Digest of the content that was approved.
    pub content: Digest,
    /// The approval.
    pub approval: Approval,
}

impl Form for ApprovalReply {
    fn write(&self, to: &mut Writer) {
        to.digest(0, "content", &self.content);
        to.part(1, "approval", &self.approval);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        Ok(Self { content: from.digest(0, "content")?, approval: from.part(1, "approval")? })
    }
}

impl Document for ApprovalReply {
    const KIND: u8 = 4;
    const NAME: &'static str = "airlock approval";
}

/// What a coordinator shows a signer to be paired, or a signer a coordinator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Introduction {
    /// Its name, for people.
    pub name: PersonId,
    /// What kind of money it handles.
    pub profile: Profile,
    /// Its identity.
    pub identity: Identity,
    /// A signer's pinned custodians; a coordinator has none.
    pub roster: Option<Roster>,
}

/// What the eight words of a pairing stand for; the same on both screens.
pub fn pairing_digest(coordinator: &Identity, signer: &Identity) -> Digest {
    let bytes = [*coordinator.as_bytes(), *signer.as_bytes()].concat();
    Digest::of("airlock:pairing:1", &bytes)
}

impl Form for Introduction {
    fn write(&self, to: &mut Writer) {
        to.text(0, "name", &self.name);
        to.choice(1, "profile", self.profile);
        to.bytes(2, "identity", self.identity.as_bytes());
        if let Some(roster) = &self.roster {
            to.part(3, "roster", roster);
        }
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let name = from.parsed(0, "name", PersonId::MAX_BYTES, "a person id", PersonId::new)?;
        let profile = from.choice(1, "profile")?;
        let identity = Identity::from_bytes(from.exact(2, "identity")?);
        let roster = if from.has(3, "roster") { Some(from.part(3, "roster")?) } else { None };
        Ok(Self { name, profile, identity, roster })
    }
}

impl Document for Introduction {
    const KIND: u8 = 5;
    const NAME: &'static str = "airlock introduction";
}

/// The file that auditors keep: everything about one batch, verifiable with nothing else but the pinned
/// fingerprints of roster and coordinator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedBatch {
    /// What was asked.
    pub envelope: Envelope,
    /// The custodians, whose digest the auditor has pinned.
    pub roster: Roster,
    /// The policy that was in force, under the custodians' signatures.
    pub policy: SignedPolicy,
    /// What the signers answered, sorted by signer.
    pub replies: Vec<Reply>,
    /// The unsigned transactions, item by item and level by level, if they travel along; they must equal
    /// what the content builds, byte for byte.
    pub transactions: Vec<Vec<u8>>,
    /// What a hardware wallet signed, where one pays; then there is no reply.
    pub hardware: Option<HardwareReply>,
}

/// What a hardware wallet signed, and the coordinator's word for when it was let. No journal stands behind it: the
/// coordinator asked the policy itself, and its signature proves no more than that it said so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HardwareReply {
    /// When the requests left, UTC seconds: the moment at which every rule was asked.
    pub exported_at: u64,
    /// Item by item, within an item level by level, then the cancel.
    pub signatures: Vec<Signature>,
    /// The coordinator's signature over [`HardwareReply::digest`].
    pub signature: IdentitySignature,
}

impl HardwareReply {
    /// Signed by the coordinator that sealed the envelope.
    pub fn seal(envelope: &Envelope, exported_at: u64, signatures: Vec<Signature>, key: &SigningKey) -> Self {
        let signature = IdentitySignature::from_bytes([0; 64]);
        let mut reply = Self { exported_at, signatures, signature };
        reply.signature = IdentitySignature::by(key, &reply.digest(envelope));
        reply
    }

    /// What the coordinator signs: content, approvals, time and signatures.
    pub fn digest(&self, envelope: &Envelope) -> Digest {
        let mut bytes = envelope.content.digest().as_bytes().to_vec();
        bytes.extend(approval::digest_of(&envelope.approvals).as_bytes());
        bytes.extend(self.exported_at.to_be_bytes());
        bytes.extend(signatures_digest(&self.signatures).as_bytes());
        Digest::of("airlock:hardware-reply:1", &bytes)
    }

    /// Did the coordinator of this envelope sign it?
    pub fn is_authentic(&self, envelope: &Envelope) -> bool {
        envelope.coordinator.verifies(&self.digest(envelope), &self.signature)
    }
}

impl Form for HardwareReply {
    fn write(&self, to: &mut Writer) {
        to.uint(0, "exported_at", self.exported_at);
        write_signatures(&self.signatures, to);
        to.bytes(2, "signature", self.signature.as_bytes());
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        Ok(Self {
            exported_at: from.uint(0, "exported_at")?,
            signatures: read_signatures(from)?,
            signature: IdentitySignature::from_bytes(from.exact(2, "signature")?),
        })
    }
}

impl Form for SignedBatch {
    fn write(&self, to: &mut Writer) {
        to.part(0, "envelope", &self.envelope);
        to.part(1, "roster", &self.roster);
        to.part(2, "policy", &self.policy);
        to.parts(3, "replies", &self.replies);
        if !self.transactions.is_empty() {
            let nodes = self.transactions.iter().map(|bytes| to.bytes_node(bytes)).collect();
            to.put(4, "transactions", Node::List(nodes));
        }
        if let Some(hardware) = &self.hardware {
            to.part(5, "hardware", hardware);
        }
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let transactions = if from.has(4, "transactions") {
            let nodes = from.list(4, "transactions", MAX_SIGNATURES)?;
            if nodes.is_empty() {
                return Err(from.refused("transactions", "is left out where there are none"));
            }
            nodes
                .into_iter()
                .map(|node| from.bytes_from("transactions", node, 4_096))
                .collect::<Result<_, _>>()?
        } else {
            Vec::new()
        };
        let replies: Vec<Reply> = from.parts(3, "replies", MAX_SIGNERS)?;
        if !replies.is_sorted_by(|a, b| a.receipt.signer() < b.receipt.signer()) {
            return Err(from.refused("replies", "must be sorted by signer, each signer once"));
        }
        Ok(Self {
            envelope: from.part(0, "envelope")?,
            roster: from.part(1, "roster")?,
            policy: from.part(2, "policy")?,
            replies,
            transactions,
            hardware: if from.has(5, "hardware") { Some(from.part(5, "hardware")?) } else { None },
        })
    }
}

impl Document for SignedBatch {
    const KIND: u8 = 6;
    const NAME: &'static str = "airlock signed batch";
}
