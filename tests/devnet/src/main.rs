//! `airlock-devnet`: the development chains as a process of their own, for the demo and for scripts.
//!
//! Starts the chains, deploys a USDT-like token on each, prints one line of JSON when every port answers, and runs until it is told to
//! stop: SIGTERM, SIGINT, or with `--exit-with-parent` the end of its standard input.

use std::net::IpAddr;
use std::path::PathBuf;

use airlock_devnet::{Devnet, DevnetConfig, EvmConfig, Mining, TronConfig};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

/// Supply of the tokens deployed at start: a billion USDT.
const SUPPLY: &str = "1000000000000000";
/// The real chain's slot.
const SLOT_MS: u64 = 3000;

/// Development chains: TRON and Ethereum-style nodes over one executing engine.
#[derive(Debug, Parser)]
#[command(name = "airlock-devnet")]
struct Arguments {
    /// Address to bind.
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    /// Make a block every so many milliseconds; without it blocks are made by the control routes only.
    #[arg(long)]
    block_time_ms: Option<u64>,
    /// Length of a TRON slot, which block times are multiples of; by default the block time, at most the real chain's 3000.
    #[arg(long)]
    tron_slot_ms: Option<u64>,
    /// TRON witnesses: 27 put the solid block 18 behind the head, 3 put it 2 behind.
    #[arg(long, default_value_t = 27)]
    witnesses: u32,
    /// Chain id of an Ethereum-style chain; may be given several times.
    #[arg(long = "evm-chain-id", default_values_t = [31337])]
    evm_chain_ids: Vec<u64>,
    /// How far `finalized` lies behind `latest`.
    #[arg(long, default_value_t = 8)]
    finality_depth: u64,
    /// First TRON port; 0 lets the system choose.
    #[arg(long, default_value_t = 0)]
    tron_port: u16,
    /// First port of the first Ethereum-style chain; the next chain's follow.
    #[arg(long, default_value_t = 0)]
    evm_port: u16,
    /// Provider ports for each chain.
    #[arg(long, default_value_t = 2)]
    providers: usize,
    /// Do not deploy tokens.
    #[arg(long)]
    no_tokens: bool,
    /// Write the ready line to this file too.
    #[arg(long)]
    ready_file: Option<PathBuf>,
    /// End when standard input ends.
    #[arg(long)]
    exit_with_parent: bool,
}

fn config(arguments: &Arguments) -> DevnetConfig {
    let mining = arguments.block_time_ms.map_or(Mining::Manual, Mining::Interval);
    let providers = u16::try_from(arguments.providers).unwrap_or(u16::MAX);
    let evm = arguments
        .evm_chain_ids
        .iter()
        .zip(0_u16..)
        .map(|(chain_id, position)| EvmConfig {
            chain_id: *chain_id,
            mining,
            providers: arguments.providers,
            first_port: match arguments.evm_port {
                0 => 0,
                first => first.saturating_add(position.saturating_mul(providers)),
            },
            finality_depth: arguments.finality_depth,
            ..EvmConfig::default()
        })
        .collect();
    DevnetConfig {
        host: arguments.host,
        tron: Some(TronConfig {
            mining,
            providers: arguments.providers,
            first_port: arguments.tron_port,
            slot_ms: arguments
                .tron_slot_ms
                .unwrap_or(SLOT_MS.min(arguments.block_time_ms.unwrap_or(SLOT_MS))),
            witnesses: arguments.witnesses,
        }),
        evm,
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let devnet = Devnet::start(config(&arguments)).await?;
    if !arguments.no_tokens {
        devnet.tron().deploy("TronUsdt", SUPPLY)?;
        for position in 0..devnet.evm_count() {
            devnet.evm(position).deploy("UsdtLike", SUPPLY)?;
        }
    }
    let ready = devnet.ready().to_string();
    if let Some(path) = &arguments.ready_file {
        // Written beside and renamed: whoever waits for the file never reads half of it.
        let beside = path.with_extension("part");
        tokio::fs::write(&beside, format!("{ready}\n")).await?;
        tokio::fs::rename(&beside, path).await?;
    }
    println!("{ready}");
    wait_for_the_end(arguments.exit_with_parent).await
}

async fn wait_for_the_end(with_parent: bool) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = end_of_input(), if with_parent => {}
    }
    // The thread that reads standard input must not keep the process alive.
    std::process::exit(0)
}

async fn end_of_input() {
    let (tell, told) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let ended = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        tell.send(ended)
    });
    // Whether it ended or broke, nobody is there any more.
    let _ended = told.await;
}
