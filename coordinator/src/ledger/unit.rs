//! What a command may do inside the writer's transaction: read, write its own rows, post, hold, settle, release.
//!
//! The writer makes one [`Unit`] per group and lends it to each command in turn, under a savepoint.
//! Within a group nobody else writes (SQLite has one writer; on PostgreSQL the group holds a lock), so
//! what a command reads here stays true until its commit. What must stay true: every refusal below
//! happens without a failed SQL statement, because PostgreSQL gives up a transaction after one.

use super::LedgerError;
use super::account::{Account, Side};
use super::asset::{AssetCode, Assets};
use super::posting::{Amount, Move, Posting};
use super::standings;
use super::store::{self, AccountRow};
use super::writer::not_before;
use crate::clock::UnixMillis;
use crate::db::{self, Db, Dialect};
use airlock_shared::{BaseUnits, ItemId, MinorUnits, Scale};
use sqlx::{Any, Transaction};
use std::collections::HashMap;
use std::sync::Arc;

/// Money of a user to bind. The id is the caller's: a withdrawal's id, an order's id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hold {
    /// Unique for ever.
    pub id: String,
    /// Whose money.
    pub user: String,
    /// Which asset.
    pub asset: AssetCode,
    /// How much, above zero.
    pub amount: MinorUnits,
}

/// The open transaction of a group, lent to one command.
pub struct Unit {
    pub(super) db: Transaction<'static, Any>,
    pub(super) dialect: Dialect,
    assets: Arc<Assets>,
    now: UnixMillis,
    pub(super) accounts: KnownAccounts,
    opened: Vec<Account>,
    pub(super) last_transfer: Option<i64>,
    half_done: bool,
}

/// Row ids of accounts that are committed. Ids never change, so this cannot be wrong about money.
pub(super) type KnownAccounts = HashMap<Account, i64>;

impl Unit {
    pub(super) fn begin(
        db: Transaction<'static, Any>,
        dialect: Dialect,
        assets: Arc<Assets>,
        now: UnixMillis,
        accounts: KnownAccounts,
    ) -> Self {
        Self { db, dialect, assets, now, accounts, opened: Vec::new(), last_transfer: None, half_done: false }
    }

    pub(super) fn into_parts(self) -> (Transaction<'static, Any>, KnownAccounts) {
        (self.db, self.accounts)
    }

    /// The open connection, for the caller's own rows.
    pub fn db(&mut self) -> &mut Db {
        &mut self.db
    }

    /// When this group began, Unix milliseconds; never earlier than the group before it in this process.
    pub const fn now(&self) -> UnixMillis {
        self.now
    }

    /// The configured assets and scales.
    pub fn assets(&self) -> &Assets {
        &self.assets
    }

    /// Writes a posting's entries and changes the balances. A repeated (kind, reference) is refused
    /// with [`LedgerError::Repeated`] before anything is written.
    pub async fn post(&mut self, posting: Posting) -> Result<(), LedgerError> {
        check(&posting)?;
        let before = self.begin_whole();
        let posted = self.write(posting).await;
        self.end_whole(before, posted)
    }

    /// Until the last row is written the command must not be kept, whatever its author makes of the error.
    fn begin_whole(&mut self) -> bool {
        std::mem::replace(&mut self.half_done, true)
    }

    fn end_whole(&mut self, before: bool, result: Result<(), LedgerError>) -> Result<(), LedgerError> {
        let nothing_half_done = matches!(
            result,
            Ok(())
                | Err(LedgerError::Repeated { .. }
                    | LedgerError::NoHold { .. }
                    | LedgerError::HoldEnded { .. })
        );
        self.half_done = before || !nothing_half_done;
        result
    }

    async fn write(&mut self, posting: Posting) -> Result<(), LedgerError> {
        let transfer = self.next_transfer().await?;
        if !store::insert_transfer(&mut self.db, transfer, &posting, self.now).await? {
            self.last_transfer = Some(transfer - 1);
            return Err(LedgerError::Repeated { kind: posting.kind, reference: posting.reference });
        }
        let mut line = 0;
        for step in &posting.moves {
            for entry in self.entries_of(step).await? {
                let account = self.open(&entry.account).await?;
                store::insert_entry(&mut self.db, transfer, line, account, &entry).await?;
                line += 1;
            }
        }
        Ok(())
    }

    /// Binds a user's money: available becomes held.
    pub async fn hold(&mut self, hold: &Hold) -> Result<(), LedgerError> {
        let posting = Posting::new("hold", hold.id.clone()).minor(
            Account::available(&hold.user, &hold.asset),
            Account::held(&hold.user, &hold.asset),
            hold.amount,
        );
        self.post(posting).await?;
        let before = self.begin_whole();
        let inserted = store::insert_hold(&mut self.db, hold, self.now).await;
        self.end_whole(before, inserted)
    }

