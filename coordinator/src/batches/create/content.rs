//! The content of a batch: network context, nonces or timestamps, items, and what the policy will say of them.
//!
//! What must stay true: what is frozen here is what every approver and signer sees; what the policy would refuse item by item is
//! left out, in order.

use super::draft::Draft;
use crate::batches::store;
use crate::batches::terms::Terms;
use crate::batches::{BatchError, LeftOut};
use crate::ledger::Unit;
use crate::pairing::store::WalletRow;
use crate::withdrawals::Withdrawal;
use crate::withdrawals::attempts;
use airlock_shared::BatchId;
use airlock_shared::batch::{
    Asset, Content, Context, EvmContext, Item, Kind, PolicyRef, TronContext, Wallet,
};
use airlock_shared::memory::Past;
use airlock_shared::policy::{Facts, Refusal, Rule, rules};
use airlock_shared::roles::creator::{self, Created};
use std::collections::{BTreeMap, BTreeSet};

/// A TRON transaction that lives less than this after the head is not worth signing.
const TRON_LIFETIME_MIN_MS: u64 = 60_000;

impl Draft {
    /// Takes nonces or timestamps and freezes what the policy accepts; what it would refuse item by item waits.
    pub(super) async fn freeze(
        &mut self,
        unit: &mut Unit,
        batch_id: BatchId,
    ) -> Result<(Created, Vec<LeftOut>), BatchError> {
        let now_ms = u64::try_from(unit.now()).unwrap_or(0);
        let created_at = now_ms / 1_000;
        let expires_at = created_at.saturating_add(self.lifetime.as_secs());
        let (context, nonces) = self.context(unit, batch_id, now_ms, expires_at).await?;
        let policy = &self.payer.policy.policy;
        let mut content = Content {
            profile: policy.profile,
            batch_id,
            kind: Kind::Withdrawal,
            network: self.network.network,
            created_at,
            expires_at,
            creator: self.creator.clone(),
            vault: self.payer.signer.fingerprint,
            source: Some(self.source()),
            asset: self.asset(),
            context,
            items: Vec::new(),
            policy: PolicyRef { name: policy.name.clone(), version: policy.version, digest: policy.digest() },
            extensions: BTreeMap::new(),
        };
        let mut left_out = Vec::new();
        loop {
            content.items = self.items(&nonces);
            let Err(refusal) = self.ask_policy(&content) else { break };
            let place = match (refusal.item, refusal.rule) {
                (Some(item), _) => item,
                (None, Rule::PerBatchLimit) => self.taken.len().saturating_sub(1),
                (None, _) => return Err(refusal.into()),
            };
            let why = format!("the policy would refuse it: {refusal}");
            left_out.push(LeftOut { withdrawal: self.taken.remove(place).id, why });
            if self.taken.is_empty() {
                return Err(BatchError::NothingDue { left_out });
            }
        }
        Ok((creator::create(content)?, left_out))
    }

    fn source(&self) -> Wallet {
        let WalletRow { role, index, address, .. } = self.payer.wallet;
        Wallet { role, index, address }
    }

    /// The permission that the policy pins for the paying wallet.
    fn permission_id(&self) -> u8 {
        let policy = self.payer.policy.policy.network(self.network.network);
        policy.and_then(|policy| policy.paying(&self.source())).map_or(0, |entry| entry.permission_id)
    }

    /// The asset as the policy spells it: its symbol is a claim that must equal the policy's.
    fn asset(&self) -> Asset {
        let policy = self.payer.policy.policy.network(self.network.network);
        let listed = policy.and_then(|policy| {
            policy.assets.iter().map(|entry| &entry.asset).find(|asset| asset.contract == self.token.contract)
        });
        listed.cloned().unwrap_or_else(|| Asset {
            contract: self.token.contract,
            decimals: self.token.scale.base_decimals(),
            symbol: self.token.asset.to_string(),
        })
    }

