//! Providers that lie, lag, break or flood: what the chain clients make of them.
//!
//! Each case starts small HTTP servers that answer JSON-RPC from a script. They stand for foreign nodes; the client under test is
//! the real one. A faithful chain is in the workspace's `tests`; here are answers that no faithful chain would give.

#![allow(clippy::unwrap_used, clippy::panic)]

use airlock_coordinator::chain::{
    ChainError, Coin, Opinion, Providers, Settings, Token, Transfer, TxId, View,
};
use airlock_shared::{Address, BaseUnits, Network};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const TOKEN: Address = Address::new(Network::EVM_DEV, [0xaa; 20]);

/// How a scripted provider departs from a good one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    OtherChain,
    NoCode,
    OtherDecimals,
    Html,
    ServerError,
    RateLimited,
    Flood,
    Redirect,
    Truncated,
    Silent,
    Lagging,
    OtherFork,
    EmptyReceipts,
    NullReceipts,
    OldNode,
    NoSuchTransfer,
}

/// A chain of one interesting block, number 16, final at 20, told with a fault.
async fn provider(fault: Fault) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/key-that-must-not-show", listener.local_addr().unwrap());
    let app = Router::new().fallback(answer).with_state(fault);
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

async fn answer(State(fault): State<Fault>, body: String) -> Response {
    let request: Value = serde_json::from_str(&body).unwrap_or_default();
    let method = request["method"].as_str().unwrap_or_default();
    // Faults of transport begin after the identity check, as in life.
    let identity = matches!(method, "eth_chainId" | "eth_getCode" | "eth_call");
    match fault {
        Fault::Html if !identity => return "<html>maintenance</html>".into_response(),
        Fault::ServerError if !identity => return StatusCode::BAD_GATEWAY.into_response(),
        Fault::RateLimited if !identity => return StatusCode::TOO_MANY_REQUESTS.into_response(),
        Fault::Redirect if !identity => {
            return (StatusCode::FOUND, [(header::LOCATION, "http://127.0.0.1:1/")]).into_response();
        }
        Fault::Truncated if !identity => return "{\"jsonrpc\":\"2.0\",\"id\":1,\"res".into_response(),
        Fault::Silent if !identity => tokio::time::sleep(Duration::from_secs(60)).await,
        Fault::Flood if !identity => return flood(),
        _ => {}
    }
    if fault == Fault::OldNode && method == "eth_getBlockReceipts" {
        let error = json!({"code": -32601, "message": "the method eth_getBlockReceipts does not exist"});
        return axum::Json(json!({"jsonrpc": "2.0", "id": 1, "error": error})).into_response();
    }
    axum::Json(json!({"jsonrpc": "2.0", "id": 1, "result": result(fault, method, &request["params"])}))
        .into_response()
}

/// A body without end.
fn flood() -> Response {
    let piece = vec![b' '; 1 << 20];
    Body::from_stream(futures::stream::repeat_with(move || Ok::<_, std::io::Error>(piece.clone())))
        .into_response()
}

fn result(fault: Fault, method: &str, params: &Value) -> Value {
    match method {
        "eth_chainId" if fault == Fault::OtherChain => json!("0x1"),
        "eth_chainId" => json!("0x7a69"),
        "eth_getCode" if fault == Fault::NoCode => json!("0x"),
        "eth_getCode" => json!("0x6000"),
        "eth_call" if fault == Fault::OtherDecimals => json!(format!("0x{:064x}", 18)),
        "eth_call" => json!(format!("0x{:064x}", 6)),
        "eth_getBlockByNumber" if params[0] == "0x10" => block(fault, params[1] == true),
        "eth_getBlockByNumber" => {
            let height = if fault == Fault::Lagging { 15 } else { 20 };
            json!({"number": format!("0x{height:x}"), "hash": h(0x20), "parentHash": h(0x1f), "timestamp": "0x65",
                "logsBloom": format!("0x{}", "00".repeat(256)), "transactions": []})
        }
        "eth_getBlockReceipts" if fault == Fault::EmptyReceipts => json!([]),
        "eth_getBlockReceipts" if fault == Fault::NullReceipts => Value::Null,
        "eth_getBlockReceipts" => json!([receipt(fault)]),
        "eth_getTransactionReceipt" => receipt(fault),
        _ => Value::Null,
    }
}

