//! What the identity compartment holds, and its bytes: what this device is and what it has pinned.
//!
//! Opened at the start of every command; called by the vault, the session and the commands that pair,
//! pin and audit. What must stay true: the identity key is random per device and never comes from the
//! seed; the roster is pinned at `init`; the journal anchor and the policy pin never move backwards
//! (whoever moves them checks that; the bytes here are only what was last accepted).

mod bytes;

use crate::memory::Secret;
use crate::secret::{RandomError, fill_random};
use airlock_shared::approval::SeenHead;
use airlock_shared::identity::{Identity, Roster};
use airlock_shared::wallet::Role;
use airlock_shared::{Address, Digest, Network, PersonId, Profile};
use ed25519_dalek::{SigningKey, VerifyingKey};
use std::fmt;
use zeroize::Zeroizing;

/// The most coordinators a signer may be paired with.
pub const MAX_COORDINATORS: usize = 16;
/// The most signers whose journal heads a device remembers.
pub const MAX_SEEN: usize = 64;
/// The most addresses that a device labels.
pub const MAX_LABELS: usize = 512;
/// The most wallets that can be retired.
pub const MAX_RETIRED: usize = 512;
/// The most keys that can be imported.
pub const MAX_IMPORTED: usize = 64;
/// The most passkeys whose counters are remembered.
pub const MAX_PASSKEYS: usize = 256;

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

/// Why this signer signs nothing until the custodians re-anchor its journal (S8).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lock {
    /// When it was locked, UTC seconds.
    pub at: u64,
    /// The refusal that locked it, such as `head.unknown`; 1 to 64 bytes.
    pub code: String,
    /// The journal head that a paired coordinator holds and this journal does not know.
    pub claimed: SeenHead,
}

/// A custodian's own name for an address: 1 to 64 bytes of letters, digits, spaces and plain punctuation; no
/// letters that are written from the right or have no shape, so that no label turns a line around or hides
/// inside another.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Label(String);

impl Label {
    /// The longest label, in bytes.
    pub const MAX_BYTES: usize = 64;

    /// Checks length and characters; a label neither begins nor ends with a space.
    pub fn new(text: &str) -> Option<Self> {
        let sound = |c: char| (c.is_alphanumeric() && !is_treacherous(c)) || " -_.,:/()#+&@".contains(c);
        let fits = (1..=Self::MAX_BYTES).contains(&text.len());
        (fits && text.trim() == text && text.chars().all(sound)).then(|| Self(text.to_owned()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Unicode calls these letters and digits too: Hebrew to Arabic and the blocks of other scripts from the right
/// (they turn digits beside them around), and the fillers of Hangul.
const fn is_treacherous(c: char) -> bool {
    matches!(c,
        '\u{590}'..='\u{8ff}'
        | '\u{fb1d}'..='\u{fdff}'
        | '\u{fe70}'..='\u{feff}'
        | '\u{10800}'..='\u{10fff}'
        | '\u{1e800}'..='\u{1efff}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{3164}'
        | '\u{ffa0}')
}

/// An address with a label.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Labelled {
    /// The address, on its network.
    pub address: Address,
    /// What the custodian calls it.
    pub label: Label,
}

/// A wallet of this vault.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct WalletRef {
    /// Where it pays.
    pub network: Network,
    /// What it is for.
    pub role: Role,
    /// Index of a derived key, or slot of an imported one.
    pub index: u32,
}

impl fmt::Display for WalletRef {
    /// `tron:0x2b6653dc hot/0`, as the journal calls a wallet that was retired.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.network, self.role.name(), self.index)
    }
}

impl WalletRef {
    /// Reads its one spelling.
    pub fn parse(text: &str) -> Option<Self> {
        let (network, wallet) = text.split_once(' ')?;
        let (role, index) = wallet.split_once('/')?;
        let (network, role) = (network.parse().ok()?, Role::from_name(role)?);
        Some(Self { network, role, index: index.parse().ok()? }).filter(|read| read.to_string() == text)
    }
}

/// Which networks an imported key may sign for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Reach {
    /// Every EVM network of the vault's profile: the chain id is in the signed bytes.
    Evm,
    /// One TRON network only: TRON's signed bytes name no network.
    Tron {
        /// The last four bytes of its genesis block id.
        chain_id: u32,
    },
}

impl Reach {
    /// How far a key reaches that was imported for this network.
    pub const fn of(network: Network) -> Self {
        match network {
            Network::Evm { .. } => Self::Evm,
            Network::Tron { chain_id } => Self::Tron { chain_id },
        }
    }

    /// May it sign there? The caller has checked the profile.
    pub fn covers(self, network: Network) -> bool {
        self == Self::of(network)
    }
}

/// The public part of an imported key. Its slot is its place in the list, for ever: none is taken out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Imported {
    /// Where it may sign.
    pub reach: Reach,
    /// The 20 bytes of its address, alike in both families.
    pub payload: [u8; 20],
    /// What the custodian calls it.
    pub label: Label,
    /// When it was imported, UTC seconds.
    pub imported_at: u64,
}

/// The highest signature counter that a passkey has shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PasskeyCounter {
    /// Digest of its credential id.
    pub credential: Digest,
    /// The counter; some passkeys stay at 0 for ever.
    pub counter: u32,
}

/// The content of the identity compartment.
pub struct Device {
    /// Signs journal entries, receipts, approvals and policies.
    pub key: Secret<SigningKey>,
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
    /// Set while nothing may be signed.
    pub lock: Option<Lock>,
    /// Addresses that the custodian gave names; each address at most once.
    pub labels: Vec<Labelled>,
    /// Wallets that sign no more; each at most once.
    pub retired: Vec<WalletRef>,
    /// Imported keys by slot.
    pub imported: Vec<Imported>,
    /// Passkey counters; each credential at most once.
    pub passkey_counters: Vec<PasskeyCounter>,
    /// All 256 bits of a commitment to the spending seed, where there is one (see `keys`).
    pub seed_digest: Option<Digest>,
}

impl Device {
    /// A new device with a random identity key and nothing else yet.
    pub fn generate(name: PersonId, profile: Profile, created_at: u64) -> Result<Self, RandomError> {
        let mut secret = Zeroizing::new([0; 32]);
        fill_random(&mut secret[..])?;
        Ok(Self {
            key: Secret::new(SigningKey::from_bytes(&secret)),
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
            lock: None,
            labels: Vec::new(),
            retired: Vec::new(),
            imported: Vec::new(),
            passkey_counters: Vec::new(),
            seed_digest: None,
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

    /// What the custodian calls this address.
    pub fn label_of(&self, address: &Address) -> Option<&Label> {
        self.labels.iter().find(|one| one.address == *address).map(|one| &one.label)
    }

    /// Was this wallet taken out of use?
    pub fn is_retired(&self, wallet: &WalletRef) -> bool {
        self.retired.contains(wallet)
    }
}
