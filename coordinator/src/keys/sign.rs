//! Signing a request with an API key: the client's half, and the text that both halves digest.
//!
//! `api/signed.rs` verifies with [`string_to_sign`]; tests, benches and the demo sign with [`Credential`]. Partners find
//! the same in shell and Python under `docs/clients`. What must stay true: two different requests never give one text
//! (no part may hold a line feed, HTTP sees to that), and the secret never reaches `Debug`.

use airlock_shared::digest::bytes_from_lower_hex;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use std::fmt;
use zeroize::Zeroizing;

/// The scheme in the `Authorization` header.
pub const SCHEME: &str = "Airlock-HMAC-SHA256";

/// First line of what is signed; another version would begin otherwise.
pub const VERSION: &str = "airlock-hmac-1";

/// The parts of a request that its signature covers.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// `GET`, `POST` … as sent.
    pub method: &'a str,
    /// The path as sent, percent-encoding included.
    pub path: &'a str,
    /// What stands behind the question mark, as sent; empty if there is none.
    pub query: &'a str,
    /// Unix seconds, as the header spells them.
    pub timestamp: &'a str,
    /// As the header spells it.
    pub nonce: &'a str,
    /// The body's bytes; empty if there is none.
    pub body: &'a [u8],
    /// The `Idempotency-Key` header; empty if there is none.
    pub idempotency_key: &'a str,
}

/// The text that is signed: eight lines, no line feed after the last.
pub fn string_to_sign(parts: &Parts<'_>) -> String {
    let Parts { method, path, query, timestamp, nonce, body, idempotency_key } = parts;
    let body = hex::encode(Sha256::digest(body));
    format!("{VERSION}\n{method}\n{path}\n{query}\n{timestamp}\n{nonce}\n{body}\n{idempotency_key}")
}

/// An API key as its partner holds it.
#[derive(Clone)]
pub struct Credential {
    /// The key's id.
    pub id: String,
    mac: Hmac<Sha256>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({})", self.id)
    }
}

impl Credential {
    /// From id and secret (64 lower-case hex digits) as they were shown when the key was made.
    pub fn new(id: &str, secret: &str) -> Option<Self> {
        let secret = Zeroizing::new(bytes_from_lower_hex::<32>(secret)?);
        Some(Self { id: id.to_owned(), mac: mac_of(&secret) })
    }

    /// The `Authorization` header of a request made at `timestamp` (Unix seconds). `target` is path and query as they
    /// will be sent; `nonce` is 16 to 64 lower-case hex digits never used before with this timestamp.
    pub fn authorization(
        &self,
        method: &str,
        target: &str,
        body: &[u8],
        idempotency_key: Option<&str>,
        timestamp: i64,
        nonce: &str,
    ) -> String {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (timestamp, idempotency_key) = (timestamp.to_string(), idempotency_key.unwrap_or_default());
        let parts = Parts { method, path, query, timestamp: &timestamp, nonce, body, idempotency_key };
        let signature = hex::encode(signature(&self.mac, &string_to_sign(&parts)));
        format!("{SCHEME} key={}, timestamp={timestamp}, nonce={nonce}, signature={signature}", self.id)
    }
}

/// The keyed state that signatures begin from.
pub(crate) fn mac_of(secret: &[u8; 32]) -> Hmac<Sha256> {
    // HMAC pads a key with zeros to its block of 64 bytes (RFC 2104 section 2).
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(secret);
    Hmac::new(&(*block).into())
}

fn signature(mac: &Hmac<Sha256>, text: &str) -> [u8; 32] {
    mac.clone().chain_update(text).finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worked example of the integration guide; Python's `hmac` and OpenSSL give the same.
    #[test]
    fn the_worked_example_is_signed_as_the_guide_shows() {
        let key =
            Credential::new("ak_example", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
                .unwrap();
        let body = br#"{"from":"5f1e","to":"9c02","asset":"USDT","amount":"12.5","kind":"transfer"}"#;
        let shown = key.authorization(
            "POST",
            "/v1/transfers",
            body,
            Some("order-1017"),
            1_767_225_600,
            "00112233445566778899aabbccddeeff",
        );
        let guide = include_str!("../../../docs/integration-guide.md");
        assert!(guide.contains(&format!("Authorization: {shown}\n")), "{shown}");
        assert_eq!(
            shown,
            "Airlock-HMAC-SHA256 key=ak_example, timestamp=1767225600, nonce=00112233445566778899aabbccddeeff, \
             signature=7c7393787505a85a33d00164bf1de05366b600500c12ab84731f21d053f7c9d2"
        );
    }

    #[test]
    fn a_secret_never_reaches_debug_and_a_short_one_is_none() {
        let secret = "ab".repeat(32);
        let shown = format!("{:?}", Credential::new("ak_1", &secret).unwrap());
        assert_eq!(shown, "Credential(ak_1)");
        for wrong in ["", "ab", &secret[1..], &secret.to_uppercase()] {
            assert!(Credential::new("ak_1", wrong).is_none());
        }
    }
}
