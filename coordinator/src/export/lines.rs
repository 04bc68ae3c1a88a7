//! Rows of the database as lines of the export. Only `export` calls this.
//!
//! What must stay true: every amount is exact decimal text in the units that the header declares; what does not
//! read back is an error that names the row, never a line with something left out.

use super::ExportError;
use crate::batches::store::Batch as BatchRow;
use crate::chain::TxId;
use crate::clock::UnixMillis;
use crate::config::Config;
use crate::db::Db;
use crate::ledger::store::{AccountLine, EntryLine, TransferLine, asset_scales, network_scales};
use crate::withdrawals::attempts::{self, Attempt, Bound};
use crate::withdrawals::store::Withdrawal;
use airlock_shared::identity::Identity;
use airlock_shared::ledger::{
    Account, Asset, Attempt as AttemptLine, Batch, DecimalId, Entry, FORMAT, Header, Hex, Item, JournalEntry,
    NetworkAsset, NetworkAssets, ProfileName, Side, SignedTransaction, Transfer, VERSION, chain_id_of,
};
use airlock_shared::{ItemId, MinorUnits, Network};
use std::collections::{BTreeMap, HashMap};

/// In which units the books are kept.
pub(super) struct Units {
    decimals: BTreeMap<String, u8>,
    networks: BTreeMap<Network, Vec<NetworkAsset>>,
}

fn row(what: impl Into<String>) -> ExportError {
    ExportError::Row { what: what.into() }
}

fn unsigned(number: i64, what: &str) -> Result<u64, ExportError> {
    u64::try_from(number).map_err(|_| row(format!("{what} {number}")))
}

/// An item id as the database holds it.
pub(super) fn stored(item: ItemId) -> Result<i64, ExportError> {
    i64::try_from(item.number()).map_err(|_| row(format!("item {}", item.number())))
}

fn bytes<const N: usize>(text: &str, what: &str) -> Result<Hex<N>, ExportError> {
    airlock_shared::digest::bytes_from_lower_hex(text).map(Hex).ok_or_else(|| row(format!("{what} {text:?}")))
}

