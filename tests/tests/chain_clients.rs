//! The chain clients' other questions, asked of the development chain: inclusion, fees, energy, nonces, reference blocks, balances,
//! and what they make of answers to a broadcast.

#![allow(clippy::unwrap_used, clippy::panic)]

use airlock_coordinator::chain::{
    BroadcastAnswer, Coin, Included, Inclusion, Node, Providers, Settings, Token, TxId, View,
};
use airlock_devnet::{ChainHandle, Devnet, DevnetConfig};
use airlock_shared::chain::erc20;
use airlock_shared::{Address, BaseUnits, Network};
use std::sync::Arc;
use std::time::Duration;

const RECIPIENT: [u8; 20] = [0x42; 20];

async fn clients(chain: &ChainHandle, token: &str) -> (Providers, Address) {
    let network: Network = chain.chain().parse().unwrap();
    let contract = Address::parse(network, token).unwrap();
    let settings = Settings {
        network,
        providers: chain.urls().to_vec(),
        tokens: vec![Token { contract, decimals: 6 }],
        final_depth: None,
        timeout: Duration::from_secs(3),
    };
    let providers = Providers::new(settings).unwrap();
    providers.prove().await.unwrap();
    (providers, contract)
}

async fn node(providers: &Providers) -> Arc<Node> {
    providers.ask(|node| async move { Ok(node) }).await.unwrap().answer
}

async fn included(node: &Node, tx: &str) -> Included {
    match node.inclusion(TxId::parse(tx).unwrap()).await.unwrap() {
        Inclusion::Included(included) => included,
        Inclusion::NotFound => panic!("{tx} is in no block"),
    }
}

/// What both families answer alike.
async fn follow_one_transfer(chain: &ChainHandle, token: &str) {
    let (providers, contract) = clients(chain, token).await;
    let node = node(&providers).await;
    let network = providers.network();
    let to = Address::new(network, RECIPIENT);
    let from = Address::parse(network, &chain.deployer()).unwrap();
    let tx = chain.transfer(Some(token), &to.to_string(), "1234567").unwrap();
    assert_eq!(node.inclusion(TxId::parse(&tx).unwrap()).await.unwrap(), Inclusion::NotFound);

    chain.mine(1).unwrap();
    let at_head = included(&node, &tx).await;
    assert!(!at_head.is_final);
    chain.mine_to_finality().unwrap();
    let included = included(&node, &tx).await;
    assert!(included.is_final && included.outcome.is_ok() && included.work_used > 0);
    let [transfer] = included.transfers[..] else { panic!("{:?}", included.transfers) };
    let amount = BaseUnits::from(1_234_567_u64);
    assert_eq!((transfer.from, transfer.to, transfer.amount), (from, to, amount));

    let (header, balances) = node.balances(&[(to, Coin::Token(contract)), (to, Coin::Native)]).await.unwrap();
    assert_eq!(balances, [amount, BaseUnits::ZERO]);
    assert_eq!(header, node.finalized().await.unwrap());
    let block = node.block(included.height, View::Final).await.unwrap();
    assert!(block.transfers.contains(&transfer));

    // Paused: included, failed, paid for, nothing moved.
    chain.call(token, "8456cb59", "0").unwrap();
    chain.mine(1).unwrap();
    let tx = chain.transfer(Some(token), &to.to_string(), "1").unwrap();
    chain.mine_to_finality().unwrap();
    let failed = self::included(&node, &tx).await;
    assert!(failed.outcome.is_err() && failed.transfers.is_empty() && failed.work_used > 0);
}

#[tokio::test]
async fn a_tron_transfer_is_followed_from_the_pool_to_finality() {
    let devnet = Devnet::start(DevnetConfig::default()).await.unwrap();
    let token = devnet.tron().deploy("TronUsdt", "1000000000").unwrap();
    follow_one_transfer(devnet.tron(), &token).await;
}

#[tokio::test]
async fn an_evm_transfer_is_followed_from_the_pool_to_finality() {
    let devnet = Devnet::start(DevnetConfig::default()).await.unwrap();
    let token = devnet.evm(0).deploy("UsdtLike", "1000000000").unwrap();
    follow_one_transfer(devnet.evm(0), &token).await;
}

