//! The end of the program: told to end, it ends, whatever its clients do.
//!
//! Runs the real binary on SQLite: signals belong to a process. A kill without warning is told in the end-to-end tests.
// A test that cannot set its stage has failed; saying so by a panic is its job.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn told_to_end_it_ends_although_a_client_never_finishes_its_request() {
    let home = tempfile::tempdir().unwrap();
    let mut process = Command::new(env!("CARGO_BIN_EXE_airlock-coordinator"))
        .args(["serve", "--migrate", "--listen", "127.0.0.1:0"])
        .env("AIRLOCK_SERVER__REQUEST_TIMEOUT_MS", "100")
        .current_dir(home.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let told: serde_json::Value = serde_json::from_str(&line).unwrap();
    let address = told["listening"].as_str().unwrap();
    let mut whole = TcpStream::connect(address).unwrap();
    whole.write_all(b"GET /health/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    whole.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let mut half = TcpStream::connect(address).unwrap();
    half.write_all(b"GET /health/live HTTP/1.1\r\nhos").unwrap();
    // The server must have begun to read it, or it is only an idle connection.
    std::thread::sleep(Duration::from_millis(200));
    let killed = Command::new("kill").args(["-TERM", &process.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let began = Instant::now();
    let ended = loop {
        match process.try_wait().unwrap() {
            Some(status) => break Some(status),
            None if began.elapsed() > Duration::from_secs(20) => break None,
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    if ended.is_none() {
        process.kill().unwrap();
    }
    assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
}
