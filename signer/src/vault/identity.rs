//! What the identity compartment holds, and its bytes.
//!
//! Opened at the start of every command; called by the vault, the session and the commands that pair,
//! pin and audit. What must stay true: the identity key is random per device and never comes from the
//! seed; the roster is pinned at `init`; the journal anchor and the policy pin never move backwards
//! (whoever moves them checks that; the bytes here are only what was last accepted).

use crate::secret::{RandomError, fill_random};
use airlock_shared::{Digest, PersonId, Profile};
use ed25519_dalek::SigningKey;
use minicbor::data::Type;
use minicbor::decode::Error as CborError;
use minicbor::{Decoder, Encoder};
use zeroize::Zeroizing;

const VERSION: u8 = 1;
/// The most custodians a roster may name.
pub const MAX_CUSTODIANS: usize = 16;
/// The most coordinators a signer may be paired with.
pub const MAX_COORDINATORS: usize = 16;

/// An Ed25519 public key of a person's device or of a coordinator.
pub type PublicKey = [u8; 32];

/// A custodian: who, and the key of that person's device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Custodian {
    /// Who it is.
    pub name: PersonId,
    /// The device's identity key.
    pub key: PublicKey,
}

/// The custodians and how many of them it takes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Roster {
    custodians: Vec<Custodian>,
    threshold: u8,
}

/// Why a roster was refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RosterError {
    /// More than [`MAX_CUSTODIANS`].
    #[error("{found} custodians, at most {MAX_CUSTODIANS} are allowed")]
    TooMany {
        /// How many there were.
        found: usize,
    },
    /// A name or key twice: one person, or one device, would count as two.
    #[error("{name} or that person's key is in the roster twice")]
    Twice {
        /// The second one's name.
        name: PersonId,
    },
    /// Zero, or more than there are custodians.
    #[error("a threshold of {threshold} does not fit {custodians} custodians")]
    Threshold {
        /// What was asked for.
        threshold: u8,
        /// How many there are.
        custodians: usize,
    },
    /// Not a point of the curve, or one of small order.
    #[error("the key of {name} is not an Ed25519 key")]
    Key {
        /// Whose it is.
        name: PersonId,
    },
}

impl Roster {
    /// Checks that people and keys are distinct and the threshold can be met. An empty roster (of an
    /// approver's device that checks no policy) has threshold 0.
    pub fn new(custodians: Vec<Custodian>, threshold: u8) -> Result<Self, RosterError> {
        if custodians.len() > MAX_CUSTODIANS {
            return Err(RosterError::TooMany { found: custodians.len() });
        }
        for (position, one) in custodians.iter().enumerate() {
            if custodians[..position].iter().any(|other| other.name == one.name || other.key == one.key) {
                return Err(RosterError::Twice { name: one.name.clone() });
            }
            if !is_public_key(&one.key) {
                return Err(RosterError::Key { name: one.name.clone() });
            }
        }
        let reachable = usize::from(threshold) <= custodians.len();
        if !reachable || (threshold == 0) != custodians.is_empty() {
            return Err(RosterError::Threshold { threshold, custodians: custodians.len() });
        }
        Ok(Self { custodians, threshold })
    }

    /// The custodians, in the order in which they were pinned.
    pub fn custodians(&self) -> &[Custodian] {
        &self.custodians
    }

    /// How many of them it takes.
    pub const fn threshold(&self) -> u8 {
        self.threshold
    }
}

/// Is it a point of the curve and not one of small order (which would verify anything)?
pub fn is_public_key(key: &PublicKey) -> bool {
    ed25519_dalek::VerifyingKey::from_bytes(key).is_ok_and(|key| !key.is_weak())
}

/// A coordinator whose words were compared aloud.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Coordinator {
    /// What it calls itself; shown, never trusted.
    pub name: PersonId,
    /// Its identity key.
    pub key: PublicKey,
    /// When it was paired, UTC seconds.
    pub paired_at: u64,
}

/// The policy in force.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PolicyPin {
    /// Its version; only ever rises.
    pub version: u64,
    /// Its digest.
    pub digest: Digest,
}

/// A place in a chain of entries that must still be there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Anchor {
    /// How many entries there were.
    pub sequence: u64,
    /// The digest of the last of them; zeros when there were none.
    pub head: Digest,
}

impl Anchor {
    /// Before the first entry.
    pub const START: Self = Self { sequence: 0, head: Digest::ZERO };
}

/// The content of the identity compartment.
pub struct Identity {
    /// Signs journal entries, receipts, approvals and policies.
    pub key: SigningKey,
    /// Whose device this is.
    pub name: PersonId,
    /// What it may sign for.
    pub profile: Profile,
    /// The pinned custodians.
    pub roster: Roster,
    /// Whom it listens to.
    pub coordinators: Vec<Coordinator>,
    /// The policy in force, once there is one.
    pub policy: Option<PolicyPin>,
    /// Where the journal stood last.
    pub journal: Anchor,
    /// Where the refusals stood last.
    pub refusals: Anchor,
    /// The spending seed's fingerprint (BIP-32 master key), where there is a seed.
    pub fingerprint: Option<[u8; 4]>,
    /// When it was made, UTC seconds.
    pub created_at: u64,
}

