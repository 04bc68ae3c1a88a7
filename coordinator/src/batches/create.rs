//! Creating a batch: queued withdrawals of one asset on one network become a frozen content, once and for all.
//!
//! `http.rs` calls [`create`] for an operator. The chain is asked first, outside any commit; then one commit re-reads what is due,
//! takes nonces or timestamps, freezes the content through the shared creator, writes batch and attempts and moves every
//! withdrawal to processing. What must stay true: order is the queue's; a withdrawal is in one batch; the policy that the
//! signer is believed to have accepts everything but the approvals that are still to come.

use super::state::{Event, State};
use super::store::{self, Batch};
use super::terms::{self, Asked, Terms};
use super::{BatchError, LeftOut, hardware, sum};
use crate::app::App;
use crate::audit::{self, Action, By};
use crate::config::{NetworkConfig, TokenConfig};
use crate::db::{Db, random_id};
use crate::freeze;
use crate::ledger::{AssetCode, Unit};
use crate::pairing::store::{Signer, WalletRow};
use crate::pairing::{self};
use crate::people::HOUSE;
use crate::withdrawals::attempts::{self, Attempt, Bound, InFlight};
use crate::withdrawals::{AttemptState, Withdrawal, queue};
use airlock_shared::batch::{
    Asset, Content, Context, EvmContext, Item, Kind, MAX_ITEMS, PolicyRef, TronContext, Wallet,
};
use airlock_shared::memory::Past;
use airlock_shared::policy::{Facts, Refusal, Rule, SignedPolicy, rules};
use airlock_shared::roles::creator::{self, Created};
use airlock_shared::wallet::Role;
use airlock_shared::{Address, BaseUnits, BatchId, Digest, Network, PersonId};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// A TRON transaction that lives less than this after the head is not worth signing.
const TRON_LIFETIME_MIN_MS: u64 = 60_000;

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

/// Who pays, and under which policy.
#[derive(Clone, Debug)]
struct Payer {
    wallet: WalletRow,
    signer: Signer,
    policy: SignedPolicy,
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

/// The wallet that pays on a network, with the signer under whose policy it stands and the policy believed to be in force.
async fn payer(
    db: &mut Db,
    network: &NetworkConfig,
    partner: &str,
    hardware: Option<Address>,
) -> Result<Payer, BatchError> {
    match hardware {
        Some(address) => hardware_payer(db, network, partner, address).await,
        None => hot_payer(db, network, partner).await,
    }
}

/// Whose withdrawals a partner's wallets pay: its own alone. The house's wallets pay everybody's who has no signer of its own.
struct Payees {
    partner: String,
    with_signers: BTreeSet<String>,
}

impl Payees {
    async fn of(db: &mut Db, partner: &str) -> Result<Self, BatchError> {
        // A suspended signer still makes its partner one that is paid from its own wallets only.
        let signers = pairing::store::signers(db).await?;
        let with_signers = signers.into_iter().map(|signer| signer.partner).filter(|one| one != HOUSE);
        Ok(Self { partner: partner.to_owned(), with_signers: with_signers.collect() })
    }

