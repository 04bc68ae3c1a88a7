//! Act 3: the coordinator serves; the ledger opens with the company's capital; people and deposit addresses.

use super::first_day::Founded;
use crate::chain::Chains;
use crate::people;
use crate::stage::Stage;
use crate::world::{People, World, text};
use airlock_shared::Address;
use anyhow::{Context as _, ensure};
use serde_json::json;

/// Starts the coordinator and opens the books.
///
/// # Errors
/// The coordinator refuses.
pub async fn open(stage: Stage, chains: Chains, founded: Founded) -> anyhow::Result<World> {
    let tell = stage.narrator;
    tell.act(3, "the coordinator serves");
    let Founded { devices, mut coordinator, wallets } = founded;
    let invitation = people::invite(&coordinator, "olga", "operator,approver,auditor,administrator").await?;
    coordinator.run(&["partner", "create", "--name", "Acme"]).await?.success()?;
    let partner = people::key(&coordinator, "Acme").await?;
    coordinator.start().await?;
    let operator = people::accept(&coordinator, &invitation).await?;
    let (user, user_id) = people::sign_up(&coordinator, &operator, "uma").await?;
    let people = People { operator, partner, user, user_id };
    tell.tell(format_args!("The coordinator runs on {}", shown_database(&coordinator.database_url)));
    tell.tell("The ledger opens with the company's capital: what the hot wallets hold on chain, to the last base unit.");
    let mut world = World { stage, chains, devices, coordinator, people, wallets };
    book_capital(&world).await?;
    for place in 0..world.wallets.len() {
        let network = world.wallets[place].network;
        let body = json!({ "network": network });
        let given = world.coordinator.post("/v1/deposit-addresses", &world.people.user, &body).await?;
        let again = world.coordinator.post("/v1/deposit-addresses", &world.people.user, &body).await?;
        ensure!(given["address"] == again["address"], "a user keeps the same address: {given} {again}");
        let address = Address::parse(network, text(&given, "address")?)?;
        world.stage.narrator.figure(
            &format!("user's address on {network}"),
            format_args!("{address}  (derived at {})", text(&given, "path")?),
        );
        world.wallets[place].deposit = Some(address);
    }
    Ok(world)
}

/// A PostgreSQL URL holds a password.
fn shown_database(url: &str) -> &str {
    if url.starts_with("sqlite:") { url } else { "PostgreSQL" }
}

/// What the hot wallets hold on chain becomes the company's capital in the ledger.
async fn book_capital(world: &World) -> anyhow::Result<()> {
    for (chain, wallets) in world.chains.all.iter().zip(&world.wallets) {
        let wallet = wallets.hot.to_string();
        let held = [
            ("USDT", 6, chain.usdt_of(&wallet).await?),
            (chain.native(), chain.native_decimals(), chain.native_of(&wallet).await?),
        ];
        for (asset, decimals, amount_base) in held {
            let body = json!({
                "network": chain.network, "wallet": wallet, "asset": asset, "amount_base": amount_base,
            });
            world.order("/v1/treasury/opening-capital", &body).await.context("opening capital")?;
            world.stage.narrator.figure(
                &format!("capital on {}", chain.network),
                format_args!("{} {asset} ({amount_base} base units)", amount_base.to_decimal(decimals)),
            );
        }
    }
    world.stage.narrator.tell("olga came by invitation and logs in with a second factor; uma signed up and was let in; partner Acme has an API key.");
    Ok(())
}
