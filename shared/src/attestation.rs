//! Attested addresses: the signer vouches for a range of deposit addresses, so that nobody has to believe the coordinator.
//!
//! The signer derives the addresses and signs the root of a tree over them (`attest`); the coordinator derives the same
//! ones from its extended public key, refuses a root that differs, and hands out a proof with every address; a partner
//! checks the proof with a key that it got elsewhere. Partners do that in any language, so what is hashed is plain text:
//!
//! ```text
//! leaf       SHA-256( 00 | "airlock:address:1" LF network LF path LF address )
//! pair       SHA-256( 01 | left | right )                                        RFC 9162 section 2.1
//! statement  SHA-256( "airlock:attestation:1" LF profile LF network LF account LF first LF count LF root LF made_at )
//! ```
//! The signature is Ed25519 over the statement's 32 bytes. Numbers are decimal, digests lower-case hex, no line feed at the
//! end. What must stay true: a field never holds a line feed, so one text has one meaning; the network is in every leaf.

pub mod tree;

use crate::address::Address;
use crate::digest::Digest;
use crate::document::Document;
use crate::form::{Form, FormError, Node, Reader, Spelling, Writer};
use crate::hd::{AccountPath, HdError, KeyPath};
use crate::identity::{Identity, IdentitySignature};
use crate::network::{Network, Profile};
use crate::wallet::{Role, account_path};
use ed25519_dalek::SigningKey;

/// The most addresses of one attestation.
pub const MAX_COUNT: u32 = 100_000;
/// The longest audit path: 2^17 is above [`MAX_COUNT`].
const MAX_PATH: usize = 17;

/// A range of deposit addresses, as the signer derived them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AddressRange {
    /// What kind of money.
    pub profile: Profile,
    /// Where.
    pub network: Network,
    /// The deposit account, such as `m/44'/195'/0'`.
    pub account: AccountPath,
    /// Index of the first address.
    pub first: u32,
    /// How many; 1 to [`MAX_COUNT`].
    pub count: u32,
    /// Root of the tree over them.
    pub root: Digest,
    /// When, UTC seconds.
    pub made_at: u64,
}

/// Why an attestation or a proof is worth nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttestationError {
    /// A TRON network without accounts.
    #[error("no deposit account is set aside for {network}")]
    NoAccount {
        /// Which.
        network: Network,
    },
    /// No address, too many, or beyond the last index of an account.
    #[error("{count} addresses from index {first}: 1 to {MAX_COUNT}, and none beyond index 2147483647")]
    Range {
        /// First index.
        first: u32,
        /// How many.
        count: u64,
    },
    /// Somebody else signed it.
    #[error("signed by {found}, not by {expected}")]
    OtherSigner {
        /// Whose signature is needed.
        expected: Identity,
        /// Whose it says it is.
        found: Identity,
    },
    /// The signature does not fit.
    #[error("the signature does not fit: the range was changed, or another key signed it")]
    Signature,
    /// The index is not one of the range.
    #[error("index {index} is not among the {count} from {first}")]
    NotInRange {
        /// Which.
        index: u32,
        /// First index of the range.
        first: u32,
        /// How many.
        count: u32,
    },
    /// The address is not the attested one.
    #[error(
        "{address} with this path does not lead to the attested root: address, index or path was changed"
    )]
    Root {
        /// The address of the proof.
        address: Address,
    },
}

/// The leaf of one address.
pub fn leaf(path: &KeyPath, address: &Address) -> Digest {
    tree::leaf(format!("airlock:address:1\n{}\n{path}\n{address}", address.network()).as_bytes())
}

impl AddressRange {
    /// The range from `first` on, with the root over `addresses`; the leaves come back beside it.
    pub fn over(
        network: Network,
        first: u32,
        addresses: &[Address],
        made_at: u64,
    ) -> Result<(Self, Vec<Digest>), AttestationError> {
        let wrong = AttestationError::Range { first, count: addresses.len() as u64 };
        let count =
            u32::try_from(addresses.len()).ok().filter(|count| is_range(first, *count)).ok_or(wrong)?;
        let account = account_path(network, Role::Deposit).ok_or(AttestationError::NoAccount { network })?;
        let leaf_of = |(index, address)| Ok(leaf(&path_of(account, index)?, address));
        let leaves = (first..).zip(addresses).map(leaf_of).collect::<Result<Vec<_>, AttestationError>>()?;
        let root = tree::root(&leaves).unwrap_or(Digest::ZERO);
        Ok((Self { profile: network.profile(), network, account, first, count, root, made_at }, leaves))
    }

    /// What is signed.
    pub fn digest(&self) -> Digest {
        let text = format!("{}\n{}", self.addresses(), self.made_at);
        Digest::of("airlock:attestation:1", text.as_bytes())
    }

    /// What the eight words stand for: everything but the moment, so that the coordinator, which derives the same
    /// addresses, shows the same words before anything is signed.
    pub fn words_digest(&self) -> Digest {
        Digest::of("airlock:addresses:1", self.addresses().as_bytes())
    }

    fn addresses(&self) -> String {
        let Self { profile, network, account, first, count, root, .. } = self;
        format!("{}\n{network}\n{account}\n{first}\n{count}\n{root}", profile.name())
    }

    /// Signs it.
    pub fn sign(self, key: &SigningKey) -> Attestation {
        let signature = IdentitySignature::by(key, &self.digest());
        Attestation { range: self, signer: Identity::of(key), signature }
    }

