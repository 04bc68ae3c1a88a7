//! Measures how many bytes a withdrawal takes on its way out and its signature on its way back.
//!
//! `scripts/bench.sh frames` runs it: one line of JSON per figure, `{"figure","value","unit","limit","ratio"}`;
//! with `--sizes` it prints instead the bytes of the larger request and reply of 1,000 withdrawals, for
//! `frames_bench`. The batch is sealed and approved by two devices; amounts are in cents, ids ascend by one,
//! destinations are distinct, there is one fee level. The limit of a request is what cannot be left out: 160 bits
//! of destination and the bits of the largest amount; the limit of a reply is a signature of 513 bits.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on should stop")]

#[path = "../tests/sample/mod.rs"]
mod sample;

use airlock_shared::document::Document as _;
use airlock_shared::envelope::{Bundle, Replies};
use airlock_shared::{BaseUnits, Network};

const WITHDRAWALS: u64 = 1_000;
const SIGNATURE_BITS: u64 = 513;

/// The bytes of one network's request and reply.
struct Measured {
    name: &'static str,
    request: u64,
    reply: u64,
    amount_bits: u64,
}

fn main() {
    let both = [measure("tron", Network::TRON_DEV), measure("evm", Network::EVM_DEV)];
    let larger = |bytes: fn(&Measured) -> u64| both.iter().map(bytes).max().unwrap_or(0);
    let (request, reply) = (larger(|one| one.request), larger(|one| one.reply));
    if std::env::args().any(|argument| argument == "--sizes") {
        println!("{request} {reply}");
        return;
    }
    let bits = both[0].amount_bits;
    print("request_bytes_per_withdrawal", request, 160 + bits);
    print("reply_bytes_per_withdrawal", reply, SIGNATURE_BITS);
    for one in &both {
        print(&format!("request_bytes_per_withdrawal_{}", one.name), one.request, 160 + one.amount_bits);
        print(&format!("reply_bytes_per_withdrawal_{}", one.name), one.reply, SIGNATURE_BITS);
    }
}

fn measure(name: &'static str, network: Network) -> Measured {
    let envelope = sample::envelope(sample::content(network, WITHDRAWALS as usize));
    let cent = BaseUnits::from(10_000u64);
    let cents = |amount: BaseUnits| amount.checked_div_rem(cent).unwrap().0.to_u64().unwrap();
    let largest = envelope.content.items.iter().map(|item| cents(item.amount)).max().unwrap_or(0);
    let reply = sample::reply(&envelope, 1);
    Measured {
        name,
        reply: Replies { replies: vec![reply] }.to_binary().len() as u64,
        request: Bundle { envelopes: vec![envelope] }.to_binary().len() as u64,
        amount_bits: u64::from(u64::BITS - largest.leading_zeros()),
    }
}

/// One figure: `bytes` over a thousand withdrawals against `limit_bits` each.
fn print(figure: &str, bytes: u64, limit_bits: u64) {
    let value = hundredths(bytes, WITHDRAWALS);
    let limit = hundredths(limit_bits, 8);
    let ratio = hundredths(bytes * 8, WITHDRAWALS * limit_bits);
    println!(
        "{{\"figure\":\"{figure}\",\"value\":{value},\"unit\":\"bytes\",\"limit\":{limit},\"ratio\":{ratio}}}"
    );
}

/// A quotient with two decimals, rounded half up, without a float.
fn hundredths(dividend: u64, divisor: u64) -> String {
    let rounded = (dividend * 200 + divisor) / (2 * divisor);
    format!("{}.{:02}", rounded / 100, rounded % 100)
}
