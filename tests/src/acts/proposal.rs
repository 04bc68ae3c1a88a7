//! Act 5: three withdrawals are requested, approved by the operator, and batched; two people approve each batch on
//! devices that decode it; the coordinator exports both batches as one bundle.

use crate::camera;
use crate::device::Device;
use crate::world::{World, list, text};
use airlock_shared::{Address, BaseUnits, Network};
use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use std::path::PathBuf;

/// One withdrawal that the user asks for.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Where.
    pub network: Network,
    /// To whom.
    pub to: Address,
    /// How much, in millionths of USDT.
    pub micro: u64,
}

/// A withdrawal that is on its way.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its id.
    pub id: String,
    /// What was asked.
    pub wish: Wish,
}

/// What act 5 leaves behind: one bundle, sealed.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The withdrawals in it.
    pub withdrawals: Vec<Asked>,
    /// Ids of its batches, in order.
    pub batches: Vec<String>,
    /// The bundle's id.
    pub bundle: String,
    /// The eight words that the coordinator shows for it.
    pub words: String,
}

/// The story's three withdrawals; on anvil the EVM one alone.
#[must_use]
pub fn wishes(world: &World) -> Vec<Wish> {
    let wish =
        |network, payload: u8, micro| Wish { network, to: Address::new(network, [payload; 20]), micro };
    let all = [
        wish(Network::TRON_DEV, 0xa1, 125_500_000),
        wish(Network::TRON_DEV, 0xb2, 80_000_001),
        wish(Network::EVM_DEV, 0xc3, 42_250_000),
    ];
    all.into_iter().filter(|wish| world.chain(wish.network).is_ok()).collect()
}

/// The whole act.
///
/// # Errors
/// The coordinator or a device refuses.
pub async fn propose(world: &World) -> anyhow::Result<Exported> {
    let tell = world.stage.narrator;
    tell.act(5, "three withdrawals, two batches, one bundle");
    let mut withdrawals = Vec::new();
    for wish in wishes(world) {
        withdrawals.push(ask(world, &wish).await?);
    }
    for asked in &withdrawals {
        approve(world, asked).await?;
    }
    tell.tell("olga, the operator, approved each at the revision she saw.");
    send_out(world, withdrawals).await
}

/// Batches what is queued, has both approvers approve, and exports.
///
/// # Errors
/// The coordinator or a device refuses.
pub async fn send_out(world: &World, withdrawals: Vec<Asked>) -> anyhow::Result<Exported> {
    let mut batches = Vec::new();
    for network in world.chains.all.iter().map(|chain| chain.network) {
        if withdrawals.iter().any(|asked| asked.wish.network == network) {
            batches.push(batch(world, network).await?);
        }
    }
    for device in [&world.devices.carol, &world.devices.dave] {
        for batch in &batches {
            approve_on_device(world, device, batch).await?;
        }
    }
    export(world, withdrawals, batches).await
}

/// The user asks; amount and fee are held.
///
/// # Errors
/// It is refused.
pub async fn ask(world: &World, wish: &Wish) -> anyhow::Result<Asked> {
    let amount = BaseUnits::from(wish.micro).to_decimal(6);
    let body = json!({
        "network": wish.network, "asset": "USDT", "to": wish.to.to_string(), "amount": amount,
    });
    let made = world.coordinator.post("/v1/withdrawals", &world.people.user, &body).await?;
    world.stage.narrator.figure(
        &format!("asked on {}", wish.network),
        format_args!("{amount} USDT to {}, fee {} USDT, both held", wish.to, text(&made, "fee")?),
    );
    Ok(Asked { id: text(&made, "id")?.to_owned(), wish: wish.clone() })
}

/// The operator approves the revision that they see.
///
/// # Errors
/// It is refused.
pub async fn approve(world: &World, asked: &Asked) -> anyhow::Result<()> {
    let seen = world.see(&format!("/v1/withdrawals/{}", asked.id)).await?;
    let body = json!({ "revision": seen["revision"] });
    let approved = world.order(&format!("/v1/withdrawals/{}/approve", asked.id), &body).await?;
    ensure!(text(&approved, "state")? == "queued", "approved and queued: {approved}");
    Ok(())
}

/// A batch of everything that is queued on a network.
///
/// # Errors
/// It is refused.
pub async fn batch(world: &World, network: Network) -> anyhow::Result<String> {
    let body = json!({ "network": network, "asset": "USDT", "kind": "withdrawal" });
    let made = world.order("/v1/batches", &body).await?;
    let id = text(&made, "id")?.to_owned();
    ensure!(list(&made, "left_out")?.is_empty(), "everything that is queued is taken: {made}");
    world.stage.narrator.figure(
        &format!("batch on {network}"),
        format_args!("{id}, digest {}", text(&made, "content_digest")?),
    );
    Ok(id)
}

