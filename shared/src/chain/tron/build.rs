//! From a batch's fields to a TRON transaction: one per item, with a timestamp of its own.

use super::transaction::{Contract, Fields, Resource, Unsigned as Transaction};
use crate::batch::{Content, Context, Item, Kind, TronContext};
use crate::chain::{BuildError, Codec, Unsigned};

/// The codec of TRON networks.
pub struct Tron;

impl Codec for Tron {
    fn build(&self, content: &Content, index: usize) -> Result<Vec<Unsigned>, BuildError> {
        let fail = |why: &str| BuildError::new(index, why);
        let item = content.items.get(index).ok_or_else(|| fail("there is no such item"))?;
        let Context::Tron(tron) = &content.context else {
            return Err(fail("the batch is not for a TRON network"));
        };
        let source = content.source_of(index).ok_or_else(|| fail("it has no source"))?;
        let offset = u64::try_from(index).map_err(|_| fail("its index is out of range"))?;
        let fields = Fields {
            ref_block_bytes: tron.ref_block_bytes,
            ref_block_hash: tron.ref_block_hash,
            expiration_ms: tron.expiration_ms,
            timestamp_ms: tron.timestamp_ms.checked_add(offset).ok_or_else(|| fail("timestamp"))?,
            fee_limit_sun: tron.fee_limit_sun,
            memo: item.memo.clone(),
            permission_id: tron.permission_id.into(),
            owner: *source.address.payload(),
            contract: contract(content, tron, item)
                .ok_or_else(|| fail("its amount is above TRON's 63 bits"))?,
        };
        let unsigned = Transaction::new(fields).map_err(|error| BuildError::new(index, error))?;
        Ok(vec![Unsigned::Tron(unsigned)])
    }
}

/// `None` if a native amount does not fit.
fn contract(content: &Content, tron: &TronContext, item: &Item) -> Option<Contract> {
    let to = *item.destination.payload();
    if let Some(contract) = content.asset.contract {
        return Some(Contract::Token { contract: *contract.payload(), to, amount: item.amount });
    }
    let sun = item.amount.to_u64()?;
    let resource = Resource::Energy;
    Some(match content.kind {
        Kind::Delegate => {
            let lock_blocks = (tron.lock_blocks > 0).then_some(tron.lock_blocks);
            Contract::Delegate { receiver: to, resource, balance_sun: sun, lock_blocks }
        }
        Kind::Undelegate => Contract::Undelegate { receiver: to, resource, balance_sun: sun },
        _ => Contract::Trx { to, amount_sun: sun },
    })
}
