//! The bytes of the identity compartment: one CBOR array, its version first.
//!
//! Called by `Device::encode` and `Device::decode` alone. What must stay true: one spelling for each content
//! (what is read must give the same bytes when written again); every list has a limit; another version is refused;
//! the buffer never grows, because growing would leave copies of the identity key behind.

use super::{
    Anchor, Coordinator, Device, Imported, Label, Labelled, Lock, MAX_COORDINATORS, MAX_IMPORTED, MAX_LABELS,
    MAX_PASSKEYS, MAX_RETIRED, MAX_SEEN, PasskeyCounter, PolicyPin, Reach, WalletRef,
};
use crate::memory::Secret;
use airlock_shared::approval::SeenHead;
use airlock_shared::identity::{Custodian, Identity, MAX_CUSTODIANS, Roster};
use airlock_shared::wallet::Role;
use airlock_shared::{Address, Digest, Network, PersonId, Profile};
use ed25519_dalek::SigningKey;
use minicbor::data::Type;
use minicbor::decode::Error as CborError;
use minicbor::{Decoder, Encoder};
use std::convert::Infallible;
use zeroize::Zeroizing;

/// Version 2 brought lock, labels, retired and imported wallets, passkey counters and the seed's digest.
const VERSION: u8 = 2;
const FIELDS: u64 = 18;
/// Room for the largest content (a test fills every list).
const CAPACITY: usize = 128 * 1024;
/// Bytes of the longest refusal code in a lock.
const MAX_CODE_BYTES: usize = 64;

type Written = Result<(), minicbor::encode::Error<Infallible>>;

impl Device {
    /// Its bytes, to be sealed.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(CAPACITY));
        let mut to = Encoder::new(&mut *bytes);
        // Writing into a Vec cannot fail: its error type is Infallible.
        let _ = self.write_anchors(&mut to).and_then(|()| self.write_wallets(&mut to));
        bytes
    }

    fn write_anchors(&self, to: &mut Encoder<&mut Vec<u8>>) -> Written {
        to.array(FIELDS)?.u8(VERSION)?.bytes(self.key.as_bytes())?.str(self.name.as_str())?;
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
            write_seen(to, one)?;
        }
        match &self.fingerprint {
            Some(bytes) => to.bytes(bytes)?,
            None => to.null()?,
        };
        to.u64(self.created_at)?;
        Ok(())
    }

    fn write_wallets(&self, to: &mut Encoder<&mut Vec<u8>>) -> Written {
        match &self.lock {
            Some(lock) => {
                to.array(3)?.u64(lock.at)?.str(&lock.code)?;
                write_seen(to, &lock.claimed)?;
            }
            None => drop(to.null()?),
        }
        to.array(self.labels.len() as u64)?;
        for one in &self.labels {
            to.array(3)?;
            write_network(to, one.address.network())?;
            to.bytes(one.address.payload())?.str(one.label.as_str())?;
        }
        to.array(self.retired.len() as u64)?;
        for one in &self.retired {
            to.array(3)?;
            write_network(to, one.network)?;
            to.u8(one.role.code())?.u32(one.index)?;
        }
        to.array(self.imported.len() as u64)?;
        for one in &self.imported {
            to.array(4)?;
            match one.reach {
                Reach::Evm => drop(to.null()?),
                Reach::Tron { chain_id } => drop(to.u32(chain_id)?),
            }
            to.bytes(&one.payload)?.str(one.label.as_str())?.u64(one.imported_at)?;
        }
        to.array(self.passkey_counters.len() as u64)?;
        for one in &self.passkey_counters {
            to.array(2)?.bytes(one.credential.as_bytes())?.u32(one.counter)?;
        }
        match &self.seed_digest {
            Some(digest) => to.bytes(digest.as_bytes())?,
            None => to.null()?,
        };
        Ok(())
    }

    /// Reads what [`Self::encode`] wrote. The bytes were authenticated already; a failure here means
    /// another version of this program wrote them.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        let mut from = Decoder::new(bytes);
        let fields = from.array()?;
        if from.u8()? != VERSION {
            return Err(CborError::message("unknown version of the identity compartment"));
        }
        if fields != Some(FIELDS) {
            return Err(CborError::message("an array of another length"));
        }
        let device = Self::read(&mut from)?;
        if from.position() != bytes.len() || device.encode()[..] != *bytes {
            return Err(CborError::message("not the one spelling of an identity compartment"));
        }
        Ok(device)
    }

    fn read(from: &mut Decoder<'_>) -> Result<Self, CborError> {
        let secret = Zeroizing::new(fixed::<32>(from)?);
        Ok(Self {
            key: Secret::new(SigningKey::from_bytes(&secret)),
            name: person(from)?,
            profile: Profile::from_code(from.u8()?).ok_or_else(|| CborError::message("unknown profile"))?,
            roster: optional(from, roster)?,
            coordinators: list(from, MAX_COORDINATORS, coordinator)?,
            policy: optional(from, policy)?,
            journal: anchor(from)?,
            refusals: anchor(from)?,
            seen: list(from, MAX_SEEN, seen)?,
            fingerprint: optional(from, fixed::<4>)?,
            created_at: from.u64()?,
            lock: optional(from, lock)?,
            labels: distinct(list(from, MAX_LABELS, labelled)?, |one: &Labelled| one.address)?,
            retired: distinct(list(from, MAX_RETIRED, wallet)?, |one: &WalletRef| *one)?,
            imported: list(from, MAX_IMPORTED, imported)?,
            passkey_counters: distinct(list(from, MAX_PASSKEYS, passkey)?, |one: &PasskeyCounter| {
                one.credential
            })?,
            seed_digest: optional(from, |from| fixed(from).map(Digest::from_bytes))?,
        })
    }
}

