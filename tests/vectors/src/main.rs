//! `vectors FILE…`: runs files of byte-exact cases from independent libraries against the shared crate.
//!
//! For each file it prints what passed, failed and was skipped, which kinds were skipped, and the first failing
//! case. It exits 1 if anything failed (a file that cannot be read or is of no known format included), 2 if no
//! file was named, else 0.

use std::io::Write as _;
use std::process::ExitCode;

/// Larger files are refused before they are read.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

fn main() -> ExitCode {
    let paths: Vec<_> = std::env::args_os().skip(1).collect();
    let mut out = std::io::stdout().lock();
    if paths.is_empty() {
        eprintln!("usage: vectors FILE…");
        return ExitCode::from(2);
    }
    let mut total = airlock_vectors::Report::default();
    for path in paths {
        let path = std::path::PathBuf::from(path);
        let report = match read(&path) {
            Ok(text) => airlock_vectors::run(&text),
            Err(reason) => airlock_vectors::Report::unreadable(reason),
        };
        // A closed pipe is the reader's wish to stop; the exit code still tells.
        let _ = writeln!(out, "{}\n{report}", path.display());
        total.add(&report);
    }
    let _ = writeln!(out, "{} passed, {} failed, {} skipped", total.passed, total.failed, total.skipped());
    if total.failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn read(path: &std::path::Path) -> Result<String, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > MAX_FILE_BYTES {
        return Err(format!("{size} bytes are more than {MAX_FILE_BYTES}"));
    }
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}