impl Identity {
    /// A new device with a random identity key and nothing else yet.
    pub fn generate(name: PersonId, profile: Profile, created_at: u64) -> Result<Self, RandomError> {
        let mut secret = Zeroizing::new([0; 32]);
        fill_random(&mut secret[..])?;
        Ok(Self {
            key: SigningKey::from_bytes(&secret),
            name,
            profile,
            roster: Roster::default(),
            coordinators: Vec::new(),
            policy: None,
            journal: Anchor::START,
            refusals: Anchor::START,
            fingerprint: None,
            created_at,
        })
    }

    /// The device's public key.
    pub fn public_key(&self) -> PublicKey {
        self.key.verifying_key().to_bytes()
    }

    /// The paired coordinator with that key.
    pub fn coordinator(&self, key: &PublicKey) -> Option<&Coordinator> {
        self.coordinators.iter().find(|paired| paired.key == *key)
    }

    /// Its bytes, to be sealed.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        // Room for the largest content: a growing buffer would leave copies of the key behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(8 * 1024));
        // Writing into a Vec cannot fail: its error type is Infallible.
        let _ = self.write(&mut Encoder::new(&mut *bytes));
        bytes
    }

    fn write(
        &self,
        to: &mut Encoder<&mut Vec<u8>>,
    ) -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
        to.array(12)?.u8(VERSION)?.bytes(self.key.as_bytes())?.str(self.name.as_str())?;
        to.u8(self.profile.code())?.u8(self.roster.threshold)?;
        to.array(self.roster.custodians.len() as u64)?;
        for one in &self.roster.custodians {
            to.array(2)?.str(one.name.as_str())?.bytes(&one.key)?;
        }
        to.array(self.coordinators.len() as u64)?;
        for one in &self.coordinators {
            to.array(3)?.str(one.name.as_str())?.bytes(&one.key)?.u64(one.paired_at)?;
        }
        match &self.policy {
            Some(pin) => to.array(2)?.u64(pin.version)?.bytes(pin.digest.as_bytes())?,
            None => to.null()?,
        };
        for anchor in [&self.journal, &self.refusals] {
            to.array(2)?.u64(anchor.sequence)?.bytes(anchor.head.as_bytes())?;
        }
        match &self.fingerprint {
            Some(bytes) => to.bytes(bytes)?,
            None => to.null()?,
        };
        to.u64(self.created_at)?;
        Ok(())
    }

    /// Reads what [`Self::encode`] wrote. The bytes were authenticated already; a failure here means
    /// another version of this program wrote them.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        let mut from = Decoder::new(bytes);
        array(&mut from, 12)?;
        if from.u8()? != VERSION {
            return Err(CborError::message("unknown version of the identity compartment"));
        }
        let secret = Zeroizing::new(fixed::<32>(&mut from)?);
        let name = person(&mut from)?;
        let profile = Profile::from_code(from.u8()?).ok_or_else(|| CborError::message("unknown profile"))?;
        let threshold = from.u8()?;
        let custodians = list(&mut from, MAX_CUSTODIANS, |from| {
            array(from, 2)?;
            Ok(Custodian { name: person(from)?, key: fixed(from)? })
        })?;
        let coordinators = list(&mut from, MAX_COORDINATORS, |from| {
            array(from, 3)?;
            Ok(Coordinator { name: person(from)?, key: fixed(from)?, paired_at: from.u64()? })
        })?;
        let policy = optional(&mut from, |from| {
            array(from, 2)?;
            Ok(PolicyPin { version: from.u64()?, digest: Digest::from_bytes(fixed(from)?) })
        })?;
        let (journal, refusals) = (anchor(&mut from)?, anchor(&mut from)?);
        let fingerprint = optional(&mut from, fixed::<4>)?;
        let created_at = from.u64()?;
        if from.position() != bytes.len() {
            return Err(CborError::message("bytes after the identity compartment"));
        }
        let roster = Roster::new(custodians, threshold).map_err(CborError::message)?;
        let key = SigningKey::from_bytes(&secret);
        Ok(Self {
            key,
            name,
            profile,
            roster,
            coordinators,
            policy,
            journal,
            refusals,
            fingerprint,
            created_at,
        })
    }
}

fn array(from: &mut Decoder<'_>, length: u64) -> Result<(), CborError> {
    match from.array()? {
        Some(found) if found == length => Ok(()),
        _ => Err(CborError::message("an array of another length")),
    }
}

fn fixed<const N: usize>(from: &mut Decoder<'_>) -> Result<[u8; N], CborError> {
    from.bytes()?.try_into().map_err(|_| CborError::message("a byte string of another length"))
}

fn person(from: &mut Decoder<'_>) -> Result<PersonId, CborError> {
    PersonId::new(from.str()?).ok_or_else(|| CborError::message("not a person's name"))
}

fn anchor(from: &mut Decoder<'_>) -> Result<Anchor, CborError> {
    array(from, 2)?;
    Ok(Anchor { sequence: from.u64()?, head: Digest::from_bytes(fixed(from)?) })
}

fn optional<T>(
    from: &mut Decoder<'_>,
    read: impl FnOnce(&mut Decoder<'_>) -> Result<T, CborError>,
) -> Result<Option<T>, CborError> {
    if from.datatype()? == Type::Null {
        from.null()?;
        return Ok(None);
    }
    read(from).map(Some)
}

fn list<T>(
    from: &mut Decoder<'_>,
    most: usize,
    read: impl Fn(&mut Decoder<'_>) -> Result<T, CborError>,
) -> Result<Vec<T>, CborError> {
    match from.array()? {
        Some(length) if length <= most as u64 => (0..length).map(|_| read(from)).collect(),
        _ => Err(CborError::message("a list that is too long")),
    }
}
