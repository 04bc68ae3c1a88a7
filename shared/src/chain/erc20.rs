//! The one contract call Airlock makes: `transfer(address,uint256)` of ERC-20, which TRC-20 shares.
//!
//! Both transaction codecs build their token transfers from [`TransferCall`] and read them back with its
//! strict decoder; deposit followers read [`TransferLog`]. Exactly one byte string means one transfer: any
//! other length, selector or padding is refused, because a wallet would show it and a chain would run it.

use crate::amount::BaseUnits;

/// Selector of `transfer(address,uint256)` (ERC-20; first four bytes of the signature's keccak-256).
pub const TRANSFER: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];
/// Selector of `transferFrom(address,address,uint256)` (ERC-20).
pub const TRANSFER_FROM: [u8; 4] = [0x23, 0xb8, 0x72, 0xdd];
/// Selector of `approve(address,uint256)` (ERC-20); never built.
pub const APPROVE: [u8; 4] = [0x09, 0x5e, 0xa7, 0xb3];
/// Selector of `balanceOf(address)` (ERC-20).
pub const BALANCE_OF: [u8; 4] = [0x70, 0xa0, 0x82, 0x31];
/// Selector of `decimals()` (ERC-20).
pub const DECIMALS: [u8; 4] = [0x31, 0x3c, 0xe5, 0x67];

/// Topic 0 of `Transfer(address,address,uint256)` (ERC-20).
pub const TRANSFER_TOPIC: [u8; 32] = [
    0xdd, 0xf2, 0x52, 0xad, 0x1b, 0xe2, 0xc8, 0x9b, 0x69, 0xc2, 0xb0, 0x68, 0xfc, 0x37, 0x8d, 0xaa, 0x95,
    0x2b, 0xa7, 0xf1, 0x63, 0xc4, 0xa1, 0x16, 0x28, 0xf5, 0x5a, 0x4d, 0xf5, 0x23, 0xb3, 0xef,
];

/// Why calldata or a log is not the one plain transfer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Erc20Error {
    /// Fewer than four bytes, or another function.
    #[error("not transfer(address,uint256): calldata starts with {found:?}")]
    OtherFunction {
        /// The first four bytes, fewer if there are fewer.
        found: Vec<u8>,
    },
    /// The selector fits but the length is not 68.
    #[error("a transfer call has 68 bytes, found {found}")]
    CallLength {
        /// Bytes found.
        found: usize,
    },
    /// The upper 12 bytes of an address word are not zero.
    #[error("the padding of an address word is not zero")]
    AddressPadding,
    /// Not three topics starting with `Transfer`'s, or not 32 bytes of data.
    #[error("not an ERC-20 Transfer log: {topics} topics, {data} bytes of data")]
    OtherLog {
        /// Number of topics.
        topics: usize,
        /// Bytes of data.
        data: usize,
    },
}

/// `transfer(to, amount)`. Addresses are 20 bytes, on TRON without the prefix 0x41.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TransferCall {
    /// Who receives.
    pub to: [u8; 20],
    /// Base units of the token.
    pub amount: BaseUnits,
}

impl TransferCall {
    /// Bytes of the call: selector and two words.
    pub const BYTES: usize = 68;

    /// selector ‖ 12 zero bytes ‖ address ‖ amount (32 bytes big endian).
    pub fn encode(&self) -> [u8; Self::BYTES] {
        let mut call = [0; Self::BYTES];
        call[..4].copy_from_slice(&TRANSFER);
        call[16..36].copy_from_slice(&self.to);
        call[36..].copy_from_slice(&self.amount.to_be_bytes());
        call
    }

    /// Reads exactly what [`TransferCall::encode`] writes, and nothing else.
    pub fn decode(call: &[u8]) -> Result<Self, Erc20Error> {
        if !call.starts_with(&TRANSFER) {
            return Err(Erc20Error::OtherFunction { found: call.iter().take(4).copied().collect() });
        }
        let call: &[u8; Self::BYTES] =
            call.try_into().map_err(|_| Erc20Error::CallLength { found: call.len() })?;
        let [_, _, _, _, words @ ..] = call;
        let (to, amount) = words.split_at(32);
        Ok(Self { to: address_of_word(to)?, amount: amount_of_word(amount) })
    }
}

/// Calldata of `balanceOf(owner)`.
pub fn balance_of_call(owner: &[u8; 20]) -> [u8; 36] {
    let mut call = [0; 36];
    call[..4].copy_from_slice(&BALANCE_OF);
    call[16..].copy_from_slice(owner);
    call
}

/// A `Transfer` event as ERC-20 tokens emit it. Whether the emitter is a token we know is the caller's check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TransferLog {
    /// Who paid.
    pub from: [u8; 20],
    /// Who received.
    pub to: [u8; 20],
    /// Base units of the token: what was really moved, fees of the token taken off.
    pub amount: BaseUnits,
}

impl TransferLog {
    /// Reads a log with exactly three topics and 32 bytes of data. Four topics are an NFT's, one topic is an
    /// imitation with unindexed fields.
    pub fn decode(topics: &[[u8; 32]], data: &[u8]) -> Result<Self, Erc20Error> {
        match topics {
            [TRANSFER_TOPIC, from, to] if data.len() == 32 => Ok(Self {
                from: address_of_word(from)?,
                to: address_of_word(to)?,
                amount: amount_of_word(data),
            }),
            _ => Err(Erc20Error::OtherLog { topics: topics.len(), data: data.len() }),
        }
    }
}

fn address_of_word(word: &[u8]) -> Result<[u8; 20], Erc20Error> {
    match word.split_last_chunk::<20>() {
        Some((padding, address)) if padding.iter().all(|byte| *byte == 0) => Ok(*address),
        _ => Err(Erc20Error::AddressPadding),
    }
}

/// The caller passes a slice of 32 bytes, which always fits.
fn amount_of_word(word: &[u8]) -> BaseUnits {
    BaseUnits::from_be_slice(word).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_transfer_call_is_read() {
        let call = TransferCall { to: [0x41; 20], amount: BaseUnits::MAX };
        let bytes = call.encode();
        assert_eq!(TransferCall::decode(&bytes), Ok(call));

        assert_eq!(TransferCall::decode(&bytes[..67]), Err(Erc20Error::CallLength { found: 67 }));
        let mut longer = bytes.to_vec();
        longer.push(0);
        assert_eq!(TransferCall::decode(&longer), Err(Erc20Error::CallLength { found: 69 }));
        let mut padded = bytes;
        padded[15] = 0x41;
        assert_eq!(TransferCall::decode(&padded), Err(Erc20Error::AddressPadding));
        let mut approve = bytes;
        approve[..4].copy_from_slice(&APPROVE);
        assert_eq!(
            TransferCall::decode(&approve),
            Err(Erc20Error::OtherFunction { found: APPROVE.to_vec() })
        );
    }

    #[test]
    fn an_nft_or_unindexed_log_is_no_transfer() {
        let word = |address: [u8; 20]| {
            let mut word = [0; 32];
            word[12..].copy_from_slice(&address);
            word
        };
        let topics = [TRANSFER_TOPIC, word([1; 20]), word([2; 20]), word([0; 20])];
        let log = TransferLog::decode(&topics[..3], &[0; 32]).unwrap();
        assert_eq!((log.from, log.to, log.amount), ([1; 20], [2; 20], BaseUnits::ZERO));
        assert!(TransferLog::decode(&topics, &[]).is_err());
        assert!(TransferLog::decode(&topics[..1], &[0; 96]).is_err());
        assert!(TransferLog::decode(&topics[..3], &[0; 33]).is_err());
    }
}
