//! What a passphrase does to a secret before it is split: four Feistel rounds of PBKDF2-HMAC-SHA256.
//!
//! Called by `slip39` only. What must stay true: halves and round keys are overwritten when dropped; the
//! caller has bounded the iteration exponent.

use super::Header;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

const ROUNDS: [u8; 4] = [0, 1, 2, 3];
/// 10,000 iterations, a quarter in each round.
const ROUND_ITERATIONS: u64 = 2_500;
/// SHA-256's.
const BLOCK_BYTES: usize = 64;

pub(super) fn encrypt(secret: &[u8], passphrase: &[u8], header: &Header) -> Zeroizing<Vec<u8>> {
    feistel(secret, passphrase, header, ROUNDS.into_iter())
}

pub(super) fn decrypt(sealed: &[u8], passphrase: &[u8], header: &Header) -> Zeroizing<Vec<u8>> {
    feistel(sealed, passphrase, header, ROUNDS.into_iter().rev())
}

/// HMAC-SHA256 under `key`.
pub(super) fn digest(key: &[u8], data: &[u8]) -> [u8; 32] {
    let mut mac = keyed(key);
    mac.update(data);
    mac.finalize().into_bytes().into()
}

fn feistel(
    input: &[u8],
    passphrase: &[u8],
    header: &Header,
    rounds: impl Iterator<Item = u8>,
) -> Zeroizing<Vec<u8>> {
    let (left, right) = input.split_at(input.len() / 2);
    let (mut left, mut right) = (Zeroizing::new(left.to_vec()), Zeroizing::new(right.to_vec()));
    for round in rounds {
        let password = Zeroizing::new([&[round][..], passphrase].concat());
        let salt = Zeroizing::new([&header.salt()[..], &right[..]].concat());
        let key = pbkdf2(&password, &salt, ROUND_ITERATIONS << header.iteration_exponent, right.len());
        left.iter_mut().zip(key.iter()).for_each(|(byte, key)| *byte ^= key);
        std::mem::swap(&mut left, &mut right);
    }
    Zeroizing::new([&right[..], &left[..]].concat())
}

/// RFC 8018, section 5.2.
fn pbkdf2(password: &[u8], salt: &[u8], iterations: u64, length: usize) -> Zeroizing<Vec<u8>> {
    let keyed = keyed(password);
    let mut out = Zeroizing::new(Vec::with_capacity(length.next_multiple_of(32)));
    for block in 1u32.. {
        if out.len() >= length {
            break;
        }
        let mut mac = keyed.clone();
        mac.update(salt);
        mac.update(&block.to_be_bytes());
        let mut last: Zeroizing<[u8; 32]> = Zeroizing::new(mac.finalize().into_bytes().into());
        let mut sum = last.clone();
        for _ in 1..iterations {
            let mut mac = keyed.clone();
            mac.update(&last[..]);
            *last = mac.finalize().into_bytes().into();
            sum.iter_mut().zip(last.iter()).for_each(|(byte, other)| *byte ^= other);
        }
        out.extend_from_slice(&sum[..]);
    }
    out.truncate(length);
    out
}

/// RFC 2104: a key longer than a block is hashed, a shorter one padded with zeros.
fn keyed(key: &[u8]) -> Hmac<Sha256> {
    let mut block = Zeroizing::new([0; BLOCK_BYTES]);
    if key.len() > BLOCK_BYTES {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    Hmac::<Sha256>::new((&*block).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_every_length_are_keys() {
        // RFC 4231, cases 2 and 6; a whole block is neither hashed nor padded.
        let vectors = [
            (
                &b"Jefe"[..],
                "what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 131][..],
                "Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ];
        for (key, data, sum) in vectors {
            assert_eq!(hex::encode(digest(key, data.as_bytes())), sum);
        }
        for length in [63, 64, 65] {
            let key = vec![7; length];
            let mut reference = Hmac::<Sha256>::new_from_slice(&key).unwrap();
            reference.update(b"data");
            assert_eq!(digest(&key, b"data"), <[u8; 32]>::from(reference.finalize().into_bytes()));
        }
    }

    #[test]
    fn key_stretching_equals_other_implementations() {
        // RFC 7914, section 11.
        let vectors = [
            (
                "passwd",
                "salt",
                1,
                "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc49ca9cccf179b645991664b39d77ef31",
            ),
            (
                "Password",
                "NaCl",
                80_000,
                "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56a1d425a1225833549adb841b51c9b317",
            ),
        ];
        for (password, salt, iterations, key) in vectors {
            let found = pbkdf2(password.as_bytes(), salt.as_bytes(), iterations, key.len() / 2);
            assert_eq!(hex::encode(&found[..]), key);
        }
    }
}
