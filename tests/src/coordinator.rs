//! The coordinator as a process, worked over HTTP and its command line only.
//!
//! It can be killed at any moment and started again on the same database and port. What must stay true:
//! nothing is read from its database or memory; what a test knows of it came as an answer.

use crate::process::{self, Finished};
use crate::stage::Stage;
use crate::wait::{Look, until};
use airlock_coordinator::keys::Credential;
use anyhow::{Context as _, bail, ensure};
use reqwest::{Method, StatusCode};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::process::Child;

/// A port that nobody listens on now.
///
/// # Errors
/// None is free.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// An answer of the API.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body, read as JSON; null if it is none.
    pub json: Value,
}

impl Answer {
    /// The body of a success.
    ///
    /// # Errors
    /// Any other status, with the body.
    pub fn success(self) -> anyhow::Result<Value> {
        ensure!(self.status.is_success(), "{}: {}", self.status, self.json);
        Ok(self.json)
    }
}

/// A coordinator: its settings, and its process while it runs.
pub struct Coordinator {
    /// Its home, with settings, log and identity.
    pub home: PathBuf,
    /// Where its database is.
    pub database_url: String,
    program: PathBuf,
    settings: PathBuf,
    port: u16,
    http: reqwest::Client,
    process: Option<Child>,
}

impl Coordinator {
    /// Writes the settings and brings the database up to date. `networks` is the TOML of the networks.
    ///
    /// # Errors
    /// The settings are refused.
    pub async fn prepare(stage: &Stage, database_url: String, networks: &str) -> anyhow::Result<Self> {
        let home = stage.directory.join("coordinator");
        std::fs::create_dir_all(&home)?;
        let (port, settings) = (free_port()?, home.join("settings.toml"));
        let text = format!(
            "profile = \"dev\"\ncreator = \"coordinator\"\nhome = {:?}\n\n[server]\nlisten = \"127.0.0.1:{port}\"\n\n\
             [database]\nurl = {database_url:?}\n\n[log]\nfilter = \"info,airlock_coordinator=debug\"\n\n\
             [auth]\nsign_up = \"house\"\naccess_s = 3600\nstep_up_s = 3600\n\n{networks}",
            home.join("home"),
        );
        std::fs::write(&settings, text)?;
        let program = stage.binaries.coordinator.clone();
        let http = crate::http_client()?;
        let coordinator = Self { home, database_url, program, settings, port, http, process: None };
        coordinator.run(&["migrate"]).await?.success().context("migrate")?;
        Ok(coordinator)
    }

    /// Runs one command of its command line to its end.
    ///
    /// # Errors
    /// The program does not start or does not end.
    pub async fn run<A: AsRef<str>>(&self, arguments: &[A]) -> anyhow::Result<Finished> {
        let mut line = vec!["--config".to_owned(), self.settings.display().to_string()];
        line.extend(arguments.iter().map(|word| word.as_ref().to_owned()));
        process::run(&self.program, &self.home, &line).await
    }

