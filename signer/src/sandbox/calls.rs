//! The allow-list of system calls: what reading, writing, memory, threads and the terminal need, and no more.
//!
//! Everything else (sockets, io_uring, ptrace, programs, other processes' memory) answers EPERM. Called by
//! `sandbox` only. What must stay true: every call in the list has somebody who needs it; a call that can do
//! more than it is needed for is restricted by its arguments; calls of another architecture, and those of
//! x32, which carry the same numbers with another meaning, end the process.
//!
//! Three programs are installed, and the strictest answer wins: x32, `clone3`, and the list. Each of
//! seccompiler's begins by ending the process if the architecture is not the one this was built for.

use super::SandboxError;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Width, SeccompCmpOp as Compare, SeccompCondition,
    SeccompFilter, SeccompRule, apply_filter, sock_filter,
};
use std::collections::BTreeMap;
use std::fmt;

/// Rules of one call; any of them permits it, and none at all permits it whatever its arguments.
type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Installs the filters for this thread and all that it starts.
pub fn close() -> Result<(), SandboxError> {
    let install = |program: &BpfProgram| apply_filter(program).map_err(refused);
    install(&end_at_x32())?;
    // Its flags lie in memory, where no filter can read them; without it the C library takes `clone`.
    let absent = Rules::from([(libc::SYS_clone3, Vec::new())]);
    install(&compile(absent, SeccompAction::Allow, SeccompAction::Errno(libc::ENOSYS as u32))?)?;
    install(&compile(allowed()?, SeccompAction::Errno(libc::EPERM as u32), SeccompAction::Allow)?)
}

fn refused(error: impl fmt::Display) -> SandboxError {
    SandboxError::Calls(error.to_string())
}

fn compile(
    rules: Rules,
    otherwise: SeccompAction,
    listed: SeccompAction,
) -> Result<BpfProgram, SandboxError> {
    let architecture = std::env::consts::ARCH.try_into().map_err(refused)?;
    let filter = SeccompFilter::new(rules, otherwise, listed, architecture).map_err(refused)?;
    filter.try_into().map_err(refused)
}

/// Numbers from 2^30 to 2^31 are x32's on x86-64 and nobody's elsewhere. -1, above them, is what a debugger
/// leaves behind when it takes a call out, and is left to the list.
fn end_at_x32() -> BpfProgram {
    let (load, at_least, answer) = (0x20, 0x35, 0x06);
    vec![
        sock_filter { code: load, jt: 0, jf: 0, k: 0 },
        sock_filter { code: at_least, jt: 0, jf: 2, k: 1 << 30 },
        sock_filter { code: at_least, jt: 1, jf: 0, k: 1 << 31 },
        sock_filter { code: answer, jt: 0, jf: 0, k: libc::SECCOMP_RET_KILL_PROCESS },
        sock_filter { code: answer, jt: 0, jf: 0, k: libc::SECCOMP_RET_ALLOW },
    ]
}

fn allowed() -> Result<Rules, SandboxError> {
    let mut rules: Rules = FREELY.iter().map(|call| (*call, Vec::new())).collect();
    let threads = THREAD | libc::CLONE_NEWNS | libc::CLONE_NEWUSER | NEW_OTHERS;
    // A thread of this process in the same namespaces; nothing that could be a process.
    rules.insert(libc::SYS_clone, vec![masked(0, threads as u64, THREAD as u64)?]);
    // Memory that can be run is never made after the start.
    rules.insert(libc::SYS_mmap, vec![masked(2, libc::PROT_EXEC as u64, 0)?]);
    rules.insert(libc::SYS_mprotect, vec![masked(2, libc::PROT_EXEC as u64, 0)?]);
    // The terminal's modes and size, and a camera that was started before. TIOCSTI, which types into the
    // terminal on behalf of this program, is not among them.
    rules.insert(libc::SYS_ioctl, any_of(1, TERMINAL.iter().chain(CAMERA).copied())?);
    // Names of threads and mappings: not dumpability, not seccomp, not capabilities.
    rules.insert(libc::SYS_prctl, any_of(0, [libc::PR_SET_NAME as u64, PR_SET_VMA])?);
    // Flags and copies of open descriptors; no leases, no signals to owners.
    let duplicate = [libc::F_DUPFD, libc::F_DUPFD_CLOEXEC, libc::F_GETFD, libc::F_SETFD, libc::F_GETFL];
    rules.insert(libc::SYS_fcntl, any_of(1, duplicate.map(|word| word as u64))?);
    // Signals to ourselves, as `abort` sends one.
    let own = u64::from(std::process::id());
    rules.insert(libc::SYS_tgkill, any_of(0, [own])?);
    Ok(rules)
}

fn any_of(argument: u8, values: impl IntoIterator<Item = u64>) -> Result<Vec<SeccompRule>, SandboxError> {
    let rule = |value| {
        let condition = SeccompCondition::new(argument, Width::Dword, Compare::Eq, value).map_err(refused)?;
        SeccompRule::new(vec![condition]).map_err(refused)
    };
    values.into_iter().map(rule).collect()
}

fn masked(argument: u8, mask: u64, value: u64) -> Result<SeccompRule, SandboxError> {
    let compare = Compare::MaskedEq(mask);
    let condition = SeccompCondition::new(argument, Width::Qword, compare, value).map_err(refused)?;
    SeccompRule::new(vec![condition]).map_err(refused)
}

/// What makes a thread and not a process.
const THREAD: libc::c_int = libc::CLONE_VM | libc::CLONE_THREAD;
/// The other namespaces.
const NEW_OTHERS: libc::c_int =
    libc::CLONE_NEWCGROUP | libc::CLONE_NEWUTS | libc::CLONE_NEWIPC | libc::CLONE_NEWPID | libc::CLONE_NEWNET;
/// Names mappings for those who read `/proc/PID/maps` (Linux 5.17); newer C libraries use it.
const PR_SET_VMA: u64 = 0x5356_4d41;

/// TCGETS, TCSETS, TCSETSW, TCSETSF, TIOCGWINSZ; TCGETS2, TCSETS2, TCSETSW2, TCSETSF2 (newer C libraries).
const TERMINAL: &[u64] =
    &[0x5401, 0x5402, 0x5403, 0x5404, 0x5413, 0x802c_542a, 0x402c_542b, 0x402c_542c, 0x402c_542d];

/// VIDIOC_QBUF, DQBUF, STREAMOFF: pictures from a camera that was started before, whose buffers are mapped already.
const CAMERA: &[u64] = &[0xc058_560f, 0xc058_5611, 0x4004_5613];

/// Allowed whatever their arguments.
const FREELY: &[libc::c_long] = &[
    // reading and writing what is open: documents, journal, vault, terminal, pipes
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_lseek,
    libc::SYS_close,
    libc::SYS_flock,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_ftruncate,
    libc::SYS_ppoll,
    // files by name, within what Landlock leaves: the vault beside itself and renamed, replies, frames
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
    // the heap, thread stacks, the key derivation's memory, pages that hold secrets
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_mlock,
    libc::SYS_munlock,
    // threads of this process: signing, reading pictures
    libc::SYS_clone3,
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_geteuid,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_restart_syscall,
    // signals: Ctrl-C and window changes at the terminal, guard pages of thread stacks
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
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
