//! What the coordinator can ask a chain, and what it may believe of the answer.
//!
//! [`Node`] is one provider's view of one network, [`Providers`] several of them with failover and second opinions.
//! Called by deposits, batches, treasury and reconciliation; it knows only `airlock_shared`.
//! What must stay true: every answer is hostile until checked (bounded, typed, complete or an error); a [`Block`] is returned
//! only when nothing in it can be missing; nothing here decides about money: an answer to a broadcast is a hint, an
//! [`Inclusion`] counts when it is final, and a credit needs [`Providers::second_opinion`] as well.

pub mod error;
pub mod evm;
mod http;
mod node;
mod provider;
pub mod tron;

pub use error::{AnswerClass, BroadcastAnswer, ChainError};
pub use node::Node;
pub use provider::{Chains, Health, Opinion, Providers, Told};

use airlock_shared::chain::erc20;
use airlock_shared::{Address, BaseUnits, Network};
use std::fmt;
use std::time::Duration;

/// A transaction id: keccak-256 of the signed bytes on EVM networks, SHA-256 of `raw_data` on TRON.
/// Stored and shown as 64 lower-case hex digits; [`TxId::shown_on`] adds the `0x` that EVM tools expect.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TxId(pub [u8; 32]);

impl TxId {
    /// Reads 64 hex digits in either case, with or without `0x`.
    pub fn parse(text: &str) -> Option<Self> {
        bytes_of(text).map(Self)
    }

    /// As explorers of `network` spell it.
    pub fn shown_on(&self, network: Network) -> String {
        match network {
            Network::Evm { .. } => format!("0x{self}"),
            Network::Tron { .. } => self.to_string(),
        }
    }
}

impl fmt::Display for TxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for TxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A block id: the header hash on EVM networks; on TRON the height and 24 bytes of the header's hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId(pub [u8; 32]);

impl BlockId {
    /// Reads 64 hex digits in either case, with or without `0x`.
    pub fn parse(text: &str) -> Option<Self> {
        bytes_of(text).map(Self)
    }
}

impl BlockId {
    /// As explorers of `network` spell it.
    pub fn shown_on(&self, network: Network) -> String {
        match network {
            Network::Evm { .. } => format!("0x{self}"),
            Network::Tron { .. } => self.to_string(),
        }
    }
}

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `N` bytes from hex digits in either case, with or without `0x`; chains and providers differ in both.
pub(crate) fn bytes_of<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let mut bytes = [0; N];
    hex::decode_to_slice(digits, &mut bytes).ok()?;
    Some(bytes)
}

/// Which state of a chain is asked: what its newest block says, or only what can no longer change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum View {
    /// `latest`, or TRON's full node.
    Head,
    /// `finalized`, or TRON's solidified state.
    Final,
}

/// What moves: the network's own coin or a token, named by its contract and never by its symbol.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Coin {
    /// ETH, POL, BNB, TRX.
    Native,
    /// A token contract of the settings.
    Token(Address),
}

impl fmt::Display for Coin {
    /// `native`, or the contract's address: as the database and the API spell it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Native => f.write_str("native"),
            Self::Token(contract) => contract.fmt(f),
        }
    }
}

/// A block's place in its chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Its height.
    pub height: u64,
    /// Its id.
    pub id: BlockId,
    /// The id of the block before it.
    pub parent: BlockId,
    /// Its timestamp, UTC milliseconds.
    pub time_ms: u64,
}

/// The ordinal of a native transfer, which has no log.
pub const NATIVE_ORDINAL: i64 = -1;

/// One successful movement of a coin that the settings name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transfer {
    /// The transaction.
    pub tx_id: TxId,
    /// Place of the log among its transaction's logs, from 0; [`NATIVE_ORDINAL`] for the transaction's own value.
    /// Unlike a block-wide log index it stays the same when a reorg puts the transaction elsewhere.
    pub ordinal: i64,
    /// What moved.
    pub coin: Coin,
    /// Who paid. The zero address for minted tokens.
    pub from: Address,
    /// Who received.
    pub to: Address,
    /// How much, from the event and not from the call; zero is possible (address poisoning).
    pub amount: BaseUnits,
}

/// A log of a configured token that claims to be a transfer and has not the shape of one. It is quarantined, never skipped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OddLog {
    /// The transaction.
    pub tx_id: TxId,
    /// Place among its transaction's logs.
    pub ordinal: i64,
    /// The token contract.
    pub contract: Address,
    /// What is wrong with it.
    pub what: String,
}

/// A block that was read completely.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Block {
    /// Its place.
    pub header: Header,
    /// Every successful transfer of a configured coin in it, in chain order.
    pub transfers: Vec<Transfer>,
    /// What must not be skipped silently.
    pub odd: Vec<OddLog>,
}

/// Where a transaction is. `NotFound` proves nothing: see the dead rules in `batches`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Inclusion {
    /// This provider does not know it in any block.
    NotFound,
    /// It is in a block.
    Included(Included),
}

