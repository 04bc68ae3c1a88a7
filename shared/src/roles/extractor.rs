//! The extractor says what to broadcast, under which id, and in which order: the coordinator stores its rows
//! before the first send.

use crate::batch::Content;
use crate::chain::Signed;
use crate::id::ItemId;

/// Which of an item's transactions this is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Level {
    /// The payment at this fee level, counted from 0; TRON has only level 0.
    Payment(u8),
    /// The cancel at the same account nonce.
    Cancel,
}

/// One transaction ready to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Extracted {
    /// The item that it pays or cancels.
    pub item: ItemId,
    /// Which of the item's transactions.
    pub level: Level,
    /// Its id on the chain.
    pub tx_id: [u8; 32],
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Every transaction of a finalized batch: items in batch order, levels ascending, the cancel last.
pub fn extract(content: &Content, signed: &[Vec<Signed>]) -> Vec<Extracted> {
    let cancel = content.signatures_per_item().saturating_sub(1);
    let has_cancel = matches!(&content.context, crate::batch::Context::Evm(evm) if evm.cancel.is_some());
    let level = |index: usize| match u8::try_from(index) {
        Ok(index) if !(has_cancel && usize::from(index) == cancel) => Level::Payment(index),
        _ => Level::Cancel,
    };
    let mut extracted = Vec::new();
    for (item, transactions) in content.items.iter().zip(signed) {
        for (index, signed) in transactions.iter().enumerate() {
            let (tx_id, bytes) = (signed.tx_id(), signed.bytes());
            extracted.push(Extracted { item: item.id, level: level(index), tx_id, bytes });
        }
    }
    extracted
}
