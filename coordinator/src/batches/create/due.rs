//! What is due, in the queue's order, and how much of it the paying wallet can pay.
//!
//! What must stay true: what was signed for before, or left unanswered, waits for a person; whoever comes after the first that the
//! wallet cannot pay waits too.

use super::Request;
use super::payer::{Payees, other_payee};
use crate::batches::terms::Asked;
use crate::batches::{BatchError, LeftOut, hardware, sum};
use crate::config::TokenConfig;
use crate::db::Db;
use crate::ledger::AssetCode;
use crate::pairing::store::WalletRow;
use crate::people::HOUSE;
use crate::withdrawals::attempts::{self, InFlight};
use crate::withdrawals::{Withdrawal, queue};
use airlock_shared::batch::MAX_ITEMS;
use airlock_shared::wallet::Role;
use airlock_shared::{BaseUnits, Network};
use std::collections::BTreeSet;

/// The withdrawal that has waited longest for this partner's wallets.
pub async fn oldest_due(
    db: &mut Db,
    network: Network,
    partner: &str,
) -> Result<Option<Withdrawal>, BatchError> {
    let payees = Payees::of(db, partner).await?;
    let (due, _) = queue::due_of(db, network, 100, |partner| payees.include(partner)).await?;
    Ok(due.into_iter().next())
}

/// What is due of the asset, in the queue's order. What was signed for before waits for a person, and so does what left
/// unanswered for a hardware wallet, or for another wallet than the hardware wallet that pays now: no journal would refuse it.
pub(super) async fn due(
    db: &mut Db,
    request: &Request,
    payer: WalletRow,
    limit: usize,
) -> Result<(Vec<Withdrawal>, Vec<LeftOut>), BatchError> {
    let mut unanswered = BTreeSet::new();
    for (withdrawal, batch) in attempts::left_unanswered(db, request.network).await? {
        // A signer of ours refuses to sign again what it refused or let expire; a hardware wallet knows nothing.
        if payer.role == Role::Hardware || hardware::exported_at(db, &batch).await?.is_some() {
            unanswered.insert(withdrawal);
        }
    }
    let signed_before: BTreeSet<String> =
        attempts::signed_before(db, request.network).await?.into_iter().collect();
    let payees = Payees::of(db, &request.partner).await?;
    let (queued, others) =
        queue::due_of(db, request.network, MAX_ITEMS, |partner| payees.include(partner)).await?;
    let (mut due, mut left_out) = (Vec::new(), Vec::new());
    if request.partner == HOUSE {
        // A partner is not told of others.
        left_out.extend(others.into_iter().filter(|other| other.asset == request.asset).map(other_payee));
    }
    for withdrawal in queued.into_iter().filter(|withdrawal| withdrawal.asset == request.asset) {
        if signed_before.contains(&withdrawal.id) {
            let why = "it was signed before and waits for a person".to_owned();
            left_out.push(LeftOut { withdrawal: withdrawal.id, why });
        } else if unanswered.contains(&withdrawal.id) {
            let why =
                "it left for a wallet without an answer and may be signed: it waits for a person".to_owned();
            left_out.push(LeftOut { withdrawal: withdrawal.id, why });
        } else if due.len() < limit {
            due.push(withdrawal);
        }
    }
    Ok((due, left_out))
}

/// What a wallet can spend now: its final balances less what is on its way out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Free {
    /// Of the asset that moves.
    asset: BaseUnits,
    /// Of the native coin, fees of what is on its way included.
    native: BaseUnits,
}

impl Free {
    /// `in_flight` is told once per attempt; the fee of each counts as the dearest quote.
    pub(super) fn of(
        asked: &Asked,
        in_flight: &[InFlight],
        token: &TokenConfig,
        native: &AssetCode,
    ) -> Result<Self, BatchError> {
        let dearest = asked.quotes.iter().flatten().max().copied().unwrap_or(BaseUnits::ZERO);
        let of = |code: &AssetCode| {
            sum(in_flight.iter().filter(|one| one.asset == code.as_str()).map(|one| one.amount))
        };
        let fees = sum(in_flight.iter().map(|_| dearest))?;
        let native = asked.native_balance.checked_sub(sum([of(native)?, fees])?).unwrap_or(BaseUnits::ZERO);
        let asset = match token.contract {
            None => native,
            Some(_) => asked.balance.checked_sub(of(&token.asset)?).unwrap_or(BaseUnits::ZERO),
        };
        Ok(Self { asset, native })
    }
}

/// The first in line that the wallet can pay; whoever comes after the first that it cannot pay waits, in order.
pub(super) fn affordable(
    token: &TokenConfig,
    free: Free,
    due: Vec<(Withdrawal, Result<BaseUnits, String>)>,
    left_out: &mut Vec<LeftOut>,
) -> Result<Vec<Withdrawal>, BatchError> {
    let is_native = token.contract.is_none();
    let (mut amount, mut fees) = (BaseUnits::ZERO, BaseUnits::ZERO);
    let (mut taken, mut short) = (Vec::new(), false);
    for (withdrawal, quote) in due {
        let cost = match quote {
            Ok(cost) => cost,
            Err(reason) => {
                let why = format!("the chain says it would fail: {reason}");
                left_out.push(LeftOut { withdrawal: withdrawal.id, why });
                continue;
            }
        };
        let amount_with = sum([amount, withdrawal.amount_base])?;
        let fees_with = sum([fees, cost])?;
        let needed = if is_native { sum([amount_with, fees_with])? } else { amount_with };
        if short || needed > free.asset || fees_with > free.native {
            short = true;
            let why = format!(
                "hot_short: the paying wallet has {} base units free and {} of the native coin",
                free.asset, free.native
            );
            left_out.push(LeftOut { withdrawal: withdrawal.id, why });
            continue;
        }
        (amount, fees) = (amount_with, fees_with);
        taken.push(withdrawal);
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batches::terms::Terms;

    #[test]
    fn what_is_on_its_way_is_not_free_in_either_coin_and_neither_are_its_fees() {
        let code = |text: &str| text.parse::<AssetCode>().unwrap();
        let base = |amount: u64| BaseUnits::from(amount);
        let asked = Asked {
            terms: Terms::Evm { gas_limit: 1, levels: Vec::new(), next_nonce: 0 },
            quotes: vec![Ok(base(3)), Err("would fail".to_owned()), Ok(base(5))],
            balance: base(100),
            native_balance: base(50),
        };
        let one = |id: &str, asset: &str, amount: u64| InFlight {
            id: id.to_owned(),
            asset: asset.to_owned(),
            amount: base(amount),
        };
        let in_flight = [one("a", "USDT", 30), one("b", "ETH", 7)];
        let contract = airlock_shared::Address::new(Network::EVM_DEV, [1; 20]);
        let token = |contract, asset: &str| TokenConfig {
            asset: code(asset),
            contract,
            scale: airlock_shared::Scale::new(6, 6).unwrap(),
            withdrawal: None,
        };
        let of = |in_flight: &[InFlight], token: TokenConfig| {
            let free = Free::of(&asked, in_flight, &token, &code("ETH")).unwrap();
            (free.asset, free.native)
        };
        assert_eq!(of(&[], token(Some(contract), "USDT")), (base(100), base(50)));
        assert_eq!(of(&in_flight, token(Some(contract), "USDT")), (base(70), base(33)));
        assert_eq!(of(&in_flight, token(None, "ETH")), (base(33), base(33)));
    }
}
