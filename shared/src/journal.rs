//! Journal entries: what a signer has done, in one hash chain signed by its identity.
//!
//! ```text
//! head(0) = 0, head(n) = SHA-256("airlock:journal:1\n" || CBOR(entry n without its signature))
//! entry n carries sequence n, previous = head(n-1), and the signer's Ed25519 signature over head(n)
//! ```
//! An entry is small, because unacknowledged ones travel in receipts; what an intent covers item by item is
//! a [`Record`], kept beside the entry and bound by its digest. Refusals form a chain of their own with
//! another domain, so that a hostile QR code cannot move the head (S7, S8).

use crate::address::Address;
use crate::amount::BaseUnits;
use crate::batch::{Content, Kind, MAX_ITEMS, MAX_LEVELS};
use crate::digest::Digest;
use crate::form::{self, Fault, Form, FormError, Node, Reader, Writer};
use crate::id::ItemId;
use crate::identity::{Identity, IdentitySignature};
use crate::network::{Network, Profile};
use ed25519_dalek::SigningKey;

/// Which of a signer's two chains an entry belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Chain {
    /// What was decided and signed.
    Journal,
    /// What was refused.
    Refusals,
}

impl Chain {
    const fn domain(self) -> &'static str {
        match self {
            Self::Journal => "airlock:journal:1",
            Self::Refusals => "airlock:refusals:1",
        }
    }
}

/// One entry of a chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// 1 for the first.
    pub sequence: u64,
    /// Head before this entry.
    pub previous: Digest,
    /// When, UTC seconds; never before the entry before it.
    pub time: u64,
    /// Whose chain it is.
    pub signer: Identity,
    /// What happened.
    pub event: Event,
    /// The signer's signature over the head that this entry makes.
    pub signature: IdentitySignature,
}

/// What an entry records.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// The vault was made (or, later, a ceremony re-anchored it).
    Genesis {
        /// What its keys are for.
        profile: Profile,
        /// Digest of the pinned roster.
        roster: Digest,
    },
    /// A coordinator was paired.
    Paired {
        /// Its identity.
        coordinator: Identity,
    },
    /// A policy came into force.
    PolicyInstalled {
        /// Its version.
        version: u64,
        /// Its digest.
        digest: Digest,
    },
    /// From here on this content counts as signed.
    Intent {
        /// Digest of the content.
        content: Digest,
        /// Digest of the approvals that were seen.
        approvals: Digest,
        /// Digest of the [`Record`].
        record: Digest,
    },
    /// The signatures of an intent exist and may leave.
    Signed {
        /// Digest of the content.
        content: Digest,
        /// Digest of the signatures.
        signatures: Digest,
    },
    /// A batch was refused.
    Refused {
        /// Digest of the content, or of the bytes when they did not even decode.
        content: Digest,
        /// The refusal code, such as `policy.per_item_limit`.
        code: String,
    },
}

impl Entry {
    /// Makes and signs the entry after `previous`.
    pub fn next(chain: Chain, previous: Option<&Self>, time: u64, event: Event, key: &SigningKey) -> Self {
        let mut entry = Self {
            sequence: previous.map_or(1, |entry| entry.sequence.saturating_add(1)),
            previous: previous.map_or(Digest::ZERO, |entry| entry.head(chain)),
            time: previous.map_or(time, |entry| entry.time.max(time)),
            signer: Identity::of(key),
            event,
            signature: IdentitySignature::from_bytes([0; 64]),
        };
        entry.signature = IdentitySignature::by(key, &entry.head(chain));
        entry
    }

    /// The head that this entry makes.
    pub fn head(&self, chain: Chain) -> Digest {
        Digest::of(chain.domain(), &form::to_cbor(&Unsigned(self)))
    }

    /// Does this entry rightly follow `previous`, and did its signer sign it?
    pub fn follows(&self, chain: Chain, previous: Option<&Self>) -> Result<(), ChainError> {
        let (sequence, head, time) =
            previous.map_or((1, Digest::ZERO, 0), |e| (e.sequence.saturating_add(1), e.head(chain), e.time));
        // Nothing follows the last number there is; an honest journal never gets there.
        if previous.is_some_and(|entry| entry.sequence == u64::MAX) {
            return Err(ChainError::Sequence { expected: u64::MAX, found: self.sequence });
        }
        if self.sequence != sequence {
            return Err(ChainError::Sequence { expected: sequence, found: self.sequence });
        }
        if self.previous != head {
            return Err(ChainError::Previous { sequence, expected: head, found: self.previous });
        }
        if self.time < time {
            return Err(ChainError::Time { sequence });
        }
        if previous.is_some_and(|entry| entry.signer != self.signer) {
            return Err(ChainError::Signer { sequence });
        }
        if !self.signer.verifies(&self.head(chain), &self.signature) {
            return Err(ChainError::Signature { sequence });
        }
        Ok(())
    }
}

