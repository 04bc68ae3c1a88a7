//! The binary: one line when ready, blocks by interval, an end when its parent goes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should stop")]

mod wire;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

fn state(url: &str) -> Value {
    let (status, body) = wire::post_raw(url, "/control/state", &json!({}));
    assert_eq!(status, 200);
    serde_json::from_str(&body).unwrap()
}

#[test]
fn it_prints_its_urls_mines_and_ends_with_its_parent() {
    let directory = std::env::temp_dir().join(format!("airlock-devnet-{}", std::process::id()));
    let mut child = Command::new(env!("CARGO_BIN_EXE_airlock-devnet"))
        .args(["--block-time-ms", "20", "--witnesses", "3", "--evm-chain-id", "1", "--evm-chain-id", "56"])
        .args(["--exit-with-parent", "--ready-file"])
        .arg(&directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(std::fs::read_to_string(&directory).unwrap(), line);
    std::fs::remove_file(&directory).unwrap();
    assert_eq!(ready["tron"]["chain"], "tron:0xa1710c4b");
    assert_eq!(ready["evm"][0]["chain"], "eip155:1");
    assert_eq!(ready["evm"][1]["chain_id"], 56);
    for chain in [&ready["tron"], &ready["evm"][0], &ready["evm"][1]] {
        let urls = chain["urls"].as_array().unwrap();
        assert_eq!(urls.len(), 2);
        let url = urls[1].as_str().unwrap();
        assert_eq!(state(url)["tokens"][0]["address"], chain["usdt"]);
        let patience = Instant::now() + Duration::from_secs(20);
        while state(url)["final"].as_u64().unwrap() == 0 {
            assert!(Instant::now() < patience, "no block became final");
        }
    }
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}
