//! Following what was sent, until the chain has said its last word.
//!
//! [`step`] is one round for one network. A transaction counts when it is final at one provider and a second one tells the same
//! block height, outcome, fee and transfers. What must stay true: "not found" proves nothing by itself; dead is only what is
//! provably dead (TRON: two providers whose final block is past the expiration do not have it; EVM: never by absence); a
//! successful transaction without the very transfer we signed is not a payment but an alert.

use super::broadcast::RESEND_AFTER_MS;
use super::settle::{self, Paid};
use super::{BatchError, Progress};
use crate::alerts;
use crate::app::App;
use crate::chain::{ChainError, Coin, Included, Inclusion, Providers, Told, Transfer, TxId, View};
use crate::withdrawals::attempts::{self, Attempt, Bound};
use crate::withdrawals::{self, AttemptState, Event, Withdrawal};
use airlock_shared::Network;
use futures::stream::{self, StreamExt as _};

/// Attempts followed in one round.
const ATTEMPTS_PER_STEP: i64 = 1_000;
/// Attempts asked about at the same time.
const AT_ONCE: usize = 16;
/// So many independent providers must not have an expired transaction.
const PROOFS_OF_DEATH: usize = 2;

/// One round: what changed and what waits.
pub async fn step(app: &App, network: Network) -> Result<Progress, BatchError> {
    let providers = app.chains.of(network).ok_or(BatchError::Network(network))?;
    let mut open = Vec::new();
    {
        let mut db = app.db.reader().await?;
        for state in [AttemptState::Included, AttemptState::Sent] {
            open.extend(attempts::in_state(&mut db, network, state, ATTEMPTS_PER_STEP).await?);
        }
    }
    if open.is_empty() {
        return Ok(Progress::default());
    }
    let final_ms = providers.ask(|node| async move { node.finalized().await }).await?.answer.time_ms;
    let asked: Vec<_> = open.iter().map(|attempt| follow(app, providers, attempt, final_ms)).collect();
    let followed: Vec<_> = stream::iter(asked).buffer_unordered(AT_ONCE).collect().await;
    let mut progress = Progress::default();
    for followed in followed {
        match followed? {
            true => progress.changed += 1,
            false => progress.waiting += 1,
        }
    }
    Ok(progress)
}

/// One attempt's next step; true if something changed. `final_ms` is the time of the final block.
async fn follow(
    app: &App,
    providers: &Providers,
    attempt: &Attempt,
    final_ms: u64,
) -> Result<bool, BatchError> {
    match find(app, providers, attempt).await? {
        // Recorded as seen even when it is final already: settling may have to wait for a second provider.
        Some((tx_id, told)) if attempt.state == AttemptState::Sent => {
            include(app, attempt, tx_id, &told.answer).await?;
            Ok(true)
        }
        Some((tx_id, told)) if told.answer.is_final => finish(app, providers, attempt, tx_id, told).await,
        Some(_) => Ok(false),
        None if attempt.state == AttemptState::Included => {
            exclude(app, attempt).await?;
            Ok(true)
        }
        None => bury(app, providers, attempt, final_ms).await,
    }
}

/// The attempt's transaction that is in a block, of all that it has (fee levels, cancel), and who told. Where the first provider
/// knows none of them although one should be there, the others are asked too: a provider that lags or hides is only a delay.
async fn find(
    app: &App,
    providers: &Providers,
    attempt: &Attempt,
) -> Result<Option<(TxId, Told<Included>)>, BatchError> {
    let transactions = attempts::transactions_of(&mut *app.db.reader().await?, &attempt.id).await?;
    let waited = app.clock.now().saturating_sub(attempt.changed_at) >= RESEND_AFTER_MS;
    let ask_others = attempt.state == AttemptState::Included || waited;
    for (_, tx_id, _) in transactions {
        let tx_id = TxId::parse(&tx_id).ok_or_else(|| corrupt(format!("transaction id {tx_id}")))?;
        let ask = |besides| providers.ask_besides(besides, |node| async move { node.inclusion(tx_id).await });
        let mut told = ask(None).await?;
        if told.answer == Inclusion::NotFound && ask_others {
            // Nobody else may be there to ask; then it is as the first one says.
            told = ask(Some(told.provider)).await.unwrap_or(told);
        }
        if let Inclusion::Included(included) = told.answer {
            return Ok(Some((tx_id, Told { provider: told.provider, answer: included })));
        }
    }
    Ok(None)
}

