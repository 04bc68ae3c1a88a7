//! What the identity compartment holds, and its bytes: what this device is and what it has pinned.
//!
//! Opened at the start of every command; called by the vault, the session and the commands that pair,
//! pin and audit. What must stay true: the identity key is random per device and never comes from the
//! seed; the roster is pinned at `init`; the journal anchor and the policy pin never move backwards
//! (whoever moves them checks that; the bytes here are only what was last accepted).

use crate::secret::{RandomError, fill_random};
use airlock_shared::approval::SeenHead;
use airlock_shared::identity::{Custodian, Identity, MAX_CUSTODIANS, Roster};
use airlock_shared::{Digest, PersonId, Profile};
use ed25519_dalek::{SigningKey, VerifyingKey};
use minicbor::data::Type;
use minicbor::decode::Error as CborError;
use minicbor::{Decoder, Encoder};
use zeroize::Zeroizing;

const VERSION: u8 = 1;
/// The most coordinators a signer may be paired with.
pub const MAX_COORDINATORS: usize = 16;
/// The most signers whose journal heads a device remembers.
pub const MAX_SEEN: usize = 64;

/// Is it a point of the curve and not one of small order (which would verify anything)?
pub fn is_sound(identity: &Identity) -> bool {
    VerifyingKey::from_bytes(identity.as_bytes()).is_ok_and(|key| !key.is_weak())
}

/// A coordinator whose words were compared aloud.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Coordinator {
    /// What it calls itself; shown, never trusted.
    pub name: PersonId,
    /// Its identity.
    pub identity: Identity,
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
    /// The number of the last entry; 0 before the first.
    pub sequence: u64,
    /// The head that it made; zeros before the first.
    pub head: Digest,
}

impl Anchor {
    /// Before the first entry.
    pub const START: Self = Self { sequence: 0, head: Digest::ZERO };
}

/// The content of the identity compartment.
pub struct Device {
    /// Signs journal entries, receipts, approvals and policies.
    pub key: SigningKey,
    /// Whose device this is.
    pub name: PersonId,
    /// What it may sign for.
    pub profile: Profile,
    /// The pinned custodians; an approver's device may have none, and then accepts no policy.
    pub roster: Option<Roster>,
    /// Whom it listens to.
    pub coordinators: Vec<Coordinator>,
    /// The policy in force, once there is one.
    pub policy: Option<PolicyPin>,
    /// Where the journal stood last.
    pub journal: Anchor,
    /// Where the refusals stood last.
    pub refusals: Anchor,
    /// Journal heads of signers that this device saw while approving: the third memory.
    pub seen: Vec<SeenHead>,
    /// The spending seed's fingerprint (BIP-32 master key), where there is a seed.
    pub fingerprint: Option<[u8; 4]>,
    /// When it was made, UTC seconds.
    pub created_at: u64,
}

impl Device {
    /// A new device with a random identity key and nothing else yet.
    pub fn generate(name: PersonId, profile: Profile, created_at: u64) -> Result<Self, RandomError> {
        let mut secret = Zeroizing::new([0; 32]);
        fill_random(&mut secret[..])?;
        Ok(Self {
            key: SigningKey::from_bytes(&secret),
            name,
            profile,
            roster: None,
            coordinators: Vec::new(),
            policy: None,
            journal: Anchor::START,
            refusals: Anchor::START,
            seen: Vec::new(),
            fingerprint: None,
            created_at,
        })
    }

    /// The device's public identity.
    pub fn identity(&self) -> Identity {
        Identity::of(&self.key)
    }

    /// The paired coordinator with that identity.
    pub fn coordinator(&self, identity: &Identity) -> Option<&Coordinator> {
        self.coordinators.iter().find(|paired| paired.identity == *identity)
    }

    /// Remembers a signer's journal head if it is newer than the one remembered.
    pub fn remember(&mut self, head: SeenHead) {
        match self.seen.iter().position(|known| known.signer == head.signer) {
            Some(place) if self.seen[place].sequence < head.sequence => self.seen[place] = head,
            Some(_) => {}
            None if self.seen.len() < MAX_SEEN => self.seen.push(head),
            None => {}
        }
    }