/// Where a chain of entries breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// An entry is missing or stands twice.
    #[error("journal entry {found} where {expected} belongs")]
    Sequence {
        /// The number that belongs here.
        expected: u64,
        /// The number that is here.
        found: u64,
    },
    /// An entry does not continue the one before it.
    #[error("journal entry {sequence} continues {found}, not {expected}")]
    Previous {
        /// The entry.
        sequence: u64,
        /// Head of the entry before it.
        expected: Digest,
        /// What it says.
        found: Digest,
    },
    /// Time runs backwards.
    #[error("journal entry {sequence} is older than the one before it")]
    Time {
        /// The entry.
        sequence: u64,
    },
    /// Another signer's entry.
    #[error("journal entry {sequence} is by another signer")]
    Signer {
        /// The entry.
        sequence: u64,
    },
    /// A signature that does not fit.
    #[error("signature of journal entry {sequence} does not fit")]
    Signature {
        /// The entry.
        sequence: u64,
    },
}

/// The entry as its head covers it.
struct Unsigned<'a>(&'a Entry);

impl Form for Unsigned<'_> {
    fn write(&self, to: &mut Writer) {
        let Self(entry) = self;
        to.uint(0, "sequence", entry.sequence);
        to.digest(1, "previous", &entry.previous);
        to.uint(2, "time", entry.time);
        to.bytes(3, "signer", entry.signer.as_bytes());
        to.part(4, "event", &entry.event);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        Err(from.refused("entry", "an unsigned entry is never read"))
    }
}

impl Form for Entry {
    fn write(&self, to: &mut Writer) {
        Unsigned(self).write(to);
        to.bytes(5, "signature", self.signature.as_bytes());
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        Ok(Self {
            sequence: from.uint(0, "sequence")?,
            previous: from.digest(1, "previous")?,
            time: from.uint(2, "time")?,
            signer: Identity::from_bytes(from.exact(3, "signer")?),
            event: from.part(4, "event")?,
            signature: IdentitySignature::from_bytes(from.exact(5, "signature")?),
        })
    }
}

impl Event {
    const WORDS: [&'static str; 6] = ["genesis", "paired", "policy_installed", "intent", "signed", "refused"];

    /// Its word in JSON and on screens.
    pub const fn word(&self) -> &'static str {
        Self::WORDS[self.index()]
    }

    const fn index(&self) -> usize {
        match self {
            Self::Genesis { .. } => 0,
            Self::Paired { .. } => 1,
            Self::PolicyInstalled { .. } => 2,
            Self::Intent { .. } => 3,
            Self::Signed { .. } => 4,
            Self::Refused { .. } => 5,
        }
    }
}

impl Form for Event {
    fn write(&self, to: &mut Writer) {
        to.choice(0, "event", self.index() as u64, self.word());
        match self {
            Self::Genesis { profile, roster } => {
                to.choice(1, "profile", u64::from(profile.code()), profile.name());
                to.digest(2, "roster", roster);
            }
            Self::Paired { coordinator } => to.bytes(3, "coordinator", coordinator.as_bytes()),
            Self::PolicyInstalled { version, digest } => {
                to.uint(4, "version", *version);
                to.digest(5, "digest", digest);
            }
            Self::Intent { content, approvals, record } => {
                to.digest(6, "content", content);
                to.digest(7, "approvals", approvals);
                to.digest(8, "record", record);
            }
            Self::Signed { content, signatures } => {
                to.digest(6, "content", content);
                to.digest(9, "signatures", signatures);
            }
            Self::Refused { content, code } => {
                to.digest(6, "content", content);
                to.text(10, "code", code);
            }
        }
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let of_word = |word: &str| Self::WORDS.iter().position(|known| *known == word);
        let index = from.choice(0, "event", |code| usize::try_from(code).ok(), of_word)?;
        match index {
            0 => {
                let of_code = |code| u8::try_from(code).ok().and_then(Profile::from_code);
                let profile = from.choice(1, "profile", of_code, Profile::from_name)?;
                Ok(Self::Genesis { profile, roster: from.digest(2, "roster")? })
            }
            1 => Ok(Self::Paired { coordinator: Identity::from_bytes(from.exact(3, "coordinator")?) }),
            2 => {
                let version = from.uint(4, "version")?;
                Ok(Self::PolicyInstalled { version, digest: from.digest(5, "digest")? })
            }
            3 => Ok(Self::Intent {
                content: from.digest(6, "content")?,
                approvals: from.digest(7, "approvals")?,
                record: from.digest(8, "record")?,
            }),
            4 => Ok(Self::Signed {
                content: from.digest(6, "content")?,
                signatures: from.digest(9, "signatures")?,
            }),
            5 => {
                let content = from.digest(6, "content")?;
                Ok(Self::Refused { content, code: from.text(10, "code", 64)? })
            }
            _ => Err(from.refused("event", "is not a known event")),
        }
    }
}