/// An approver photographs the request, reads it, types its words; the approval goes back as pictures.
///
/// # Errors
/// The device or the coordinator refuses.
pub async fn approve_on_device(world: &World, device: &Device, batch: &str) -> anyhow::Result<()> {
    let shown = world.see(&format!("/v1/batches/{batch}")).await?;
    let base = format!("/v1/batches/{batch}/approval-request");
    let frames = world.coordinator.get_frames(&base, &world.people.operator).await?;
    let folder = world.stage.directory.join("approvals").join(&device.name).join(batch);
    let scan = camera::scan(&frames, &folder.join("photographs"), 11)?;
    let out = folder.join("approval");
    let done = device.approve(&scan.directory, text(&shown, "words")?, &out).await?;
    let done = done.success().with_context(|| format!("approve by {}", device.name))?;
    let pictures = camera::pictures(&out.join("frames"))?;
    let answered = pictures.len();
    let path = format!("/v1/batches/{batch}/approvals");
    world.coordinator.post_pictures(&path, &world.people.operator, &pictures).await?.success()?;
    let tell = world.stage.narrator;
    tell.figure(
        &format!("{} approves", device.name),
        format_args!(
            "batch {batch:.8}…: photographs {}, types its words, answers with {}",
            frames_of(scan.shown),
            frames_of(answered)
        ),
    );
    if device.name == world.devices.carol.name {
        tell.screen(&format!("{}'s screen", device.name), &done.stderr);
    }
    Ok(())
}

fn frames_of(count: usize) -> String {
    if count == 1 { "one QR frame".to_owned() } else { format!("{count} QR frames") }
}

/// Seals the batches into one bundle and keeps its JSON, frames and animation for people.
///
/// # Errors
/// It is refused.
pub async fn export(
    world: &World,
    withdrawals: Vec<Asked>,
    batches: Vec<String>,
) -> anyhow::Result<Exported> {
    let made = world.order("/v1/bundles", &json!({ "batches": batches })).await?;
    let (bundle, words) = (text(&made, "id")?.to_owned(), text(&made, "words")?.to_owned());
    let exported = Exported { withdrawals, batches, bundle, words };
    let folder = out_folder(world, &exported);
    std::fs::create_dir_all(folder.join("frames"))?;
    let frames = bundle_frames(world, &exported).await?;
    for (number, frame) in frames.iter().enumerate() {
        std::fs::write(folder.join("frames").join(format!("bundle-{number:04}.png")), frame)?;
    }
    let base = format!("/v1/bundles/{}", exported.bundle);
    let document =
        world.coordinator.get_bytes(&format!("{base}/export.json"), &world.people.operator).await?;
    std::fs::write(folder.join("bundle.json"), &document)?;
    let animation =
        world.coordinator.get_bytes(&format!("{base}/export.gif"), &world.people.operator).await?;
    std::fs::write(folder.join("bundle.gif"), &animation)?;
    let again = world.coordinator.get_bytes(&format!("{base}/export.json"), &world.people.operator).await?;
    ensure!(again == document, "an export is repeatable, byte for byte");
    for asked in &exported.withdrawals {
        ensure!(world.state_of(&asked.id).await? == "signing", "exported withdrawals are signing");
    }
    let tell = world.stage.narrator;
    tell.tell(format_args!("{} batches are sealed into one bundle:", exported.batches.len()));
    tell.figure("as binary, and as JSON", format_args!("{} and {} bytes", made["bytes"], document.len()));
    tell.figure(
        "as QR frames",
        format_args!("{} PNG pictures, one GIF of {} bytes", frames.len(), animation.len()),
    );
    tell.figure("its eight words", &exported.words);
    Ok(exported)
}

/// Where a bundle's files are kept.
#[must_use]
pub fn out_folder(world: &World, exported: &Exported) -> PathBuf {
    world.stage.directory.join("bundle").join(&exported.bundle)
}

/// The frames that the coordinator shows for a bundle.
///
/// # Errors
/// It shows none.
pub async fn bundle_frames(world: &World, exported: &Exported) -> anyhow::Result<Vec<Vec<u8>>> {
    let base = format!("/v1/bundles/{}", exported.bundle);
    world.coordinator.get_frames(&base, &world.people.operator).await
}

/// The id of a transaction of each withdrawal, from its newest attempt.
///
/// # Errors
/// The coordinator does not say.
pub async fn tx_ids(world: &World, withdrawals: &[Asked]) -> anyhow::Result<Vec<String>> {
    let mut ids = Vec::new();
    for asked in withdrawals {
        let shown: Value = world.see(&format!("/v1/withdrawals/{}", asked.id)).await?;
        let attempt = list(&shown, "attempts")?.last().context("an attempt")?;
        ids.push(text(attempt, "tx_id")?.to_owned());
    }
    Ok(ids)
}
