//! What a process inside the sandbox can no longer do, asked of the kernel call by call.
//!
//! The sandbox holds for the thread that enters it, so each test enters it on a thread of its own. What ends
//! the process is asked of a copy of this program. What must stay true: every question is one that the kernel
//! answers otherwise outside.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]
#![allow(unsafe_code, reason = "system calls that no safe function makes are the point")]

use airlock_signer::sandbox::{self, Enforced, Files};
use airlock_signer::terminal::ending::Watch;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

/// Which way out a copy of this program tries.
const WAY: &str = "AIRLOCK_TEST_WAY_OUT";

/// Runs `test` inside the sandbox of a folder of its own.
fn inside<T: Send + 'static>(test: impl FnOnce(&std::path::Path, Enforced) -> T + Send + 'static) -> T {
    let entered = move || {
        let folder = tempfile::tempdir().unwrap();
        let enforced = sandbox::enter(&[folder.path()]).unwrap();
        let answer = test(folder.path(), enforced);
        // What is in it is removed; the directory above is closed to this thread.
        std::fs::remove_file(folder.path().join("reply")).ok();
        (answer, folder.keep())
    };
    let (answer, folder) = std::thread::spawn(entered).join().unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    answer
}

/// The error of a system call; 0 if it succeeded.
fn call(number: libc::c_long, arguments: [usize; 6]) -> i32 {
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: every call asked for here is refused before it acts or, should the test fail, touches nothing
    // that Rust knows of: pointers are null or lead to bytes that outlive the call.
    let answer = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    if answer >= 0 { 0 } else { std::io::Error::last_os_error().raw_os_error().unwrap() }
}

#[test]
fn inside_the_sandbox_there_are_no_sockets_no_programs_and_no_other_files() {
    inside(|folder, enforced| {
        // The standard library is asked, as code in a dependency would ask.
        let bind = std::net::UdpSocket::bind("127.0.0.1:0").unwrap_err();
        assert_eq!(bind.raw_os_error(), Some(libc::EPERM));
        let pair = std::os::unix::net::UnixStream::pair().unwrap_err();
        assert_eq!(pair.raw_os_error(), Some(libc::EPERM));
        assert!(Command::new("/bin/true").status().is_err());
        if enforced.files != Files::NotAtAll {
            for path in ["/etc/passwd", "/proc/self/mem", "/proc/self/maps", "/dev/mem", "/"] {
                let error = std::fs::File::open(path).unwrap_err();
                assert!(matches!(error.raw_os_error(), Some(libc::EACCES | libc::ENOENT)), "{path}: {error}");
            }
            assert!(std::os::unix::fs::symlink("/etc", folder.join("link")).is_err());
        }
        std::fs::write(folder.join("reply"), b"works").unwrap();
        assert_eq!(std::fs::read(folder.join("reply")).unwrap(), b"works");
        let threads: u64 = std::thread::spawn(|| 41 + 1).join().unwrap();
        assert_eq!(threads, 42);
    });
}

