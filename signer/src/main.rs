//! The command line of the signer: parse, run, say how it ended.
//!
//! Everything else is in the library. What must stay true: the exit code is the one documented in `args`,
//! and an error is one line for people or, with `--json`, one JSON object, on standard error.

use airlock_signer::args::CommandLine;
use airlock_signer::commands;
use airlock_signer::failure::Failure;
use airlock_signer::memory::Overwriting;
use clap::Parser as _;
use std::process::ExitCode;

#[global_allocator]
static HEAP: Overwriting = Overwriting;

fn main() -> ExitCode {
    // A line that does not parse has no options yet, so its own words say how to answer.
    let asked_for_json = std::env::args_os().any(|argument| argument == "--json");
    let line = match CommandLine::try_parse() {
        Ok(line) => line,
        Err(error) if asked_for_json && error.use_stderr() => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            return end(&Failure::usage(first.trim_start_matches("error: ")), asked_for_json);
        }
        Err(error) => error.exit(),
    };
    let json = line.options.json;
    match commands::run(line) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => end(&failure, json),
    }
}

fn end(failure: &Failure, json: bool) -> ExitCode {
    if json {
        eprintln!("{}", failure.to_json());
    } else {
        eprintln!("airlock-signer: {failure}");
    }
    ExitCode::from(failure.exit as u8)
}