    /// Spends a hold: `parts` say which account receives how much and must add up to the hold exactly
    /// (for a withdrawal: the reserve pays the amount, fees earned receive the fee).
    pub async fn settle(&mut self, hold: &str, parts: &[(Account, MinorUnits)]) -> Result<(), LedgerError> {
        let before = self.begin_whole();
        let settled = self.spend(hold, parts).await;
        self.end_whole(before, settled)
    }

    async fn spend(&mut self, hold: &str, parts: &[(Account, MinorUnits)]) -> Result<(), LedgerError> {
        let held = self.end_hold(hold, "settled").await?;
        let sum = parts.iter().try_fold(MinorUnits::ZERO, |sum, (_, amount)| sum.checked_add(*amount));
        if sum != Some(held.amount) {
            let parts = sum.unwrap_or(MinorUnits::new(i64::MAX));
            return Err(LedgerError::HoldMismatch { hold: hold.to_owned(), parts, held: held.amount });
        }
        let mut posting = Posting::new("settle", hold);
        for (account, amount) in parts {
            posting = posting.minor(Account::held(&held.user, &held.asset), account.clone(), *amount);
        }
        self.post(posting).await
    }

    /// Gives a hold back: held becomes available again.
    pub async fn release(&mut self, hold: &str) -> Result<(), LedgerError> {
        let before = self.begin_whole();
        let released = self.give_back(hold).await;
        self.end_whole(before, released)
    }

    async fn give_back(&mut self, hold: &str) -> Result<(), LedgerError> {
        let held = self.end_hold(hold, "released").await?;
        let posting = Posting::new("release", hold).minor(
            Account::held(&held.user, &held.asset),
            Account::available(&held.user, &held.asset),
            held.amount,
        );
        self.post(posting).await
    }

    /// The next id of the coordinator's one sequence of movements; never given twice, not even after
    /// a restore (the epoch in the high 16 bits is raised then).
    pub async fn next_item_id(&mut self) -> Result<ItemId, LedgerError> {
        let (epoch, number) = store::next_item(&mut self.db).await?;
        let id = u64::try_from(epoch).ok().zip(u64::try_from(number).ok());
        id.map(|(epoch, number)| ItemId::new(epoch << 48 | number))
            .ok_or_else(|| LedgerError::Corrupt { what: format!("item sequence {epoch}/{number}") })
    }

    pub(super) async fn open_savepoint(&mut self) -> Result<(), sqlx::Error> {
        self.opened.clear();
        self.half_done = false;
        sqlx::query("savepoint command").execute(&mut *self.db).await.map(|_| ())
    }

    /// Keeps what the command did; false if it cannot be kept (a posting is half written, or PostgreSQL has given the
    /// command up after a failed statement) and was undone instead.
    pub(super) async fn keep(&mut self) -> Result<bool, sqlx::Error> {
        if !self.half_done && self.release_savepoint().await.is_ok() {
            return Ok(true);
        }
        self.undo().await?;
        Ok(false)
    }

    pub(super) async fn release_savepoint(&mut self) -> Result<(), sqlx::Error> {
        sqlx::query("release savepoint command").execute(&mut *self.db).await.map(|_| ())
    }

    /// Undoes everything that was done in this transaction and begins it anew.
    pub(super) async fn begin_again(&mut self) -> Result<(), sqlx::Error> {
        self.forget();
        db::begin_again(&mut self.db, self.dialect).await?;
        // The lock was free for a moment: another coordinator may have posted later events than this group's moment.
        let (last, made_at) = store::newest_transfer(&mut self.db).await?;
        (self.last_transfer, self.now) = (Some(last), not_before(self.now, made_at));
        Ok(())
    }

    /// What an undone command opened or counted does not exist any more.
    fn forget(&mut self) {
        for account in self.opened.drain(..) {
            self.accounts.remove(&account);
        }
        self.last_transfer = None;
    }

    pub(super) async fn undo(&mut self) -> Result<(), sqlx::Error> {
        self.forget();
        // One message for both: refusals are answered in it.
        let undo = "rollback to savepoint command; release savepoint command";
        sqlx::raw_sql(undo).execute(&mut *self.db).await.map(|_| ())
    }