#[test]
fn every_other_way_out_is_refused_by_its_number() {
    let own = std::process::id() as usize;
    let path = c"/bin/true".as_ptr() as usize;
    let ways: Vec<(&str, libc::c_long, [usize; 6])> = vec![
        ("socket", libc::SYS_socket, [libc::AF_INET as usize, libc::SOCK_STREAM as usize, 0, 0, 0, 0]),
        ("netlink", libc::SYS_socket, [libc::AF_NETLINK as usize, libc::SOCK_RAW as usize, 0, 0, 0, 0]),
        (
            "socketpair",
            libc::SYS_socketpair,
            [libc::AF_UNIX as usize, libc::SOCK_STREAM as usize, 0, 0, 0, 0],
        ),
        ("connect", libc::SYS_connect, [0; 6]),
        ("sendto", libc::SYS_sendto, [1, 0, 0, 0, 0, 0]),
        ("io_uring_setup", libc::SYS_io_uring_setup, [1, 0, 0, 0, 0, 0]),
        ("io_uring_enter", libc::SYS_io_uring_enter, [0; 6]),
        ("ptrace", libc::SYS_ptrace, [libc::PTRACE_PEEKDATA as usize, own, 0, 0, 0, 0]),
        ("process_vm_readv", libc::SYS_process_vm_readv, [own, 0, 0, 0, 0, 0]),
        ("process_vm_writev", libc::SYS_process_vm_writev, [own, 0, 0, 0, 0, 0]),
        ("pidfd_getfd", libc::SYS_pidfd_getfd, [0; 6]),
        ("execve", libc::SYS_execve, [path, 0, 0, 0, 0, 0]),
        ("execveat", libc::SYS_execveat, [usize::MAX, path, 0, 0, 0, 0]),
        ("fork", libc::SYS_clone, [libc::SIGCHLD as usize, 0, 0, 0, 0, 0]),
        (
            "a user namespace",
            libc::SYS_clone,
            [(libc::CLONE_NEWUSER | libc::SIGCHLD) as usize, 0, 0, 0, 0, 0],
        ),
        ("unshare", libc::SYS_unshare, [libc::CLONE_NEWUSER as usize, 0, 0, 0, 0, 0]),
        ("setns", libc::SYS_setns, [0; 6]),
        ("bpf", libc::SYS_bpf, [0; 6]),
        ("userfaultfd", libc::SYS_userfaultfd, [0; 6]),
        ("perf_event_open", libc::SYS_perf_event_open, [0; 6]),
        ("keyctl", libc::SYS_keyctl, [0; 6]),
        ("memfd_create", libc::SYS_memfd_create, [path, 0, 0, 0, 0, 0]),
        ("open_by_handle_at", libc::SYS_open_by_handle_at, [0; 6]),
        ("mount", libc::SYS_mount, [0; 6]),
        ("chroot", libc::SYS_chroot, [path, 0, 0, 0, 0, 0]),
        ("seccomp", libc::SYS_seccomp, [0; 6]),
        ("kill", libc::SYS_kill, [own, 0, 0, 0, 0, 0]),
        ("a signal to another process", libc::SYS_tgkill, [1, 1, 0, 0, 0, 0]),
        ("splice", libc::SYS_splice, [0; 6]),
        ("typing into the terminal", libc::SYS_ioctl, [0, libc::TIOCSTI as usize, path, 0, 0, 0]),
        ("the console's selection", libc::SYS_ioctl, [0, libc::TIOCLINUX as usize, path, 0, 0, 0]),
        ("becoming dumpable", libc::SYS_prctl, [libc::PR_SET_DUMPABLE as usize, 1, 0, 0, 0, 0]),
        ("being traced", libc::SYS_prctl, [libc::PR_SET_PTRACER as usize, usize::MAX, 0, 0, 0, 0]),
        ("a lease", libc::SYS_fcntl, [0, libc::F_SETLEASE as usize, libc::F_RDLCK as usize, 0, 0, 0]),
        (
            "memory to run",
            libc::SYS_mmap,
            [
                0,
                4_096,
                (libc::PROT_READ | libc::PROT_EXEC) as usize,
                (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as usize,
                usize::MAX,
                0,
            ],
        ),
        ("making memory run", libc::SYS_mprotect, [0x10_000, 4_096, libc::PROT_EXEC as usize, 0, 0, 0]),
    ];
    inside(move |_, _| {
        for (name, number, arguments) in ways {
            assert_eq!(call(number, arguments), libc::EPERM, "{name}");
        }
        // The C library falls back to `clone`, whose flags the filter can read.
        assert_eq!(call(libc::SYS_clone3, [0; 6]), libc::ENOSYS);
        // And memory that is not run is still there.
        let plain = (libc::PROT_READ | libc::PROT_WRITE) as usize;
        let anonymous = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as usize;
        assert_eq!(call(libc::SYS_mmap, [0, 4_096, plain, anonymous, usize::MAX, 0]), 0);
    });
}

/// The signal that ends a copy of this program which takes `way` inside the sandbox.
fn ended_by(way: &str) -> Option<i32> {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_copy_takes_the_way_it_was_told", "--include-ignored"])
        .env(WAY, way)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    status.signal()
}

#[test]
fn a_copy_takes_the_way_it_was_told() {
    let Ok(way) = std::env::var(WAY) else { return };
    inside(move |_, _| match way.as_str() {
        "none" => assert!(call(libc::SYS_getpid, [0; 6]) == 0),
        "x32" => assert!(call(0x4000_0000 | libc::SYS_getpid, [0; 6]) == 0),
        "i386" => i386(),
        "asked" => asked_to_end(),
        other => panic!("{other}"),
    });
}

/// A request is noted while a screen stands, and ends the process afterwards.
fn asked_to_end() {
    let raise = || {
        // SAFETY: the handlers that are installed for it only note it or end the process.
        unsafe { libc::raise(libc::SIGTERM) }
    };
    let watch = Watch::begin().unwrap();
    assert!(!watch.is_asked());
    assert_eq!(raise(), 0);
    assert!(watch.is_asked());
    drop(watch);
    assert!(!Watch::begin().unwrap().is_asked(), "an older request is not the next screen's");
    raise();
}

#[test]
fn a_request_to_end_after_a_screen_ends_the_process_at_once_inside_the_sandbox_too() {
    assert_eq!(ended_by("asked"), Some(libc::SIGTERM));
}

#[cfg(target_arch = "x86_64")]
fn i386() {
    // SAFETY: number 20 of this architecture's other table is getpid, which takes and changes nothing.
    unsafe {
        std::arch::asm!("int 0x80", inout("eax") 20 => _, out("r8") _, out("r9") _, out("r10") _, out("r11") _)
    };
}

#[cfg(not(target_arch = "x86_64"))]
fn i386() {}

#[test]
#[cfg(target_arch = "x86_64")]
fn calls_of_x32_and_of_another_architecture_end_the_process() {
    assert_eq!(ended_by("none"), None);
    assert_eq!(ended_by("x32"), Some(libc::SIGSYS));
    // A kernel without the old interface ends it too, by another signal.
    assert!(matches!(ended_by("i386"), Some(libc::SIGSYS | libc::SIGSEGV)));
}

#[test]
fn the_start_line_says_what_is_enforced_and_what_is_not() {
    let line = |files, tcp| Enforced { files, tcp }.to_string();
    assert!(line(Files::Fully, true).ends_with("home and output only; TCP refused by Landlock too"));
    assert!(line(Files::Partly, false).contains("as far as this older kernel can"));
    assert!(line(Files::NotAtAll, false).contains("NOT restricted"));
    let partial = |files| Enforced { files, tcp: false }.is_partial();
    assert_eq!([Files::Fully, Files::Partly, Files::NotAtAll].map(partial), [false, true, true]);
}
