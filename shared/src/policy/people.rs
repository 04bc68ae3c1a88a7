//! Who may approve: people, the devices and passkeys they prove it with, and how many of them it takes.
//!
//! Part of the policy file; the rules that count approvals are in `rules/approvals.rs`. What must stay true: an
//! approver has something to prove with; no key or credential stands twice under one person; whether it stands
//! under two is the rules' business, which count them as one.

use crate::approval::passkey::{MAX_CREDENTIAL_BYTES, is_public_key};
use crate::form::{Form, FormError, Node, Reader, Writer, closed_list};
use crate::id::PersonId;
use crate::identity::Identity;

/// Most passkeys of one person.
const MAX_PASSKEYS: usize = 8;
/// Longest relying party id, a domain name, bytes (RFC 1035).
const MAX_RP_ID_BYTES: usize = 253;
/// Most origins, and the longest, bytes.
const MAX_ORIGINS: (usize, usize) = (16, 255);

/// Somebody who may approve batches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Approver {
    /// Who.
    pub person: PersonId,
    /// The identity of their independent device, if they have one.
    pub device: Option<Identity>,
    /// Their passkeys; at least one where there is no device.
    pub passkeys: Vec<Passkey>,
}

/// A WebAuthn credential, as it was registered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Passkey {
    /// Its credential id, 1 to 1023 bytes.
    pub credential: Vec<u8>,
    /// Its P-256 public key, SEC1 uncompressed.
    pub public_key: [u8; 65],
}

/// How many approvals a batch needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quorum {
    /// Distinct people other than the creator.
    pub required: u64,
    /// How many of them on an independent device that decodes the batch itself.
    pub independent: u64,
    /// How many on independent devices where an item is signed again on a claim that cannot be checked
    /// offline; at least `independent`.
    pub reissue_independent: u64,
}

/// Where passkeys are used and what an assertion must show. Without it in the policy no passkey counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PasskeyTerms {
    /// The relying party id, a domain name.
    pub rp_id: String,
    /// The origins that may ask, such as `https://approve.example`.
    pub origins: Vec<String>,
    /// Must the authenticator have verified its user (PIN, finger)?
    pub user_verification: UserVerification,
}

closed_list! {
    /// Whether an assertion without user verification counts.
    UserVerification {
        /// It does not.
        Required = 0 "required",
        /// It does; the person's presence is enough.
        Optional = 1 "optional",
    }
}

impl Form for Approver {
    fn write(&self, to: &mut Writer) {
        to.text(0, "person", &self.person);
        if let Some(device) = &self.device {
            to.bytes(1, "device", device.as_bytes());
        }
        to.parts(2, "passkeys", &self.passkeys);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let person = from.parsed(0, "person", PersonId::MAX_BYTES, "a person id", PersonId::new)?;
        let device = if from.has(1, "device") { Some(from.exact(1, "device")?) } else { None };
        let passkeys: Vec<Passkey> = from.parts(2, "passkeys", MAX_PASSKEYS)?;
        if device.is_none() && passkeys.is_empty() {
            return Err(from.refused("device", "an approver needs a device or a passkey"));
        }
        if !passkeys.is_sorted_by(|a, b| a.credential < b.credential) {
            return Err(from.refused("passkeys", "must be sorted by credential, each once"));
        }
        Ok(Self { person, device: device.map(Identity::from_bytes), passkeys })
    }
}

impl Form for Passkey {
    fn write(&self, to: &mut Writer) {
        to.bytes(0, "credential", &self.credential);
        to.bytes(1, "public_key", &self.public_key);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let credential = from.bytes(0, "credential", MAX_CREDENTIAL_BYTES)?;
        if credential.is_empty() {
            return Err(from.refused("credential", "is empty"));
        }
        let public_key = from.exact(1, "public_key")?;
        if !is_public_key(&public_key) {
            return Err(from.refused("public_key", "is not an uncompressed point of P-256"));
        }
        Ok(Self { credential, public_key })
    }
}

impl Form for Quorum {
    fn write(&self, to: &mut Writer) {
        to.uint(0, "required", self.required);
        to.uint(1, "independent", self.independent);
        to.uint(2, "reissue_independent", self.reissue_independent);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let required = from.uint(0, "required")?;
        let independent = from.uint(1, "independent")?;
        let reissue_independent = from.uint(2, "reissue_independent")?;
        if independent > required {
            return Err(from.refused("independent", "cannot exceed the number required"));
        }
        if reissue_independent < independent {
            return Err(from.refused("reissue_independent", "cannot be below independent"));
        }
        Ok(Self { required, independent, reissue_independent })
    }
}

impl Form for PasskeyTerms {
    fn write(&self, to: &mut Writer) {
        to.text(0, "rp_id", &self.rp_id);
        to.put(1, "origins", Node::List(self.origins.iter().cloned().map(Node::Text).collect()));
        to.choice(2, "user_verification", self.user_verification);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let rp_id = from.text(0, "rp_id", MAX_RP_ID_BYTES)?;
        let of_a_domain = |c: u8| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-');
        if rp_id.is_empty() || !rp_id.bytes().all(of_a_domain) {
            return Err(from.refused("rp_id", "is a domain name in lower case"));
        }
        let origins = from.list(1, "origins", MAX_ORIGINS.0)?;
        let origins = origins.into_iter().map(|node| origin(from, node)).collect::<Result<Vec<_>, _>>()?;
        if origins.is_empty() || !origins.is_sorted_by(|a, b| a < b) {
            return Err(from.refused("origins", "at least one, sorted, each once"));
        }
        let user_verification = from.choice(2, "user_verification")?;
        Ok(Self { rp_id, origins, user_verification })
    }
}

fn origin(from: &Reader, node: Node) -> Result<String, FormError> {
    match node {
        Node::Text(text)
            if (1..=MAX_ORIGINS.1).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_graphic()) =>
        {
            Ok(text)
        }
        _ => Err(from.refused("origins", "each is 1 to 255 printable ASCII bytes")),
    }
}
