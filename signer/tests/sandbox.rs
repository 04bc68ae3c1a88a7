//! What a process inside the sandbox can no longer do. One test only: there is no way back out.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

use airlock_signer::sandbox;

#[test]
fn inside_the_sandbox_there_are_no_sockets_no_programs_and_no_other_files() {
    let folder = tempfile::tempdir().unwrap();
    let enforced = sandbox::enter(&[folder.path()]).unwrap();
    // The standard library is asked, as code in a dependency would ask.
    let bind = std::net::UdpSocket::bind("127.0.0.1:0").unwrap_err();
    assert_eq!(bind.raw_os_error(), Some(libc::EPERM));
    let pair = std::os::unix::net::UnixStream::pair().unwrap_err();
    assert_eq!(pair.raw_os_error(), Some(libc::EPERM));
    assert!(std::process::Command::new("/bin/true").status().is_err());
    if enforced.files != sandbox::Files::NotAtAll {
        assert!(std::fs::read("/etc/passwd").is_err());
    }
    std::fs::write(folder.path().join("reply"), b"works").unwrap();
    assert_eq!(std::fs::read(folder.path().join("reply")).unwrap(), b"works");
    let threads: u64 = std::thread::spawn(|| 41 + 1).join().unwrap();
    assert_eq!(threads, 42);
}