#[tokio::test]
async fn tron_tells_energy_parameters_and_a_solid_block_to_refer_to() {
    let devnet = Devnet::start(DevnetConfig::default()).await.unwrap();
    let chain = devnet.tron();
    let token = chain.deploy("TronUsdt", "1000000000").unwrap();
    chain.mine(30).unwrap();
    let (providers, contract) = clients(chain, &token).await;
    let node = node(&providers).await;
    let tron = node.tron().unwrap();

    let parameters = tron.parameters().await.unwrap();
    assert!(parameters.energy_fee_sun > 0 && parameters.max_fee_limit_sun > 1_000_000);
    let reference = tron.ref_block().await.unwrap();
    assert_eq!(reference.height, chain.final_number());
    assert!(reference.head_time_ms > reference.solid_time_ms);

    let from = Address::parse(Network::TRON_DEV, &chain.deployer()).unwrap();
    let call = |amount: u64| {
        erc20::TransferCall { to: RECIPIENT, amount: BaseUnits::from(amount) }.encode().to_vec()
    };
    assert!(tron.energy_needed(from, contract, &call(1)).await.unwrap() > 10_000);
    let short = tron.energy_needed(from, contract, &call(u64::MAX)).await;
    assert!(short.unwrap_err().to_string().contains("REVERT"));
    let nobody = Address::new(Network::TRON_DEV, RECIPIENT);
    assert!(!tron.exists(nobody).await.unwrap() && tron.exists(from).await.unwrap());
    assert_eq!(tron.resources(nobody).await.unwrap().energy_limit, 0);
}

#[tokio::test]
async fn evm_tells_fees_gas_and_nonces() {
    let devnet = Devnet::start(DevnetConfig::default()).await.unwrap();
    let chain = devnet.evm(0);
    let token = chain.deploy("UsdtLike", "1000000000").unwrap();
    let (providers, contract) = clients(chain, &token).await;
    let node = node(&providers).await;
    let evm = node.evm().unwrap();
    let from = Address::parse(Network::EVM_DEV, &chain.deployer()).unwrap();
    let to = Address::new(Network::EVM_DEV, RECIPIENT);

    assert!(evm.fees().await.unwrap().base_fee_wei > 0);
    let call = erc20::TransferCall { to: RECIPIENT, amount: BaseUnits::from(5_u64) }.encode();
    let token_gas = evm.gas_needed(from, contract, BaseUnits::ZERO, &call).await.unwrap();
    let native_gas = evm.gas_needed(from, to, BaseUnits::from(1_u64), &[]).await.unwrap();
    assert!(token_gas > native_gas && native_gas >= 21_000, "{token_gas} {native_gas}");

    let before = evm.account_nonce(from, View::Head).await.unwrap();
    chain.transfer(None, &to.to_string(), "1").unwrap();
    chain.mine(1).unwrap();
    assert_eq!(evm.account_nonce(from, View::Head).await.unwrap(), before + 1);
    assert_eq!(evm.account_nonce(from, View::Final).await.unwrap(), before);
    chain.mine_to_finality().unwrap();
    assert_eq!(evm.account_nonce(from, View::Final).await.unwrap(), before + 1);
}

#[tokio::test]
async fn bytes_that_are_no_transaction_are_taken_nowhere() {
    let devnet = Devnet::start(DevnetConfig::default()).await.unwrap();
    for (chain, contract) in [(devnet.tron(), "TronUsdt"), (devnet.evm(0), "UsdtLike")] {
        let token = chain.deploy(contract, "1").unwrap();
        let (providers, _) = clients(chain, &token).await;
        let answers = providers.broadcast(&[0xff, 0x00, 0xff]).await;
        assert_eq!(answers.len(), 2);
        for told in answers {
            let taken = matches!(told.answer, BroadcastAnswer::Accepted | BroadcastAnswer::AlreadyKnown);
            assert!(!taken, "{told:?}");
        }
    }
}
