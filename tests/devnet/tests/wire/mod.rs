//! What the devnet's tests speak: HTTP over a socket, protobuf and RLP written by hand, signatures from `k256`.
//!
//! Nothing here comes from the devnet itself, so the tests are a third opinion on its bytes.
#![allow(dead_code)]

use std::io::{Read, Write};
use std::net::TcpStream;

use airlock_devnet::{ChainHandle, Devnet, DevnetConfig, EvmConfig, TronConfig};
use k256::ecdsa::SigningKey;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sha3::Keccak256;

/// One TRON chain, manual mining, a standing clock far from the wall's.
pub async fn tron() -> Devnet {
    let config = DevnetConfig { evm: Vec::new(), ..DevnetConfig::default() };
    Devnet::start(config).await.unwrap()
}

/// One TRON chain with that many witnesses.
pub async fn tron_with(witnesses: u32) -> Devnet {
    let tron = TronConfig { witnesses, ..TronConfig::default() };
    let config = DevnetConfig { tron: Some(tron), evm: Vec::new(), ..DevnetConfig::default() };
    Devnet::start(config).await.unwrap()
}

/// One EVM chain.
pub async fn evm(config: EvmConfig) -> Devnet {
    let config = DevnetConfig { tron: None, evm: vec![config], ..DevnetConfig::default() };
    Devnet::start(config).await.unwrap()
}

