//! The process gives up what it does not need before it touches a key.
//!
//! Landlock: from now on only the home and the output directory can be opened, and the terminal; where the
//! kernel can, TCP and signals to others are refused too. Seccomp (`calls`): an allow-list of system calls.
//! Called by every command that opens a key or reads what others made, after all inputs have been opened.
//! What must stay true: it is applied before any thread is started; the start line says what this kernel
//! enforces and nothing more; whether less than everything will do is the policy's decision.

mod calls;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
};
use std::fmt;
use std::path::Path;

/// What the kernel enforces from now on. The allow-list of system calls always is: without it nothing runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Enforced {
    /// How far the file system is closed.
    pub files: Files,
    /// Does Landlock refuse TCP as well? The allow-list has no socket in any case.
    pub tcp: bool,
}

/// How far the file system is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Files {
    /// Every access this program knows of is restricted.
    Fully,
    /// An older kernel restricts some of them.
    Partly,
    /// The kernel has no Landlock, or it is switched off.
    NotAtAll,
}

/// The sandbox could not be built.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// Landlock refused the rules.
    #[error("the file rules were refused: {0}")]
    Files(String),
    /// The system-call filter was refused.
    #[error("the system-call filter was refused: {0}")]
    Calls(String),
}

impl Enforced {
    /// Is it less than what this program asked for?
    pub const fn is_partial(self) -> bool {
        !matches!(self.files, Files::Fully)
    }
}

impl fmt::Display for Enforced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("system calls: allow-list, no sockets; files: ")?;
        f.write_str(match self.files {
            Files::Fully => "home and output only",
            Files::Partly => "home and output only, as far as this older kernel can (6.10 can all)",
            Files::NotAtAll => "NOT restricted, this kernel has no Landlock (5.13 and later have it)",
        })?;
        f.write_str(if self.tcp { "; TCP refused by Landlock too" } else { "" })
    }
}

/// The newest Landlock whose file rights are asked for: devices' ioctls, Linux 6.10.
const FILES: ABI = ABI::V5;
/// The first Landlock that knows TCP, Linux 6.7.
const TCP: ABI = ABI::V4;
/// The first Landlock that knows signals and abstract sockets, Linux 6.12.
const SCOPES: ABI = ABI::V6;

/// Enters the sandbox; there is no way back. `writable` are the directories that stay usable.
pub fn enter(writable: &[&Path]) -> Result<Enforced, SandboxError> {
    enter_reading(writable, &[])
}

/// The same for a command that reads more files than can be held open: `readable` files and directories may
/// still be read, and nothing else of them.
pub fn enter_reading(writable: &[&Path], readable: &[&Path]) -> Result<Enforced, SandboxError> {
    let enforced = close_files(writable, readable)?;
    calls::close()?;
    Ok(enforced)
}

/// What may be done below the home and the output: no devices, sockets, links or programs.
fn usable() -> BitFlags<AccessFs> {
    AccessFs::ReadFile
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::ReadDir
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
}

fn close_files(writable: &[&Path], readable: &[&Path]) -> Result<Enforced, SandboxError> {
    let refused = |error: &dyn fmt::Display| SandboxError::Files(error.to_string());
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(FILES))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(TCP)))
        .and_then(|rules| rules.scope(Scope::from_all(SCOPES)))
        .and_then(Ruleset::create)
        .map_err(|error| refused(&error))?;
    for directory in writable {
        let opened = PathFd::new(directory).map_err(|error| refused(&error))?;
        rules = rules.add_rule(PathBeneath::new(opened, usable())).map_err(|error| refused(&error))?;
    }
    for path in readable {
        let opened = PathFd::new(path).map_err(|error| refused(&error))?;
        let access =
            if path.is_dir() { AccessFs::ReadFile | AccessFs::ReadDir } else { AccessFs::ReadFile.into() };
        rules = rules.add_rule(PathBeneath::new(opened, access)).map_err(|error| refused(&error))?;
    }
    // The passphrase prompt opens the terminal by name. Without one, nobody will be asked.
    if let Ok(terminal) = PathFd::new("/dev/tty") {
        let access = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev;
        rules = rules.add_rule(PathBeneath::new(terminal, access)).map_err(|error| refused(&error))?;
    }
    let status = rules.restrict_self().map_err(|error| refused(&error))?;
    let abi = match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, _) => ABI::Unsupported,
        (_, LandlockStatus::Available { effective_abi, .. }) => effective_abi,
        (_, _) => ABI::Unsupported,
    };
    let files = match abi {
        ABI::Unsupported => Files::NotAtAll,
        abi if abi < FILES => Files::Partly,
        _ => Files::Fully,
    };
    Ok(Enforced { files, tcp: abi >= TCP })
}
