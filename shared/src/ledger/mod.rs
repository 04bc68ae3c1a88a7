//! The ledger export (L10): the coordinator's books in a file that auditors' tools read.
//!
//! ```text
//! JSON Lines, each the canonical compact JSON of one [`Line`], at most 256 KiB, ending in one line feed:
//! header | accounts | transfers with entries | batches | items with attempts | journal entries | end
//! ```
//! The end has counts, the SHA-256 of every byte before it, and the coordinator's signature over that. The
//! coordinator writes with [`Book`], anybody reads with [`Reader`]; docs/ledger.md is the page for a second
//! implementation. What must stay true: both sides share these types, so a line has one spelling; amounts
//! are exact decimal text, never a JSON number.

mod reader;
mod writer;

pub use reader::{LineError, Reader, Summary};
pub use writer::Book;

use crate::amount::BaseUnits;
use crate::digest::{Digest, bytes_from_lower_hex};
use crate::network::{Network, Profile};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What the first line says it is.
pub const FORMAT: &str = "airlock ledger";
/// The only version this program writes and reads.
pub const VERSION: u64 = 1;
/// The longest line, its line feed not counted.
pub const MAX_LINE_BYTES: usize = 256 << 10;

/// What the coordinator signs: the SHA-256 of every byte before the last line.
pub fn export_digest(sha256: &[u8; 32]) -> Digest {
    Digest::of("airlock:ledger:1", sha256)
}

/// One line of an export.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum Line {
    /// The first line.
    Header(Header),
    /// An account and its balance. By id.
    Account(Account),
    /// One business event with its entries. By id.
    Transfer(Transfer),
    /// A batch. By id.
    Batch(Batch),
    /// One item id with what was done to pay it. By item id.
    Item(Box<Item>),
    /// A journal entry that a signer has shown. By signer and sequence.
    Journal(JournalEntry),
    /// The last line.
    End(End),
}

/// The first line: what this is, whose books, and in which units.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u64,
    /// Whose books: the coordinator's identity.
    pub coordinator: Hex<32>,
    /// What kind of money.
    pub profile: ProfileName,
    /// When the snapshot was taken, Unix milliseconds.
    pub made_at_ms: u64,
    /// Every asset with the ledger's decimals, by code.
    pub assets: Vec<Asset>,
    /// Every network, by name.
    pub networks: Vec<NetworkAssets>,
}

/// An asset of the ledger.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Asset {
    /// Its code, such as `USDT`.
    pub asset: String,
    /// Decimal places of the ledger's amounts.
    pub decimals: u8,
}

/// A network and what moves on it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NetworkAssets {
    /// Its CAIP-2 name.
    pub network: Network,
    /// Its chain id as a number: EIP-155's, or what TRON's nodes report to EVM-style calls.
    pub chain_id: u64,
    /// Its assets, by code.
    pub assets: Vec<NetworkAsset>,
}

/// An asset on one network.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NetworkAsset {
    /// Its code.
    pub asset: String,
    /// The token contract in the network's spelling; absent for the native coin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<String>,
    /// Decimal places of base units.
    pub base_decimals: u8,
}

/// One account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Account {
    /// Its number in this ledger.
    pub id: u64,
    /// Its kind, such as `user_available` or `reserve`.
    pub kind: String,
    /// Whose it is; absent for the company's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Its network, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// The address, where it stands for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wallet: Option<String>,
    /// Its asset's code.
    pub asset: String,
    /// The side on which it grows.
    pub side: Side,
    /// Its balance on that side, decimal text in whole ledger units; may be negative.
    pub balance: String,
    /// What it holds below one ledger unit, base units.
    pub dust_base: BaseUnits,
}

/// Which side of a posting.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Assets and costs grow here.
    Debit,
    /// Claims, equity and income grow here.
    Credit,
}

/// One business event.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Transfer {
    /// Its number.
    pub id: u64,
    /// What happened, such as `deposit` or `settle`.
    pub kind: String,
    /// Which one: kind and reference are unique together.
    pub reference: String,
    /// When, Unix milliseconds.
    pub made_at_ms: u64,
    /// A person's words about it: a transfer's note, an adjustment's reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Its entries in their order; debits equal credits per asset.
    pub entries: Vec<Entry>,
}

/// One entry of a transfer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// The account.
    pub account: u64,
    /// The side.
    pub side: Side,
    /// How much, decimal text in the account's asset.
    pub amount: String,
    /// The exact base units, on accounts that count them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_base: Option<BaseUnits>,
}