fn receipt(fault: Fault) -> Value {
    json!({"transactionHash": h(5), "blockHash": h(id(fault)), "blockNumber": "0x10", "gasUsed": "0x5208",
        "status": "0x1", "effectiveGasPrice": "0x7", "logs": []})
}

fn block(fault: Fault, whole: bool) -> Value {
    let value = if fault == Fault::NoSuchTransfer { "0x1" } else { "0x3" };
    let transaction = json!({"hash": h(5), "from": a(1), "to": a(2), "value": value});
    json!({"number": "0x10", "hash": h(id(fault)), "parentHash": h(0x0f), "timestamp": "0x64",
        "logsBloom": format!("0x{}", "00".repeat(256)),
        "transactions": [if whole { transaction } else { json!(h(5)) }]})
}

const fn id(fault: Fault) -> u8 {
    if matches!(fault, Fault::OtherFork) { 0x99 } else { 0x10 }
}

fn h(byte: u8) -> String {
    format!("0x{}", hex::encode([byte; 32]))
}

fn a(byte: u8) -> String {
    format!("0x{}", hex::encode([byte; 20]))
}

async fn providers(faults: &[Fault]) -> Providers {
    let mut urls = Vec::new();
    for fault in faults {
        urls.push(provider(*fault).await);
    }
    Providers::new(Settings {
        network: Network::EVM_DEV,
        providers: urls,
        tokens: vec![Token { contract: TOKEN, decimals: 6 }],
        final_depth: None,
        timeout: Duration::from_millis(1500),
    })
    .unwrap()
}

fn transfer() -> Transfer {
    Transfer {
        tx_id: TxId([5; 32]),
        ordinal: -1,
        coin: Coin::Native,
        from: Address::new(Network::EVM_DEV, [1; 20]),
        to: Address::new(Network::EVM_DEV, [2; 20]),
        amount: BaseUnits::from(3_u64),
    }
}

async fn block_16(providers: &Providers) -> Result<(usize, Vec<Transfer>), ChainError> {
    let told = providers.ask(|node| async move { node.block(16, View::Final).await }).await?;
    Ok((told.provider, told.answer.transfers))
}

#[tokio::test]
async fn a_provider_of_another_chain_or_token_refuses_the_start() {
    for fault in [Fault::OtherChain, Fault::NoCode, Fault::OtherDecimals] {
        let providers = providers(&[Fault::None, fault]).await;
        assert!(providers.prove().await.unwrap_err().is_lie());
    }
    assert_eq!(providers(&[Fault::None, Fault::None]).await.prove().await, Ok(()));
}

#[tokio::test]
async fn a_provider_of_another_chain_is_never_used_even_when_nobody_proved_it_before() {
    let providers = providers(&[Fault::OtherChain, Fault::None]).await;
    assert_eq!(block_16(&providers).await.unwrap(), (1, vec![transfer()]));
    assert_eq!(providers.usable(), 1);
    assert!(providers.health()[0].refused);
}

#[tokio::test]
async fn whatever_a_broken_provider_does_the_next_one_is_asked_and_the_fault_is_kept() {
    for fault in [
        Fault::Html,
        Fault::ServerError,
        Fault::RateLimited,
        Fault::Redirect,
        Fault::Truncated,
        Fault::Silent,
        Fault::Flood,
        Fault::EmptyReceipts,
        Fault::NullReceipts,
    ] {
        let providers = providers(&[fault, Fault::None]).await;
        assert_eq!(block_16(&providers).await.unwrap(), (1, vec![transfer()]));
        let health = &providers.health()[0];
        assert_eq!(health.failures, 1);
        let error = health.last_error.as_deref().unwrap();
        assert!(error.starts_with("provider 0 (127.0.0.1"), "{error}");
        assert!(!error.contains("key-that-must-not-show"), "{error}");
    }
}

