//! What sending costs on TRON: energy, chain parameters, an account's resources; and the block to refer to.
//!
//! Used when a batch is built and before it is broadcast. Figures are hints of one provider; the fee limit that policy caps is
//! the bound. A reference block is always a solid one: one that is forked out would kill every transaction that names it.

use super::{TronNode, rpc::hex_of};
use crate::chain::http::SMALL_LIMIT;
use crate::chain::{BlockId, ChainError, View};
use airlock_shared::{Address, BaseUnits};
use serde::Deserialize;
use serde_json::json;

/// What a transaction refers to, and the chain's own time: expirations are counted from it, never from a local clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RefBlock {
    /// Height of the solid block.
    pub height: u64,
    /// Its id: bytes 6..8 are `ref_block_bytes`, bytes 8..16 `ref_block_hash`.
    pub id: BlockId,
    /// The solid block's time, UTC milliseconds.
    pub solid_time_ms: u64,
    /// The head block's time, UTC milliseconds.
    pub head_time_ms: u64,
}

/// The chain parameters that price a transaction. Units: sun.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ChainParameters {
    /// `getEnergyFee`: per energy.
    pub energy_fee_sun: u64,
    /// `getTransactionFee`: per byte of bandwidth.
    pub bandwidth_fee_sun: u64,
    /// `getMaxFeeLimit`: the highest fee limit a node accepts.
    pub max_fee_limit_sun: u64,
    /// `getMemoFee`: for a memo.
    pub memo_fee_sun: u64,
    /// `getMultiSignFee`: for more than one signature.
    pub multi_sign_fee_sun: u64,
    /// `getCreateAccountFee` and `getCreateNewAccountFeeInSystemContract` together: for TRX to a new address.
    pub create_account_fee_sun: u64,
}

/// An account's energy and bandwidth.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
pub struct AccountResources {
    /// Energy from own and delegated stake per day.
    #[serde(rename = "EnergyLimit", default)]
    pub energy_limit: u64,
    /// Energy used, decaying over a day.
    #[serde(rename = "EnergyUsed", default)]
    pub energy_used: u64,
    /// Bandwidth from stake per day.
    #[serde(rename = "NetLimit", default)]
    pub bandwidth_limit: u64,
    /// Staked bandwidth used.
    #[serde(rename = "NetUsed", default)]
    pub bandwidth_used: u64,
    /// Free bandwidth per day.
    #[serde(rename = "freeNetLimit", default)]
    pub free_bandwidth_limit: u64,
    /// Free bandwidth used.
    #[serde(rename = "freeNetUsed", default)]
    pub free_bandwidth_used: u64,
}

#[derive(Deserialize)]
struct Parameters {
    #[serde(rename = "chainParameter", default)]
    all: Vec<Parameter>,
}

#[derive(Deserialize)]
struct Parameter {
    #[serde(default)]
    key: String,
    /// Zero is omitted, and a few parameters may be negative.
    #[serde(default)]
    value: i64,
}

#[derive(Deserialize, Default)]
struct Account {
    #[serde(default)]
    address: String,
    #[serde(default)]
    balance: u64,
}

impl TronNode {
    /// The solid block to refer to, with the head's time.
    pub async fn ref_block(&self) -> Result<RefBlock, ChainError> {
        let solid = self.newest(View::Final).await?;
        let head = self.newest(View::Head).await?;
        Ok(RefBlock {
            height: solid.height,
            id: solid.id,
            solid_time_ms: solid.time_ms,
            head_time_ms: head.time_ms,
        })
    }

    /// Energy that this call needs now, the current dynamic factor included. An error with the reason when it would fail.
    pub async fn energy_needed(
        &self,
        from: Address,
        contract: Address,
        data: &[u8],
    ) -> Result<u64, ChainError> {
        Ok(self.call(View::Head, from, contract, data).await?.energy_used)
    }

    /// The chain parameters in force.
    pub async fn parameters(&self) -> Result<ChainParameters, ChainError> {
        const NAME: &str = "getchainparameters";
        let answer: Parameters = self.rpc.ask(View::Head, NAME, &json!({}), SMALL_LIMIT).await?;
        let named = |key: &'static str| {
            let found = answer.all.iter().find(|parameter| parameter.key == key);
            let found = found.ok_or_else(|| self.rpc.endpoint.malformed(NAME, key, "missing"))?;
            u64::try_from(found.value)
                .map_err(|_| self.rpc.endpoint.malformed(NAME, key, &found.value.to_string()))
        };
        let create = named("getCreateAccountFee")?;
        Ok(ChainParameters {
            energy_fee_sun: named("getEnergyFee")?,
            bandwidth_fee_sun: named("getTransactionFee")?,
            max_fee_limit_sun: named("getMaxFeeLimit")?,
            memo_fee_sun: named("getMemoFee")?,
            multi_sign_fee_sun: named("getMultiSignFee")?,
            create_account_fee_sun: create.saturating_add(named("getCreateNewAccountFeeInSystemContract")?),
        })
    }

    /// Energy and bandwidth of an account; all zero when it does not exist.
    pub async fn resources(&self, account: Address) -> Result<AccountResources, ChainError> {
        let body = json!({"address": hex_of(&account)});
        self.rpc.ask(View::Head, "getaccountresource", &body, SMALL_LIMIT).await
    }

    /// Is the account activated? One that holds only tokens may not be, and then it cannot send.
    pub async fn exists(&self, account: Address) -> Result<bool, ChainError> {
        Ok(!self.account(View::Head, account).await?.address.is_empty())
    }

    pub(super) async fn trx_balance(&self, account: Address) -> Result<BaseUnits, ChainError> {
        Ok(BaseUnits::from(self.account(View::Final, account).await?.balance))
    }

    async fn account(&self, view: View, account: Address) -> Result<Account, ChainError> {
        let asked = hex_of(&account);
        let found: Account =
            self.rpc.ask(view, "getaccount", &json!({"address": asked}), SMALL_LIMIT).await?;
        // `{}` is an account that does not exist yet; another account's data is a lie.
        if found.address.is_empty() || found.address.eq_ignore_ascii_case(&asked) {
            return Ok(found);
        }
        Err(self.rpc.endpoint.malformed("getaccount", "address", &found.address))
    }
}