fn side(text: &str) -> Result<Side, ExportError> {
    match text {
        "debit" => Ok(Side::Debit),
        "credit" => Ok(Side::Credit),
        other => Err(row(format!("side {other:?}"))),
    }
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

impl Units {
    /// What the database has pinned, with the contracts of the settings.
    pub(super) async fn read(db: &mut Db, config: &Config) -> Result<Self, ExportError> {
        let small =
            |number: i64, what: &str| u8::try_from(number).map_err(|_| row(format!("{what} {number}")));
        let mut decimals = BTreeMap::new();
        for (asset, places) in asset_scales(db).await? {
            decimals.insert(asset, small(places, "decimals")?);
        }
        let mut networks: BTreeMap<Network, Vec<NetworkAsset>> = BTreeMap::new();
        for (asset, name, places) in network_scales(db).await? {
            let unknown = || ExportError::Network { network: name.clone() };
            let network: Network = name.parse().map_err(|_| unknown())?;
            let settings = config.network(network).ok_or_else(unknown)?;
            let code = asset.parse().map_err(|_| row(format!("asset {asset:?}")))?;
            let token = settings.token(&code).ok_or_else(unknown)?;
            let contract = token.contract.map(|contract| contract.to_string());
            let base_decimals = small(places, "base decimals")?;
            networks.entry(network).or_default().push(NetworkAsset { asset, contract, base_decimals });
        }
        // The databases compare text by their own collations.
        networks.values_mut().for_each(|assets| assets.sort_by(|a, b| a.asset.cmp(&b.asset)));
        Ok(Self { decimals, networks })
    }

    pub(super) fn header(&self, config: &Config, coordinator: Identity, now: UnixMillis) -> Header {
        let asset = |(asset, decimals): (&String, &u8)| Asset { asset: asset.clone(), decimals: *decimals };
        let network = |(network, assets): (&Network, &Vec<NetworkAsset>)| NetworkAssets {
            network: *network,
            chain_id: chain_id_of(*network),
            assets: assets.clone(),
        };
        Header {
            format: FORMAT.to_owned(),
            version: VERSION,
            coordinator: Hex(*coordinator.as_bytes()),
            profile: ProfileName(config.profile),
            made_at_ms: u64::try_from(now).unwrap_or(0),
            assets: self.decimals.iter().map(asset).collect(),
            networks: self.networks.iter().map(network).collect(),
        }
    }

    fn amount(&self, asset: &str, amount: MinorUnits) -> Result<String, ExportError> {
        let decimals = self.decimals.get(asset).ok_or_else(|| row(format!("asset {asset:?}")))?;
        Ok(amount.to_decimal(*decimals))
    }

    pub(super) fn account(&self, found: AccountLine) -> Result<Account, ExportError> {
        let network = some(found.network);
        let network = network.map(|name| name.parse().map_err(|_| row(format!("network {name:?}"))));
        Ok(Account {
            id: unsigned(found.id, "account")?,
            kind: found.kind,
            owner: some(found.owner),
            network: network.transpose()?,
            wallet: some(found.wallet),
            balance: self.amount(&found.asset, MinorUnits::new(found.balance_minor))?,
            asset: found.asset,
            side: side(&found.side)?,
            dust_base: found.dust_base,
        })
    }

    pub(super) fn transfer(
        &self,
        found: TransferLine,
        entries: Vec<EntryLine>,
    ) -> Result<Transfer, ExportError> {
        let entry = |entry: EntryLine| {
            Ok(Entry {
                account: unsigned(entry.account, "account")?,
                side: side(&entry.side)?,
                amount: self.amount(&entry.asset, MinorUnits::new(entry.amount_minor))?,
                amount_base: entry.amount_base,
            })
        };
        Ok(Transfer {
            id: unsigned(found.id, "transfer")?,
            kind: found.kind,
            reference: found.reference,
            made_at_ms: unsigned(found.made_at, "time")?,
            note: found.note,
            entries: entries.into_iter().map(entry).collect::<Result<_, ExportError>>()?,
        })
    }

    /// Every item id is a withdrawal's today; other movements will bring their own kind.
    pub(super) fn item(&self, found: Withdrawal, attempts: Vec<AttemptLine>) -> Result<Item, ExportError> {
        let asset = found.asset.as_str().to_owned();
        Ok(Item {
            item: DecimalId(found.item_id.number()),
            kind: airlock_shared::batch::Kind::Withdrawal.word().to_owned(),
            reference: found.id,
            network: found.network,
            chain_id: chain_id_of(found.network),
            destination: found.destination.to_string(),
            amount: self.amount(&asset, found.amount)?,
            amount_base: found.amount_base,
            fee: self.amount(&asset, found.fee)?,
            asset,
            state: found.state.name().to_owned(),
            made_at_ms: unsigned(found.made_at, "time")?,
            attempts,
        })
    }
}

pub(super) fn batch(found: BatchRow) -> Result<Batch, ExportError> {
    Ok(Batch {
        id: bytes(&found.id, "batch")?,
        kind: found.kind.word().to_owned(),
        network: found.network,
        asset: found.asset.as_str().to_owned(),
        source: found.source.to_string(),
        signer: Hex(*found.signer.as_bytes()),
        state: found.state.name().to_owned(),
        content: Hex(*found.content_digest.as_bytes()),
        items: unsigned(found.item_count, "item count")?,
        amount_base: found.amount_base,
        made_at_ms: unsigned(found.made_at, "time")?,
    })
}

pub(super) fn journal((signer, sequence, entry): (String, i64, String)) -> Result<JournalEntry, ExportError> {
    Ok(JournalEntry { signer: bytes(&signer, "signer")?, sequence: unsigned(sequence, "sequence")?, entry })
}

/// The attempts of one page of items.
pub(super) struct Attempts {
    attempts: HashMap<String, Vec<Attempt>>,
    transactions: HashMap<String, Vec<(i64, String)>>,
}

impl Attempts {
    /// Of the items from the first to the last id.
    pub(super) async fn read(db: &mut Db, items: (i64, i64)) -> Result<Self, ExportError> {
        let mut read = Self { attempts: HashMap::new(), transactions: HashMap::new() };
        for attempt in attempts::of_items(db, items).await? {
            read.attempts.entry(attempt.withdrawal_id.clone()).or_default().push(attempt);
        }
        for (attempt, level, tx_id) in attempts::transactions_of_items(db, items).await? {
            read.transactions.entry(attempt).or_default().push((level, tx_id));
        }
        Ok(read)
    }

    /// Of one withdrawal, oldest first.
    pub(super) fn of(&mut self, withdrawal: &str) -> Result<Vec<AttemptLine>, ExportError> {
        let own = self.attempts.remove(withdrawal).unwrap_or_default();
        own.into_iter().map(|attempt| self.line(attempt)).collect()
    }

    fn line(&mut self, attempt: Attempt) -> Result<AttemptLine, ExportError> {
        let tx_id = |text: &str| {
            TxId::parse(text).map(|id| Hex(id.0)).ok_or_else(|| row(format!("transaction id {text:?}")))
        };
        let transaction = |(level, id): (i64, String)| {
            // The cancel's level is below zero in the table.
            Ok(SignedTransaction { level: u64::try_from(level).ok(), tx_id: tx_id(&id)? })
        };
        let mut transactions = self.transactions.remove(&attempt.id).unwrap_or_default();
        transactions.sort_by_key(|(level, _)| (*level < 0, *level));
        Ok(AttemptLine {
            batch: bytes(&attempt.batch_id, "batch")?,
            index: unsigned(attempt.item_index, "item index")?,
            source: attempt.source.to_string(),
            account_nonce: match attempt.bound {
                Bound::AccountNonce(nonce) => Some(nonce),
                Bound::ExpiresAt(_) => None,
            },
            state: attempt.state.name().to_owned(),
            tx_id: attempt.tx_id.as_deref().map(tx_id).transpose()?,
            height: attempt.included_height,
            fee_base: attempt.fee_base,
            transactions: transactions.into_iter().map(transaction).collect::<Result<_, ExportError>>()?,
        })
    }
}