#[tokio::test]
async fn an_answer_that_misses_receipts_is_an_error_and_not_an_empty_block() {
    let providers = providers(&[Fault::EmptyReceipts]).await;
    assert!(matches!(block_16(&providers).await, Err(ChainError::Incomplete { .. })));
}

#[tokio::test]
async fn an_old_node_without_block_receipts_is_asked_for_each_receipt() {
    let providers = providers(&[Fault::OldNode]).await;
    assert_eq!(block_16(&providers).await.unwrap(), (0, vec![transfer()]));
}

#[tokio::test]
async fn a_lagging_provider_is_passed_over_without_blame() {
    let providers = providers(&[Fault::Lagging, Fault::None]).await;
    assert_eq!(block_16(&providers).await.unwrap().0, 1);
    assert_eq!(providers.health()[0].failures, 0);
}

#[tokio::test]
async fn a_second_opinion_comes_from_another_provider() {
    let both = providers(&[Fault::None, Fault::None]).await;
    let told = both.ask(|node| async move { node.block(16, View::Final).await }).await.unwrap();
    let id = told.answer.header.id;
    let same = |missing: Vec<usize>| Opinion::SameBlock { provider: 1, missing };
    assert_eq!(both.second_opinion(0, 16, id, &[transfer()]).await, same(vec![]));

    let other = Transfer { amount: BaseUnits::from(4_u64), ..transfer() };
    assert_eq!(both.second_opinion(0, 16, id, &[transfer(), other]).await, same(vec![1]));

    let denies = providers(&[Fault::None, Fault::NoSuchTransfer]).await;
    assert_eq!(denies.second_opinion(0, 16, id, &[transfer()]).await, same(vec![0]));

    let forked = providers(&[Fault::None, Fault::OtherFork]).await;
    assert!(matches!(
        forked.second_opinion(0, 16, id, &[transfer()]).await,
        Opinion::OtherBlock { provider: 1, .. }
    ));
}

#[tokio::test]
async fn two_providers_on_one_host_are_one_and_refused() {
    let url = provider(Fault::None).await;
    let settings = |second: String| Settings {
        network: Network::EVM_DEV,
        providers: vec![format!("{url}/key-1"), second],
        tokens: Vec::new(),
        final_depth: None,
        timeout: Duration::from_millis(1500),
    };
    let error = Providers::new(settings(format!("{url}/key-2"))).err().unwrap().to_string();
    assert!(error.contains("same host") && !error.contains("key"), "{error}");
    assert!(Providers::new(settings(provider(Fault::None).await)).is_ok());
}

#[tokio::test]
async fn without_another_provider_there_is_no_second_opinion() {
    for faults in [&[Fault::None][..], &[Fault::None, Fault::ServerError], &[Fault::None, Fault::Lagging]] {
        let providers = providers(faults).await;
        let told = providers.ask(|node| async move { node.block(16, View::Final).await }).await.unwrap();
        let opinion = providers.second_opinion(told.provider, 16, told.answer.header.id, &[transfer()]).await;
        assert!(matches!(opinion, Opinion::Unavailable { .. }), "{opinion:?}");
    }
}

#[tokio::test]
async fn unreachable_providers_are_an_error_that_names_no_key() {
    let settings = Settings {
        network: Network::EVM_DEV,
        providers: vec!["http://127.0.0.1:1/secret-key".to_owned()],
        tokens: Vec::new(),
        final_depth: None,
        timeout: Duration::from_millis(500),
    };
    let providers = Arc::new(Providers::new(settings).unwrap());
    assert_eq!(providers.prove().await, Ok(()), "an unreachable provider does not stop the start");
    let error = block_16(&providers).await.unwrap_err().to_string();
    assert!(!error.contains("secret-key"), "{error}");
}
