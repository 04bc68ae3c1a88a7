//! One provider's HTTP endpoint: JSON in, bounded JSON out.
//!
//! Used by the clients in `evm` and `tron` and by nothing else. What must stay true: no proxy from the environment, no
//! redirect, a time limit on everything, a body read in pieces and cut at its limit, and a label instead of the URL in every
//! error, since URLs carry access keys.

use super::error::{ChainError, cut};
use reqwest::{Client, Url};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;

/// Limit for answers that hold a block or its receipts. A full TRON block of 2 MB is about 12 MB of JSON.
pub(super) const BLOCK_LIMIT: usize = 64 << 20;
/// Limit for every other answer.
pub(super) const SMALL_LIMIT: usize = 2 << 20;

/// The HTTP client for all providers: ring, the web's roots, nothing from the environment.
pub(super) fn client(timeout: Duration) -> Result<Client, ChainError> {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| ChainError::Settings(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(timeout.min(Duration::from_secs(5)))
        .timeout(timeout)
        .build()
        .map_err(|error| ChainError::Settings(format!("HTTP client: {error}")))
}

/// One provider's base URL.
#[derive(Clone)]
pub(super) struct Endpoint {
    client: Client,
    base: Url,
    label: Arc<str>,
}

impl Endpoint {
    /// `place` counts from 0 in the configured order. Only http and https URLs are taken.
    pub fn new(client: Client, place: usize, url: &str) -> Result<Self, ChainError> {
        let bad = |what: &str| ChainError::Settings(format!("provider {place}: {what}"));
        let base = Url::parse(url).map_err(|_| bad("not a URL"))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(bad("neither http nor https"));
        }
        let host = base.host_str().ok_or_else(|| bad("no host"))?;
        let port = base.port().map(|port| format!(":{port}")).unwrap_or_default();
        let label = format!("provider {place} ({host}{port})").into();
        Ok(Self { client, base, label })
    }

    /// Its name in errors and logs.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// An error about an answer's shape.
    pub fn malformed(&self, call: &'static str, field: impl Into<String>, found: &str) -> ChainError {
        ChainError::Malformed {
            provider: self.label.to_string(),
            call,
            field: field.into(),
            found: cut(found),
        }
    }

    /// An error about something missing or contradicted.
    pub fn incomplete(&self, call: &'static str, what: impl Into<String>) -> ChainError {
        ChainError::Incomplete { provider: self.label.to_string(), call, what: what.into() }
    }

    /// An error in the provider's own words.
    pub fn reported(&self, call: &'static str, code: i64, message: &str) -> ChainError {
        ChainError::Reported { provider: self.label.to_string(), call, code, message: cut(message) }
    }

    /// POSTs `body` to `path` under the base URL and reads at most `limit` bytes of JSON.
    pub async fn post<T: DeserializeOwned>(
        &self,
        call: &'static str,
        path: &str,
        body: &serde_json::Value,
        limit: usize,
    ) -> Result<T, ChainError> {
        let bytes = self.post_for_bytes(call, path, body, limit).await?;
        self.parse(call, &bytes)
    }

    /// Reads JSON into a type; the error tells where.
    pub fn parse<T: DeserializeOwned>(&self, call: &'static str, bytes: &[u8]) -> Result<T, ChainError> {
        serde_json::from_slice(bytes).map_err(|error| self.malformed(call, "answer", &error.to_string()))
    }

    /// Like [`Self::post`], leaving the bytes to the caller.
    pub async fn post_for_bytes(
        &self,
        call: &'static str,
        path: &str,
        body: &serde_json::Value,
        limit: usize,
    ) -> Result<Vec<u8>, ChainError> {
        let sent = self.client.post(self.url(path)).json(body).send().await;
        let mut response = sent.map_err(|error| self.transport(call, error))?;
        let status = response.status();
        if !status.is_success() {
            let what = format!("HTTP {}", status.as_u16());
            return Err(ChainError::Transport { provider: self.label.to_string(), call, what });
        }
        let mut bytes = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| self.transport(call, error))? {
            if bytes.len() + piece.len() > limit {
                return Err(ChainError::TooLong { provider: self.label.to_string(), call, limit });
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        if !path.is_empty() {
            let joined = format!("{}/{path}", self.base.path().trim_end_matches('/'));
            url.set_path(&joined);
        }
        url
    }

    fn transport(&self, call: &'static str, error: reqwest::Error) -> ChainError {
        // `without_url` keeps the access key out; the cause says what the operating system said.
        let error = error.without_url();
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        let what = cut(&format!("{error}{cause}"));
        ChainError::Transport { provider: self.label.to_string(), call, what }
    }
}
