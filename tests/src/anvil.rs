//! A real anvil as a process: another team's EVM node, which must see our transactions as we do.
//!
//! `AIRLOCK_ANVIL` is the path of its binary; `scripts/test.sh` installs it. Blocks come on request, and
//! `finalized` lies two blocks below the head. Its two addresses on the loopback network stand for two providers.

use crate::process;
use crate::wait::{Look, until};
use airlock_shared::BaseUnits;
use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tokio::process::Child;

/// The account that anvil itself signs for; it holds the token's supply.
const DEVELOPER: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";

/// A running anvil. Dropping it ends the process.
pub struct Anvil {
    port: u16,
    http: reqwest::Client,
    _process: Child,
}

impl Anvil {
    /// The binary that `AIRLOCK_ANVIL` names.
    #[must_use]
    pub fn binary() -> Option<PathBuf> {
        std::env::var_os("AIRLOCK_ANVIL").filter(|path| !path.is_empty()).map(PathBuf::from)
    }

    /// Starts one on a free port.
    ///
    /// # Errors
    /// There is no binary, or it does not answer.
    pub async fn start() -> anyhow::Result<Self> {
        let binary = Self::binary().context("AIRLOCK_ANVIL names no anvil")?;
        let port = crate::coordinator::free_port()?;
        let port_text = port.to_string();
        let process = process::command(&binary, Path::new("/"))
            .args(["--host", "127.0.0.1", "--host", "127.0.0.2", "--port", &port_text, "--chain-id", "31337"])
            .args(["--no-mining", "--slots-in-an-epoch", "1", "--silent"])
            .spawn()
            .with_context(|| format!("starting {}", binary.display()))?;
        let anvil = Self { port, http: crate::http_client()?, _process: process };
        until("anvil answers", async || match anvil.call("eth_chainId", json!([])).await {
            Ok(_) => Ok(Look::Done(())),
            Err(error) => Ok(Look::NotYet(error.to_string())),
        })
        .await?;
        Ok(anvil)
    }

    /// Its two base URLs.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        ["127.0.0.1", "127.0.0.2"].map(|host| format!("http://{host}:{}", self.port)).to_vec()
    }

    async fn call(&self, method: &str, parameters: Value) -> anyhow::Result<Value> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": parameters });
        let url = format!("http://127.0.0.1:{}", self.port);
        let mut answer: Value = self.http.post(url).json(&body).send().await?.json().await?;
        if let Some(error) = answer.get("error") {
            bail!("{method}: {error}");
        }
        Ok(answer["result"].take())
    }

    async fn quantity(&self, method: &str, parameters: Value) -> anyhow::Result<BaseUnits> {
        let answer = self.call(method, parameters).await?;
        let digits = answer.as_str().and_then(|text| text.strip_prefix("0x")).context("a quantity")?;
        let bytes = hex::decode(format!("{digits:0>64}"))?;
        BaseUnits::from_be_slice(&bytes).context("a quantity of 256 bits")
    }

    pub(crate) async fn mine(&self, blocks: u64) -> anyhow::Result<()> {
        self.call("anvil_mine", json!([format!("{blocks:#x}")])).await.map(|_| ())
    }

    pub(crate) async fn fund(&self, address: &str, amount_base: BaseUnits) -> anyhow::Result<()> {
        let amount = format!("0x{}", hex::encode(amount_base.to_be_bytes()).trim_start_matches('0'));
        self.call("anvil_setBalance", json!([address, amount])).await.map(|_| ())
    }

    pub(crate) async fn deploy_usdt(&self, supply: &str) -> anyhow::Result<String> {
        let build: Value = serde_json::from_str(include_str!("../../fixtures/contracts/UsdtLike.json"))?;
        let code = build["bytecode"].as_str().context("bytecode")?;
        let supply: BaseUnits = supply.parse()?;
        let data = format!("0x{}{}", code.trim_start_matches("0x"), hex::encode(supply.to_be_bytes()));
        let sent = json!([{ "from": DEVELOPER, "data": data, "gas": "0x4c4b40" }]);
        let transaction = self.call("eth_sendTransaction", sent).await?;
        self.mine(1).await?;
        let receipt = self.call("eth_getTransactionReceipt", json!([transaction])).await?;
        Ok(receipt["contractAddress"].as_str().context("a contract address")?.to_owned())
    }

    pub(crate) async fn pay(&self, token: &str, to: &str, amount_base: BaseUnits) -> anyhow::Result<String> {
        let data = format!(
            "0xa9059cbb{:0>64}{}",
            to.trim_start_matches("0x"),
            hex::encode(amount_base.to_be_bytes())
        );
        let sent = json!([{ "from": DEVELOPER, "to": token, "data": data, "gas": "0x30d40" }]);
        let transaction = self.call("eth_sendTransaction", sent).await?;
        Ok(transaction.as_str().context("a transaction id")?.to_owned())
    }

    pub(crate) async fn token_balance(&self, token: &str, holder: &str) -> anyhow::Result<BaseUnits> {
        let data = format!("0x70a08231{:0>64}", holder.trim_start_matches("0x"));
        self.quantity("eth_call", json!([{ "to": token, "data": data }, "latest"])).await
    }

    pub(crate) async fn balance(&self, address: &str) -> anyhow::Result<BaseUnits> {
        self.quantity("eth_getBalance", json!([address, "latest"])).await
    }

    pub(crate) async fn pool(&self) -> anyhow::Result<Vec<String>> {
        let content = self.call("txpool_content", json!([])).await?;
        let accounts = content["pending"].as_object().context("txpool_content")?;
        let of_account = |nonces: &Value| {
            let waiting = nonces.as_object().into_iter().flat_map(|nonces| nonces.values());
            waiting.filter_map(|one| one["hash"].as_str().map(str::to_owned)).collect::<Vec<_>>()
        };
        Ok(accounts.values().flat_map(of_account).collect())
    }
}
