//! The beginning and the end of the program: it waits for its database; told to end, it ends, whatever its clients do.
//!
//! Runs the real binary on SQLite: signals belong to a process. A kill without warning is told in the end-to-end tests.
// A test that cannot set its stage has failed; saying so by a panic is its job.
#![allow(clippy::unwrap_used, clippy::panic)]

mod stage;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A serving process and where it listens.
struct Running {
    process: Child,
    address: String,
    home: TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended in every test that passes.
        let _ = self.process.kill();
    }
}

impl Running {
    fn start(environment: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let log = std::fs::File::create(home.path().join("log")).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_airlock-coordinator"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .envs(environment.iter().copied())
            .current_dir(home.path())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|error| {
            panic!("{error}: {}", std::fs::read_to_string(home.path().join("log")).unwrap())
        });
        Self { process, address: told["listening"].as_str().unwrap().to_owned(), home }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("log")).unwrap()
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn signal(&self, name: &str) {
        let told = Command::new("kill").args([name, &self.process.id().to_string()]).status().unwrap();
        assert!(told.success());
    }

    /// How it ended and after how long; the log if it did not.
    fn end(&mut self) -> (ExitStatus, Duration) {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(20) {
            if let Some(status) = self.process.try_wait().unwrap() {
                return (status, began.elapsed());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("it did not end: {}", self.log());
    }
}

#[test]
fn told_to_end_it_ends_although_a_client_never_finishes_its_request() {
    let mut running = Running::start(&[("AIRLOCK_SERVER__REQUEST_TIMEOUT_MS", "100")]);
    assert!(running.get("/health/live").starts_with("HTTP/1.1 200"));
    let mut half = TcpStream::connect(&running.address).unwrap();
    half.write_all(b"GET /health/live HTTP/1.1\r\nhos").unwrap();
    // The server must have begun to read it, or it is only an idle connection.
    std::thread::sleep(Duration::from_millis(200));
    running.signal("-TERM");
    let (status, took) = running.end();
    assert!(status.success() && took < Duration::from_secs(6), "{status:?} after {took:?}");
}

#[test]
fn told_to_end_it_closes_idle_connections_and_ends_at_once() {
    for signal in ["-TERM", "-INT"] {
        let mut running = Running::start(&[]);
        let mut idle = TcpStream::connect(&running.address).unwrap();
        idle.write_all(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let mut some = [0; 64];
        assert!(idle.read(&mut some).unwrap() > 0);
        running.signal(signal);
        let (status, took) = running.end();
        assert!(status.success() && took < Duration::from_secs(2), "{signal}: {status:?} after {took:?}");
        let log = running.log();
        // Nobody looks at a terminal here, so the lines are JSON.
        let last: serde_json::Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
        assert_eq!(
            (&last["message"], &last["service"]),
            (&"ended".into(), &"airlock-coordinator".into()),
            "{log}"
        );
    }
}

#[test]
fn a_hangup_ends_nothing() {
    let mut running = Running::start(&[]);
    running.signal("-HUP");
    std::thread::sleep(Duration::from_millis(200));
    assert!(running.get("/health/ready").starts_with("HTTP/1.1 200"), "{}", running.log());
    running.signal("-TERM");
    assert!(running.end().0.success());
}

#[test]
fn a_database_that_never_comes_is_given_up_in_time_and_its_password_not_told() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let home = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_airlock-coordinator"))
        .arg("serve")
        .env("AIRLOCK_DATABASE__URL", format!("postgres://airlock:hunter2@{closed}/airlock"))
        .envs([("AIRLOCK_DATABASE__WAIT_S", "2"), ("AIRLOCK_DATABASE__ACQUIRE_TIMEOUT_MS", "200")])
        .current_dir(home.path())
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("waiting for the database") && !told.contains("hunter2"), "{told}");
    assert!(
        (Duration::from_secs(2)..Duration::from_secs(10)).contains(&began.elapsed()),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn a_database_that_comes_late_is_waited_for_and_brought_up_to_date() {
    let Some(server) = stage::postgres_server() else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let url = runtime.block_on(stage::fresh_postgres(&server));
    let (before, after) = url.split_once("//").unwrap();
    let (authority, path) = after.split_once('/').unwrap();
    let (user, real) = authority
        .rsplit_once('@')
        .map_or((String::new(), authority), |(user, host)| (format!("{user}@"), host));
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let late = format!("{before}//{user}{port}/{path}");
    let real = real.to_owned();
    // From the second second on, somebody answers there and passes all on to the real server.
    let proxy = async move {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let listener = tokio::net::TcpListener::bind(port).await.unwrap();
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            let mut far = tokio::net::TcpStream::connect(&real).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
        }
    };
    runtime.spawn(proxy);
    let mut running =
        Running::start(&[("AIRLOCK_DATABASE__URL", &late), ("AIRLOCK_DATABASE__ACQUIRE_TIMEOUT_MS", "300")]);
    assert!(running.log().contains("waiting for the database"), "{}", running.log());
    assert!(running.get("/health/ready").starts_with("HTTP/1.1 200"), "{}", running.log());
    running.signal("-TERM");
    assert!(running.end().0.success());
}
