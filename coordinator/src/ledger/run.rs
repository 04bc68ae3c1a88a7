//! A run: all orders of a group carried out at once, in a fixed number of statements however many they are.
//!
//! Called by the writer before the group's closures. Keys, events and balances are read, the orders are worked out
//! in memory one after the other, and what they came to is written as sets. What must stay true: an order is judged
//! exactly as it would be alone after those before it; one that is refused writes nothing; if a statement fails the
//! whole run is undone and every order is tried alone under a savepoint, so only the one at fault is refused.

mod store;

use super::LedgerError;
use super::account::Side;
use super::order::{Answer, Order, OrderError, Receipt};
use super::posting::{Amount, Posting};
use super::standings::Standings;
use super::store::{OnceLine, last_transfer, once};
use super::unit::{Unit, check};
use crate::audit;
use crate::clock::UnixMillis;
use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;
use store::{EntryRow, Named, Seen, TransferRow};

/// An order whose answer is written out, ready to be tried more than once.
pub(super) struct Ready {
    posting: Posting,
    once: Option<ReadyOnce>,
    audit: Option<audit::Row>,
}

struct ReadyOnce {
    owner: String,
    key: String,
    request_digest: String,
    answer: Answer,
}

/// What a run came to for each of its orders.
pub(super) type Outcomes = Vec<Result<Receipt, OrderError>>;

impl Unit {
    /// Writes out the order's answer. `None` if the caller's function for it panicked.
    pub(super) fn ready(&self, order: Order) -> Option<Ready> {
        let Order { posting, once, audit } = order;
        let Some(once) = once else { return Some(Ready { posting, once: None, audit }) };
        let now = self.now();
        // A panic is reported by the panic hook; the caller sees that nothing was changed.
        let body = catch_unwind(AssertUnwindSafe(|| (once.body)(now))).ok()?;
        let answer = Answer { status: once.status, body };
        let (owner, key, request_digest) = (once.owner, once.key, once.request_digest);
        Some(Ready { posting, once: Some(ReadyOnce { owner, key, request_digest, answer }), audit })
    }

    /// Carries out the orders, in their order. Nothing may have been written in this transaction before. An error means
    /// that the transaction itself is lost.
    pub(super) async fn run(&mut self, orders: &[Ready]) -> Result<Outcomes, sqlx::Error> {
        match self.carry_out(orders).await {
            Ok(outcomes) => return Ok(outcomes),
            Err(error) => {
                tracing::warn!(%error, orders = orders.len(), "a run of orders failed, each is tried alone");
            }
        }
        // A savepoint around each run would cost SQLite more than the run itself: it copies every page it touches.
        self.begin_again().await?;
        let mut outcomes = Vec::with_capacity(orders.len());
        for order in orders {
            match self.try_alone(order).await? {
                Ok(outcome) => outcomes.extend(outcome),
                Err(error) => outcomes.push(Err(error.into())),
            }
        }
        Ok(outcomes)
    }

    async fn try_alone(&mut self, order: &Ready) -> Result<Result<Outcomes, LedgerError>, sqlx::Error> {
        self.open_savepoint().await?;
        let tried = self.carry_out(slice::from_ref(order)).await;
        match tried {
            Ok(_) => self.release_savepoint().await?,
            Err(_) => self.undo().await?,
        }
        Ok(tried)
    }

    async fn carry_out(&mut self, orders: &[Ready]) -> Result<Outcomes, LedgerError> {
        let seen = self.seen(orders).await?;
        let mut stored = self.stored_answers(orders, &seen).await?;
        let posted = seen.iter().filter(|seen| seen.posted).map(|seen| seen.place).collect();
        let mut standings = self.standings(orders, &stored).await?;
        let mut judged = Judged { posted, ..Judged::default() };
        let mut outcomes = Vec::with_capacity(orders.len());
        for (place, order) in orders.iter().enumerate() {
            outcomes.push(match stored.remove(&place) {
                Some(answer) => answer.map(Receipt::Before),
                None => match judged.answered(order, orders) {
                    Some(answer) => answer.map(Receipt::Before),
                    None => self
                        .plain(&order.posting)
                        .and_then(|()| judged.judge(place, order, &mut standings, self.now()))
                        .map_err(OrderError::from),
                },
            });
        }
        self.write_run(orders, &judged.accepted, &standings).await?;
        Ok(outcomes)
    }