    async fn context(
        &self,
        unit: &mut Unit,
        batch_id: BatchId,
        now_ms: u64,
        expires_at: u64,
    ) -> Result<(Context, Vec<Option<u64>>), BatchError> {
        let (source, count) = (self.payer.wallet.address, self.taken.len());
        match &self.asked.terms {
            Terms::Tron { ref_block_bytes, ref_block_hash, head_time_ms, fee_limit_sun, lifetime } => {
                let lifetime = (*lifetime).min(self.lifetime);
                let lifetime_ms = u64::try_from(lifetime.as_millis()).unwrap_or(0);
                // The chain's clock decides; the batch's own end only shortens it.
                let expiration_ms =
                    head_time_ms.saturating_add(lifetime_ms).min(expires_at.saturating_mul(1_000));
                if expiration_ms < head_time_ms.saturating_add(TRON_LIFETIME_MIN_MS)
                    || expiration_ms <= now_ms
                {
                    return Err(BatchError::Clock { chain_ms: *head_time_ms, ours_ms: now_ms });
                }
                let timestamp_ms = timestamps(unit, source, count, &batch_id.to_string()).await?;
                let context = TronContext {
                    ref_block_bytes: *ref_block_bytes,
                    ref_block_hash: *ref_block_hash,
                    expiration_ms,
                    timestamp_ms,
                    fee_limit_sun: *fee_limit_sun,
                    permission_id: self.permission_id(),
                    lock_blocks: 0,
                };
                Ok((Context::Tron(context), vec![None; count]))
            }
            Terms::Evm { gas_limit, levels, next_nonce } => {
                let used = attempts::nonces_used(unit.db(), source, *next_nonce).await?;
                let nonces = free_nonces(*next_nonce, &used, count).into_iter().map(Some).collect();
                let context = EvmContext { gas_limit: *gas_limit, levels: levels.clone(), cancel: None };
                Ok((Context::Evm(context), nonces))
            }
        }
    }

    fn items(&self, nonces: &[Option<u64>]) -> Vec<Item> {
        let item = |(withdrawal, account_nonce): (&Withdrawal, &Option<u64>)| Item {
            id: withdrawal.item_id,
            destination: withdrawal.destination,
            own: None,
            amount: withdrawal.amount_base,
            account_nonce: *account_nonce,
            source: None,
            memo: withdrawal.memo.clone().unwrap_or_default().into_bytes(),
            label: String::new(),
            reissue: None,
        };
        self.taken.iter().zip(nonces).map(item).collect()
    }

    /// Fails early with what the signer's policy would say; approvals and signing hours are still to come.
    fn ask_policy(&self, content: &Content) -> Result<(), Refusal> {
        let verdicts = rules::explain(&Facts {
            content,
            digest: content.digest(),
            approvals: &[],
            bundle_len: 1,
            policy: &self.payer.policy.policy,
            now: content.created_at,
            past: Past::unknown(),
        });
        let to_come = |rule: &Rule| {
            matches!(
                rule,
                Rule::Approvals | Rule::IndependentApprovals | Rule::ReissueApprovals | Rule::TimeWindow
            )
        };
        verdicts.into_iter().filter(|(rule, _)| !to_come(rule)).try_for_each(|(_, verdict)| verdict)
    }
}

/// Takes `count` timestamps of a TRON source for a batch alone: from now on, or from the end of the range before.
async fn timestamps(
    unit: &mut Unit,
    source: airlock_shared::Address,
    count: usize,
    batch: &str,
) -> Result<u64, BatchError> {
    let previous = store::timestamps_end(unit.db(), source).await?;
    let first = previous.unwrap_or(0).max(unit.now()).max(1);
    let end = first.saturating_add(i64::try_from(count).unwrap_or(i64::MAX));
    store::insert_timestamps(unit.db(), source, first, end, previous, batch).await?;
    u64::try_from(first).map_err(|_| BatchError::Overflow)
}

/// The `count` lowest account nonces from `next` on that are not used, ascending. A gap is filled first: everything behind
/// it would wait for ever.
fn free_nonces(next: u64, used: &[u64], count: usize) -> Vec<u64> {
    let used: BTreeSet<u64> = used.iter().copied().collect();
    (next..u64::MAX).filter(|nonce| !used.contains(nonce)).take(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonces_go_on_after_those_reserved_and_fill_a_gap_first() {
        assert_eq!(free_nonces(5, &[], 3), [5, 6, 7]);
        assert_eq!(free_nonces(5, &[5, 6, 7], 2), [8, 9]);
        assert_eq!(free_nonces(5, &[5, 8, 9], 4), [6, 7, 10, 11]);
    }
}
