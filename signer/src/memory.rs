//! What keeps secrets inside this process, and for no longer than they are needed: no core dump, no tracing
//! by others, pages of secrets locked, freed memory and used stacks overwritten.
//!
//! `protect` is called once, first thing in `main`, before a passphrase is read; `start_workers` in the sandbox,
//! before keys are opened; `forget` whenever secrets have been used. What must stay true: failure to forbid dumps is an error; what could not be locked is
//! said on the start line, because an unprivileged account often may not, and a lie would be worse.
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
    /// The pages that secrets are kept in. Copies that last for a calculation, on a stack, are not.
    Secrets,
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
    let unlimited = getrlimit(Resource::Memlock).current.is_none();
    let flags = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    let locked = if unlimited && mlockall(flags).is_ok() {
        Locked::Everything
    } else if Secret::new([0_u8; 32]).is_locked() {
        Locked::Secrets
    } else {
        Locked::Nothing
    };
    Ok(Protection { locked })
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no core dumps, no tracing; ")?;
        f.write_str(match self.locked {
            Locked::Everything => "memory locked",
            Locked::Secrets => "secrets locked in memory",
            Locked::Nothing => "secrets NOT locked in memory (raise the memlock limit, or run without swap)",
        })
    }
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
