//! What keeps secrets inside this process: no core dump, no tracing by others, no swap where allowed.
//!
//! Called once, first thing in `main`, before a passphrase is read. What must stay true: failure to
//! forbid dumps is an error; failure to lock memory is a statement on the start line, because an
//! unprivileged account often may not, and a lie would be worse.

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};
use std::fmt;

/// What was achieved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Protection {
    /// Is all memory, present and future, kept out of swap?
    pub locked: bool,
}

/// The kernel did not forbid dumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("memory cannot be kept out of core dumps: {0}")]
pub struct MemoryError(rustix::io::Errno);

/// Forbids core dumps and tracing, and locks memory where the limits allow it.
pub fn protect() -> Result<Protection, MemoryError> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(MemoryError)?;
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).map_err(MemoryError)?;
    // With a small limit MCL_FUTURE would make the key derivation's own memory fail.
    let unlimited = getrlimit(Resource::Memlock).current.is_none();
    let flags = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    Ok(Protection { locked: unlimited && mlockall(flags).is_ok() })
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no core dumps, no tracing; ")?;
        f.write_str(if self.locked {
            "memory locked"
        } else {
            "memory not locked (raise the memlock limit, or run without swap)"
        })
    }
}