    /// Its bytes, to be sealed.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        // Room for the largest content: a growing buffer would leave copies of the key behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(16 * 1024));
        // Writing into a Vec cannot fail: its error type is Infallible.
        let _ = self.write(&mut Encoder::new(&mut *bytes));
        bytes
    }

    fn write(
        &self,
        to: &mut Encoder<&mut Vec<u8>>,
    ) -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
        to.array(12)?.u8(VERSION)?.bytes(self.key.as_bytes())?.str(self.name.as_str())?;
        to.u8(self.profile.code())?;
        match &self.roster {
            Some(roster) => {
                to.array(2)?.u64(roster.threshold)?.array(roster.custodians.len() as u64)?;
                for one in &roster.custodians {
                    to.array(2)?.str(one.name.as_str())?.bytes(one.identity.as_bytes())?;
                }
            }
            None => drop(to.null()?),
        }
        to.array(self.coordinators.len() as u64)?;
        for one in &self.coordinators {
            to.array(3)?.str(one.name.as_str())?.bytes(one.identity.as_bytes())?.u64(one.paired_at)?;
        }
        match &self.policy {
            Some(pin) => to.array(2)?.u64(pin.version)?.bytes(pin.digest.as_bytes())?,
            None => to.null()?,
        };
        for anchor in [&self.journal, &self.refusals] {
            to.array(2)?.u64(anchor.sequence)?.bytes(anchor.head.as_bytes())?;
        }
        to.array(self.seen.len() as u64)?;
        for one in &self.seen {
            to.array(3)?.bytes(one.signer.as_bytes())?.u64(one.sequence)?.bytes(one.head.as_bytes())?;
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
        let device = Self {
            key: SigningKey::from_bytes(&secret),
            name: person(&mut from)?,
            profile: Profile::from_code(from.u8()?).ok_or_else(|| CborError::message("unknown profile"))?,
            roster: optional(&mut from, roster)?,
            coordinators: list(&mut from, MAX_COORDINATORS, coordinator)?,
            policy: optional(&mut from, policy)?,
            journal: anchor(&mut from)?,
            refusals: anchor(&mut from)?,
            seen: list(&mut from, MAX_SEEN, seen)?,
            fingerprint: optional(&mut from, fixed::<4>)?,
            created_at: from.u64()?,
        };
        if from.position() != bytes.len() {
            return Err(CborError::message("bytes after the identity compartment"));
        }
        Ok(device)
    }
}

fn roster(from: &mut Decoder<'_>) -> Result<Roster, CborError> {
    array(from, 2)?;
    let threshold = from.u64()?;
    let custodians = list(from, MAX_CUSTODIANS, |from| {
        array(from, 2)?;
        Ok(Custodian { name: person(from)?, identity: Identity::from_bytes(fixed(from)?) })
    })?;
    Roster::new(custodians, threshold).ok_or_else(|| CborError::message("an unsound roster"))
}

fn coordinator(from: &mut Decoder<'_>) -> Result<Coordinator, CborError> {
    array(from, 3)?;
    let (name, identity) = (person(from)?, Identity::from_bytes(fixed(from)?));
    Ok(Coordinator { name, identity, paired_at: from.u64()? })
}

fn policy(from: &mut Decoder<'_>) -> Result<PolicyPin, CborError> {
    array(from, 2)?;
    Ok(PolicyPin { version: from.u64()?, digest: Digest::from_bytes(fixed(from)?) })
}

fn seen(from: &mut Decoder<'_>) -> Result<SeenHead, CborError> {
    array(from, 3)?;
    let (signer, sequence) = (Identity::from_bytes(fixed(from)?), from.u64()?);
    Ok(SeenHead { signer, sequence, head: Digest::from_bytes(fixed(from)?) })
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