    /// Is this index one of the range?
    pub const fn contains(&self, index: u32) -> bool {
        index >= self.first && index - self.first < self.count
    }
}

fn is_range(first: u32, count: u32) -> bool {
    (1..=MAX_COUNT).contains(&count) && u64::from(first) + u64::from(count) <= 1 << 31
}

fn path_of(account: AccountPath, index: u32) -> Result<KeyPath, AttestationError> {
    // Only an index of 2^31 or more has no path.
    account.key(0, index).map_err(|_: HdError| AttestationError::Range { first: index, count: 1 })
}

/// A range under its signer's signature: what crosses from the signer to the coordinator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attestation {
    /// What is attested.
    pub range: AddressRange,
    /// By whom.
    pub signer: Identity,
    /// Over [`AddressRange::digest`].
    pub signature: IdentitySignature,
}

impl Attestation {
    /// Did `signer` sign it?
    pub fn check(&self, signer: &Identity) -> Result<(), AttestationError> {
        if self.signer != *signer {
            return Err(AttestationError::OtherSigner { expected: *signer, found: self.signer });
        }
        if !signer.verifies(&self.range.digest(), &self.signature) {
            return Err(AttestationError::Signature);
        }
        Ok(())
    }
}

/// The proof of one address: what a partner gets with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AddressProof {
    /// The range it is one of.
    pub attestation: Attestation,
    /// Its index in the account.
    pub index: u32,
    /// The address.
    pub address: Address,
    /// The hashes that lead from its leaf to the root, from below.
    pub audit_path: Vec<Digest>,
}

impl AddressProof {
    /// Does `signer` vouch for this address? Returns where its key is.
    pub fn check(&self, signer: &Identity) -> Result<KeyPath, AttestationError> {
        self.attestation.check(signer)?;
        let AddressRange { account, first, count, root, .. } = self.attestation.range;
        let (index, address) = (self.index, self.address);
        if !self.attestation.range.contains(index) {
            return Err(AttestationError::NotInRange { index, first, count });
        }
        let path = path_of(account, index)?;
        let place = u64::from(index - first);
        let found = tree::root_from(leaf(&path, &address), place, u64::from(count), &self.audit_path);
        if found == Some(root) { Ok(path) } else { Err(AttestationError::Root { address }) }
    }
}

impl Form for Attestation {
    fn write(&self, to: &mut Writer) {
        let range = &self.range;
        to.choice(0, "profile", range.profile);
        to.text(1, "network", range.network);
        to.text(2, "account", range.account);
        to.uint(3, "first", u64::from(range.first));
        to.uint(4, "count", u64::from(range.count));
        to.digest(5, "root", &range.root);
        to.uint(6, "made_at", range.made_at);
        to.bytes(7, "signer", self.signer.as_bytes());
        to.bytes(8, "signature", self.signature.as_bytes());
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let range = AddressRange {
            profile: from.choice(0, "profile")?,
            network: from.parsed(1, "network", 64, "a CAIP-2 network", |text| text.parse().ok())?,
            account: from.parsed(2, "account", 64, "an account path", |text| text.parse().ok())?,
            first: number(from, 3, "first")?,
            count: number(from, 4, "count")?,
            root: from.digest(5, "root")?,
            made_at: from.uint(6, "made_at")?,
        };
        if range.profile != range.network.profile() {
            return Err(from.refused("profile", "is another than the network's"));
        }
        if account_path(range.network, Role::Deposit) != Some(range.account) {
            return Err(from.refused("account", "is not the network's deposit account"));
        }
        if !is_range(range.first, range.count) {
            let (first, count) = (range.first, u64::from(range.count));
            return Err(from.refused("count", AttestationError::Range { first, count }));
        }
        let signer = Identity::from_bytes(from.exact(7, "signer")?);
        Ok(Self { range, signer, signature: IdentitySignature::from_bytes(from.exact(8, "signature")?) })
    }
}

fn number(from: &mut Reader, key: u64, name: &str) -> Result<u32, FormError> {
    let found = from.uint(key, name)?;
    u32::try_from(found).map_err(|_| from.refused(name, "is above 2^32"))
}

impl Document for Attestation {
    const KIND: u8 = 9;
    const NAME: &'static str = "airlock attestation";
}

impl Form for AddressProof {
    fn write(&self, to: &mut Writer) {
        to.part(0, "attestation", &self.attestation);
        to.uint(1, "index", u64::from(self.index));
        match to.spelling() {
            Spelling::Cbor => to.bytes(2, "address", self.address.payload()),
            Spelling::Json => to.text(2, "address", self.address),
        }
        let path = self.audit_path.iter().map(|hash| to.bytes_node(hash.as_bytes())).collect();
        to.put(3, "audit_path", Node::List(path));
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let attestation: Attestation = from.part(0, "attestation")?;
        let network = attestation.range.network;
        let index = number(from, 1, "index")?;
        let address = match from.spelling() {
            Spelling::Cbor => Address::new(network, from.exact(2, "address")?),
            Spelling::Json => {
                let text = from.text(2, "address", 64)?;
                Address::parse(network, &text).map_err(|error| from.refused("address", error))?
            }
        };
        let path = from.list(3, "audit_path", MAX_PATH)?;
        let hash = |node| from.exact_from("audit_path", node).map(Digest::from_bytes);
        let audit_path = path.into_iter().map(hash).collect::<Result<_, _>>()?;
        Ok(Self { attestation, index, address, audit_path })
    }
}

impl Document for AddressProof {
    const KIND: u8 = 10;
    const NAME: &'static str = "airlock address proof";
}
