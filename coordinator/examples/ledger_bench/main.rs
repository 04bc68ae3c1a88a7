//! Measures the ledger: durable, individually acknowledged, double-entry transfers per second (L1, N1).
//!
//! `scripts/bench.sh ledger [--full]` starts a durable PostgreSQL and runs it; one line of JSON per figure,
//! `{"figure","value","unit","limit","ratio"}`. The limit of a rate is the bare database's bulk insert of the same rows
//! in the same run: the fastest of several forms and group sizes. `docs/performance.md` explains each figure.
//! Arguments: `--postgres URL`, `--full`, `--seconds N` for each measurement, and names of parts (`inprocess`, `growth`,
//! `http`) or of one database (`sqlite`, `postgres`) to run alone.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a measurement that cannot go on should stop")]

mod bulk;
mod growth;
mod http;
mod inprocess;
mod load;
mod place;

use place::Place;
use std::time::Duration;

/// What was asked for.
#[derive(Debug)]
pub struct Asked {
    /// Where PostgreSQL is.
    postgres: Option<String>,
    /// Ten million entries as well.
    full: bool,
    /// How long one measurement takes.
    window: Duration,
    /// Which parts; empty: all.
    parts: Vec<String>,
}

impl Asked {
    fn read() -> Self {
        let mut asked =
            Self { postgres: None, full: false, window: Duration::from_secs(4), parts: Vec::new() };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--postgres" => asked.postgres = arguments.next(),
                "--full" => asked.full = true,
                "--seconds" => asked.window = Duration::from_secs(arguments.next().unwrap().parse().unwrap()),
                _ => asked.parts.push(argument),
            }
        }
        asked
    }

    /// Is this one of the names of its sort, or is none of the sort named?
    fn wants(&self, sort: &[&str], name: &str) -> bool {
        let named = |name: &str| self.parts.iter().any(|part| part == name);
        named(name) || !sort.iter().any(|name| named(name))
    }

    fn measures(&self, part: &str) -> bool {
        self.wants(&["inprocess", "growth", "http"], part)
    }
}

fn main() {
    let asked = Asked::read();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let databases = [("sqlite", Some(None)), ("postgres", asked.postgres.clone().map(Some))];
        for (name, server) in databases {
            let Some(server) = server.filter(|_| asked.wants(&["sqlite", "postgres"], name)) else {
                continue;
            };
            if asked.measures("inprocess") {
                inprocess::measure(&asked, server.as_deref()).await;
            }
            if asked.measures("growth") {
                growth::measure(&asked, server.as_deref()).await;
            }
            if asked.measures("http") {
                http::measure(&asked, server.as_deref()).await;
            }
        }
    });
}

/// Prints one figure; value, limit in thousandths of the unit.
pub fn print(figure: &str, value_milli: u64, unit: &str, limit_milli: u64) {
    let ratio_milli = (value_milli * 1000).checked_div(limit_milli).unwrap_or(0);
    println!(
        r#"{{"figure":"{figure}","value":{},"unit":"{unit}","limit":{},"ratio":{}}}"#,
        thousandths(value_milli),
        thousandths(limit_milli),
        thousandths(ratio_milli)
    );
}

fn thousandths(milli: u64) -> String {
    format!("{}.{:03}", milli / 1000, milli % 1000)
}

/// The middle one.
pub fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values[values.len() / 2]
}
