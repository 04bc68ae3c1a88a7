//! What every test and the demo start from: a directory, the two programs, a narrator.

use crate::binaries::Binaries;
use crate::narrator::Narrator;
use std::path::{Path, PathBuf};

/// Where a story plays.
pub struct Stage {
    /// Everything is below this directory.
    pub directory: PathBuf,
    /// The two programs.
    pub binaries: Binaries,
    /// Who tells what happens.
    pub narrator: Narrator,
    _temporary: Option<tempfile::TempDir>,
}

impl Stage {
    /// A directory that vanishes with the stage, in silence.
    ///
    /// # Errors
    /// The programs cannot be built, or there is no room for the directory.
    pub fn for_test() -> anyhow::Result<Self> {
        let binaries = Binaries::find()?;
        let temporary = tempfile::Builder::new().prefix("airlock-test-").tempdir()?;
        let directory = temporary.path().to_owned();
        Ok(Self { directory, binaries, narrator: Narrator::silent(), _temporary: Some(temporary) })
    }

    /// A directory that stays for people to look at; what was there before is removed.
    ///
    /// # Errors
    /// The programs cannot be built, or the directory cannot be made anew.
    pub fn for_people(directory: &Path) -> anyhow::Result<Self> {
        let binaries = Binaries::find()?;
        if directory.exists() {
            std::fs::remove_dir_all(directory)?;
        }
        std::fs::create_dir_all(directory)?;
        let directory = directory.canonicalize()?;
        Ok(Self { directory, binaries, narrator: Narrator::aloud(), _temporary: None })
    }
}