/// POSTs JSON; status and body as text.
pub fn post_raw(url: &str, path: &str, body: &Value) -> (u16, String) {
    let host = url.strip_prefix("http://").unwrap();
    let body = body.to_string();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

/// POSTs JSON to the first provider.
pub fn post(chain: &ChainHandle, path: &str, body: Value) -> Value {
    let (status, body) = post_raw(&chain.urls()[0], path, &body);
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

/// A JSON-RPC call at the first provider: result or error.
pub fn rpc(chain: &ChainHandle, method: &str, params: Value) -> Value {
    rpc_at(chain, 0, method, params)
}

/// The same at another provider.
pub fn rpc_at(chain: &ChainHandle, provider: usize, method: &str, params: Value) -> Value {
    let request = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params });
    let (_, body) = post_raw(&chain.urls()[provider], "/", &request);
    let mut answer: Value = serde_json::from_str(&body).unwrap();
    if answer.get("error").is_some() { answer["error"].take() } else { answer["result"].take() }
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// keccak-256.
pub fn keccak(bytes: &[u8]) -> [u8; 32] {
    Keccak256::digest(bytes).into()
}

/// A key made from a label.
pub struct Key {
    signing: SigningKey,
    /// 20 bytes.
    pub address: [u8; 20],
}

impl Key {
    /// The key behind a label.
    pub fn new(label: &str) -> Self {
        let signing = SigningKey::from_slice(&sha256(label.as_bytes())).unwrap();
        let point = signing.verifying_key().to_sec1_point(false);
        let address = keccak(&point.as_bytes()[1..])[12..].try_into().unwrap();
        Self { signing, address }
    }

    /// 65 bytes: r, s, recovery id.
    pub fn sign(&self, digest: &[u8; 32]) -> Vec<u8> {
        let (signature, recovery) = self.signing.sign_prehash_recoverable(digest);
        let mut bytes = signature.to_bytes().to_vec();
        bytes.push(recovery.to_byte());
        bytes
    }

    /// `41…`.
    pub fn hex41(&self) -> String {
        format!("41{}", hex::encode(self.address))
    }

    /// `T…`.
    pub fn text(&self) -> String {
        let payload = hex::decode(self.hex41()).unwrap();
        let checksum = sha256(&sha256(&payload));
        bs58::encode([payload.as_slice(), &checksum[..4]].concat()).into_string()
    }

    /// `0x…`.
    pub fn hex0x(&self) -> String {
        format!("0x{}", hex::encode(self.address))
    }
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

/// A protobuf integer field, left out when 0.
pub fn number(field: u64, value: i64) -> Vec<u8> {
    if value == 0 { Vec::new() } else { [varint(field << 3), varint(value as u64)].concat() }
}

/// A protobuf bytes field, left out when empty.
pub fn field(field: u64, value: &[u8]) -> Vec<u8> {
    if value.is_empty() {
        Vec::new()
    } else {
        [varint(field << 3 | 2), varint(value.len() as u64), value.to_vec()].concat()
    }
}

/// A TRON transaction under construction.
#[derive(Clone)]
pub struct Draft {
    /// 2 bytes.
    pub ref_block_bytes: Vec<u8>,
    /// 8 bytes.
    pub ref_block_hash: Vec<u8>,
    /// ms.
    pub expiration: i64,
    /// Encoded contracts.
    pub contracts: Vec<Vec<u8>>,
    /// ms.
    pub timestamp: i64,
    /// sun.
    pub fee_limit: i64,
    /// Memo.
    pub data: Vec<u8>,
}

impl Draft {
    /// A draft of one contract that refers to the head and lives a minute.
    pub fn new(chain: &ChainHandle, contract: Vec<u8>) -> Self {
        let head = post(chain, "/wallet/getnowblock", json!({}));
        let id = hex::decode(head["blockID"].as_str().unwrap()).unwrap();
        let head_ms = head["block_header"]["raw_data"]["timestamp"].as_i64().unwrap();
        Self {
            ref_block_bytes: id[6..8].to_vec(),
            ref_block_hash: id[8..16].to_vec(),
            expiration: head_ms + 60_000,
            contracts: vec![contract],
            timestamp: head_ms,
            fee_limit: 0,
            data: Vec::new(),
        }
    }

    /// raw_data.
    pub fn raw(&self) -> Vec<u8> {
        let contracts: Vec<u8> = self.contracts.iter().flat_map(|c| field(11, c)).collect();
        [
            field(1, &self.ref_block_bytes),
            field(4, &self.ref_block_hash),
            number(8, self.expiration),
            field(10, &self.data),
            contracts,
            number(14, self.timestamp),
            number(18, self.fee_limit),
        ]
        .concat()
    }

    /// txID.
    pub fn id(&self) -> [u8; 32] {
        sha256(&self.raw())
    }

    /// The whole transaction with these signatures, hex.
    pub fn with(&self, signatures: &[Vec<u8>]) -> String {
        let signatures: Vec<u8> = signatures.iter().flat_map(|s| field(2, s)).collect();
        hex::encode([field(1, &self.raw()), signatures].concat())
    }

    /// The whole transaction signed by one key, hex.
    pub fn signed(&self, key: &Key) -> String {
        self.with(&[key.sign(&self.id())])
    }
}

/// A contract of that type and permission.
pub fn contract(kind: i64, name: &str, message: &[u8], permission_id: i64) -> Vec<u8> {
    let url = format!("type.googleapis.com/protocol.{name}");
    let any = [field(1, url.as_bytes()), field(2, message)].concat();
    [number(1, kind), field(2, &any), number(5, permission_id)].concat()
}

fn prefixed(address: &[u8; 20]) -> Vec<u8> {
    [&[0x41], address.as_slice()].concat()
}

/// TransferContract.
pub fn trx_transfer(from: &Key, to: &Key, sun: i64) -> Vec<u8> {
    let message =
        [field(1, &prefixed(&from.address)), field(2, &prefixed(&to.address)), number(3, sun)].concat();
    contract(1, "TransferContract", &message, 0)
}

/// TriggerSmartContract calling `transfer` on a token given as `T…`.
pub fn token_transfer(from: &Key, token: &str, to: &Key, amount: u64) -> Vec<u8> {
    let token = bs58::decode(token).into_vec().unwrap()[..21].to_vec();
    let message =
        [field(1, &prefixed(&from.address)), field(2, &token), field(4, &transfer_data(&to.address, amount))]
            .concat();
    contract(31, "TriggerSmartContract", &message, 0)
}

/// Calldata of `transfer`.
pub fn transfer_data(to: &[u8; 20], amount: u64) -> Vec<u8> {
    let mut data = hex::decode("a9059cbb").unwrap();
    data.extend([0; 12]);
    data.extend(to);
    data.extend([0; 24]);
    data.extend(amount.to_be_bytes());
    data
}

/// Broadcasts bytes through `broadcasthex`: code and message.
pub fn broadcast(chain: &ChainHandle, transaction: &str) -> (String, String) {
    let answer = post(chain, "/wallet/broadcasthex", json!({ "transaction": transaction }));
    let text = |key: &str| answer[key].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
    (text("code"), text("message"))
}

/// Broadcasts and insists on success.
pub fn accept(chain: &ChainHandle, transaction: &str) {
    assert_eq!(broadcast(chain, transaction), ("SUCCESS".to_owned(), String::new()));
}

/// TransactionInfo at the head.
pub fn info(chain: &ChainHandle, id: &[u8; 32]) -> Value {
    post(chain, "/wallet/gettransactioninfobyid", json!({ "value": hex::encode(id) }))
}

fn rlp_string(bytes: &[u8]) -> Vec<u8> {
    match bytes {
        [one] if *one < 0x80 => vec![*one],
        _ => [rlp_header(0x80, bytes.len()), bytes.to_vec()].concat(),
    }
}

fn rlp_header(offset: u8, length: usize) -> Vec<u8> {
    if length < 56 {
        vec![offset + length as u8]
    } else {
        let digits: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
        [vec![offset + 55 + digits.len() as u8], digits].concat()
    }
}

fn rlp_number(value: u128) -> Vec<u8> {
    let bytes: Vec<u8> = value.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    rlp_string(&bytes)
}

fn rlp_list(items: &[Vec<u8>]) -> Vec<u8> {
    let payload = items.concat();
    [rlp_header(0xc0, payload.len()), payload].concat()
}

/// An EIP-1559 transaction under construction.
#[derive(Clone)]
pub struct EvmDraft {
    /// Chain id.
    pub chain_id: u64,
    /// Account nonce.
    pub nonce: u64,
    /// wei.
    pub tip: u128,
    /// wei.
    pub max_fee: u128,
    /// Gas limit.
    pub gas: u64,
    /// Recipient.
    pub to: [u8; 20],
    /// wei.
    pub value: u128,
    /// Calldata.
    pub data: Vec<u8>,
}

impl EvmDraft {
    /// A native transfer with ample fees.
    pub fn new(nonce: u64, to: &Key, value: u128) -> Self {
        Self {
            chain_id: 31337,
            nonce,
            tip: 1_000_000_000,
            max_fee: 100_000_000_000,
            gas: 21_000,
            to: to.address,
            value,
            data: Vec::new(),
        }
    }

    /// Raw bytes as `0x…`.
    pub fn signed(&self, key: &Key) -> String {
        let mut fields = vec![
            rlp_number(u128::from(self.chain_id)),
            rlp_number(u128::from(self.nonce)),
            rlp_number(self.tip),
            rlp_number(self.max_fee),
            rlp_number(u128::from(self.gas)),
            rlp_string(&self.to),
            rlp_number(self.value),
            rlp_string(&self.data),
            rlp_list(&[]),
        ];
        let digest = keccak(&[vec![2], rlp_list(&fields)].concat());
        let signature = key.sign(&digest);
        let trimmed = |bytes: &[u8]| -> Vec<u8> {
            rlp_string(&bytes.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<_>>())
        };
        fields.push(rlp_number(u128::from(signature[64])));
        fields.push(trimmed(&signature[..32]));
        fields.push(trimmed(&signature[32..64]));
        format!("0x{}", hex::encode([vec![2], rlp_list(&fields)].concat()))
    }
}

/// Sends raw bytes: the hash, or the error's message.
pub fn send(chain: &ChainHandle, raw: &str) -> Result<String, String> {
    let answer = rpc(chain, "eth_sendRawTransaction", json!([raw]));
    match answer.as_str() {
        Some(hash) => Ok(hash.to_owned()),
        None => Err(answer["message"].as_str().unwrap().to_owned()),
    }
}