    /// What the database knows of these orders from before this group.
    async fn seen(&mut self, orders: &[Ready]) -> Result<Vec<Seen>, LedgerError> {
        let named = |(place, order)| {
            let Ready { posting, once, .. }: &Ready = order;
            let (owner, key) = once.as_ref().map(|once| (once.owner.as_str(), once.key.as_str())).unzip();
            Named { place, kind: posting.kind, reference: &posting.reference, owner, key }
        };
        let named: Vec<Named<'_>> = orders.iter().enumerate().map(named).collect();
        store::seen(&mut self.db, self.dialect, &named).await
    }

    /// The answers of orders whose key was used before this group, by place.
    async fn stored_answers(
        &mut self,
        orders: &[Ready],
        seen: &[Seen],
    ) -> Result<HashMap<usize, Result<Answer, OrderError>>, LedgerError> {
        let mut answers = HashMap::new();
        for Seen { place, .. } in seen.iter().filter(|seen| seen.used) {
            let Some(once_row) = orders.get(*place).and_then(|order| order.once.as_ref()) else { continue };
            let Some(stored) = once(&mut self.db, &once_row.owner, &once_row.key).await? else { continue };
            let same = stored.request_digest == once_row.request_digest;
            answers.insert(*place, if same { Ok(stored.answer) } else { Err(OrderError::OtherRequest) });
        }
        Ok(answers)
    }

    /// Reads the accounts that these orders name.
    async fn standings<'a>(
        &mut self,
        orders: &'a [Ready],
        stored: &HashMap<usize, Result<Answer, OrderError>>,
    ) -> Result<Standings<'a>, LedgerError> {
        let mut standings = Standings::default();
        for (place, order) in orders.iter().enumerate() {
            if !stored.contains_key(&place) {
                standings.name(&order.posting);
            }
        }
        let mut unknown = Vec::new();
        for (place, (account, standing)) in standings.rows_mut().iter_mut().enumerate() {
            standing.id = self.accounts.get(*account).copied();
            if standing.id.is_none() {
                unknown.push((place, *account));
            }
        }
        for (place, id) in store::account_ids(&mut self.db, self.dialect, &unknown).await? {
            let Some((account, standing)) = standings.rows_mut().get_mut(place) else { continue };
            standing.id = Some(id);
            self.accounts.insert((*account).clone(), id);
        }
        let mut ids = Vec::with_capacity(standings.rows().len());
        for (place, (_, standing)) in standings.rows().iter().enumerate() {
            ids.extend(standing.id.map(|id| (place, id)));
        }
        for (place, balance) in store::balances(&mut self.db, self.dialect, &ids).await? {
            let Some((_, standing)) = standings.rows_mut().get_mut(place) else { continue };
            (standing.before, standing.now) = (balance, balance);
        }
        Ok(standings)
    }

    /// Refuses what makes no sense, and what the sets cannot do: exact accounts have base units to be kept.
    fn plain(&self, posting: &Posting) -> Result<(), LedgerError> {
        check(posting)?;
        for step in &posting.moves {
            self.assets().decimals(step.debit.asset())?;
            let networks = step.debit.network().or(step.credit.network());
            if networks.is_some() || matches!(step.amount, Amount::Base(_)) {
                let what = "an order names an account of a network; such postings go through Writer::commit";
                let (kind, reference) = (posting.kind, posting.reference.clone());
                return Err(LedgerError::Malformed { kind, reference, what });
            }
        }
        Ok(())
    }

    async fn write_run(
        &mut self,
        orders: &[Ready],
        accepted: &[usize],
        standings: &Standings<'_>,
    ) -> Result<(), LedgerError> {
        let accepted: Vec<&Ready> = accepted.iter().map(|place| &orders[*place]).collect();
        if accepted.is_empty() {
            return Ok(());
        }
        let opened = self.open_accounts(standings).await?;
        self.write_balances(standings).await?;
        self.write_transfers(&accepted, standings, &opened).await?;
        let records: Vec<OnceLine<'_>> = accepted.iter().filter_map(|order| once_line(order)).collect();
        let now = self.now();
        store::insert_once(&mut self.db, self.dialect, &records, now).await?;
        let audited: Vec<&audit::Row> = accepted.iter().filter_map(|order| order.audit.as_ref()).collect();
        audit::write(&mut self.db, self.dialect, &audited, now).await
    }

    /// Makes the rows of accounts that an accepted order names for the first time.
    async fn open_accounts<'a>(
        &mut self,
        standings: &Standings<'a>,
    ) -> Result<HashMap<&'a super::Account, i64>, LedgerError> {
        let mut rows = Vec::new();
        for (account, standing) in standings.rows() {
            if standing.used && standing.id.is_none() {
                rows.push((0, *account, standing.now));
            }
        }
        if rows.is_empty() {
            return Ok(HashMap::new());
        }
        let last = store::last_account(&mut self.db).await?;
        for (id, (place, ..)) in (last + 1..).zip(&mut rows) {
            *place = id;
        }
        store::insert_accounts(&mut self.db, self.dialect, &rows).await?;
        for (id, account, _) in &rows {
            self.remember(account, *id);
        }
        Ok(rows.into_iter().map(|(id, account, _)| (account, id)).collect())
    }

    async fn write_balances(&mut self, standings: &Standings<'_>) -> Result<(), LedgerError> {
        let mut deltas = Vec::new();
        for (account, standing) in standings.rows() {
            let Some(id) = standing.id.filter(|_| standing.now != standing.before) else { continue };
            let delta = standing.now.checked_sub(standing.before).ok_or_else(|| LedgerError::Overflow {
                account: account.kind(),
                asset: account.asset().clone(),
            })?;
            deltas.push((id, delta));
        }
        // Rows are locked in one order, whoever writes.
        deltas.sort_unstable();
        store::add_to_balances(&mut self.db, self.dialect, &deltas).await
    }

    async fn write_transfers(
        &mut self,
        accepted: &[&Ready],
        standings: &Standings<'_>,
        opened: &HashMap<&super::Account, i64>,
    ) -> Result<(), LedgerError> {
        let mut last = match self.last_transfer {
            Some(last) => last,
            None => last_transfer(&mut self.db).await?,
        };
        let mut transfers = Vec::with_capacity(accepted.len());
        let mut entries = Vec::with_capacity(accepted.len() * 2);
        for Ready { posting, .. } in accepted {
            last += 1;
            transfers.push(TransferRow {
                id: last,
                kind: posting.kind,
                reference: &posting.reference,
                note: posting.note.as_deref(),
                made_by: posting.made_by.as_deref(),
            });
            let sides = posting.moves.iter().flat_map(|step| {
                [(&step.debit, Side::Debit, step.amount), (&step.credit, Side::Credit, step.amount)]
            });
            for (line, (account, side, amount)) in (0..).zip(sides) {
                let id = standings.id(account).or_else(|| opened.get(account).copied());
                let (Some(account), Amount::Minor(amount)) = (id, amount) else {
                    return Err(LedgerError::Corrupt { what: format!("an entry of {}", posting.reference) });
                };
                let (side, amount_minor) = (side.name(), amount.get());
                entries.push(EntryRow { transfer: last, line, account, side, amount_minor });
            }
        }
        let now = self.now();
        store::insert_transfers(&mut self.db, self.dialect, &transfers, now).await?;
        store::insert_entries(&mut self.db, self.dialect, &entries).await?;
        self.last_transfer = Some(last);
        Ok(())
    }
}

