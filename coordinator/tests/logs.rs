//! The log of a whole story, read for what must and must not be in it (A2, case 90).
//!
//! The real binary writes at `trace`, everything that any crate below it would say, on both databases, while people are
//! invited, log in, mistype, refresh, sign requests and move money. Every secret of the story is remembered and looked for.
// A test that cannot set its stage has failed; saying so by a panic is its job.
#![allow(clippy::unwrap_used, clippy::panic)]

mod stage;

use airlock_coordinator::keys::Credential;
use reqwest::Client;
use serde_json::{Value, json};
use stage::on_each_database;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use totp_rs::{Builder, Secret};

const PASSWORD: &str = "hunter2 and eight words of air";
const MISTYPED: &str = "hunter3 and eight words of air";

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}"))
}

/// A coordinator in a process of its own, and what nobody may read in its log.
struct Story {
    home: TempDir,
    http: Client,
    process: Option<Child>,
    url: String,
    secrets: Vec<String>,
    ids: Vec<String>,
}

impl Drop for Story {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
        }
    }
}

impl Story {
    fn new(database: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let home = tempfile::tempdir().unwrap();
        let settings = format!(
            "home = {:?}\n[server]\nlisten = \"127.0.0.1:0\"\nslow_request_ms = 1\n[database]\nurl = {database:?}\nslow_statement_ms = 1\n\
             [log]\nfilter = \"trace\"\n\
             [[network]]\nid = \"tron:0xa1710c4b\"\nproviders = [\"http://user:hunter2-provider@127.0.0.1:1/hunter2-path\"]\n\
             [network.native]\nasset = \"TRX\"\ndecimals = 6\n",
            home.path().join("home"),
        );
        std::fs::write(home.path().join("airlock.toml"), settings).unwrap();
        // A password in the database's URL, if it has one, and those of the providers.
        let password =
            database.split_once("//").and_then(|(_, rest)| rest.split_once('@')).map(|(user, _)| user);
        let mut secrets = vec!["hunter2-provider".to_owned(), "hunter2-path".to_owned()];
        secrets.extend(
            password.and_then(|user| user.split_once(':')).map(|(_, password)| format!(":{password}@")),
        );
        secrets.extend([PASSWORD.to_owned(), MISTYPED.to_owned()]);
        let http = Client::builder().no_proxy().build().unwrap();
        Self { home, http, process: None, url: String::new(), secrets, ids: Vec::new() }
    }

    fn log(&self) -> PathBuf {
        self.home.path().join("log")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_airlock-coordinator"));
        command.args(["--config", "airlock.toml"]).args(arguments).current_dir(self.home.path());
        command.stderr(log);
        command
    }

