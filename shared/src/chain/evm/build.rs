//! From a batch's fields to EIP-1559 transactions: a payment per fee level and, if wanted, a cancel.

use super::transaction::{Fields, Payment, Unsigned as Transaction};
use crate::amount::BaseUnits;
use crate::batch::{Content, Context, FeeLevel};
use crate::chain::{BuildError, Codec, Unsigned};
use crate::network::Network;

/// The codec of EVM networks.
pub struct Evm;

impl Codec for Evm {
    fn build(&self, content: &Content, index: usize) -> Result<Vec<Unsigned>, BuildError> {
        let fail = |why: &str| BuildError::new(index, why);
        let item = content.items.get(index).ok_or_else(|| fail("there is no such item"))?;
        let (Network::Evm { chain_id }, Context::Evm(evm)) = (content.network, &content.context) else {
            return Err(fail("the batch is not for an EVM network"));
        };
        let account_nonce = item.account_nonce.ok_or_else(|| fail("it has no account nonce"))?;
        let source = content.source_of(index).ok_or_else(|| fail("it has no source"))?;
        let (to, amount) = (*item.destination.payload(), item.amount);
        let payment = match content.asset.contract {
            Some(contract) => Payment::Token { contract: *contract.payload(), to, amount },
            None => Payment::Native { to, amount },
        };
        let nothing_to_oneself = Payment::Native { to: *source.address.payload(), amount: BaseUnits::ZERO };
        let payments = evm.levels.iter().map(|level| (payment, evm.gas_limit, *level));
        let cancel = evm.cancel.iter().map(|cancel| (nothing_to_oneself, cancel.gas_limit, cancel.fee));
        let build = |(payment, gas_limit, fee): (Payment, u64, FeeLevel)| {
            let fields = Fields {
                chain_id,
                account_nonce,
                max_priority_fee_per_gas: fee.max_priority_fee_per_gas_wei.into(),
                max_fee_per_gas: fee.max_fee_per_gas_wei.into(),
                gas_limit,
                payment,
            };
            Transaction::new(fields).map(Unsigned::Evm).map_err(|error| BuildError::new(index, error))
        };
        payments.chain(cancel).map(build).collect()
    }
}