/// What an intent covers, item by item: the memory behind every refusal of a repeat and every rolling sum.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Where.
    pub network: Network,
    /// What kind of batch.
    pub kind: Kind,
    /// The token; `None` for the native coin.
    pub contract: Option<Address>,
    /// When, UTC seconds (journal time).
    pub time: u64,
    /// The items.
    pub items: Vec<RecordItem>,
}

/// One item of a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordItem {
    /// Its id.
    pub id: ItemId,
    /// The paying account.
    pub source: Address,
    /// The receiver.
    pub destination: Address,
    /// How much, base units.
    pub amount: BaseUnits,
    /// EVM: the account nonce.
    pub account_nonce: Option<u64>,
    /// The transaction ids on TRON. EVM ids depend on the signature; there this is empty.
    pub tx_ids: Vec<[u8; 32]>,
}

impl Record {
    /// The record of `content` at `time`. `tx_ids(i)` are the ids that are known before signing.
    /// `None` if an item has no source, which a checked content always has.
    pub fn of(content: &Content, time: u64, tx_ids: impl Fn(usize) -> Vec<[u8; 32]>) -> Option<Self> {
        let item = |(i, item): (usize, &crate::batch::Item)| {
            Some(RecordItem {
                id: item.id,
                source: content.source_of(i)?.address,
                destination: item.destination,
                amount: item.amount,
                account_nonce: item.account_nonce,
                tx_ids: tx_ids(i),
            })
        };
        let items = content.items.iter().enumerate().map(item).collect::<Option<_>>()?;
        Some(Self {
            network: content.network,
            kind: content.kind,
            contract: content.asset.contract,
            time,
            items,
        })
    }

    /// What an intent entry binds.
    pub fn digest(&self) -> Digest {
        Digest::of("airlock:record:1", &form::to_cbor(self))
    }
}

impl Form for Record {
    fn write(&self, to: &mut Writer) {
        to.text(0, "network", self.network);
        to.choice(1, "kind", self.kind.code(), self.kind.word());
        if let Some(contract) = &self.contract {
            to.bytes(2, "contract", contract.payload());
        }
        to.uint(3, "time", self.time);
        let items = self.items.iter().map(|item| item.node(to)).collect();
        to.put(4, "items", Node::List(items));
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let network = from.parsed(0, "network", 64, "a CAIP-2 network", |text| text.parse().ok())?;
        let kind = from.choice(1, "kind", Kind::from_code, Kind::from_word)?;
        let contract = if from.has(2, "contract") {
            Some(Address::new(network, from.exact(2, "contract")?))
        } else {
            None
        };
        let time = from.uint(3, "time")?;
        let nodes = from.list(4, "items", MAX_ITEMS)?;
        let items =
            nodes.into_iter().map(|node| RecordItem::of(from, network, node)).collect::<Result<_, _>>()?;
        Ok(Self { network, kind, contract, time, items })
    }
}

impl RecordItem {
    /// A list of fixed order rather than a map: a thousand of these are written for each batch.
    fn node(&self, to: &Writer) -> Node {
        let tx_ids = self.tx_ids.iter().map(|id| to.bytes_node(id)).collect();
        let nonce = self.account_nonce.map(|nonce| to.wide_node(nonce)).into_iter().collect();
        Node::List(vec![
            to.wide_node(self.id.number()),
            to.bytes_node(self.source.payload()),
            to.bytes_node(self.destination.payload()),
            to.amount_node(self.amount),
            Node::List(nonce),
            Node::List(tx_ids),
        ])
    }

    fn of(from: &Reader, network: Network, node: Node) -> Result<Self, FormError> {
        let wrong = || FormError::new(from.at("items"), Fault::WrongType { expected: "a record item" });
        let Node::List(fields) = node else { return Err(wrong()) };
        let [id, source, destination, amount, nonces, tx_ids] =
            <[Node; 6]>::try_from(fields).map_err(|_| wrong())?;
        let (Node::List(mut nonces), Node::List(tx_ids)) = (nonces, tx_ids) else { return Err(wrong()) };
        if nonces.len() > 1 || tx_ids.len() > MAX_LEVELS + 1 {
            return Err(wrong());
        }
        let address = |node| from.exact_from("items", node).map(|payload| Address::new(network, payload));
        let account_nonce = nonces.pop().map(|node| from.wide_from("items", node)).transpose()?;
        let tx_ids =
            tx_ids.into_iter().map(|node| from.exact_from("items", node)).collect::<Result<_, _>>()?;
        Ok(Self {
            id: ItemId::new(from.wide_from("items", id)?),
            source: address(source)?,
            destination: address(destination)?,
            amount: from.amount_from("items", amount)?,
            account_nonce,
            tx_ids,
        })
    }
}
