//! The process gives up what it does not need before it touches a key.
//!
//! Landlock: from now on only the home and the output directory can be opened, and the terminal. Seccomp:
//! an allow-list of the calls that reading, writing, memory and threads need; everything else (sockets,
//! io_uring, ptrace, executing programs) answers EPERM, and another architecture's calls end the process.
//! Called by the commands that open the spending compartment, after every input has been read. What must
//! stay true: it is applied before any thread is started, and the start line says what the kernel enforces.

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus,
};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};
use std::fmt;
use std::path::Path;

/// What the kernel enforces from now on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Enforced {
    /// How far Landlock is in force.
    pub files: Files,
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

impl fmt::Display for Enforced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("system calls: allow-list, no sockets; files: ")?;
        f.write_str(match self.files {
            Files::Fully => "home and output only",
            Files::Partly => "home and output only, as far as this kernel can",
            Files::NotAtAll => "NOT restricted, this kernel has no Landlock",
        })
    }
}

/// Enters the sandbox; there is no way back. `writable` are the directories that stay usable.
pub fn enter(writable: &[&Path]) -> Result<Enforced, SandboxError> {
    let files = close_files(writable)?;
    close_calls()?;
    Ok(Enforced { files })
}

fn close_files(writable: &[&Path]) -> Result<Files, SandboxError> {
    let refused = |error: &dyn fmt::Display| SandboxError::Files(error.to_string());
    let abi = ABI::V5;
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))
        .and_then(Ruleset::create)
        .map_err(|error| refused(&error))?;
    let usable = AccessFs::from_all(abi) & !(AccessFs::Execute | AccessFs::MakeSock | AccessFs::MakeBlock);
    for directory in writable {
        let opened = PathFd::new(directory).map_err(|error| refused(&error))?;
        rules = rules.add_rule(PathBeneath::new(opened, usable)).map_err(|error| refused(&error))?;
    }
    // The passphrase prompt opens the terminal by name. Without one, nobody will be asked.
    if let Ok(terminal) = PathFd::new("/dev/tty") {
        let access = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev;
        rules = rules.add_rule(PathBeneath::new(terminal, access)).map_err(|error| refused(&error))?;
    }
    let status = rules.restrict_self().map_err(|error| refused(&error))?;
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => Files::Fully,
        RulesetStatus::PartiallyEnforced => Files::Partly,
        RulesetStatus::NotEnforced => Files::NotAtAll,
    })
}

fn close_calls() -> Result<(), SandboxError> {
    let refused = |error: &dyn fmt::Display| SandboxError::Calls(error.to_string());
    let architecture = std::env::consts::ARCH.try_into().map_err(|error| refused(&error))?;
    let rules = ALLOWED.iter().map(|call| (*call, Vec::new())).collect();
    let otherwise = SeccompAction::Errno(libc::EPERM as u32);
    let filter = SeccompFilter::new(rules, otherwise, SeccompAction::Allow, architecture)
        .map_err(|error| refused(&error))?;
    let program: BpfProgram = filter.try_into().map_err(|error| refused(&error))?;
    apply_filter(&program).map_err(|error| refused(&error))
}

/// What the standard library, the thread pool, files and the terminal need, and no more.
const ALLOWED: &[libc::c_long] = &[
    // reading and writing
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_lseek,
    libc::SYS_close,
    libc::SYS_fcntl,
    libc::SYS_ioctl,
    libc::SYS_flock,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_ftruncate,
    libc::SYS_ppoll,
    // files by name, within what Landlock leaves
    libc::SYS_openat,
    libc::SYS_newfstatat,
    libc::SYS_fstat,
    libc::SYS_statx,
    libc::SYS_getdents64,
    libc::SYS_mkdirat,
    libc::SYS_unlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_readlinkat,
    libc::SYS_fchmod,
    libc::SYS_getcwd,
    // memory
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_mlock,
    libc::SYS_munlock,
    // threads of this process
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_geteuid,
    libc::SYS_prctl,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_restart_syscall,
    // signals, needed by the terminal and by thread stacks
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_tgkill,
    // time and randomness
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_getrandom,
    // the older names of the same calls, where the architecture has them
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_stat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lstat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mkdir,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_unlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rename,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
];
