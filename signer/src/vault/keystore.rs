//! Key files of other wallets: Web3 Secret Storage, version 3 (scrypt or PBKDF2, AES-128-CTR, Keccak MAC).
//!
//! Called by `wallet import` and by the runner of vectors. What must stay true: the file is hostile input, so its
//! size and the work and memory that it asks for are bounded before anything is derived; unknown ciphers,
//! functions and versions are refused; the MAC is compared before a byte is decrypted; errors carry numbers of
//! the file, never the password or the key. Nothing here writes such a file: no key is ever exported.

use aes::Aes128;
use ctr::cipher::{KeyIvInit as _, StreamCipher as _};
use serde::Deserialize;
use serde_json::error::Category;
use sha2::Sha256;
use sha3::{Digest as _, Keccak256};
use zeroize::Zeroizing;

/// The longest key file that is read.
pub const MAX_FILE_BYTES: u64 = 16 * 1024;
/// scrypt may fill 1 GiB (128 * n * r bytes), as the vault's own key derivation may.
const MAX_SCRYPT_BYTES: u64 = 1 << 30;
/// And may do the work of four times that (128 * n * r * p).
const MAX_SCRYPT_WORK: u64 = 4 << 30;
/// Ten times what is usual; about ten seconds.
const MAX_ITERATIONS: u32 = 10_000_000;
/// Bytes of derived key that the format uses.
const DERIVED_BYTES: usize = 32;
const MAX_SALT_BYTES: usize = 128;

