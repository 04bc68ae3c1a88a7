//! The command line of the signer: parse, run, say how it ended.
//!
//! Everything else is in the library. What must stay true: the exit code is the one documented in `args`,
//! and an error is one line for people or, with `--json`, one JSON object, on standard error.

use airlock_signer::args::CommandLine;
use airlock_signer::commands;
use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let line = CommandLine::parse();
    let json = line.options.json;
    match commands::run(line) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if json {
                eprintln!("{}", failure.to_json());
            } else {
                eprintln!("airlock-signer: {failure}");
            }
            ExitCode::from(failure.exit as u8)
        }
    }
}
