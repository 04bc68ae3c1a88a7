//! SQL of signers, their journal heads, policies and wallets.
//!
//! Only `pairing` names these tables. Functions take the open connection; those that write run inside the writer's
//! commit. Documents are kept as their binary spelling in hex, so a stored one reads back as exactly the same.

use super::PairingError;
use super::head::KnownHeads;
use crate::clock::UnixMillis;
use crate::db::Db;
use crate::ledger::LedgerError;
use airlock_shared::approval::SeenHead;
use airlock_shared::document::{self, Document};
use airlock_shared::envelope::Introduction;
use airlock_shared::form;
use airlock_shared::identity::{Identity, Roster};
use airlock_shared::journal::Entry;
use airlock_shared::policy::SignedPolicy;
use airlock_shared::wallet::Role;
use airlock_shared::{Address, Digest, Network};

/// A paired signer.
#[derive(Clone, Debug)]
pub struct Signer {
    /// Its identity.
    pub identity: Identity,
    /// Whose: its wallets pay this partner's withdrawals only.
    pub partner: String,
    /// How batches name its vault.
    pub fingerprint: [u8; 4],
    /// What it introduced itself with.
    pub introduction: Introduction,
    /// False once it is suspended.
    pub active: bool,
    /// Number of the newest journal entry seen.
    pub head_sequence: Option<u64>,
}

impl Signer {
    /// Its custodians; pairing refuses an introduction without them.
    pub fn roster(&self) -> Result<&Roster, PairingError> {
        let missing = || corrupt(format!("introduction of signer {}: no roster", self.identity));
        self.introduction.roster.as_ref().ok_or_else(missing)
    }
}

/// A wallet of ours and the signer that holds its key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WalletRow {
    /// Its address, with its network.
    pub address: Address,
    /// What it is for.
    pub role: Role,
    /// Last step of its path.
    pub index: u32,
    /// Whose key it is.
    pub signer: Identity,
}

fn corrupt(what: String) -> PairingError {
    LedgerError::Corrupt { what }.into()
}

/// A document in its stored form.
pub fn to_stored<D: Document>(document: &D) -> String {
    hex::encode(document.to_binary())
}

/// A document from its stored form.
pub fn from_stored<D: Document>(stored: &str) -> Result<D, LedgerError> {
    let bytes =
        hex::decode(stored).map_err(|_| LedgerError::Corrupt { what: format!("stored {}", D::NAME) })?;
    document::read(&bytes)
        .map_err(|error| LedgerError::Corrupt { what: format!("stored {}: {error}", D::NAME) })
}