fn corrupt(what: String) -> BatchError {
    crate::ledger::LedgerError::Corrupt { what }.into()
}

/// Seen in a block that is not final.
async fn include(app: &App, attempt: &Attempt, tx_id: TxId, seen: &Included) -> Result<(), BatchError> {
    tracing::info!(
        request_id = attempt.request_id, withdrawal = attempt.withdrawal_id, batch = attempt.batch_id,
        network = %attempt.network, tx_id = tx_id.shown_on(attempt.network), height = seen.height,
        "transaction is in a block"
    );
    let (attempt, height, fee) = (attempt.clone(), seen.height, seen.fee_base);
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                attempts::set_included(unit.db(), &attempt, &tx_id.to_string(), height, fee, now).await?;
                let why = format!("in block {height}");
                let id = &attempt.withdrawal_id;
                withdrawals::transition(unit, id, Event::Include, "system", &why).await?;
                Ok(())
            })
        })
        .await
}

/// A reorg took its block: it is sent again, the same bytes.
async fn exclude(app: &App, attempt: &Attempt) -> Result<(), BatchError> {
    tracing::warn!(
        request_id = attempt.request_id, withdrawal = attempt.withdrawal_id, batch = attempt.batch_id,
        network = %attempt.network, tx_id = attempt.shown_tx_id(), "the transaction's block left the chain"
    );
    let attempt = attempt.clone();
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                attempts::step(unit.db(), &attempt.id, attempt.state, AttemptState::Sent, now).await?;
                let id = &attempt.withdrawal_id;
                withdrawals::transition(unit, id, Event::Exclude, "system", "its block left the chain")
                    .await?;
                Ok(())
            })
        })
        .await
}

/// Final at one provider: asks another, then books. True once it is booked.
async fn finish(
    app: &App,
    providers: &Providers,
    attempt: &Attempt,
    tx_id: TxId,
    told: Told<Included>,
) -> Result<bool, BatchError> {
    let shown = tx_id.shown_on(attempt.network);
    let second =
        providers.ask_besides(Some(told.provider), |node| async move { node.inclusion(tx_id).await }).await;
    match second {
        Ok(Told { answer: Inclusion::Included(other), .. }) if other.is_final => {
            if !tells_alike(&told.answer, &other) {
                let what = format!("two providers tell transaction {shown} differently");
                raise(app, "attempt.disputed", &attempt.id, what).await?;
                return Ok(false);
            }
        }
        // Lagging, away, or the only one: it waits, visibly, and everything else goes on.
        Ok(_) => return Ok(false),
        Err(error) => {
            tracing::warn!(network = %attempt.network, tx_id = shown, %error, "settling waits for a second provider");
            return Ok(false);
        }
    }
    let withdrawal = withdrawal_of(app, attempt).await?;
    let paid = match &told.answer.outcome {
        Err(reason) => Paid::Failed { reason: reason.clone() },
        Ok(()) if pays(app, &told.answer, attempt, &withdrawal)? => Paid::InFull,
        Ok(()) => {
            let what =
                format!("transaction {shown} is final and successful but makes not the transfer we signed");
            raise(app, "attempt.other_transfer", &attempt.id, what).await?;
            return Ok(false);
        }
    };
    settle::settle(app, attempt, &withdrawal, tx_id, &told.answer, paid).await?;
    Ok(true)
}

fn tells_alike(one: &Included, other: &Included) -> bool {
    // Two final blocks at one height: one of the providers is on another chain. TRON tells no block with the receipt.
    let same_block = one.block_id.zip(other.block_id).is_none_or(|(one, other)| one == other);
    same_block
        && one.height == other.height
        && one.outcome.is_ok() == other.outcome.is_ok()
        && one.fee_base == other.fee_base
        && one.transfers == other.transfers
}

