//! Creating a batch: queued withdrawals of one asset on one network become a frozen content, once and for all.
//!
//! `http.rs` calls [`create`] for an operator. The chain is asked first, outside any commit; then one commit re-reads what is due,
//! takes nonces or timestamps, freezes the content through the shared creator, writes batch and attempts and moves every
//! withdrawal to processing. What must stay true: order is the queue's; a withdrawal is in one batch; the policy that the
//! signer is believed to have accepts everything but the approvals that are still to come.

mod content;
mod draft;
mod due;
mod payer;

pub use due::oldest_due;

use self::draft::Draft;
use self::due::due;
use self::payer::payer;
use super::store::Batch;
use super::{BatchError, LeftOut, terms};
use crate::app::App;
use crate::audit::By;
use crate::config::NetworkConfig;
use crate::ledger::AssetCode;
use crate::withdrawals::attempts;
use airlock_shared::batch::MAX_ITEMS;
use airlock_shared::policy::SignedPolicy;
use airlock_shared::{Address, Network, PersonId};
use std::time::Duration;

/// The most items that a hardware wallet is asked for: each is one look at its small screen.
const HARDWARE_ITEMS_MAX: usize = 100;

/// What an operator asks for.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where.
    pub network: Network,
    /// What moves.
    pub asset: AssetCode,
    /// At most so many items, besides the configured and the policy's limit.
    pub items_max: Option<usize>,
    /// Whose wallets pay, and with them whose withdrawals are paid (P8).
    pub partner: String,
    /// The hardware wallet that pays, by its address; otherwise the hot wallet does.
    pub hardware: Option<Address>,
}

/// A new batch and what was due but left out of it.
#[derive(Clone, Debug)]
pub struct Made {
    /// The batch, awaiting approval.
    pub batch: Batch,
    /// What was left out, and why.
    pub left_out: Vec<LeftOut>,
}

/// Makes a batch of what is due, in the name of `operator` (a person id).
pub async fn create(app: &App, request: &Request, operator: &str, by: &By) -> Result<Made, BatchError> {
    let creator = PersonId::new(operator).ok_or_else(|| BatchError::Person { found: operator.to_owned() })?;
    let network = app.config.network(request.network).ok_or(BatchError::Network(request.network))?.clone();
    let token = network
        .token(&request.asset)
        .ok_or(BatchError::Asset { asset: request.asset.clone(), network: request.network })?
        .clone();
    let (payer, due, mut left_out, in_flight) = {
        let mut db = app.db.reader().await?;
        let payer = payer(&mut db, &network, &request.partner, request.hardware).await?;
        let limit = items_max(app, request, &payer.policy);
        let (due, left_out) = due(&mut db, request, payer.wallet, limit).await?;
        // Read before the balance: what becomes final in between may be counted twice, never forgotten.
        let in_flight = attempts::in_flight(&mut db, payer.wallet.address).await?;
        (payer, due, left_out, in_flight)
    };
    if due.is_empty() {
        return Err(BatchError::NothingDue { left_out });
    }
    let providers = app.chains.of(request.network).ok_or(BatchError::Network(request.network))?;
    let asked = terms::ask(providers, &network, &token, payer.wallet.address, &due).await?;
    let lifetime = lifetime(app, &network, &payer.policy);
    let by = by.clone();
    let partner = request.partner.clone();
    let draft = Draft { partner, creator, by, network, token, payer, asked, in_flight, lifetime, taken: due };
    match app.writer.commit(move |unit| Box::pin(async move { draft.write(unit).await })).await {
        Ok((batch, more)) => {
            left_out.extend(more);
            Ok(Made { batch, left_out })
        }
        Err(BatchError::NothingDue { left_out: more }) => {
            left_out.extend(more);
            Err(BatchError::NothingDue { left_out })
        }
        Err(error) => Err(error),
    }
}

fn items_max(app: &App, request: &Request, policy: &SignedPolicy) -> usize {
    let by_policy = usize::try_from(policy.policy.bounds.items_max).unwrap_or(MAX_ITEMS);
    [MAX_ITEMS, app.config.batch.items_max, by_policy, request.items_max.unwrap_or(MAX_ITEMS)]
        .into_iter()
        .chain(request.hardware.map(|_| HARDWARE_ITEMS_MAX))
        .min()
        .unwrap_or(MAX_ITEMS)
}

/// How long the batch lives: as configured, and no longer than the policy allows.
fn lifetime(app: &App, network: &NetworkConfig, policy: &SignedPolicy) -> Duration {
    let configured = match network.fees {
        crate::config::FeeConfig::Tron { expiration, .. } => expiration,
        crate::config::FeeConfig::Evm { .. } => app.config.batch.lifetime,
    };
    configured.min(Duration::from_secs(policy.policy.bounds.lifetime_max_seconds))
}
