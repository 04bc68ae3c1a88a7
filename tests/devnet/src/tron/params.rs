//! The committee's parameters, with mainnet's values of 2026.
//!
//! Read by every fee rule, shown by `wallet/getchainparameters`, changed by the control route `params`.

use serde_json::{Value, json};

/// Keys as the real node names them, with values; 0 is omitted in JSON.
const DEFAULTS: [(&str, i64); 27] = [
    ("getMaintenanceTimeInterval", 21_600_000),
    ("getAccountUpgradeCost", 9_999_000_000),
    ("getCreateAccountFee", 100_000),
    ("getTransactionFee", 1_000),
    ("getAssetIssueFee", 1_024_000_000),
    ("getCreateNewAccountFeeInSystemContract", 1_000_000),
    ("getCreateNewAccountBandwidthRate", 1),
    ("getAllowCreationOfContracts", 1),
    ("getEnergyFee", 100),
    ("getMaxCpuTimeOfOneTx", 80),
    ("getTotalEnergyCurrentLimit", 180_000_000_000),
    ("getAllowMultiSign", 1),
    ("getUpdateAccountPermissionFee", 100_000_000),
    ("getMultiSignFee", 1_000_000),
    ("getAllowProtoFilterNum", 0),
    ("getTotalNetLimit", 43_200_000_000),
    ("getFreeNetLimit", 600),
    ("getMaxFeeLimit", 15_000_000_000),
    ("getMemoFee", 1_000_000),
    ("getUnfreezeDelayDays", 14),
    ("getAllowDynamicEnergy", 1),
    ("getDynamicEnergyThreshold", 5_000_000_000),
    ("getDynamicEnergyIncreaseFactor", 2_000),
    ("getDynamicEnergyMaxFactor", 34_000),
    ("getMaxDelegateLockPeriod", 10_512_000),
    ("getMaxCreateAccountTxSize", 1_000),
    ("getConsensusLogicOptimization", 1),
];

/// The parameters in force.
#[derive(Debug, Clone)]
pub(crate) struct Params {
    values: Vec<(&'static str, i64)>,
    /// Dynamic energy factor of every contract, in ten-thousandths above 1; the devnet has no maintenance that would move it.
    pub(crate) dynamic_energy_factor: u64,
}

impl Default for Params {
    fn default() -> Self {
        Self { values: DEFAULTS.to_vec(), dynamic_energy_factor: 0 }
    }
}

impl Params {
    /// The value of a parameter; 0 if there is none of that name.
    pub(crate) fn value(&self, key: &str) -> i64 {
        self.values.iter().find(|(name, _)| *name == key).map_or(0, |(_, value)| *value)
    }

    /// Changes a parameter; false if there is none of that name or the value is negative.
    pub(crate) fn change(&mut self, key: &str, value: i64) -> bool {
        let Ok(unsigned) = u64::try_from(value) else {
            return false;
        };
        if key == "dynamicEnergyFactor" {
            self.dynamic_energy_factor = unsigned.min(1_000_000);
            return true;
        }
        match self.values.iter_mut().find(|(name, _)| *name == key) {
            Some(entry) => {
                entry.1 = value;
                true
            }
            None => false,
        }
    }

    /// `wallet/getchainparameters`.
    pub(crate) fn json(&self) -> Value {
        let list: Vec<Value> = self
            .values
            .iter()
            .map(
                |(key, value)| {
                    if *value == 0 { json!({ "key": key }) } else { json!({ "key": key, "value": value }) }
                },
            )
            .collect();
        json!({ "chainParameter": list })
    }
}