    async fn end_hold(&mut self, hold: &str, state: &'static str) -> Result<Hold, LedgerError> {
        let (found, now_state) = store::hold(&mut self.db, hold)
            .await?
            .ok_or_else(|| LedgerError::NoHold { hold: hold.to_owned() })?;
        if !store::end_hold(&mut self.db, hold, state, self.now).await? {
            return Err(LedgerError::HoldEnded { hold: hold.to_owned(), state: now_state });
        }
        Ok(found)
    }

    async fn next_transfer(&mut self) -> Result<i64, LedgerError> {
        let last = match self.last_transfer {
            Some(last) => last,
            None => store::last_transfer(&mut self.db).await?,
        };
        self.last_transfer = Some(last + 1);
        Ok(last + 1)
    }

    /// The account's row id; the row is made at its first use.
    async fn open(&mut self, account: &Account) -> Result<i64, LedgerError> {
        if let Some(id) = self.accounts.get(account) {
            return Ok(*id);
        }
        let id = store::open_account(&mut self.db, account).await?;
        self.remember(account, id);
        Ok(id)
    }

    /// Remembers the row of an account that this command may have made.
    pub(super) fn remember(&mut self, account: &Account, id: i64) {
        self.accounts.insert(account.clone(), id);
        self.opened.push(account.clone());
    }

    /// Changes both balances of a move and says which entries record it.
    async fn entries_of(&mut self, step: &Move) -> Result<Vec<Entry>, LedgerError> {
        let amounts = Amounts::of(step, &self.assets)?;
        let debit_exact = self.change_if_exact(&step.debit, Side::Debit, amounts).await?;
        let credit_exact = self.change_if_exact(&step.credit, Side::Credit, amounts).await?;
        let debited = debit_exact.unwrap_or_else(|| inexact(&step.debit, credit_exact, amounts));
        let credited = credit_exact.unwrap_or_else(|| inexact(&step.credit, debit_exact, amounts));
        if debit_exact.is_none() {
            self.change_minor(&step.debit, Side::Debit, debited).await?;
        }
        if credit_exact.is_none() {
            self.change_minor(&step.credit, Side::Credit, credited).await?;
        }
        let mut entries = vec![
            Entry::new(&step.debit, Side::Debit, debited, amounts.base),
            Entry::new(&step.credit, Side::Credit, credited, amounts.base),
        ];
        let (rounded, side) = match debited.get() - credited.get() {
            over if over > 0 => (MinorUnits::new(over), Side::Credit),
            under => (MinorUnits::new(-under), Side::Debit),
        };
        let rounding = Account::Rounding(step.debit.asset().clone());
        self.change_minor(&rounding, side, rounded).await?;
        entries.push(Entry::new(&rounding, side, rounded, None));
        entries.retain(|entry| entry.amount.is_positive() || entry.amount_base.is_some());
        Ok(entries)
    }

    /// Changes an account that counts whole minor units; refused when a person's balance would go below zero.
    async fn change_minor(
        &mut self,
        account: &Account,
        side: Side,
        amount: MinorUnits,
    ) -> Result<(), LedgerError> {
        if amount == MinorUnits::ZERO {
            return Ok(());
        }
        let id = self.open(account).await?;
        let grows = side == account.side();
        let delta = if grows { amount.get() } else { -amount.get() };
        let lowest = if account.may_be_negative() { -i64::MAX } else { 0 };
        // delta is within ±i64::MAX, so one of the two bounds moves and neither overflows.
        let from = if grows { lowest } else { lowest + amount.get() };
        let to = if grows { i64::MAX - amount.get() } else { i64::MAX };
        if store::add_to_balance(&mut self.db, id, delta, from, to).await? {
            return Ok(());
        }
        let row = store::account_row(&mut self.db, id).await?;
        Err(standings::refusal(account, grows, row.balance_minor, amount))
    }

    /// Changes an account that counts base units exactly; says by how many minor units, `None` if it does not.
    async fn change_if_exact(
        &mut self,
        account: &Account,
        side: Side,
        amounts: Amounts,
    ) -> Result<Option<MinorUnits>, LedgerError> {
        let Some((base, scale)) = amounts.base.zip(amounts.scale).filter(|_| account.is_exact()) else {
            return Ok(None);
        };
        let id = self.open(account).await?;
        let row = store::account_row(&mut self.db, id).await?;
        let overflow = || LedgerError::Overflow { account: account.kind(), asset: account.asset().clone() };
        let (new, delta) = if side == account.side() {
            grow(row, base, scale).ok_or_else(overflow)?
        } else {
            shrink(row, base, scale).ok_or_else(overflow)?
        };
        store::set_exact_balance(&mut self.db, id, new).await?;
        Ok(Some(MinorUnits::new(delta)))
    }
}