fn once_line(order: &Ready) -> Option<OnceLine<'_>> {
    order.once.as_ref().map(|once| OnceLine {
        owner: &once.owner,
        key: &once.key,
        request_digest: &once.request_digest,
        status: once.answer.status,
        body: &once.answer.body,
    })
}

/// What has been accepted so far in the run, so that later orders see it.
#[derive(Default)]
struct Judged<'a> {
    posted: HashSet<usize>,
    keys: HashMap<(&'a str, &'a str), usize>,
    events: HashSet<(&'static str, &'a str)>,
    accepted: Vec<usize>,
}

impl<'a> Judged<'a> {
    /// The answer of an order before it in this run that had the same key.
    fn answered(&self, order: &Ready, orders: &[Ready]) -> Option<Result<Answer, OrderError>> {
        let this = order.once.as_ref()?;
        let first = self.keys.get(&(this.owner.as_str(), this.key.as_str()))?;
        let first = orders.get(*first)?.once.as_ref()?;
        let same = first.request_digest == this.request_digest;
        Some(if same { Ok(first.answer.clone()) } else { Err(OrderError::OtherRequest) })
    }

    /// Judges one order as if it came alone after those accepted before it.
    fn judge(
        &mut self,
        place: usize,
        order: &'a Ready,
        standings: &mut Standings<'_>,
        made_at: UnixMillis,
    ) -> Result<Receipt, LedgerError> {
        let (kind, reference) = (order.posting.kind, order.posting.reference.as_str());
        if self.posted.contains(&place) || self.events.contains(&(kind, reference)) {
            return Err(LedgerError::Repeated { kind, reference: reference.to_owned() });
        }
        standings.apply(&order.posting)?;
        self.events.insert((kind, reference));
        let key = order.once.as_ref().map(|once| (once.owner.as_str(), once.key.as_str()));
        self.keys.extend(key.map(|key| (key, place)));
        self.accepted.push(place);
        Ok(Receipt::Done { made_at, answer: order.once.as_ref().map(|once| once.answer.clone()) })
    }
}