/// Why a key file gives no key.
#[derive(Debug, thiserror::Error)]
pub enum KeystoreError {
    /// Longer than any key file.
    #[error("not a key file: more than {MAX_FILE_BYTES} bytes")]
    TooLong,
    /// Not JSON of this form. Nothing of the text is quoted: it may be a key that was taken for a key file.
    #[error("not a key file: {problem} at line {line}, column {column}")]
    Form {
        /// What is wrong there.
        problem: &'static str,
        /// Which line, from 1.
        line: usize,
        /// Which column, from 1.
        column: usize,
    },
    /// Another version.
    #[error("key file of version {found}; this program reads version 3")]
    Version {
        /// Its version.
        found: u64,
    },
    /// A cipher or function that the format does not need.
    #[error("key file with {what} {found:?}; expected {expected}")]
    Unknown {
        /// What it is about.
        what: &'static str,
        /// What the file says, cut to 32 characters.
        found: String,
        /// What would do.
        expected: &'static str,
    },
    /// A field of hex digits with another length, or with something else.
    #[error("key file: {field} is not {expected} in hex")]
    Hex {
        /// Which.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// It asks for more work or memory than a key is worth, or for none.
    #[error("key file refused: {what} {found}, allowed are {allowed}")]
    Work {
        /// Which parameter.
        what: &'static str,
        /// Its value.
        found: u64,
        /// What is allowed.
        allowed: &'static str,
    },
    /// This machine does not give the memory that the derivation needs.
    #[error("opening this key file needs {needed} bytes of memory, which this machine does not give")]
    TooLittleMemory {
        /// How much.
        needed: u64,
    },
    /// Wrong password, or the file was changed.
    #[error("the key file does not open: wrong password, or the file was changed")]
    DoesNotOpen,
    /// The file names an address, and it is not this key's.
    #[error("the key file names the address {named}, but its key has {found}")]
    OtherAddress {
        /// In the file, 40 hex digits.
        named: String,
        /// Of the key, 40 hex digits.
        found: String,
    },
}

#[derive(Deserialize)]
struct File {
    version: u64,
    #[serde(alias = "Crypto")]
    crypto: Crypto,
    address: Option<String>,
}

#[derive(Deserialize)]
struct Crypto {
    cipher: String,
    cipherparams: CipherParams,
    ciphertext: String,
    kdf: String,
    kdfparams: KdfParams,
    mac: String,
}

#[derive(Deserialize)]
struct CipherParams {
    iv: String,
}

#[derive(Deserialize)]
struct KdfParams {
    dklen: u64,
    salt: String,
    n: Option<u64>,
    r: Option<u64>,
    p: Option<u64>,
    c: Option<u64>,
    prf: Option<String>,
}

/// The private key in a key file. Whether it is a key at all, and whose, is the caller's to check; where the file
/// names an address, [`check_address`] compares it.
pub fn open(text: &[u8], password: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeystoreError> {
    let file = read(text)?;
    let crypto = &file.crypto;
    refuse_unknown("cipher", &crypto.cipher, "aes-128-ctr")?;
    let iv: [u8; 16] = fixed("iv", &crypto.cipherparams.iv, "16 bytes")?;
    let sealed: [u8; 32] = fixed("ciphertext", &crypto.ciphertext, "32 bytes")?;
    let mac: [u8; 32] = fixed("mac", &crypto.mac, "32 bytes")?;
    let derived = derive(&crypto.kdf, &crypto.kdfparams, password)?;
    let mut keyed = Keccak256::new();
    keyed.update(&derived[16..]);
    keyed.update(sealed);
    // What is compared was made from the password; how long it takes to differ tells nothing of use, because the
    // derivation before it costs a second.
    if keyed.finalize()[..] != mac {
        return Err(KeystoreError::DoesNotOpen);
    }
    let mut key = Zeroizing::new(sealed);
    let (cipher_key, _) = derived.split_at(16);
    let stream = ctr::Ctr128BE::<Aes128>::new_from_slices(cipher_key, &iv);
    stream.map_err(|_| KeystoreError::DoesNotOpen)?.apply_keystream(&mut key[..]);
    Ok(key)
}

/// Compares the address that the file names, if it names one, with the 20 bytes that the key has.
pub fn check_address(text: &[u8], payload: &[u8; 20]) -> Result<(), KeystoreError> {
    let Some(named) = read(text)?.address else { return Ok(()) };
    let digits = named.strip_prefix("0x").unwrap_or(&named).to_ascii_lowercase();
    let found = hex::encode(payload);
    if digits == found {
        return Ok(());
    }
    Err(KeystoreError::OtherAddress { named: digits.chars().take(64).collect(), found })
}

fn read(text: &[u8]) -> Result<File, KeystoreError> {
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(KeystoreError::TooLong);
    }
    let file: File = serde_json::from_slice(text).map_err(|error| KeystoreError::Form {
        problem: match error.classify() {
            Category::Data => "a field is missing or of another kind",
            Category::Eof => "it ends too early",
            Category::Io | Category::Syntax => "no JSON",
        },
        line: error.line(),
        column: error.column(),
    })?;
    if file.version == 3 { Ok(file) } else { Err(KeystoreError::Version { found: file.version }) }
}

fn derive(
    kdf: &str,
    params: &KdfParams,
    password: &[u8],
) -> Result<Zeroizing<[u8; DERIVED_BYTES]>, KeystoreError> {
    if params.dklen != DERIVED_BYTES as u64 {
        return Err(KeystoreError::Work { what: "dklen", found: params.dklen, allowed: "32" });
    }
    let salt = bytes("salt", &params.salt, "at most 128 bytes", MAX_SALT_BYTES)?;
    let mut derived = Zeroizing::new([0; DERIVED_BYTES]);
    match kdf {
        "scrypt" => {
            let (params, memory) = scrypt_params(params)?;
            may_take(memory)?;
            scrypt::scrypt(password, &salt, &params, &mut derived[..])
                .map_err(|_| KeystoreError::DoesNotOpen)?;
        }
        "pbkdf2" => {
            refuse_unknown("prf", params.prf.as_deref().unwrap_or(""), "hmac-sha256")?;
            let rounds = params.c.unwrap_or(0);
            let allowed = u32::try_from(rounds).ok().filter(|c| (1..=MAX_ITERATIONS).contains(c));
            let count =
                allowed.ok_or(KeystoreError::Work { what: "c", found: rounds, allowed: "1 to 10000000" })?;
            pbkdf2::pbkdf2_hmac::<Sha256>(password, &salt, count, &mut derived[..]);
        }
        found => return refuse_unknown("kdf", found, "scrypt or pbkdf2").map(|()| derived),
    }
    Ok(derived)
}

/// The derivation itself would end this program where there is no memory for it.
fn may_take(needed: u64) -> Result<(), KeystoreError> {
    let room = usize::try_from(needed).is_ok_and(|room| Vec::<u8>::new().try_reserve_exact(room).is_ok());
    if room { Ok(()) } else { Err(KeystoreError::TooLittleMemory { needed }) }
}

/// `n` a power of two above 1, `r` and `p` at least 1, and all three together within memory and work. Beside them
/// the bytes of memory that they fill.
fn scrypt_params(params: &KdfParams) -> Result<(scrypt::Params, u64), KeystoreError> {
    let [n, r, p] = [params.n, params.r, params.p].map(|value| value.unwrap_or(0));
    let refuse = |what, found, allowed| KeystoreError::Work { what, found, allowed };
    if !n.is_power_of_two() || n < 2 {
        return Err(refuse("n", n, "powers of two from 2"));
    }
    if r == 0 || p == 0 {
        let (what, found) = if r == 0 { ("r", r) } else { ("p", p) };
        return Err(refuse(what, found, "1 and more"));
    }
    let memory = n.checked_mul(r).and_then(|blocks| blocks.checked_mul(128)).unwrap_or(u64::MAX);
    if memory > MAX_SCRYPT_BYTES {
        return Err(refuse("128 * n * r", memory, "up to 1073741824"));
    }
    let work = memory.saturating_mul(p);
    if work > MAX_SCRYPT_WORK {
        return Err(refuse("128 * n * r * p", work, "up to 4294967296"));
    }
    let narrow = |what, found| u32::try_from(found).map_err(|_| refuse(what, found, "up to 4294967295"));
    let log_n = n.trailing_zeros() as u8;
    let params = scrypt::Params::new(log_n, narrow("r", r)?, narrow("p", p)?)
        .map_err(|_| refuse("n", n, "what scrypt can do with this r and p"))?;
    Ok((params, memory))
}

fn refuse_unknown(what: &'static str, found: &str, expected: &'static str) -> Result<(), KeystoreError> {
    if found == expected {
        return Ok(());
    }
    Err(KeystoreError::Unknown { what, found: found.chars().take(32).collect(), expected })
}

fn fixed<const N: usize>(
    field: &'static str,
    text: &str,
    expected: &'static str,
) -> Result<[u8; N], KeystoreError> {
    bytes(field, text, expected, N)?.try_into().map_err(|_| KeystoreError::Hex { field, expected })
}

fn bytes(
    field: &'static str,
    text: &str,
    expected: &'static str,
    most: usize,
) -> Result<Vec<u8>, KeystoreError> {
    let refused = || KeystoreError::Hex { field, expected };
    if text.len() > 2 * most {
        return Err(refused());
    }
    hex::decode(text).map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn file() -> Value {
        let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/vectors/keystore-v3.json"));
        serde_json::from_str::<Value>(text).unwrap()["mycrypto"]["json"].clone()
    }

    fn refused(change: impl FnOnce(&mut Value)) -> String {
        let mut file = file();
        change(&mut file);
        open(file.to_string().as_bytes(), b"foobartest121").err().unwrap().to_string()
    }

    #[test]
    fn the_key_comes_out_under_its_password_alone() {
        let text = file().to_string();
        let key = open(text.as_bytes(), b"foobartest121").unwrap();
        assert!(hex::encode(&key[..]).starts_with("05a4d3eb"));
        let wrong = open(text.as_bytes(), b"foobartest122");
        assert!(matches!(wrong, Err(KeystoreError::DoesNotOpen)));
    }

    #[test]
    fn what_would_exhaust_this_machine_is_refused_before_any_work() {
        for (field, value) in [
            ("n", json!(1u64 << 40)),
            ("n", json!(u64::MAX)),
            ("n", json!(1u64 << 63)),
            ("n", json!(8_193)),
            ("n", json!(0)),
            ("n", json!(1)),
            ("r", json!(0)),
            ("r", json!(1u64 << 40)),
            ("p", json!(0)),
            ("p", json!(1u64 << 40)),
            ("dklen", json!(16)),
            ("dklen", json!(1u64 << 40)),
        ] {
            let begun = std::time::Instant::now();
            let why = refused(|file| file["crypto"]["kdfparams"][field] = value.clone());
            assert!(why.contains("refused"), "{field} {value}: {why}");
            assert!(begun.elapsed().as_millis() < 100, "{field} {value}");
        }
        let rounds = refused(|file| {
            file["crypto"]["kdf"] = json!("pbkdf2");
            file["crypto"]["kdfparams"]["prf"] = json!("hmac-sha256");
            file["crypto"]["kdfparams"]["c"] = json!(u32::MAX);
        });
        assert!(rounds.contains("c 4294967295"), "{rounds}");
        assert!(open(&vec![b' '; 20_000], b"x").err().unwrap().to_string().contains("16384 bytes"));
    }

    #[test]
    fn every_other_form_is_refused_by_name() {
        assert!(refused(|file| file["version"] = json!(4)).contains("version 4"));
        assert!(refused(|file| file["crypto"]["cipher"] = json!("aes-128-cbc")).contains("aes-128-cbc"));
        assert!(refused(|file| file["crypto"]["kdf"] = json!("none")).contains("none"));
        assert!(refused(|file| file["crypto"]["ciphertext"] = json!("00")).contains("ciphertext"));
        assert!(refused(|file| file["crypto"]["cipherparams"]["iv"] = json!("zz")).contains("iv"));
        assert!(refused(|file| file["crypto"]["mac"] = json!("00".repeat(32))).contains("wrong password"));
        assert!(refused(|file| file["crypto"] = json!(7)).contains("not a key file"));
    }

    #[test]
    fn what_was_taken_for_a_key_file_is_not_quoted() {
        let key = "05a4d3eb46c742cb8850440145ce70cbc80b59f891cf5f50fd3e9c280b50c4e4";
        let quoted = format!("\"{key}\"");
        let fields = [
            format!("{{\"version\":\"{key}\"}}"),
            format!("{{\"crypto\":\"{key}\"}}"),
            format!("{{\"{key}\":1}}"),
            format!("{{\"version\":3,\"crypto\":{{\"cipher\":\"{key}\"}}}}"),
        ];
        for text in [key.to_owned(), quoted].into_iter().chain(fields) {
            let why = open(text.as_bytes(), b"x").err().unwrap();
            assert!(!format!("{why} {why:?}").contains("05a4d3eb"), "{why}");
        }
    }

    #[test]
    fn an_address_in_the_file_must_be_the_keys() {
        let text = file().to_string();
        let named: [u8; 20] =
            hex::decode("460121576cc7df020759730751f92bd62fd78dd6").unwrap().try_into().unwrap();
        assert!(check_address(text.as_bytes(), &named).is_ok());
        assert!(matches!(check_address(text.as_bytes(), &[0; 20]), Err(KeystoreError::OtherAddress { .. })));
    }
}
