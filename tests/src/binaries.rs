//! Where the two programs are that the tests run as processes.
//!
//! They lie beside the test executable. `cargo test` builds them only for some choices of packages, so a
//! program that is missing, or older than a source file it was built from, is built here, once. What must
//! stay true: no test ever runs an old program.

use anyhow::{Context as _, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// The two programs.
#[derive(Clone, Debug)]
pub struct Binaries {
    /// `airlock-signer`.
    pub signer: PathBuf,
    /// `airlock-coordinator`.
    pub coordinator: PathBuf,
}

static FOUND: OnceLock<Result<Binaries, String>> = OnceLock::new();

impl Binaries {
    /// Finds both, building what is missing or old.
    ///
    /// # Errors
    /// The build fails, or the executable lies in no directory of cargo's.
    pub fn find() -> anyhow::Result<Self> {
        FOUND.get_or_init(|| find().map_err(|error| format!("{error:#}"))).clone().map_err(anyhow::Error::msg)
    }
}

fn find() -> anyhow::Result<Binaries> {
    let own = std::env::current_exe().context("the path of this executable")?;
    let beside = own.parent().context("this executable has a directory")?;
    // Tests are in `deps`, programs one above.
    let directory = match beside.file_name() {
        Some(name) if name == "deps" => beside.parent().unwrap_or(beside),
        _ => beside,
    };
    let found = Binaries {
        signer: directory.join("airlock-signer"),
        coordinator: directory.join("airlock-coordinator"),
    };
    if is_current(&found.signer) && is_current(&found.coordinator) {
        return Ok(found);
    }
    build(directory)?;
    for program in [&found.signer, &found.coordinator] {
        ensure!(
            program.is_file(),
            "{} was not built; run `cargo build --workspace` first",
            program.display()
        );
    }
    Ok(found)
}

/// Is it there, and newer than every file that cargo lists as its source?
fn is_current(program: &Path) -> bool {
    let modified = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
    let Some(built) = modified(program) else { return false };
    let Ok(sources) = std::fs::read_to_string(program.with_extension("d")) else { return false };
    let (_, sources) = sources.split_once(": ").unwrap_or_default();
    let old = |source: &str| modified(Path::new(source)).is_none_or(|time: SystemTime| time > built);
    !sources.split_whitespace().any(old)
}

fn build(directory: &Path) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .args(["build", "--quiet", "--locked", "-p", "airlock-signer", "-p", "airlock-coordinator"])
        // Another target directory than this executable's would build programs that nobody runs.
        .env("CARGO_TARGET_DIR", directory.parent().unwrap_or(directory));
    if directory.ends_with("release") {
        command.arg("--release");
    }
    let status = command.status().context("starting cargo")?;
    ensure!(status.success(), "cargo build of the signer and the coordinator failed: {status}");
    Ok(())
}