/// Adds a signer; false if its identity or fingerprint is there.
pub async fn insert_signer(
    db: &mut Db,
    introduction: &Introduction,
    partner: &str,
    by: &str,
    now: UnixMillis,
) -> Result<bool, PairingError> {
    let done = sqlx::query(
        "insert into signers (identity, fingerprint, name, introduction, state, paired_by, made_at, changed_at, \
         partner_id) values ($1, $2, $3, $4, 'active', $5, $6, $6, $7) on conflict do nothing",
    )
    .bind(introduction.identity.to_string())
    .bind(hex::encode(introduction.identity.fingerprint()))
    .bind(introduction.name.as_str())
    .bind(to_stored(introduction))
    .bind(by)
    .bind(now)
    .bind(partner)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Every signer, oldest first.
pub async fn signers(db: &mut Db) -> Result<Vec<Signer>, PairingError> {
    let rows: Vec<SignerColumns> = sqlx::query_as(
        "select introduction, state, head_sequence, partner_id from signers order by made_at, identity",
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(read_signer).collect()
}

/// One signer.
pub async fn signer(db: &mut Db, identity: &Identity) -> Result<Option<Signer>, PairingError> {
    let row: Option<SignerColumns> = sqlx::query_as(
        "select introduction, state, head_sequence, partner_id from signers where identity = $1",
    )
    .bind(identity.to_string())
    .fetch_optional(db)
    .await?;
    row.map(read_signer).transpose()
}

type SignerColumns = (String, String, Option<i64>, String);

fn read_signer(row: SignerColumns) -> Result<Signer, PairingError> {
    let (introduction, state, head_sequence, partner) = row;
    let introduction: Introduction = from_stored(&introduction)?;
    Ok(Signer {
        identity: introduction.identity,
        partner,
        fingerprint: introduction.identity.fingerprint(),
        introduction,
        active: state == "active",
        head_sequence: head_sequence.and_then(|sequence| u64::try_from(sequence).ok()),
    })
}

/// Suspends a signer: nothing is exported to it or taken from it any more. False if it was suspended.
pub async fn suspend(db: &mut Db, identity: &Identity, now: UnixMillis) -> Result<bool, PairingError> {
    let done = sqlx::query(
        "update signers set state = 'suspended', changed_at = $2 where identity = $1 and state = 'active'",
    )
    .bind(identity.to_string())
    .bind(now)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The newest journal head of a signer.
pub async fn newest_head(db: &mut Db, signer: &Identity) -> Result<Option<SeenHead>, PairingError> {
    let row: Option<(i64, String)> = sqlx::query_as(
        "select h.sequence, h.head from journal_heads h join signers s on s.identity = h.signer \
         where h.signer = $1 and h.sequence = s.head_sequence",
    )
    .bind(signer.to_string())
    .fetch_optional(db)
    .await?;
    row.map(|row| read_head(signer, row)).transpose()
}

/// Every head a signer has shown at or above `from`, and the newest below.
pub async fn heads_from(db: &mut Db, signer: &Identity, from: u64) -> Result<KnownHeads, PairingError> {
    let from = i64::try_from(from).unwrap_or(i64::MAX);
    let rows: Vec<(i64, String)> = sqlx::query_as(
        "select sequence, head from journal_heads where signer = $1 and (sequence >= $2 or sequence = \
         (select max(sequence) from journal_heads where signer = $1)) order by sequence",
    )
    .bind(signer.to_string())
    .bind(from)
    .fetch_all(db)
    .await?;
    let mut known = KnownHeads::new();
    for row in rows {
        let seen = read_head(signer, row)?;
        known.insert(seen.sequence, seen.head);
    }
    Ok(known)
}

fn read_head(signer: &Identity, (sequence, head): (i64, String)) -> Result<SeenHead, PairingError> {
    let sequence = u64::try_from(sequence).ok().zip(Digest::from_hex(&head));
    let (sequence, head) = sequence.ok_or_else(|| corrupt(format!("journal head of signer {signer}")))?;
    Ok(SeenHead { signer: *signer, sequence, head })
}

/// The newest journal entry of a signer, as it signed it.
pub async fn newest_entry(db: &mut Db, signer: &Identity) -> Result<Option<Entry>, PairingError> {
    let row: Option<(String,)> = sqlx::query_as(
        "select h.entry from journal_heads h join signers s on s.identity = h.signer \
         where h.signer = $1 and h.sequence = s.head_sequence",
    )
    .bind(signer.to_string())
    .fetch_optional(db)
    .await?;
    let read = |(entry,): (String,)| {
        let bytes = hex::decode(entry).map_err(|_| corrupt(format!("journal entry of signer {signer}")))?;
        form::from_cbor("journal entry", &bytes).map_err(|error| corrupt(error.to_string()))
    };
    row.map(read).transpose()
}

/// The next journal entries (signer, sequence, canonical CBOR in hex) after one, by signer and sequence, for the export.
pub async fn journal_after(
    db: &mut Db,
    signer: &str,
    sequence: i64,
    limit: i64,
) -> Result<Vec<(String, i64, String)>, PairingError> {
    Ok(sqlx::query_as(
        "select signer, sequence, entry from journal_heads where signer > $1 or (signer = $1 and sequence > $2) \
         order by signer, sequence limit $3",
    )
    .bind(signer)
    .bind(sequence)
    .bind(limit)
    .fetch_all(db)
    .await?)
}

/// Records entries that a receipt has added and moves the newest head.
pub async fn add_entries(db: &mut Db, entries: &[Entry], now: UnixMillis) -> Result<(), PairingError> {
    for entry in entries {
        let seen = SeenHead::of(entry);
        let sequence =
            i64::try_from(seen.sequence).map_err(|_| corrupt(format!("sequence {}", seen.sequence)))?;
        sqlx::query(
            "insert into journal_heads (signer, sequence, head, entry, made_at) values ($1, $2, $3, $4, $5)",
        )
        .bind(seen.signer.to_string())
        .bind(sequence)
        .bind(seen.head.to_string())
        .bind(hex::encode(form::to_cbor(entry)))
        .bind(now)
        .execute(&mut *db)
        .await?;
        sqlx::query(
            "update signers set head_sequence = $2, changed_at = $3 where identity = $1 \
             and (head_sequence is null or head_sequence < $2)",
        )
        .bind(seen.signer.to_string())
        .bind(sequence)
        .bind(now)
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

/// Adds a policy; false if this very policy is there.
pub async fn insert_policy(
    db: &mut Db,
    signer: &Identity,
    policy: &SignedPolicy,
    by: &str,
    now: UnixMillis,
) -> Result<bool, PairingError> {
    let version = i64::try_from(policy.policy.version)
        .map_err(|_| corrupt(format!("policy version {}", policy.policy.version)))?;
    let done = sqlx::query(
        "insert into policies (digest, signer, name, version, document, imported_by, made_at) \
         values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing",
    )
    .bind(policy.policy.digest().to_string())
    .bind(signer.to_string())
    .bind(policy.policy.name.as_str())
    .bind(version)
    .bind(to_stored(policy))
    .bind(by)
    .bind(now)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The policy with the highest version of a signer: the one believed to be in force.
pub async fn newest_policy(db: &mut Db, signer: &Identity) -> Result<Option<SignedPolicy>, PairingError> {
    let stored: Option<String> = sqlx::query_scalar(
        "select document from policies where signer = $1 order by version desc, made_at desc limit 1",
    )
    .bind(signer.to_string())
    .fetch_optional(db)
    .await?;
    Ok(stored.map(|stored| from_stored(&stored)).transpose()?)
}

/// A policy by its digest.
pub async fn policy(db: &mut Db, digest: &Digest) -> Result<Option<SignedPolicy>, PairingError> {
    let stored: Option<String> = sqlx::query_scalar("select document from policies where digest = $1")
        .bind(digest.to_string())
        .fetch_optional(db)
        .await?;
    Ok(stored.map(|stored| from_stored(&stored)).transpose()?)
}

/// Adds a wallet; false if the address, or this place of the signer, is there.
pub async fn insert_wallet(
    db: &mut Db,
    wallet: &WalletRow,
    by: &str,
    now: UnixMillis,
) -> Result<bool, PairingError> {
    let done = sqlx::query(
        "insert into wallets (network, address, role, wallet_index, signer, imported_by, made_at) \
         values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing",
    )
    .bind(wallet.address.network().to_string())
    .bind(wallet.address.to_string())
    .bind(wallet.role.name())
    .bind(i64::from(wallet.index))
    .bind(wallet.signer.to_string())
    .bind(by)
    .bind(now)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Is this address a wallet of a paired signer, in any role?
pub async fn is_wallet(db: &mut Db, address: Address) -> Result<bool, PairingError> {
    let found: i64 = sqlx::query_scalar("select count(*) from wallets where network = $1 and address = $2")
        .bind(address.network().to_string())
        .bind(address.to_string())
        .fetch_one(db)
        .await?;
    Ok(found > 0)
}

/// The wallets of a role on a network, lowest index first.
pub async fn wallets(db: &mut Db, network: Network, role: Role) -> Result<Vec<WalletRow>, PairingError> {
    let rows: Vec<(String, i64, String)> = sqlx::query_as(
        "select address, wallet_index, signer from wallets where network = $1 and role = $2 \
         order by wallet_index, made_at, address",
    )
    .bind(network.to_string())
    .bind(role.name())
    .fetch_all(db)
    .await?;
    let read = |(address, index, signer): (String, i64, String)| {
        let wallet = || {
            Some(WalletRow {
                address: Address::parse(network, &address).ok()?,
                role,
                index: u32::try_from(index).ok()?,
                signer: Identity::from_hex(&signer)?,
            })
        };
        wallet().ok_or_else(|| corrupt(format!("wallet {address} on {network}")))
    };
    rows.into_iter().map(read).collect()
}
