//! A batch on its way into the books: everything the commit needs, and the rows it writes.
//!
//! [`Draft::write`] runs inside the writer's commit. What must stay true: batch, attempts and withdrawals change together or not at
//! all; what the chain was asked for is compared with the rows once more.

use super::due::{Free, affordable};
use super::payer::{Payees, Payer, other_payee, payer};
use crate::audit::{self, Action, By};
use crate::batches::state::{Event, State};
use crate::batches::store::{self, Batch};
use crate::batches::terms::Asked;
use crate::batches::{BatchError, LeftOut, sum};
use crate::config::{NetworkConfig, TokenConfig};
use crate::db::{Db, random_id};
use crate::freeze;
use crate::ledger::Unit;
use crate::withdrawals::attempts::{self, Attempt, Bound, InFlight};
use crate::withdrawals::{AttemptState, Withdrawal, queue};
use airlock_shared::batch::Context;
use airlock_shared::roles::creator::Created;
use airlock_shared::wallet::Role;
use airlock_shared::{BatchId, Digest, PersonId};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Everything the commit needs.
pub(super) struct Draft {
    pub(super) partner: String,
    pub(super) creator: PersonId,
    pub(super) by: By,
    pub(super) network: Arc<NetworkConfig>,
    pub(super) token: TokenConfig,
    pub(super) payer: Payer,
    pub(super) asked: Asked,
    pub(super) in_flight: Vec<InFlight>,
    pub(super) lifetime: Duration,
    pub(super) taken: Vec<Withdrawal>,
}

impl Draft {
    /// Inside the writer's commit: freezes what is still due, and writes all of it.
    pub(super) async fn write(mut self, unit: &mut Unit) -> Result<(Batch, Vec<LeftOut>), BatchError> {
        freeze::ensure_none(unit.db()).await?;
        let mut gone = self.still_payable(unit.db()).await?;
        let who = format!("person:{}", self.creator);
        let mut random = [0; 16];
        getrandom::fill(&mut random)?;
        let batch_id = BatchId::from_bytes(random);
        let (created, refused) = self.freeze(unit, batch_id).await?;
        gone.extend(refused);
        let batch = self.row(&created, batch_id, &who, unit.now())?;
        store::insert(unit.db(), &batch, &created.content).await?;
        for (index, withdrawal) in self.taken.iter().enumerate() {
            queue::take(unit, withdrawal, &batch.id, &who).await?;
            let attempt = self.attempt(&created, index, withdrawal, &batch)?;
            attempts::insert(unit.db(), &attempt).await?;
        }
        let batch = store::transition(unit, &batch, Event::Submit, &who, "created").await?;
        let after = json!({
            "network": batch.network, "asset": batch.asset, "items": batch.item_count,
            "amount_base": batch.amount_base, "content": batch.content_digest.to_string(),
        });
        audit::record(unit, &self.by, Action::BatchMake, &batch.id, Value::Null, after).await?;
        Ok((batch, gone))
    }

    /// Drops what was cancelled or taken since the chain was asked, and what the wallet cannot pay beside everything that is on
    /// its way by now; refuses if signer or policy changed.
    async fn still_payable(&mut self, db: &mut Db) -> Result<Vec<LeftOut>, BatchError> {
        let wallet = self.payer.wallet;
        let hardware = Some(wallet.address).filter(|_| wallet.role == Role::Hardware);
        let payer = payer(db, &self.network, &self.partner, hardware).await?;
        if payer.wallet != self.payer.wallet || payer.policy != self.payer.policy {
            return Err(BatchError::Bundle {
                why: "wallet or policy changed meanwhile, ask again".to_owned(),
            });
        }
        let payees = Payees::of(db, &self.partner).await?;
        let mut gone = Vec::new();
        let mut kept = Vec::with_capacity(self.taken.len());
        for (withdrawal, quote) in std::mem::take(&mut self.taken).into_iter().zip(self.asked.quotes.clone())
        {
            let now = crate::withdrawals::store::find(db, &withdrawal.id).await?;
            match now.filter(|now| now.state == withdrawal.state && now.revision == withdrawal.revision) {
                // Its partner may have paired a signer meanwhile.
                Some(now) if !payees.include(&now.partner) => gone.push(other_payee(now)),
                Some(now) => kept.push((now, quote)),
                None => {
                    let why = "it changed while the chain was asked".to_owned();
                    gone.push(LeftOut { withdrawal: withdrawal.id, why });
                }
            }
        }
        for one in attempts::in_flight(db, self.payer.wallet.address).await? {
            if !self.in_flight.iter().any(|known| known.id == one.id) {
                self.in_flight.push(one);
            }
        }
        let native = &self.network.native.asset;
        let free = Free::of(&self.asked, &self.in_flight, &self.token, native)?;
        self.taken = affordable(&self.token, free, kept, &mut gone)?;
        if self.taken.is_empty() { Err(BatchError::NothingDue { left_out: gone }) } else { Ok(gone) }
    }

    fn row(&self, created: &Created, id: BatchId, who: &str, now: i64) -> Result<Batch, BatchError> {
        let content = &created.content;
        Ok(Batch {
            id: id.to_string(),
            partner: self.payer.signer.partner.clone(),
            kind: content.kind,
            network: content.network,
            asset: self.token.asset.clone(),
            source: self.payer.wallet.address,
            signer: self.payer.signer.identity,
            policy: content.policy.digest,
            state: State::Draft,
            content_digest: created.digest,
            item_count: i64::try_from(content.items.len()).unwrap_or(i64::MAX),
            amount_base: sum(content.items.iter().map(|item| item.amount))?,
            expires_at_ms: i64::try_from(content.expires_at.saturating_mul(1_000)).unwrap_or(i64::MAX),
            bundle: None,
            why: "created".to_owned(),
            made_by: who.to_owned(),
            request_id: self.by.request_id.clone(),
            made_at: now,
            changed_at: now,
        })
    }

    fn attempt(
        &self,
        created: &Created,
        index: usize,
        withdrawal: &Withdrawal,
        batch: &Batch,
    ) -> Result<Attempt, BatchError> {
        let bound = match (&created.content.context, created.content.items[index].account_nonce) {
            (Context::Tron(tron), _) => {
                Bound::ExpiresAt(i64::try_from(tron.expiration_ms).unwrap_or(i64::MAX))
            }
            (Context::Evm(_), nonce) => Bound::AccountNonce(nonce.unwrap_or(u64::MAX)),
        };
        let first = created.transactions.get(index).and_then(|levels| levels.first());
        let unsigned_digest =
            first.map_or(Digest::ZERO, |unsigned| Digest::from_bytes(unsigned.signing_hash()));
        Ok(Attempt {
            id: random_id()?,
            withdrawal_id: withdrawal.id.clone(),
            batch_id: batch.id.clone(),
            request_id: withdrawal.request_id.clone(),
            item_index: i64::try_from(index).unwrap_or(i64::MAX),
            network: batch.network,
            source: batch.source,
            bound,
            unsigned_digest,
            state: AttemptState::Built,
            tx_id: None,
            signed_bytes: None,
            included_height: None,
            fee_base: None,
            made_at: batch.made_at,
            changed_at: batch.made_at,
        })
    }
}