    fn include(&self, partner: &str) -> bool {
        if self.partner == HOUSE { !self.with_signers.contains(partner) } else { self.partner == partner }
    }
}

/// Why a withdrawal of another payee waits.
fn other_payee(withdrawal: Withdrawal) -> LeftOut {
    let why = format!("partner {} is paid from its own wallets only", withdrawal.partner);
    LeftOut { withdrawal: withdrawal.id, why }
}

/// A hardware wallet pays if a signer's newest policy marks it, and if the books know it: it is one of the configured
/// wallets.
async fn hardware_payer(
    db: &mut Db,
    network: &NetworkConfig,
    partner: &str,
    address: Address,
) -> Result<Payer, BatchError> {
    let unknown = || BatchError::NoHardware { wallet: address };
    if !network.wallets.iter().any(|ours| ours.address == address && ours.role == Role::Hardware) {
        return Err(unknown());
    }
    for signer in pairing::store::signers(db).await?.into_iter().filter(|signer| signer.active) {
        let Some(policy) = pairing::store::newest_policy(db, &signer.identity).await? else { continue };
        let listed = policy.policy.network(network.network).into_iter().flat_map(|rules| &rules.wallets);
        let listed = listed.map(|entry| entry.wallet);
        if let Some(Wallet { role, index, address }) =
            listed.into_iter().find(|wallet| wallet.role == Role::Hardware && wallet.address == address)
        {
            if signer.partner != partner {
                let (owner, partner) = (signer.partner, partner.to_owned());
                return Err(BatchError::ForeignWallet { wallet: address, owner, partner });
            }
            let wallet = WalletRow { address, role, index, signer: signer.identity };
            return Ok(Payer { wallet, signer, policy });
        }
    }
    Err(unknown())
}

async fn hot_payer(db: &mut Db, network: &NetworkConfig, partner: &str) -> Result<Payer, BatchError> {
    let mut signers = pairing::store::signers(db).await?;
    signers.retain(|signer| signer.partner == partner);
    let imported = pairing::store::wallets(db, network.network, Role::Hot).await?;
    let configured = network.wallets.iter().filter(|wallet| wallet.role == Role::Hot);
    let configured = configured.filter_map(|wallet| {
        let signer = signers.iter().find(|signer| hex::encode(signer.fingerprint) == wallet.fingerprint)?;
        let index = wallet.path.rsplit('/').next()?.parse().ok()?;
        Some(WalletRow { address: wallet.address, role: Role::Hot, index, signer: signer.identity })
    });
    let wallet = imported
        .into_iter()
        .filter(|wallet| signers.iter().any(|signer| signer.identity == wallet.signer))
        .chain(configured)
        .next()
        .ok_or(BatchError::NoWallet { network: network.network })?;
    let signer = signers
        .into_iter()
        .find(|signer| signer.identity == wallet.signer)
        .ok_or(BatchError::NoWallet { network: network.network })?;
    if !signer.active {
        return Err(BatchError::Suspended { signer: signer.identity.to_string() });
    }
    let policy = pairing::store::newest_policy(db, &signer.identity)
        .await?
        .ok_or_else(|| BatchError::NoPolicy { signer: signer.identity.to_string() })?;
    Ok(Payer { wallet, signer, policy })
}

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
async fn due(
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
struct Free {
    /// Of the asset that moves.
    asset: BaseUnits,
    /// Of the native coin, fees of what is on its way included.
    native: BaseUnits,
}

impl Free {
    /// `in_flight` is told once per attempt; the fee of each counts as the dearest quote.
    fn of(
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
fn affordable(
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

/// Everything the commit needs.
struct Draft {
    partner: String,
    creator: PersonId,
    by: By,
    network: Arc<NetworkConfig>,
    token: TokenConfig,
    payer: Payer,
    asked: Asked,
    in_flight: Vec<InFlight>,
    lifetime: Duration,
    taken: Vec<Withdrawal>,
}

impl Draft {
    /// Inside the writer's commit: freezes what is still due, and writes all of it.
    async fn write(mut self, unit: &mut Unit) -> Result<(Batch, Vec<LeftOut>), BatchError> {
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

    /// Takes nonces or timestamps and freezes what the policy accepts; what it would refuse item by item waits.
    async fn freeze(
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

    #[test]
    fn nonces_go_on_after_those_reserved_and_fill_a_gap_first() {
        assert_eq!(free_nonces(5, &[], 3), [5, 6, 7]);
        assert_eq!(free_nonces(5, &[5, 6, 7], 2), [8, 9]);
        assert_eq!(free_nonces(5, &[5, 8, 9], 4), [6, 7, 10, 11]);
    }
}