    fn run(&self, arguments: &[&str]) -> Value {
        let output = self.command(arguments).output().unwrap();
        let log = || std::fs::read_to_string(self.log()).unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", log());
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn serve(&mut self) {
        let mut process = self.command(&["serve"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("{error}: {}", std::fs::read_to_string(self.log()).unwrap()));
        self.url = format!("http://{}", text(&told, "listening"));
        self.process = Some(process);
    }

    fn secret(&mut self, value: &Value, key: &str) -> String {
        let secret = text(value, key).to_owned();
        self.secrets.push(secret.clone());
        secret
    }

    async fn ask(&mut self, method: &str, path: &str, authorization: &str, body: &Value) -> (u16, Value) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if !authorization.is_empty() {
            request = request.header("Authorization", authorization);
        }
        if !body.is_null() {
            request = request.header("Content-Type", "application/json").body(body.to_string());
            request = request.header("Idempotency-Key", format!("key-{}", self.ids.len()));
        }
        let response = request.send().await.unwrap();
        self.ids.push(response.headers()["x-request-id"].to_str().unwrap().to_owned());
        (response.status().as_u16(), response.json().await.unwrap_or_default())
    }

    async fn post(&mut self, path: &str, token: &str, body: Value) -> (u16, Value) {
        let authorization = if token.is_empty() { String::new() } else { format!("Bearer {token}") };
        self.ask("POST", path, &authorization, &body).await
    }

    fn tokens(&mut self, pair: &Value) -> (String, String) {
        (self.secret(pair, "access_token"), self.secret(pair, "refresh_token"))
    }

    /// Alice comes in by an invitation, with a second factor; mistypes, loses a session, steps up.
    async fn alice(&mut self) -> String {
        let line = [
            "person",
            "invite",
            "--name",
            "alice",
            "--email",
            "alice@example.com",
            "--role",
            "administrator,operator",
        ];
        let invited = self.run(&line);
        let invitation = self.secret(&invited, "invitation");
        let (_, limited) = self
            .post("/v1/invitations/accept", "", json!({ "invitation": invitation, "password": PASSWORD }))
            .await;
        let (limited, _) = self.tokens(&limited);
        let (_, begun) = self.post("/v1/me/second-factor", &limited, json!({})).await;
        let seed = self.secret(&begun, "secret");
        let code = |steps: u64| {
            let totp = Builder::new().with_secret(Secret::try_from_base32(&seed).unwrap()).build().unwrap();
            totp.generate(unix_seconds() + 30 * steps).to_string()
        };
        let (status, in_force) =
            self.post("/v1/me/second-factor/confirm", &limited, json!({ "code": code(0) })).await;
        assert_eq!(status, 200, "{in_force}");
        for recovery in in_force["recovery_codes"].as_array().unwrap() {
            self.secrets.push(recovery.as_str().unwrap().to_owned());
        }
        self.tokens(&in_force["tokens"]);
        let wrong = json!({ "email": "alice@example.com", "password": MISTYPED });
        assert_eq!(self.post("/v1/auth/login", "", wrong).await.0, 401);
        let right = json!({ "email": "alice@example.com", "password": PASSWORD });
        let (_, first) = self.post("/v1/auth/login", "", right).await;
        let challenge = self.secret(&first, "challenge");
        let given = json!({ "challenge": challenge, "code": code(1) });
        let (status, second) = self.post("/v1/auth/second-factor", "", given).await;
        assert_eq!(status, 200, "{second}");
        let (_, refresh) = self.tokens(second.get("tokens").unwrap_or(&second));
        let (_, fresh) = self.post("/v1/auth/refresh", "", json!({ "refresh_token": refresh })).await;
        let (access, _) = self.tokens(fresh.get("tokens").unwrap_or(&fresh));
        // Presented a second time it ends the session; the token with it.
        assert_eq!(self.post("/v1/auth/refresh", "", json!({ "refresh_token": refresh })).await.0, 401);
        access
    }

    /// A partner's system signs good and bad requests; its users pay each other nothing they have not.
    async fn partner(&mut self) {
        let partner = self.run(&["partner", "create", "--name", "acme"]);
        let user = self.run(&["user", "create", "--partner", "acme", "--external-id", "ann"]);
        self.run(&["user", "create", "--partner", "acme", "--external-id", "bob"]);
        let made =
            self.run(&["key", "create", "--partner", text(&partner, "id"), "--scopes", "read,transfer"]);
        let secret = self.secret(&made, "secret");
        let key = Credential::new(text(&made, "id"), &secret).unwrap();
        let path = format!("/v1/balances?user={}", text(&user, "id"));
        for number in 0..3 {
            let signed =
                key.authorization("GET", &path, b"", None, unix_seconds() as i64, &format!("{number:032x}"));
            let (status, body) = self.ask("GET", &path, &signed, &Value::Null).await;
            assert_eq!(status, 200, "{body}");
            // The same again: its nonce was taken.
            assert_eq!(self.ask("GET", &path, &signed, &Value::Null).await.0, 401);
            self.secrets.push(signed.rsplit_once("signature=").unwrap().1.to_owned());
        }
        let body = json!({ "from": text(&user, "id"), "to_external_id": "bob", "asset": "USDT", "amount": "1", "kind": "transfer" });
        let once = format!("key-{}", self.ids.len());
        let signed = key.authorization(
            "POST",
            "/v1/transfers",
            body.to_string().as_bytes(),
            Some(&once),
            unix_seconds() as i64,
            &"f".repeat(32),
        );
        let (status, refused) = self.ask("POST", "/v1/transfers", &signed, &body).await;
        assert_eq!(
            (status, refused["error"]["code"].as_str()),
            (422, Some("insufficient_funds")),
            "{refused}"
        );
    }

    /// Ends the program and answers its whole log.
    fn end(&mut self) -> String {
        let mut process = self.process.take().unwrap();
        assert!(Command::new("kill").args(["-TERM", &process.id().to_string()]).status().unwrap().success());
        assert!(process.wait().unwrap().success());
        std::fs::read_to_string(self.log()).unwrap()
    }
}

/// Secrets that the program keeps in files of its home: each as text and in hex.
fn kept(home: &Path) -> Vec<String> {
    let mut secrets = Vec::new();
    for entry in std::fs::read_dir(home).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && path.extension().is_some_and(|kind| kind == "key") {
            let bytes = std::fs::read(&path).unwrap();
            secrets.push(String::from_utf8_lossy(&bytes).trim().to_owned());
            secrets.push(bytes.iter().map(|byte| format!("{byte:02x}")).collect());
        }
    }
    secrets
}

