//! What keeps secrets inside this process, and for no longer than they are needed: no core dump, no tracing
//! by others, pages of secrets locked, freed memory and used stacks overwritten.
//!
//! `protect` is called once, first thing in `main`, before a passphrase is read; `start_workers` in the sandbox,
//! before keys are opened; `forget` whenever secrets have been used; `unlocked` at the end. What must stay true: failure
//! to forbid dumps is an error; the start line promises no more than the limits, because an unprivileged account often
//! may lock little and a lie would be worse; secrets that went beyond them are told at the end.
//! `raw` is the one module of this crate with `unsafe`.

mod raw;

pub use raw::{Overwriting, Secret};
use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};
use std::fmt;
use std::hint::black_box;
use zeroize::Zeroize as _;

/// What was achieved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Protection {
    /// What is kept out of swap.
    pub locked: Locked,
}

/// What is kept out of swap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Locked {
    /// All memory, present and future.
    Everything,
    /// The pages that secrets are kept in, as far as the limit goes. Copies that last for a calculation, on a
    /// stack, are not.
    Secrets {
        /// What this account may lock, in bytes; `None` where there is no limit.
        limit_bytes: Option<u64>,
    },
    /// Nothing: the limits of this account do not even allow single pages.
    Nothing,
}

/// The kernel did not forbid dumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("memory cannot be kept out of core dumps: {0}")]
pub struct MemoryError(rustix::io::Errno);

/// Forbids core dumps and tracing, and locks memory as far as the limits allow it.
pub fn protect() -> Result<Protection, MemoryError> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(MemoryError)?;
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).map_err(MemoryError)?;
    // With a small limit MCL_FUTURE would make the key derivation's own memory fail.
    let limit_bytes = getrlimit(Resource::Memlock).current;
    let flags = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    let locked = if limit_bytes.is_none() && mlockall(flags).is_ok() {
        Locked::Everything
    } else if raw::is_lockable() {
        Locked::Secrets { limit_bytes }
    } else {
        Locked::Nothing
    };
    Ok(Protection { locked })
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no core dumps, no tracing; ")?;
        match self.locked {
            Locked::Everything => f.write_str("memory locked"),
            Locked::Secrets { limit_bytes: None } => f.write_str("pages of secrets locked"),
            Locked::Secrets { limit_bytes: Some(limit) } => {
                write!(f, "pages of secrets locked, up to {} KiB", limit >> 10)
            }
            Locked::Nothing => {
                f.write_str("secrets NOT locked in memory (raise the memlock limit, or run without swap)")
            }
        }
    }
}

/// What is to be said at the end, if there were secrets that the limits did not allow to lock.
pub fn unlocked() -> Option<String> {
    let count = raw::unlocked();
    (count > 0).then(|| {
        format!(
            "secrets of this run NOT locked in memory: {count}; raise the memlock limit, or run without swap"
        )
    })
}

/// Deeper than any calculation here goes, and less than the smallest stack of ours.
const STACK_BYTES: usize = 512 << 10;

/// Starts the workers that share calculations, once the sandbox is entered, which they then are in too. What they
/// are run by stays on the heap as long as this process, and is moved there from a stack with its padding, so
/// that must hold nothing yet.
pub fn start_workers() {
    forget();
}

/// Overwrites what calculations have left on the stacks of this thread and of the workers. To be called
/// from a function that held no secret itself, else its own frame remains.
pub fn forget() {
    overwrite_stack();
    rayon::broadcast(|_| overwrite_stack());
}

/// A frame over all that lay below the caller's, zeroed.
#[inline(never)]
fn overwrite_stack() {
    let mut frame = [0_u8; STACK_BYTES];
    frame.zeroize();
    black_box(&frame);
}