/// Does the transaction move exactly what the withdrawal asks, from our wallet to its destination?
fn pays(app: &App, seen: &Included, attempt: &Attempt, paid: &Withdrawal) -> Result<bool, BatchError> {
    let network = app.config.network(paid.network).ok_or(BatchError::Network(paid.network))?;
    let asset = || BatchError::Asset { asset: paid.asset.clone(), network: paid.network };
    let coin = network.token(&paid.asset).ok_or_else(asset)?.contract.map_or(Coin::Native, Coin::Token);
    let is_ours = |transfer: &Transfer| {
        transfer.coin == coin
            && transfer.from == attempt.source
            && transfer.to == paid.destination
            && transfer.amount == paid.amount_base
    };
    Ok(seen.transfers.iter().filter(|transfer| is_ours(transfer)).count() == 1)
}

async fn withdrawal_of(app: &App, attempt: &Attempt) -> Result<Withdrawal, BatchError> {
    let id = &attempt.withdrawal_id;
    let found = withdrawals::store::find(&mut *app.db.reader().await?, id).await?;
    Ok(found.ok_or_else(|| withdrawals::WithdrawalError::NotFound { id: id.clone() })?)
}

/// Nobody has it in a block. Books its death if that is proven; true if so.
async fn bury(
    app: &App,
    providers: &Providers,
    attempt: &Attempt,
    final_ms: u64,
) -> Result<bool, BatchError> {
    match attempt.bound {
        Bound::ExpiresAt(at) => {
            let expiration_ms = u64::try_from(at).unwrap_or(u64::MAX);
            if final_ms < expiration_ms || !has_expired_unseen(providers, attempt, expiration_ms).await? {
                return Ok(false);
            }
            settle::dead(app, attempt, "expired on chain without being included").await?;
            Ok(true)
        }
        Bound::AccountNonce(nonce) => {
            warn_if_overtaken(app, providers, attempt, nonce).await?;
            Ok(false)
        }
    }
}

/// TRON: do two independent providers, whose final block is past the expiration, not have it? (facts: a block after that one
/// cannot contain it.)
async fn has_expired_unseen(
    providers: &Providers,
    attempt: &Attempt,
    expiration_ms: u64,
) -> Result<bool, BatchError> {
    let Some(tx_id) = attempt.tx_id.as_deref().and_then(TxId::parse) else { return Ok(false) };
    let told = providers
        .ask_each(|node| async move {
            // The height first: what is asked afterwards is at least as new.
            let past = node.finalized().await?.time_ms >= expiration_ms;
            Ok::<_, ChainError>((past, node.inclusion(tx_id).await?))
        })
        .await;
    let mut proofs = 0;
    for told in told {
        match told.answer {
            Ok((_, Inclusion::Included(_))) => return Ok(false),
            Ok((true, Inclusion::NotFound)) => proofs += 1,
            Ok((false, Inclusion::NotFound)) | Err(_) => {}
        }
    }
    Ok(proofs >= PROOFS_OF_DEATH)
}

/// EVM: the final account nonce is past ours and none of our transactions is there: somebody else uses the key.
async fn warn_if_overtaken(
    app: &App,
    providers: &Providers,
    attempt: &Attempt,
    nonce: u64,
) -> Result<(), BatchError> {
    let source = attempt.source;
    let told = providers
        .ask(|node| async move {
            let evm = node.evm().ok_or_else(super::terms::wrong_family)?;
            evm.account_nonce(source, View::Final).await
        })
        .await?;
    if told.answer <= nonce {
        return Ok(());
    }
    // The transaction may have become final between the two questions.
    if find(app, providers, attempt).await?.is_some() {
        return Ok(());
    }
    let what = format!("account nonce {nonce} of {source} is final with a transaction that is not ours");
    raise(app, "wallet.unknown_transaction", &source.to_string(), what).await
}

async fn raise(app: &App, kind: &'static str, subject: &str, what: String) -> Result<(), BatchError> {
    let subject = subject.to_owned();
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                Ok(alerts::raise(unit.db(), kind, &subject, &what, now).await?)
            })
        })
        .await
}