/// One line of a transfer.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) account: Account,
    pub(super) side: Side,
    pub(super) amount: MinorUnits,
    pub(super) amount_base: Option<BaseUnits>,
}

impl Entry {
    fn new(account: &Account, side: Side, amount: MinorUnits, base: Option<BaseUnits>) -> Self {
        let amount_base = base.filter(|_| account.is_exact());
        Self { account: account.clone(), side, amount, amount_base }
    }
}

/// A move's amount in every unit that its accounts need.
#[derive(Clone, Copy)]
struct Amounts {
    minor: MinorUnits,
    base: Option<BaseUnits>,
    scale: Option<Scale>,
}

impl Amounts {
    fn of(step: &Move, assets: &Assets) -> Result<Self, LedgerError> {
        let asset = step.debit.asset();
        assets.decimals(asset)?;
        let network = step.debit.network().or(step.credit.network());
        let scale = network.map(|network| assets.scale(asset, network)).transpose()?;
        match (step.amount, scale) {
            (Amount::Minor(minor), None) => Ok(Self { minor, base: None, scale }),
            (Amount::Minor(minor), Some(scale)) => {
                let base = Some(scale.to_base(minor).map_err(super::AssetError::from)?);
                Ok(Self { minor, base, scale: Some(scale) })
            }
            (Amount::Base(base), Some(scale)) => {
                let (minor, _) = scale.to_minor(base).map_err(super::AssetError::from)?;
                Ok(Self { minor, base: Some(base), scale: Some(scale) })
            }
            // `check` refuses base units without a network.
            (Amount::Base(_), None) => {
                Err(LedgerError::Corrupt { what: "base units without a network".into() })
            }
        }
    }
}

/// A person's account takes this amount's whole minor units; ours takes what the exact side moved, so
/// that costs and capital add up to the last base unit over time.
fn inexact(account: &Account, other_side: Option<MinorUnits>, amounts: Amounts) -> MinorUnits {
    let claim = !account.may_be_negative() || matches!(account, Account::Suspense(_));
    match other_side {
        Some(moved) if !claim => moved,
        _ => amounts.minor,
    }
}

/// Adds base units to an exact balance: the new balance and by how many minor units it grew.
fn grow(row: AccountRow, base: BaseUnits, scale: Scale) -> Option<(AccountRow, i64)> {
    let (whole, dust) = scale.to_minor(base).ok()?;
    let sum = row.dust_base.checked_add(dust)?;
    let (delta, dust_base) = match sum.checked_sub(scale.base_per_minor()) {
        Some(rest) => (whole.get().checked_add(1)?, rest),
        None => (whole.get(), sum),
    };
    Some((AccountRow { balance_minor: row.balance_minor.checked_add(delta)?, dust_base }, delta))
}

/// Takes base units from an exact balance: the new balance and by how many minor units it shrank.
fn shrink(row: AccountRow, base: BaseUnits, scale: Scale) -> Option<(AccountRow, i64)> {
    let (whole, dust) = scale.to_minor(base).ok()?;
    let (delta, dust_base) = match row.dust_base.checked_sub(dust) {
        Some(rest) => (whole.get(), rest),
        None => {
            let borrowed = row.dust_base.checked_add(scale.base_per_minor())?;
            (whole.get().checked_add(1)?, borrowed.checked_sub(dust)?)
        }
    };
    Some((AccountRow { balance_minor: row.balance_minor.checked_sub(delta)?, dust_base }, delta))
}

/// Refuses postings that make no sense, before anything is written.
pub(super) fn check(posting: &Posting) -> Result<(), LedgerError> {
    let malformed =
        |what| Err(LedgerError::Malformed { kind: posting.kind, reference: posting.reference.clone(), what });
    if posting.moves.is_empty() {
        return malformed("no moves");
    }
    for step in &posting.moves {
        let networks = step.debit.network().zip(step.credit.network());
        let positive = match step.amount {
            Amount::Minor(minor) => minor.is_positive(),
            Amount::Base(base) => !base.is_zero(),
        };
        if !positive {
            return malformed("an amount that is not above zero");
        }
        if step.debit.asset() != step.credit.asset() {
            return malformed("a move between two assets");
        }
        if step.debit == step.credit {
            return malformed("a move from an account to itself");
        }
        if networks.is_some_and(|(debit, credit)| debit != credit) {
            return malformed("a move between two networks");
        }
        let no_network = step.debit.network().or(step.credit.network()).is_none();
        if no_network && matches!(step.amount, Amount::Base(_)) {
            return malformed("base units without a network");
        }
    }
    Ok(())
}
