//! Approvals: a person's proof that they accepted exactly this content.
//!
//! An approval is over the content digest, the person, the method and the journal head that the person's
//! device saw last, so it survives a changing head in the envelope, and a third memory of the journal
//! exists (docs/threat-model.md). Two methods: an independent device that decodes the batch itself (Ed25519), and a
//! passkey (WebAuthn), whose challenge is the content digest alone. A passkey's approval therefore carries no journal
//! head, since nothing would vouch for it, and its person is the one for whom the policy lists the credential.

pub mod passkey;
pub mod proven;

use crate::digest::Digest;
use crate::form::{self, Form, FormError, Reader, Writer};
use crate::id::PersonId;
use crate::identity::{Identity, IdentitySignature};
use crate::journal::{Chain, Entry};
use passkey::{MAX_CREDENTIAL_BYTES, MAX_DATA_BYTES, MAX_SIGNATURE_BYTES};

/// The most approvals one batch may carry.
pub const MAX_APPROVALS: usize = 32;

/// One person's approval of one content.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Approval {
    /// Who approved.
    pub person: PersonId,
    /// The newest journal head their device had seen, if any.
    pub seen: Option<SeenHead>,
    /// How they proved it.
    pub proof: Proof,
}

/// A journal head as somebody saw it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SeenHead {
    /// The signer whose journal it is.
    pub signer: Identity,
    /// Number of the newest entry.
    pub sequence: u64,
    /// Digest of the newest entry.
    pub head: Digest,
}

impl SeenHead {
    /// The head that a journal entry makes.
    pub fn of(entry: &Entry) -> Self {
        Self { signer: entry.signer, sequence: entry.sequence, head: entry.head(Chain::Journal) }
    }
}

/// The proof of an approval.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Proof {
    /// An independent device that decoded the batch: Ed25519 over the statement digest.
    Device {
        /// The device's identity.
        identity: Identity,
        /// Its signature.
        signature: IdentitySignature,
    },
    /// A WebAuthn assertion whose challenge is the content digest.
    Passkey {
        /// Credential id.
        credential: Vec<u8>,
        /// Authenticator data.
        authenticator_data: Vec<u8>,
        /// Client data, JSON as the browser made it.
        client_data: Vec<u8>,
        /// The assertion's signature (DER).
        signature: Vec<u8>,
    },
}

impl Proof {
    /// `device` or `passkey`.
    pub const fn method(&self) -> &'static str {
        match self {
            Self::Device { .. } => "device",
            Self::Passkey { .. } => "passkey",
        }
    }
}

/// What an approver signs: everything but the proof, bound to the content.
pub fn statement(content: &Digest, person: &PersonId, seen: Option<&SeenHead>) -> Digest {
    struct Statement<'a>(&'a Digest, &'a PersonId, Option<&'a SeenHead>);
    impl Form for Statement<'_> {
        fn write(&self, to: &mut Writer) {
            to.digest(0, "content", self.0);
            to.text(1, "person", self.1);
            if let Some(seen) = self.2 {
                to.part(2, "seen", seen);
            }
        }
        fn read(from: &mut Reader) -> Result<Self, FormError> {
            Err(from.refused("statement", "is never read"))
        }
    }
    Digest::of("airlock:approval:1", &form::to_cbor(&Statement(content, person, seen)))
}

impl Approval {
    /// Does the device with `identity` stand behind this approval of `content`?
    pub fn is_by_device(&self, content: &Digest, expected: &Identity) -> bool {
        match &self.proof {
            Proof::Device { identity, signature } => {
                let statement = statement(content, &self.person, self.seen.as_ref());
                identity == expected && identity.verifies(&statement, signature)
            }
            Proof::Passkey { .. } => false,
        }
    }
}

/// The digest of a list of approvals: what a receipt says the signer saw.
pub fn digest_of(approvals: &[Approval]) -> Digest {
    let each: Vec<u8> = approvals.iter().flat_map(form::to_cbor).collect();
    Digest::of("airlock:approvals:1", &each)
}

impl Form for SeenHead {
    fn write(&self, to: &mut Writer) {
        to.bytes(0, "signer", self.signer.as_bytes());
        to.uint(1, "sequence", self.sequence);
        to.digest(2, "head", &self.head);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        Ok(Self {
            signer: Identity::from_bytes(from.exact(0, "signer")?),
            sequence: from.uint(1, "sequence")?,
            head: from.digest(2, "head")?,
        })
    }
}

impl Form for Approval {
    fn write(&self, to: &mut Writer) {
        to.text(0, "person", &self.person);
        if let Some(seen) = &self.seen {
            to.part(1, "seen", seen);
        }
        match &self.proof {
            Proof::Device { identity, signature } => {
                to.bytes(2, "device", identity.as_bytes());
                to.bytes(3, "signature", signature.as_bytes());
            }
            Proof::Passkey { credential, authenticator_data, client_data, signature } => {
                to.bytes(4, "credential", credential);
                to.bytes(5, "authenticator_data", authenticator_data);
                to.bytes(6, "client_data", client_data);
                to.bytes(7, "passkey_signature", signature);
            }
        }
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let person = from.parsed(0, "person", PersonId::MAX_BYTES, "a person id", PersonId::new)?;
        let seen = if from.has(1, "seen") { Some(from.part(1, "seen")?) } else { None };
        let proof = if from.has(2, "device") {
            Proof::Device {
                identity: Identity::from_bytes(from.exact(2, "device")?),
                signature: IdentitySignature::from_bytes(from.exact(3, "signature")?),
            }
        } else {
            Proof::Passkey {
                credential: from.bytes(4, "credential", MAX_CREDENTIAL_BYTES)?,
                authenticator_data: from.bytes(5, "authenticator_data", MAX_DATA_BYTES)?,
                client_data: from.bytes(6, "client_data", MAX_DATA_BYTES)?,
                signature: from.bytes(7, "passkey_signature", MAX_SIGNATURE_BYTES)?,
            }
        };
        if seen.is_some() && matches!(proof, Proof::Passkey { .. }) {
            return Err(from.refused("seen", "a passkey vouches for no journal head"));
        }
        Ok(Self { person, seen, proof })
    }
}