#[test]
fn the_log_of_a_whole_story_holds_no_secret_and_tells_each_request_by_its_id() {
    on_each_database(|stage| async move {
        // The whole stage moves in: its directory holds the database.
        let stage = stage;
        let mut story = Story::new(&stage.url);
        story.serve();
        let access = story.alice().await;
        story.partner().await;
        for token in [access.as_str(), "nobody.knows.it"] {
            story.ask("GET", "/v1/me?token=hunter2-query", &format!("Bearer {token}"), &Value::Null).await;
        }
        story.secrets.push("hunter2-query".to_owned());
        let page =
            story.http.get(format!("{}/metrics", story.url)).send().await.unwrap().text().await.unwrap();
        let log = story.end();
        let kept = kept(&story.home.path().join("home"));
        assert!(kept.len() >= 2, "the home keeps keys");
        story.secrets.extend(kept);
        for secret in story.secrets.iter().filter(|secret| !secret.is_empty()) {
            if let Some(line) = log.lines().find(|line| line.contains(secret.as_str())) {
                panic!("on {}: {secret:?} is in the log: {line}", stage.name);
            }
            assert!(!page.contains(secret.as_str()), "{secret:?} is on the metrics page");
        }
        let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for line in &lines {
            for key in ["timestamp", "level", "service", "target", "message"] {
                assert!(line[key].is_string(), "{key} is missing in {line}");
            }
        }
        for id in &story.ids {
            let of_it: Vec<_> = lines.iter().filter(|line| line["request_id"] == id.as_str()).collect();
            let access_line = |line: &&&Value| line["status"].is_u64() && line["took_ms"].is_u64();
            assert_eq!(of_it.iter().filter(access_line).count(), 1, "one access line of {id}: {of_it:?}");
        }
        let slow = |line: &&Value| line["target"] == "sqlx::query" && line["level"] == "warn";
        let slow = lines.iter().find(slow).unwrap_or_else(|| panic!("no statement took 1 ms?"));
        assert!(slow["slow_threshold"].is_string() && slow["elapsed"].is_string(), "{slow}");
        // What happened below a request carries its id too: statements of the database, for one.
        assert!(lines.iter().any(|line| line["target"] == "sqlx::query" && line["request_id"].is_string()));
        assert!(
            lines.iter().any(|line| line["slow"] == true && line["took_ms"].is_u64()),
            "no request took 1 ms?"
        );
    });
}
