//! What an attacker who owns the coordinator's host could send across the gap.
//!
//! They have its identity key, so they can seal whatever they like; what they cannot have are the approvers'
//! devices, the custodians' keys and the spending keys. They may have its database too. Used by the tests of tampering,
//! restarts and attestation only.

use crate::acts::proposal::{Exported, out_folder};
use crate::device::{Device, path};
use crate::world::World;
use airlock_shared::batch::Content;
use airlock_shared::digest::bytes_from_lower_hex;
use airlock_shared::document::{self, Document as _};
use airlock_shared::envelope::{ApprovalReply, ApprovalRequest, Bundle, Envelope};
use airlock_shared::words;
use anyhow::{Context as _, ensure};
use ed25519_dalek::SigningKey;
use sqlx::{AnyConnection, Connection as _};
use std::path::PathBuf;

/// The coordinator's identity key, as its host gives it away.
///
/// # Errors
/// It is not where it should be.
pub fn stolen_key(world: &World) -> anyhow::Result<SigningKey> {
    let text = std::fs::read_to_string(world.coordinator.home.join("home").join("identity.key"))?;
    let bytes: [u8; 32] = bytes_from_lower_hex(text.trim_end()).context("64 hex digits")?;
    Ok(SigningKey::from_bytes(&bytes))
}

/// The bundle that the coordinator exported.
///
/// # Errors
/// It does not decode.
pub fn bundle(world: &World, exported: &Exported) -> anyhow::Result<Bundle> {
    Ok(document::read(&std::fs::read(out_folder(world, exported).join("bundle.json"))?)?)
}

/// The bundle with its first envelope changed and sealed again with `key`; the file and its eight words.
///
/// # Errors
/// The file cannot be written.
pub fn resealed(
    world: &World,
    exported: &Exported,
    key: &SigningKey,
    change: impl FnOnce(&mut Envelope),
) -> anyhow::Result<(PathBuf, String)> {
    let mut bundle = bundle(world, exported)?;
    let first = bundle.envelopes.first_mut().context("an envelope")?;
    change(first);
    let Envelope { content, approvals, heads, .. } = first.clone();
    *first = Envelope::seal(content, approvals, heads, key);
    let file = out_folder(world, exported).join("altered.json");
    std::fs::write(&file, bundle.to_json())?;
    Ok((file, words::words(&bundle.words_digest())))
}

/// An approver is shown `content` and approves it: people can be deceived, their devices cannot.
///
/// # Errors
/// The device refuses.
pub async fn approved_by(world: &World, device: &Device, content: &Content) -> anyhow::Result<ApprovalReply> {
    let request = ApprovalRequest { content: content.clone(), heads: Vec::new() };
    let folder = world.stage.directory.join("deceived").join(&device.name);
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("request.json");
    std::fs::write(&file, request.to_json())?;
    let out = folder.join("approval");
    let shown = words::words(&content.digest());
    device.run(&["approve", path(&file)?, "--confirm", &shown, "--out", path(&out)?]).await?.success()?;
    Ok(document::read(&std::fs::read(out.join("approval.json"))?)?)
}

/// Whoever has the database's password puts another address into a user's row.
///
/// # Errors
/// There is no such row.
pub async fn rewrite_address(world: &World, from: &str, to: &str) -> anyhow::Result<()> {
    let rewritten =
        execute(world, "update deposit_addresses set address = $1 where address = $2", &[to, from]).await?;
    ensure!(rewritten == 1, "{rewritten} rows have the address {from}");
    Ok(())
}

/// The next deposit address of every account gets at least this index, as after so many users.
///
/// # Errors
/// The database refuses.
pub async fn use_up_indexes(world: &World, next: i64) -> anyhow::Result<()> {
    let next = next.to_string();
    execute(world, "update deposit_sequences set next_index = cast($1 as bigint)", &[&next]).await.map(drop)
}

async fn execute(world: &World, statement: &'static str, values: &[&str]) -> anyhow::Result<u64> {
    sqlx::any::install_default_drivers();
    let mut db = AnyConnection::connect(&world.coordinator.database_url).await?;
    let query = values.iter().fold(sqlx::query(statement), |query, value| query.bind((*value).to_owned()));
    let done = query.execute(&mut db).await?.rows_affected();
    db.close().await?;
    Ok(done)
}