/// A transaction in a block, as its receipt tells it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Included {
    /// The block's height.
    pub height: u64,
    /// The block's id where the provider tells it with the receipt; TRON does not.
    pub block_id: Option<BlockId>,
    /// Can it no longer change, by the provider's own word?
    pub is_final: bool,
    /// Did it do what it was signed for? `Err` carries the chain's reason.
    pub outcome: Result<(), String>,
    /// What the sender paid for it, in the native coin's base units.
    pub fee_base: BaseUnits,
    /// Energy used in all (TRON) or gas used (EVM).
    pub work_used: u64,
    /// The transfers it made; empty when it failed.
    pub transfers: Vec<Transfer>,
}

/// A token whose transfers are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Token {
    /// Its contract.
    pub contract: Address,
    /// Its decimals as configured; compared with the contract's own at start.
    pub decimals: u8,
}

/// What the clients of one network need from the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// The network every provider must be on.
    pub network: Network,
    /// Base URLs in order of preference. They may hold access keys and are never shown.
    pub providers: Vec<String>,
    /// The tokens.
    pub tokens: Vec<Token>,
    /// EVM networks without a `finalized` tag: so many blocks below the head count as final.
    pub final_depth: Option<u64>,
    /// The longest an answer may take.
    pub timeout: Duration,
}

impl Settings {
    /// Is this contract one of the configured tokens?
    pub fn knows(&self, contract: Address) -> bool {
        self.tokens.iter().any(|token| token.contract == contract)
    }
}

/// A log as both families have it, before anything in it is believed.
pub(crate) struct RawLog<'a> {
    pub tx_id: TxId,
    pub ordinal: i64,
    pub contract: Address,
    pub topics: &'a [[u8; 32]],
    pub data: &'a [u8],
}

/// What a log of a configured token is: a transfer, odd, or (`None`) some other event.
/// A transfer has exactly three topics with clean upper bytes and exactly 32 bytes of data: four topics are an NFT's, dirty
/// bytes an imitation's.
pub(crate) fn read_transfer_log(log: &RawLog<'_>) -> Option<Result<Transfer, OddLog>> {
    if log.topics.first() != Some(&erc20::TRANSFER_TOPIC) {
        return None;
    }
    let network = log.contract.network();
    Some(match erc20::TransferLog::decode(log.topics, log.data) {
        Ok(event) => Ok(Transfer {
            tx_id: log.tx_id,
            ordinal: log.ordinal,
            coin: Coin::Token(log.contract),
            from: Address::new(network, event.from),
            to: Address::new(network, event.to),
            amount: event.amount,
        }),
        Err(error) => {
            let what = error.to_string();
            Err(OddLog { tx_id: log.tx_id, ordinal: log.ordinal, contract: log.contract, what })
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use airlock_shared::chain::erc20::TRANSFER_TOPIC;

    const CONTRACT: Address = Address::new(Network::ETHEREUM, [7; 20]);

    fn word(last: u8) -> [u8; 32] {
        let mut word = [0; 32];
        word[31] = last;
        word
    }

    fn read(topics: &[[u8; 32]], data: &[u8]) -> Option<Result<Transfer, OddLog>> {
        read_transfer_log(&RawLog { tx_id: TxId([1; 32]), ordinal: 4, contract: CONTRACT, topics, data })
    }

    #[test]
    fn a_transfer_log_is_read_to_the_last_bit() {
        let transfer = read(&[TRANSFER_TOPIC, word(1), word(2)], &[0xff; 32]).unwrap().unwrap();
        assert_eq!(transfer.amount, BaseUnits::MAX);
        assert_eq!(transfer.to.payload()[19], 2);
        assert_eq!(transfer.ordinal, 4);
    }

    #[test]
    fn ids_are_shown_as_their_networks_explorers_spell_them() {
        let (bare, prefixed) = ("07".repeat(32), format!("0x{}", "07".repeat(32)));
        assert_eq!(
            (TxId([7; 32]).shown_on(Network::ETHEREUM), TxId([7; 32]).shown_on(Network::TRON)),
            (prefixed.clone(), bare.clone())
        );
        assert_eq!(
            (BlockId([7; 32]).shown_on(Network::ETHEREUM), BlockId([7; 32]).shown_on(Network::TRON)),
            (prefixed, bare)
        );
    }

    #[test]
    fn another_event_is_no_transfer_and_nothing_odd() {
        assert!(read(&[[9; 32], word(1), word(2)], &[0; 32]).is_none());
        assert!(read(&[], &[]).is_none());
    }

    #[test]
    fn a_transfer_event_of_another_shape_is_odd_and_not_skipped() {
        let topics = [TRANSFER_TOPIC, word(1), word(2), word(3)];
        for (topics, data) in [
            (&topics[..], &[][..]),
            (&topics[..1], &[0; 96][..]),
            (&topics[..3], &[0; 31][..]),
            (&topics[..3], &[0; 33][..]),
            (&[TRANSFER_TOPIC, [0xff; 32], word(2)][..], &[0; 32][..]),
        ] {
            assert!(matches!(read(topics, data), Some(Err(_))), "{} topics", topics.len());
        }
    }
}