    /// Serves in a process of its own; returns when it is ready.
    ///
    /// # Errors
    /// It ends, or is not ready in time; its log is in the error.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        ensure!(self.process.is_none(), "it runs already");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log())?;
        let mut child = process::command(&self.program, &self.home)
            .args(["--config".as_ref(), self.settings.as_os_str(), "serve".as_ref()])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}", self.program.display()))?;
        let mut ended = None;
        let ready = until("the coordinator is ready", async || {
            ended = child.try_wait()?;
            if let Some(status) = ended {
                bail!("the coordinator ended with {status}");
            }
            match self.request(Method::GET, "/health/ready", "", None, None).await {
                Ok(answer) if answer.status.is_success() => Ok(Look::Done(())),
                Ok(answer) => Ok(Look::NotYet(answer.json.to_string())),
                Err(error) => Ok(Look::NotYet(error.to_string())),
            }
        })
        .await;
        ready.with_context(|| self.log_tail())?;
        self.process = Some(child);
        Ok(())
    }

    /// Ends it as a power cut does: SIGKILL, nothing is finished.
    ///
    /// # Errors
    /// It does not run.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        let mut child = self.process.take().context("it does not run")?;
        child.kill().await.context("killing it")
    }

    /// Ends it as an operator does: SIGTERM, and its end is awaited.
    ///
    /// # Errors
    /// It does not run, does not end in time, or ends with an error.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        let mut child = self.process.take().context("it does not run")?;
        let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)).context("it ended")?;
        kill_process(pid, Signal::TERM)?;
        let status = tokio::time::timeout(crate::wait::DEADLINE, child.wait())
            .await
            .with_context(|| format!("it did not end after SIGTERM\n{}", self.log_tail()))??;
        ensure!(status.success(), "it ended with {status}\n{}", self.log_tail());
        Ok(())
    }

    /// The file with everything it logged.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.home.join("log")
    }

    /// The last lines of its log, for errors.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let from = lines.len().saturating_sub(30);
        format!("its log ends:\n{}", lines[from..].join("\n"))
    }

    /// The command line that repeats this in a shell whose directory is `from`.
    #[must_use]
    pub fn shell(&self, from: &Path, arguments: &str) -> String {
        let settings = self.settings.strip_prefix(from).unwrap_or(&self.settings);
        format!("{} --config {} {arguments}", self.program.display(), settings.display())
    }

    /// Where its settings are.
    #[must_use]
    pub fn settings(&self) -> &Path {
        &self.settings
    }

    /// One request. `token` is an access token, `ID:SECRET` of an API key, or empty: without a credential.
    ///
    /// # Errors
    /// No answer.
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        token: &str,
        idempotency_key: Option<&str>,
        body: Option<(&str, Vec<u8>)>,
    ) -> anyhow::Result<Answer> {
        let answer = self.exchange(method, path, token, idempotency_key, body).await?;
        let status = answer.status();
        Ok(Answer { status, json: serde_json::from_slice(&answer.bytes().await?).unwrap_or_default() })
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        token: &str,
        idempotency_key: Option<&str>,
        body: Option<(&str, Vec<u8>)>,
    ) -> anyhow::Result<reqwest::Response> {
        let mut request = self.http.request(method.clone(), format!("http://127.0.0.1:{}{path}", self.port));
        let bytes = body.as_ref().map_or(&[][..], |(_, bytes)| bytes);
        if let Some((id, secret)) = token.split_once(':') {
            let key = Credential::new(id, secret).context("not an API key")?;
            let seconds = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
            let mut nonce = [0; 16];
            getrandom::fill(&mut nonce)?;
            let (seconds, nonce) = (i64::try_from(seconds)?, hex::encode(nonce));
            let signed = key.authorization(method.as_str(), path, bytes, idempotency_key, seconds, &nonce);
            request = request.header("Authorization", signed);
        } else if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if let Some(key) = idempotency_key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some((content_type, bytes)) = body {
            request = request.header("Content-Type", content_type).body(bytes);
        }
        request.send().await.with_context(|| format!("{method} {path}"))
    }

    /// A GET that must succeed, as JSON.
    ///
    /// # Errors
    /// Another status than success.
    pub async fn get(&self, path: &str, token: &str) -> anyhow::Result<Value> {
        let answer = self.request(Method::GET, path, token, None, None).await?;
        answer.success().with_context(|| format!("GET {path}"))
    }

    /// A GET that must succeed, as bytes.
    ///
    /// # Errors
    /// Another status than success.
    pub async fn get_bytes(&self, path: &str, token: &str) -> anyhow::Result<Vec<u8>> {
        let answer = self.exchange(Method::GET, path, token, None, None).await?;
        let status = answer.status();
        let bytes = answer.bytes().await?.to_vec();
        ensure!(status.is_success(), "GET {path}: {status} {}", String::from_utf8_lossy(&bytes));
        Ok(bytes)
    }

    /// Every frame of a loop, `{base}/frames/0.png` and on; each says in a header how many there are.
    ///
    /// # Errors
    /// A frame is refused.
    pub async fn get_frames(&self, base: &str, token: &str) -> anyhow::Result<Vec<Vec<u8>>> {
        let first = format!("{base}/frames/0.png");
        let answer = self.exchange(Method::GET, &first, token, None, None).await?;
        ensure!(answer.status().is_success(), "GET {first}: {}", answer.status());
        let count = answer.headers().get("x-frames-count").context("x-frames-count")?;
        let count: usize = count.to_str()?.parse()?;
        let mut frames = vec![answer.bytes().await?.to_vec()];
        while frames.len() < count {
            frames.push(self.get_bytes(&format!("{base}/frames/{}.png", frames.len()), token).await?);
        }
        Ok(frames)
    }

    /// A POST of JSON with its answer, whatever that is. Every call has an idempotency key of its own.
    ///
    /// # Errors
    /// No answer.
    pub async fn try_post(&self, path: &str, token: &str, body: &Value) -> anyhow::Result<Answer> {
        let mut random = [0; 16];
        getrandom::fill(&mut random)?;
        let body = ("application/json", body.to_string().into_bytes());
        self.request(Method::POST, path, token, Some(&hex::encode(random)), Some(body)).await
    }

    /// A POST of JSON that must succeed.
    ///
    /// # Errors
    /// Another status than success.
    pub async fn post(&self, path: &str, token: &str, body: &Value) -> anyhow::Result<Value> {
        self.try_post(path, token, body).await?.success().with_context(|| format!("POST {path} {body}"))
    }

    /// A POST of pictures, as a browser's form sends files.
    ///
    /// # Errors
    /// No answer.
    pub async fn post_pictures(
        &self,
        path: &str,
        token: &str,
        pictures: &[Vec<u8>],
    ) -> anyhow::Result<Answer> {
        const BOUNDARY: &str = "airlock-pictures-7d1f0c52";
        let mut form = Vec::new();
        for (number, picture) in pictures.iter().enumerate() {
            let head = format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"frame\"; filename=\"{number}.png\"\r\n\
                 Content-Type: image/png\r\n\r\n"
            );
            form.extend_from_slice(head.as_bytes());
            form.extend_from_slice(picture);
            form.extend_from_slice(b"\r\n");
        }
        form.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
        self.request(Method::POST, path, token, None, Some((&content_type, form))).await
    }
}