fn write_network(to: &mut Encoder<&mut Vec<u8>>, network: Network) -> Written {
    match network {
        Network::Evm { chain_id } => to.array(2)?.u8(0)?.u64(chain_id)?,
        Network::Tron { chain_id } => to.array(2)?.u8(1)?.u32(chain_id)?,
    };
    Ok(())
}

fn write_seen(to: &mut Encoder<&mut Vec<u8>>, seen: &SeenHead) -> Written {
    to.array(3)?.bytes(seen.signer.as_bytes())?.u64(seen.sequence)?.bytes(seen.head.as_bytes())?;
    Ok(())
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

fn lock(from: &mut Decoder<'_>) -> Result<Lock, CborError> {
    array(from, 3)?;
    let (at, code) = (from.u64()?, from.str()?);
    if code.is_empty() || code.len() > MAX_CODE_BYTES {
        return Err(CborError::message("a lock without its reason"));
    }
    Ok(Lock { at, code: code.to_owned(), claimed: seen(from)? })
}

fn network(from: &mut Decoder<'_>) -> Result<Network, CborError> {
    array(from, 2)?;
    match from.u8()? {
        0 => Ok(Network::Evm { chain_id: from.u64()? }),
        1 => Ok(Network::Tron { chain_id: from.u32()? }),
        _ => Err(CborError::message("unknown family of networks")),
    }
}

fn label(from: &mut Decoder<'_>) -> Result<Label, CborError> {
    Label::new(from.str()?).ok_or_else(|| CborError::message("not a label"))
}

fn labelled(from: &mut Decoder<'_>) -> Result<Labelled, CborError> {
    array(from, 3)?;
    let network = network(from)?;
    Ok(Labelled { address: Address::new(network, fixed(from)?), label: label(from)? })
}

fn wallet(from: &mut Decoder<'_>) -> Result<WalletRef, CborError> {
    array(from, 3)?;
    let network = network(from)?;
    let role =
        Role::from_code(from.u8()?.into()).ok_or_else(|| CborError::message("unknown role of a wallet"))?;
    Ok(WalletRef { network, role, index: from.u32()? })
}

fn imported(from: &mut Decoder<'_>) -> Result<Imported, CborError> {
    array(from, 4)?;
    let reach = optional(from, |from| from.u32())?.map_or(Reach::Evm, |chain_id| Reach::Tron { chain_id });
    Ok(Imported { reach, payload: fixed(from)?, label: label(from)?, imported_at: from.u64()? })
}

fn passkey(from: &mut Decoder<'_>) -> Result<PasskeyCounter, CborError> {
    array(from, 2)?;
    Ok(PasskeyCounter { credential: Digest::from_bytes(fixed(from)?), counter: from.u32()? })
}

/// Refuses a list in which two entries are about the same thing.
fn distinct<T, K: PartialEq>(list: Vec<T>, key: impl Fn(&T) -> K) -> Result<Vec<T>, CborError> {
    let repeated = |place: usize| list[..place].iter().any(|one| key(one) == key(&list[place]));
    if (0..list.len()).any(repeated) {
        return Err(CborError::message("a list that says something twice"));
    }
    Ok(list)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn head(byte: u8) -> SeenHead {
        let signer = Identity::from_bytes([byte; 32]);
        SeenHead { signer, sequence: u64::MAX, head: Digest::from_bytes([byte; 32]) }
    }

    fn numbered(number: usize) -> [u8; 32] {
        let mut bytes = [0xff; 32];
        bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
        bytes
    }

    fn payload(number: usize) -> [u8; 20] {
        let mut bytes = [0xff; 20];
        bytes.copy_from_slice(&numbered(number)[..20]);
        bytes
    }

    /// Every list full, every text as long as it may be.
    fn full() -> Device {
        let longest = PersonId::new(&"x".repeat(64)).unwrap();
        let mut device = Device::generate(longest.clone(), Profile::Dev, u64::MAX).unwrap();
        let custodian = |number: usize| Custodian {
            name: PersonId::new(&format!("{}{number:02}", "x".repeat(62))).unwrap(),
            identity: Identity::of(&SigningKey::from_bytes(&numbered(number))),
        };
        device.roster = Roster::new((0..MAX_CUSTODIANS).map(custodian).collect(), 9);
        assert!(device.roster.is_some());
        let identity = device.identity();
        device.coordinators =
            vec![Coordinator { name: longest, identity, paired_at: u64::MAX }; MAX_COORDINATORS];
        device.seen = vec![head(7); MAX_SEEN];
        device.lock = Some(Lock { at: u64::MAX, code: "x".repeat(MAX_CODE_BYTES), claimed: head(8) });
        let label = Label::new(&"x".repeat(Label::MAX_BYTES)).unwrap();
        let network = Network::Evm { chain_id: u64::MAX };
        let labelled = |n| Labelled { address: Address::new(network, payload(n)), label: label.clone() };
        device.labels = (0..MAX_LABELS).map(labelled).collect();
        let retired = |n: usize| WalletRef { network, role: Role::Energy, index: u32::MAX - n as u32 };
        device.retired = (0..MAX_RETIRED).map(retired).collect();
        let reach = Reach::Tron { chain_id: u32::MAX };
        let imported =
            |n| Imported { reach, payload: payload(n), label: label.clone(), imported_at: u64::MAX };
        device.imported = (0..MAX_IMPORTED).map(imported).collect();
        let counter = |n| PasskeyCounter { credential: Digest::from_bytes(numbered(n)), counter: u32::MAX };
        device.passkey_counters = (0..MAX_PASSKEYS).map(counter).collect();
        device.seed_digest = Some(Digest::from_bytes([9; 32]));
        device
    }

    #[test]
    fn the_fullest_device_comes_back_and_never_made_the_buffer_grow() {
        let device = full();
        let bytes = device.encode();
        assert!(bytes.len() < CAPACITY && bytes.capacity() == CAPACITY, "{}", bytes.len());
        let back = Device::decode(&bytes).unwrap();
        assert_eq!(back.encode()[..], bytes[..]);
        assert_eq!((back.lock, back.labels), (device.lock, device.labels));
        assert_eq!((back.retired, back.imported), (device.retired, device.imported));
        assert_eq!((back.passkey_counters, back.seed_digest), (device.passkey_counters, device.seed_digest));
    }

    #[test]
    fn longer_lists_repeated_entries_and_other_versions_are_refused() {
        let refused = |change: fn(&mut Device)| {
            let mut device = full();
            change(&mut device);
            Device::decode(&device.encode()).err().unwrap().to_string()
        };
        assert!(refused(|device| device.seen.push(head(1))).contains("too long"));
        assert!(refused(|device| device.labels.push(device.labels[0].clone())).contains("too long"));
        assert!(refused(|device| device.labels[1] = device.labels[0].clone()).contains("twice"));
        assert!(refused(|device| device.retired[1] = device.retired[0]).contains("twice"));
        assert!(refused(|device| device.passkey_counters[1] = device.passkey_counters[0]).contains("twice"));
        let mut bytes = full().encode();
        bytes[1] = 1;
        assert!(Device::decode(&bytes).err().unwrap().to_string().contains("unknown version"));
        bytes[1] = VERSION;
        bytes.push(0);
        assert!(Device::decode(&bytes).is_err());
    }

    #[test]
    fn a_label_cannot_turn_or_hide_text() {
        for text in ["Treasury, cold #2 (Zürich)", "резерв", "a"] {
            assert!(Label::new(text).is_some(), "{text:?}");
        }
        let long = "x".repeat(65);
        for text in ["", " a", "a ", "a\u{202e}b", "a\u{200b}b", "a\nb", "a\u{1b}[2J", "<b>", &long] {
            assert!(Label::new(text).is_none(), "{text:?}");
        }
        // Letters that turn the line by themselves, and letters that nobody sees.
        for text in ["\u{5d0}1", "a\u{627}", "\u{1e900}", "a\u{3164}", "\u{115f}", "\u{ffa0}", "\u{1160}a"] {
            assert!(Label::new(text).is_none(), "{text:?}");
        }
    }
}