/// One batch.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Batch {
    /// Its id, as in its content.
    pub id: Hex<16>,
    /// What it does.
    pub kind: String,
    /// Where.
    pub network: Network,
    /// What moves.
    pub asset: String,
    /// The wallet that pays.
    pub source: String,
    /// The signer whose key that is.
    pub signer: Hex<32>,
    /// Where it stands.
    pub state: String,
    /// Digest of its content, as in the signed-batch file.
    pub content: Hex<32>,
    /// How many items.
    pub items: u64,
    /// Sum of the amounts, base units.
    pub amount_base: BaseUnits,
    /// When it was made, Unix milliseconds.
    pub made_at_ms: u64,
}

/// One item id: a withdrawal, or another movement.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Item {
    /// The item id of batches and journals, decimal text.
    pub item: DecimalId,
    /// What kind of movement, in the batch's word.
    pub kind: String,
    /// Its own id; the reference of its hold, settle and release transfers.
    pub reference: String,
    /// Where.
    pub network: Network,
    /// That network's chain id.
    pub chain_id: u64,
    /// What moves.
    pub asset: String,
    /// To whom.
    pub destination: String,
    /// What the recipient gets, decimal text.
    pub amount: String,
    /// The same in base units.
    pub amount_base: BaseUnits,
    /// Charged on top, decimal text.
    pub fee: String,
    /// Where it stands, such as `queued` or `completed`.
    pub state: String,
    /// When it was asked for, Unix milliseconds.
    pub made_at_ms: u64,
    /// Every try to pay it, oldest first.
    pub attempts: Vec<Attempt>,
}

/// One try to pay an item.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Attempt {
    /// Its batch.
    pub batch: Hex<16>,
    /// Its place in that batch, from 0.
    pub index: u64,
    /// The wallet that pays.
    pub source: String,
    /// The account nonce (EVM).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_nonce: Option<u64>,
    /// Where it stands, such as `sent` or `final`.
    pub state: String,
    /// The transaction in force: the one last sent, or the one that the chain included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tx_id: Option<Hex<32>>,
    /// The block that includes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u64>,
    /// The network fee it paid, base units of the native coin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee_base: Option<BaseUnits>,
    /// Every signed transaction, by level.
    pub transactions: Vec<SignedTransaction>,
}

/// A signed transaction of an attempt.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SignedTransaction {
    /// The fee level, from 0 (TRON has only 0); absent for the cancel, which comes last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<u64>,
    /// Its id.
    pub tx_id: Hex<32>,
}

/// An entry of a signer's journal as the coordinator has seen it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct JournalEntry {
    /// Whose journal.
    pub signer: Hex<32>,
    /// Its number.
    pub sequence: u64,
    /// The whole entry, canonical CBOR in hex, under the signer's own signature.
    pub entry: String,
}

/// The last line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct End {
    /// How many of each there are.
    pub counts: Counts,
    /// SHA-256 of every byte before this line, line feeds included.
    pub sha256: Hex<32>,
    /// The coordinator's Ed25519 signature over [`export_digest`] of it.
    pub signature: Hex<64>,
}

/// How many of each kind of line, and of the parts inside them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Account lines.
    pub accounts: u64,
    /// Transfer lines.
    pub transfers: u64,
    /// Entries in them.
    pub entries: u64,
    /// Batch lines.
    pub batches: u64,
    /// Item lines.
    pub items: u64,
    /// Attempts in them.
    pub attempts: u64,
    /// Journal lines.
    pub journal: u64,
}

impl Counts {
    /// Counts one line.
    fn add(&mut self, line: &Line) {
        match line {
            Line::Header(_) | Line::End(_) => {}
            Line::Account(_) => self.accounts += 1,
            Line::Transfer(transfer) => {
                self.transfers += 1;
                self.entries += transfer.entries.len() as u64;
            }
            Line::Batch(_) => self.batches += 1,
            Line::Item(item) => {
                self.items += 1;
                self.attempts += item.attempts.len() as u64;
            }
            Line::Journal(_) => self.journal += 1,
        }
    }
}

/// `N` bytes in lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Hex<const N: usize>(pub [u8; N]);

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex::encode(self.0))
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        bytes_from_lower_hex(&text)
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom(format!("expected {N} bytes of lower-case hex")))
    }
}

/// A 64-bit number as decimal text: JSON numbers above 2^53 are not safe everywhere.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DecimalId(pub u64);

impl Serialize for DecimalId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for DecimalId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

/// A profile by its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProfileName(pub Profile);

impl Serialize for ProfileName {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.0.name())
    }
}

impl<'de> Deserialize<'de> for ProfileName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = String::deserialize(from)?;
        Profile::from_name(&name).map(Self).ok_or_else(|| serde::de::Error::custom("not a profile"))
    }
}

/// A network's chain id as its nodes report it.
pub const fn chain_id_of(network: Network) -> u64 {
    match network {
        Network::Evm { chain_id } => chain_id,
        Network::Tron { chain_id } => chain_id as u64,
    }
}
