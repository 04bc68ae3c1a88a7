//! The development chain: one TRON chain and any number of Ethereum-style chains in one process, executing real contracts.
//!
//! For tests, the demo and the foreign-client checks. It knows nothing of the product's own codecs: it decodes protobuf and RLP
//! itself, recovers every signature and answers with the real nodes' error texts, so that it is an independent witness.
//! What must stay true: a block, once mined, is only ever replaced by `reorg`; every answer a client gets could have come from a
//! real node in that state.
//!
//! # From Rust
//! ```no_run
//! # async fn demo() -> anyhow::Result<()> {
//! use airlock_devnet::{Devnet, DevnetConfig};
//! let devnet = Devnet::start(DevnetConfig::default()).await?; // TRON and one EVM chain, id 31337, manual mining, two providers each
//! let tron = devnet.tron(); // &ChainHandle; devnet.evm(0) is the first EVM chain
//! let usdt = tron.deploy("TronUsdt", "1000000000000")?; // "T…"; the supply belongs to tron.deployer()
//! tron.fund("TJRabPrwbZy45sbavfcjinPJC18kjpRTv8", "5000000000")?; // sun, at once, in every kept state
//! let tx = tron.transfer(Some(&usdt), "TJRabPrwbZy45sbavfcjinPJC18kjpRTv8", "1500000")?; // a real transaction, now in the pool
//! tron.mine(1)?;
//! tron.mine(20)?; // 19 more blocks make it solid (27 witnesses)
//! println!("{} {:?} {tx}", tron.control_url(), tron.urls());
//! # Ok(()) }
//! ```
//! [`ChainHandle`] has one method for each control route below; amounts are decimal strings of base units (sun, wei, token units).
//! Dropping the [`Devnet`] closes its ports.
//!
//! # Over HTTP
//! Each chain has at least two *providers*: ports that serve the same chain and can be given faults one by one. TRON providers
//! serve `/wallet/*` and `/walletsolidity/*` on the same port; EVM providers serve JSON-RPC at `/`.
//! The control routes live on every provider's port under `/control/` (they ignore faults), POST with a JSON body:
//!
//! | route | body | answer |
//! |---|---|---|
//! | `state` (GET too) | – | `kind, chain, chain_id, head, head_id, head_time_ms, final, now_ms, finality_depth, pool:[id], deployer, tokens:[{name,address}], providers:[{url,faults}]` |
//! | `mine` | `{"blocks":1,"empty"?:true}` | `{"head","head_id","final"}`; `empty`: no producer takes what the pool holds |
//! | `time` | `{"set_ms":N}` or `{"add_ms":N}` or `{"real":true}` | `{"now_ms"}`: moves the clock that stamps the next blocks |
//! | `mining` | `{"interval_ms":N}`, 0 = manual | `{}` |
//! | `finality` | `{"depth":N}` | `{"final"}`: the final block is head − depth and never moves back |
//! | `fund` | `{"address","amount"}` | `{"balance"}`: adds native coin at once, in every kept state, as if it had always been there |
//! | `deploy` | `{"contract":"TronUsdt","supply":"…"}` | `{"address"}`: `TronUsdt`, `UsdtLike`, `BoolToken18`, `FalseToken`, `FakeUsdt`, `Router`; at once, like `fund` |
//! | `transfer` | `{"token"?,"to","amount"}` | `{"tx"}`: a signed transaction of the deployer enters the pool (no `token`: native coin) |
//! | `call` | `{"contract","data","value"?}` | `{"tx"}`: the deployer calls a contract (pause, blacklist, fee …) |
//! | `balance` | `{"address","token"?}` | `{"latest","final"}` |
//! | `reorg` | `{"depth":N,"replacement"?:M,"transactions"?:"drop"\|"pool"}` | `{"head","head_id","final"}`: replaces the last N blocks by M (default N) empty ones; may go below final |
//! | `drop` | `{"tx"?}` | `{"dropped":n}`: forgets one or all pool transactions |
//! | `faults` | `{"provider":0,"faults":{…}}` | `{}`: replaces that provider's faults, see [`Faults`]; `{}` heals it; `{"hide_transfers":true}`: whole-looking blocks without anything that moves |
//! | `params` | TRON: `{"getEnergyFee":420,"dynamicEnergyFactor":34000}`; EVM: `{"base_fee_wei":"7"}` | `{}` |
//! | `stake` | TRON: `{"address","resource":"ENERGY"\|"BANDWIDTH","amount"}` | `{}`: staked sun at once, in every kept state |
//!
//! A refused control request is HTTP 400 with `{"error":"…"}`.
//! EVM chains also answer `anvil_mine`, `evm_mine`, `anvil_setBalance`, `evm_increaseTime`, `anvil_reorg`, `anvil_dropTransaction` and
//! `anvil_setNextBlockBaseFeePerGas` over JSON-RPC, so that the same test drives a real anvil.
//!
//! # Time
//! By default blocks are stamped with the wall clock; mining many at once lets TRON's chain time run ahead by one slot (`slot_ms`,
//! 3000 by default) a block. For a quick demo use few witnesses (`witnesses: 3` makes the final block head − 2) and a short slot, so
//! that chain time stays near the wall clock and a signer's clock agrees with it.
//!
//! # The binary
//! `airlock-devnet [--host 127.0.0.1] [--block-time-ms N] [--tron-slot-ms N] [--witnesses N] [--evm-chain-id N]... [--finality-depth N]
//! [--tron-port N] [--evm-port N] [--providers N] [--no-tokens] [--ready-file FILE] [--exit-with-parent]` (the TRON slot is the block
//! time unless given, at most 3000) prints one line of JSON when ready:
//! `{"tron":{"urls":[…],"control":"…/control","chain":"tron:0xa1710c4b","usdt":"T…","deployer":"T…"},
//! "evm":[{"urls":[…],"control":"…","chain":"eip155:31337","chain_id":31337,"usdt":"0x…","deployer":"0x…"}]}`.

mod chain;
mod clock;
mod config;
mod contracts;
mod control;
mod devnet;
mod evm;
mod faults;
mod keys;
mod serve;
mod tron;
mod world;

pub use chain::{ControlError, ReorgTransactions};
pub use config::{DevnetConfig, EvmConfig, Mining, TronConfig};
pub use devnet::{ChainHandle, Devnet};
pub use faults::Faults;
pub use tron::CHAIN_ID as TRON_CHAIN_ID;
