//! A whole small company: chains, devices, a coordinator, people and a user with deposit addresses.
//!
//! Made by the first three acts; the other acts work on it. What must stay true: after [`World::open`] the books
//! agree with the chains, so whatever differs later was done by the story.

use crate::acts;
use crate::anvil::Anvil;
use crate::chain::{Chain, Chains};
use crate::coordinator::Coordinator;
use crate::database::Database;
use crate::device::Device;
use crate::stage::Stage;
use crate::wait::{Look, until};
use airlock_shared::{Address, Network};
use anyhow::Context as _;
use serde_json::Value;

/// The devices of the story.
pub struct Devices {
    /// The signer: vault with spending keys; its custodian is one of two.
    pub alice: Device,
    /// The second custodian: identity only.
    pub bob: Device,
    /// An approver.
    pub carol: Device,
    /// Another approver.
    pub dave: Device,
}

/// Everyone with a credential.
pub struct People {
    /// Access token of olga, who has every role.
    pub operator: String,
    /// The partner's API key, `ID:SECRET`.
    pub partner: String,
    /// Access token of the user.
    pub user: String,
    /// The user's id.
    pub user_id: String,
}

/// Our addresses on one chain.
#[derive(Clone, Debug)]
pub struct Wallets {
    /// The chain.
    pub network: Network,
    /// Pays withdrawals.
    pub hot: Address,
    /// The user's deposit address; known after act 3.
    pub deposit: Option<Address>,
}

/// The company.
pub struct World {
    /// Where it is.
    pub stage: Stage,
    /// The chains it works on.
    pub chains: Chains,
    /// Its devices.
    pub devices: Devices,
    /// Its coordinator, running.
    pub coordinator: Coordinator,
    /// Its people.
    pub people: People,
    /// Its addresses, chain by chain.
    pub wallets: Vec<Wallets>,
}

impl World {
    /// Acts 1 to 3 on the development chains.
    ///
    /// # Errors
    /// Any of it fails.
    pub async fn open(stage: Stage, database: Database) -> anyhow::Result<Self> {
        let chains = acts::chains::start(&stage).await?;
        Self::open_on(stage, chains, database).await
    }

    /// The same on a real anvil alone.
    ///
    /// # Errors
    /// Any of it fails.
    pub async fn open_on_anvil(stage: Stage, database: Database) -> anyhow::Result<Self> {
        Self::open_on(stage, Chains::anvil().await?, database).await
    }

    async fn open_on(stage: Stage, chains: Chains, database: Database) -> anyhow::Result<Self> {
        let founded = acts::first_day::found(&stage, &chains, database).await?;
        acts::opening::open(stage, chains, founded).await
    }

    /// A world for a test, on SQLite.
    ///
    /// # Errors
    /// Any of it fails.
    pub async fn for_test() -> anyhow::Result<Self> {
        Self::open(Stage::for_test()?, Database::Sqlite).await
    }

    /// Our addresses on a network.
    ///
    /// # Errors
    /// We have none there.
    pub fn wallets_on(&self, network: Network) -> anyhow::Result<&Wallets> {
        self.wallets
            .iter()
            .find(|wallets| wallets.network == network)
            .with_context(|| format!("none on {network}"))
    }

    /// A GET as operator.
    ///
    /// # Errors
    /// It is refused.
    pub async fn see(&self, path: &str) -> anyhow::Result<Value> {
        self.coordinator.get(path, &self.people.operator).await
    }

    /// A POST as operator.
    ///
    /// # Errors
    /// It is refused.
    pub async fn order(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.coordinator.post(path, &self.people.operator, body).await
    }

    /// Makes blocks, one at each look, until it is there.
    ///
    /// # Errors
    /// A look fails, or the deadline passes; the coordinator's log is in the error.
    pub async fn mine_until<T>(
        &self,
        what: &str,
        mut look: impl AsyncFnMut() -> anyhow::Result<Look<T>>,
    ) -> anyhow::Result<T> {
        until(what, async || {
            self.chains.mine(1).await?;
            look().await
        })
        .await
        .with_context(|| self.coordinator.log_tail())
    }

    /// Waits without making blocks.
    ///
    /// # Errors
    /// A look fails, or the deadline passes; the coordinator's log is in the error.
    pub async fn wait_until<T>(
        &self,
        what: &str,
        look: impl AsyncFnMut() -> anyhow::Result<Look<T>>,
    ) -> anyhow::Result<T> {
        until(what, look).await.with_context(|| self.coordinator.log_tail())
    }

    /// The state word of a withdrawal.
    ///
    /// # Errors
    /// There is none of that id.
    pub async fn state_of(&self, withdrawal: &str) -> anyhow::Result<String> {
        Ok(text(&self.see(&format!("/v1/withdrawals/{withdrawal}")).await?, "state")?.to_owned())
    }

    /// The chain of a network.
    ///
    /// # Errors
    /// There is none.
    pub fn chain(&self, network: Network) -> anyhow::Result<&Chain> {
        self.chains.on(network)
    }
}

/// Is there an anvil to test with? Where PostgreSQL is required, so is anvil.
///
/// # Errors
/// It is required and missing.
pub fn anvil_is_there() -> anyhow::Result<bool> {
    let required = std::env::var("AIRLOCK_REQUIRE_POSTGRES").is_ok_and(|value| value == "1");
    anyhow::ensure!(Anvil::binary().is_some() || !required, "AIRLOCK_ANVIL names no anvil");
    Ok(Anvil::binary().is_some())
}

/// A text field of an answer.
///
/// # Errors
/// It is not there.
pub fn text<'a>(value: &'a Value, field: &str) -> anyhow::Result<&'a str> {
    value[field].as_str().with_context(|| format!("no text {field:?} in {value}"))
}

/// A list field of an answer.
///
/// # Errors
/// It is not there.
pub fn list<'a>(value: &'a Value, field: &str) -> anyhow::Result<&'a [Value]> {
    value[field].as_array().map(Vec::as_slice).with_context(|| format!("no list {field:?} in {value}"))
}
