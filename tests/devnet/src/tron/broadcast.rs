//! Taking a transaction into the pool: java-tron's checks in java-tron's order.
//!
//! Called by the two broadcast routes and by the control routes' own transactions. The first failing check decides the answer; the
//! order is tested line by line in `tests/tron_broadcast.rs`.

use prost::Message;

use super::chain::TronChain;
use super::execute::{self, bandwidth_bytes};
use super::ledger::Ledger;
use super::message::{Raw, Transaction, transaction_id};
use super::permission;
use super::refusal::{Code, Refusal};

/// Pool size at which the node is busy.
const POOL_MAX: usize = 2_000;
/// `TRANSACTION_MAX_BYTE_SIZE`.
const TRANSACTION_BYTES_MAX: i64 = 512_000;
/// `MAXIMUM_TIME_UNTIL_EXPIRATION`.
const EXPIRATION_MAX_MS: i64 = 86_400_000;

/// Checks a transaction and puts it into the pool.
pub(crate) fn broadcast(chain: &mut TronChain, transaction: Transaction) -> Result<[u8; 32], Refusal> {
    if chain.pool.len() > POOL_MAX {
        return Err(Refusal::new(Code::ServerBusy, "Server busy."));
    }
    let raw = transaction.raw_data.clone().unwrap_or_default();
    if raw.contract.is_empty() {
        return Err(Refusal::validate("No contract!"));
    }
    if raw.expiration < chain.next_slot_ms() {
        return Err(expired());
    }
    let id = transaction_id(&raw);
    permission::check(&chain.pending, &transaction)?;
    if raw.contract.len() != 1 {
        return Err(Refusal::validate("act size should be exactly 1, this is extend feature"));
    }
    tapos(chain, &raw)?;
    size(&transaction, &id)?;
    expiration(chain, &raw)?;
    if chain.knows(&id) {
        return Err(Refusal::new(Code::DupTransactionError, "Dup transaction."));
    }
    let mut ledger = (*chain.pending).clone();
    execute::apply(&mut ledger, &chain.params, chain.next_context(), &transaction)?;
    chain.admit(id, transaction, ledger);
    Ok(id)
}

/// What a block producer checks again before executing: reference, expiry, duplicates and signatures.
pub(super) fn still_valid(
    chain: &TronChain,
    ledger: &Ledger,
    transaction: &Transaction,
) -> Result<(), Refusal> {
    let raw = transaction.raw_data.clone().unwrap_or_default();
    tapos(chain, &raw)?;
    expiration(chain, &raw)?;
    if raw.expiration < chain.next_slot_ms() {
        return Err(expired());
    }
    permission::check(ledger, transaction)
}

fn tapos(chain: &TronChain, raw: &Raw) -> Result<(), Refusal> {
    let known = <[u8; 2]>::try_from(raw.ref_block_bytes.as_slice()).ok().and_then(|low| chain.reference(low));
    if known.is_some_and(|known| known.as_slice() == raw.ref_block_hash) {
        Ok(())
    } else {
        Err(Refusal::new(Code::TaposError, "Tapos check error."))
    }
}

fn size(transaction: &Transaction, id: &[u8; 32]) -> Result<(), Refusal> {
    // Serialized without `ret`, plus twice the room for a result.
    let size = bandwidth_bytes(transaction) + 64;
    if size > TRANSACTION_BYTES_MAX {
        return Err(Refusal::new(
            Code::TooBigTransactionError,
            format!(
                "Too big transaction with result, TxId {}, the size is {size} bytes, maxTxSize {TRANSACTION_BYTES_MAX}",
                hex::encode(id)
            ),
        ));
    }
    Ok(())
}

fn expiration(chain: &TronChain, raw: &Raw) -> Result<(), Refusal> {
    let head_ms = chain.head().header.timestamp;
    if raw.expiration <= head_ms || raw.expiration > head_ms + EXPIRATION_MAX_MS {
        return Err(expired());
    }
    Ok(())
}

fn expired() -> Refusal {
    Refusal::new(Code::TransactionExpirationError, "Transaction expired")
}

/// The whole transaction from the bytes a client sent.
pub(crate) fn decode(bytes: &[u8]) -> Option<Transaction> {
    Transaction::decode(bytes).ok()
}
