//! TLS by rustls: the certificate, its key, handshakes, and reading both files again while serving.
//!
//! `app.rs` opens it and reloads it at SIGHUP; `serve.rs` accepts with it. What must stay true: TLS 1.2 and 1.3 only, by the
//! one provider of the program (ring); files that cannot be used at a reload leave the certificate in force as it was.

use crate::config::TlsConfig;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Largest file of certificates or of a key, in bytes.
const FILE_MAX: u64 = 1 << 20;

/// Why the certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{}: {source}", .file.display())]
    Read {
        /// Which.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds something else.
    #[error("{}: expected {expected}", .file.display())]
    Pem {
        /// Which.
        file: PathBuf,
        /// What it should hold.
        expected: &'static str,
    },
    /// Certificate and key do not fit, or rustls does not know their kind.
    #[error("certificate {} and its key: {source}", .file.display())]
    Unfit {
        /// The certificate's file.
        file: PathBuf,
        /// rustls's words.
        source: rustls::Error,
    },
}

/// TLS as configured, with the certificate read last.
pub struct Tls {
    config: TlsConfig,
    current: RwLock<Arc<ServerConfig>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("certificate_file", &self.config.certificate_file).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// They cannot be read or used.
    pub fn open(config: &TlsConfig) -> Result<Self, TlsError> {
        Ok(Self { config: config.clone(), current: RwLock::new(Arc::new(read(config)?)) })
    }

    /// Reads both files again; connections made from now on see the new certificate.
    ///
    /// # Errors
    /// They cannot be read or used: then all stays as it was.
    pub fn reload(&self) -> Result<(), TlsError> {
        let fresh = Arc::new(read(&self.config)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// How long a handshake may take.
    pub const fn handshake_timeout(&self) -> Duration {
        self.config.handshake_timeout
    }

    /// One handshake.
    ///
    /// # Errors
    /// The client does not speak TLS, or not ours.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner).clone();
        TlsAcceptor::from(current).accept(stream).await
    }
}

fn read(config: &TlsConfig) -> Result<ServerConfig, TlsError> {
    let chain = pem(&config.certificate_file)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&chain).collect();
    let expected = "certificates in PEM, the server's own first";
    let chain = chain.ok().filter(|chain| !chain.is_empty());
    let chain = chain.ok_or_else(|| TlsError::Pem { file: config.certificate_file.clone(), expected })?;
    let key = zeroize::Zeroizing::new(pem(&config.key_file)?);
    let key = PrivateKeyDer::from_pem_slice(&key);
    let expected = "a private key in PEM: PKCS#8, PKCS#1 or SEC1, without a passphrase";
    let key = key.map_err(|_| TlsError::Pem { file: config.key_file.clone(), expected })?;
    let unfit = |source| TlsError::Unfit { file: config.certificate_file.clone(), source };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().map_err(unfit)?;
    let mut server = builder.with_no_client_auth().with_single_cert(chain, key).map_err(unfit)?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(server)
}

fn pem(path: &Path) -> Result<Vec<u8>, TlsError> {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(FILE_MAX).read_to_end(&mut bytes));
    read.map_err(|source| TlsError::Read { file: path.to_owned(), source })?;
    Ok(bytes)
}
