//! Calls without signature and fees: `eth_call`, `eth_estimateGas`, `eth_feeHistory`.
//!
//! Called by `rpc.rs` with a view of the chain; nothing here changes the chain.

use revm::context::result::{ExecutionResult, HaltReason};
use revm::primitives::{Address, U256};
use serde_json::{Value, json};

use super::block::Block;
use super::execute::{self, Call};
use super::json::{data, quantity};
use super::rpc::{Failure, Outcome, View, address, bytes, fail, invalid, number, word};

/// geth's cap on calls without signature.
const CALL_GAS: u64 = 50_000_000;

impl View<'_> {
    fn read_call(&self, request: &Value) -> Result<Call, Failure> {
        let field = |key: &str| request.get(key).filter(|value| !value.is_null());
        let input = field("input").or_else(|| field("data"));
        Ok(Call {
            from: address(field("from")).unwrap_or(Address::ZERO),
            to: address(field("to")),
            value: word(field("value")).unwrap_or(U256::ZERO),
            data: match input {
                Some(input) => bytes(Some(input)).ok_or_else(|| invalid("input"))?,
                None => Vec::new(),
            },
            gas_limit: field("gas").and_then(number).unwrap_or(CALL_GAS).min(CALL_GAS),
        })
    }

    fn run(&self, block: &Block, call: &Call) -> Result<ExecutionResult, Failure> {
        execute::call(&block.world, &block.header, self.chain.chain_id, call)
            .map(|(result, _)| result)
            .map_err(|error| fail(-32000, error.to_string()))
    }

    pub(super) fn call(&self, request: &Value, tag: Option<&Value>) -> Outcome {
        let block = self.state_at(tag)?;
        let result = self.run(block, &self.read_call(request)?)?;
        succeeded(&result)?;
        Ok(data(result.output().map_or(&[], |output| output)))
    }

    /// The smallest gas limit the call succeeds with.
    pub(super) fn estimate(&self, request: &Value, tag: Option<&Value>) -> Outcome {
        let block = self.state_at(tag)?;
        let mut call = self.read_call(request)?;
        let result = self.run(block, &call)?;
        succeeded(&result)?;
        let mut enough = call.gas_limit;
        let mut too_little = result.tx_gas_used().saturating_sub(1);
        // The first guess is usually right: what was used, and a 64th for what calls hold back.
        call.gas_limit = result.tx_gas_used();
        if self.run(block, &call).is_ok_and(|result| result.is_success()) {
            return Ok(quantity(call.gas_limit));
        }
        while enough - too_little > 1 {
            call.gas_limit = too_little + (enough - too_little) / 2;
            if self.run(block, &call).is_ok_and(|result| result.is_success()) {
                enough = call.gas_limit;
            } else {
                too_little = call.gas_limit;
            }
        }
        Ok(quantity(enough))
    }

    pub(super) fn fee_history(&self, params: &[Value]) -> Outcome {
        let count = params.first().and_then(number).unwrap_or(1).clamp(1, 1024);
        let newest = self.state_at(params.get(1))?.header.number;
        let percentiles = params.get(2).and_then(Value::as_array);
        let oldest = (newest + 1).saturating_sub(count);
        let mut fees = Vec::new();
        let mut ratios = Vec::new();
        let mut rewards = Vec::new();
        for block in (oldest..=newest).filter_map(|number| self.numbered(number)) {
            fees.push(quantity(block.header.base_fee));
            ratios.push(ratio(block.header.gas_used, block.header.gas_limit));
            rewards.push(tips(block, percentiles.map_or(&[], Vec::as_slice)));
        }
        let next =
            self.numbered(newest + 1).map_or_else(|| self.chain.base_fee(), |block| block.header.base_fee);
        fees.push(quantity(next));
        let mut history = json!({
            "oldestBlock": quantity(oldest), "baseFeePerGas": fees, "gasUsedRatio": ratios,
        });
        if let (Some(_), Some(object)) = (percentiles, history.as_object_mut()) {
            object.insert("reward".to_owned(), Value::Array(rewards));
        }
        Ok(history)
    }
}

/// A fraction as a JSON number, without floating point.
fn ratio(part: u64, whole: u64) -> Value {
    let millionths = u128::from(part) * 1_000_000 / u128::from(whole.max(1));
    let text = format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// Tips at these percentiles, by transaction count.
fn tips(block: &Block, percentiles: &[Value]) -> Value {
    let mut tips: Vec<u128> =
        block.transactions.iter().map(|(tx, _)| tx.prices(block.header.base_fee).1).collect();
    tips.sort_unstable();
    percentiles
        .iter()
        .map(|percentile| {
            let percent = percentile
                .to_string()
                .split('.')
                .next()
                .and_then(|whole| whole.parse::<usize>().ok())
                .unwrap_or(0);
            let position = (tips.len() * percent / 100).min(tips.len().saturating_sub(1));
            quantity(tips.get(position).copied().unwrap_or(0))
        })
        .collect()
}

fn succeeded(result: &ExecutionResult) -> Result<(), Failure> {
    match result {
        ExecutionResult::Success { .. } => Ok(()),
        ExecutionResult::Revert { output, .. } => Err(Failure {
            code: 3,
            message: match reason(output) {
                Some(reason) => format!("execution reverted: {reason}"),
                None => "execution reverted".to_owned(),
            },
            data: Some(data(output)),
        }),
        ExecutionResult::Halt { reason, .. } => Err(fail(
            -32000,
            match reason {
                HaltReason::OutOfGas(_) => "out of gas".to_owned(),
                HaltReason::InvalidFEOpcode => "invalid opcode: INVALID".to_owned(),
                other => other.to_string(),
            },
        )),
    }
}

/// The text of `Error(string)`.
fn reason(output: &[u8]) -> Option<String> {
    let body = output.strip_prefix(&[0x08, 0xc3, 0x79, 0xa0])?;
    let length = U256::try_from_be_slice(body.get(32..64)?)?;
    let length = usize::try_from(length).ok()?;
    let text = body.get(64..64_usize.checked_add(length)?)?;
    Some(String::from_utf8_lossy(text).into_owned())
}
