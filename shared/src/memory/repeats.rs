//! The journal's pre-checks: no item, account nonce or transaction id is used twice.
//!
//! Asked after the policy's rules, which have judged the reasons of reissues by then. What must stay true: one
//! intent per account nonce, at any number of fee levels, plus at most one cancel; a transaction id never twice;
//! what the custodians' terms count as signed is not signed again.

use super::Past;
use crate::address::Address;
use crate::batch::{Content, Context, Item, Kind, ReissueReason};
use crate::form::closed_list;

closed_list! {
    /// What a batch repeats. The word is the refusal code.
    RepeatCode {
        /// An item id that was signed before.
        Item = 1 "journal.item_repeated",
        /// An account nonce with another intent, or with a second cancel.
        Nonce = 2 "journal.nonce_repeated",
        /// A transaction id.
        Tx = 3 "journal.tx_repeated",
        /// A number at or below the watermark of the custodians' terms.
        BelowWatermark = 4 "journal.below_watermark",
    }
}

/// Something that was signed before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}, item {item}: {why}")]
pub struct Repeat {
    /// What is repeated.
    pub code: RepeatCode,
    /// The item, counted from 0.
    pub item: usize,
    /// The number or id.
    pub found: String,
    /// The sentence for people.
    pub why: String,
}

/// Does a batch use anything that was used before? `tx_ids(i)` are the ids that are known before signing.
pub fn check_repeats(
    past: Past<'_>,
    content: &Content,
    tx_ids: impl Fn(usize) -> Vec<[u8; 32]>,
) -> Result<(), Repeat> {
    for (place, item) in content.items.iter().enumerate() {
        let at = |(code, found, why)| Repeat { code, item: place, found, why };
        check_item(past, item).map_err(at)?;
        if let (Some(source), Some(nonce)) = (content.source_of(place), item.account_nonce) {
            check_nonce(past, content, item, &source.address, nonce).map_err(at)?;
        }
        if let Some(tx_id) = tx_ids(place).iter().find(|tx_id| past.has_tx_id(tx_id)) {
            let found = hex::encode(tx_id);
            let why = format!("transaction {found} was signed before");
            return Err(at((RepeatCode::Tx, found, why)));
        }
    }
    Ok(())
}

type Found = (RepeatCode, String, String);

fn check_item(past: Past<'_>, item: &Item) -> Result<(), Found> {
    let found = item.id.to_string();
    match past.signings_of(item.id).next() {
        // The history that the terms stand for may hold signatures of it that nobody here can name as dead.
        Some(_) if item.is_reissued_on_a_claim() && past.is_item_below_watermark(item.id) => {
            let why = format!(
                "{:?} was signed before the custodians' terms of this journal, and perhaps again in what it has lost; \
                 it needs a new id",
                item.id
            );
            Err((RepeatCode::BelowWatermark, found, why))
        }
        Some(_) if item.reissue.is_some() => Ok(()),
        Some(_) => {
            let why = format!("{:?} was signed before and is never signed twice", item.id);
            Err((RepeatCode::Item, found, why))
        }
        None if past.is_item_below_watermark(item.id) => {
            let why = format!("{:?} counts as signed by the custodians' terms of this journal", item.id);
            Err((RepeatCode::BelowWatermark, found, why))
        }
        None => Ok(()),
    }
}

fn check_nonce(
    past: Past<'_>,
    content: &Content,
    item: &Item,
    source: &Address,
    nonce: u64,
) -> Result<(), Found> {
    let stuck = item.reissue.as_ref().is_some_and(|reissue| reissue.reason == ReissueReason::Stuck);
    let cancels = match &content.context {
        Context::Evm(evm) => content.kind == Kind::Cancel || evm.cancel.is_some(),
        Context::Tron(_) => false,
    };
    let why = match past.at_nonce(source, nonce) {
        None if past.is_nonce_below_watermark(source, nonce) => {
            let why = format!("account nonce {nonce} of {source} counts as signed by the custodians' terms");
            return Err((RepeatCode::BelowWatermark, nonce.to_string(), why));
        }
        None => return Ok(()),
        // The same cancel at higher fees is one cancel still.
        Some(known) if stuck && content.kind == Kind::Cancel && known.cancel == Some(item.id) => {
            return Ok(());
        }
        Some(known) if cancels && known.cancel.is_some() => "has a cancel already",
        Some(known) if stuck && known.item == item.id => return Ok(()),
        Some(_) if content.kind == Kind::Cancel => return Ok(()),
        Some(_) => "was signed before",
    };
    Err((RepeatCode::Nonce, nonce.to_string(), format!("account nonce {nonce} of {source} {why}")))
}
