//! What a transaction may cost.

use super::{Facts, Refusal, Rule};
use crate::batch::{Context, EvmContext};
use crate::policy::FeeCaps;

pub(super) fn fee_cap(facts: &Facts<'_>) -> Result<(), Refusal> {
    match (&facts.content.context, facts.network()?.fees) {
        (Context::Tron(tron), FeeCaps::Tron { fee_limit_sun_max }) => {
            within("fee_limit_sun", tron.fee_limit_sun, fee_limit_sun_max)
        }
        (
            Context::Evm(evm),
            FeeCaps::Evm { gas_limit_max, max_fee_per_gas_wei_max, max_priority_fee_per_gas_wei_max },
        ) => {
            let EvmContext { gas_limit, levels, cancel } = evm;
            let gas = std::iter::once(*gas_limit).chain(cancel.iter().map(|cancel| cancel.gas_limit));
            let fees = levels.iter().copied().chain(cancel.iter().map(|cancel| cancel.fee));
            gas.into_iter().try_for_each(|gas| within("gas_limit", gas, gas_limit_max))?;
            fees.into_iter().try_for_each(|fee| {
                within("max_fee_per_gas_wei", fee.max_fee_per_gas_wei, max_fee_per_gas_wei_max)?;
                let tip = fee.max_priority_fee_per_gas_wei;
                within("max_priority_fee_per_gas_wei", tip, max_priority_fee_per_gas_wei_max)
            })
        }
        _ => Err(Refusal::of(Rule::FeeCap, "fees of one chain family", "those of the policy's family")),
    }
}

fn within(name: &str, found: u64, allowed: u64) -> Result<(), Refusal> {
    if found <= allowed {
        return Ok(());
    }
    Err(Refusal::of(Rule::FeeCap, format!("{name} {found}"), format!("at most {allowed}")))
}
