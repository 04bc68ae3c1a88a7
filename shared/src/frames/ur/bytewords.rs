//! Bytewords (BCR-2020-012) in their minimal style: a byte is two letters, the first and last of its word.
//!
//! The texts of Uniform Resources are written and read here. What must stay true: what is read carries the
//! CRC-32 of its bytes, which is part of the alphabet's rules and no security; letters of either case are
//! read, capital letters are written, because QR's alphanumeric mode knows no others.

use super::UrError;

/// The first and last letters of the 256 words, in the order of the bytes they stand for.
const PAIRS: &[u8; 512] = b"\
    aeadaoaxaaahamatayasbkbdbnbtbabsbebybgbwbbbzcmchcscfcycwcecackct\
    cxclcpcndkdadsdidedtdrdndwdpdmdldyeheyeoeeecenemetesftfrfnfsfmfh\
    fzfpfwfxfyfefgflfdgagegrgsgtglgwgdgygmgughgohfhghdhkhthphhhlhyhe\
    hnhsidiaieihiyioisinimjejzjnjtjljojsjpjkjykpkoktkskkknkgkekikblb\
    lalylflslrlplnltloldlelulklgmnmymhmemomumwmdmtmsmknlnyndnsntnnne\
    nboyoeotoxonolospdptpkpypspmplpepfpaprqdqzrerprlrorhrdrkrfryrnrs\
    rtsesasrssskswstspsosgsbsfsntotktitttdtetytltbtstptatnuyuoutueur\
    vtvyvovlvevwvavdvswlwdwmwpwewywswtwnwzwfwkykynylyaytzszoztzczezm";
const CHECKSUM_BYTES: usize = 4;
const LETTERS: usize = 26;

/// The byte of every pair of letters; `None` for a pair that is no word.
const BYTES: [Option<u8>; LETTERS * LETTERS] = {
    let mut bytes = [None; LETTERS * LETTERS];
    let mut byte = 0;
    while byte < 256 {
        let (first, last) = (PAIRS[2 * byte] - b'a', PAIRS[2 * byte + 1] - b'a');
        bytes[first as usize * LETTERS + last as usize] = Some(byte as u8);
        byte += 1;
    }
    bytes
};

/// How many letters `bytes` bytes take, their checksum included.
pub(super) const fn letters(bytes: usize) -> usize {
    2 * (bytes + CHECKSUM_BYTES)
}

/// The letters of `bytes` and their checksum, in capitals.
pub(super) fn write(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(letters(bytes.len()));
    for byte in bytes.iter().chain(&crc32(bytes).to_be_bytes()) {
        let at = 2 * usize::from(*byte);
        text.push(PAIRS[at].to_ascii_uppercase().into());
        text.push(PAIRS[at + 1].to_ascii_uppercase().into());
    }
    text
}

/// The bytes of a text whose length the caller has bounded; its checksum must match.
pub(super) fn read(text: &str) -> Result<Vec<u8>, UrError> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let whole: Option<Vec<u8>> = pairs.iter().map(byte_of).collect();
    let (true, Some(mut bytes)) = (rest.is_empty(), whole) else {
        let at = pairs.iter().position(|pair| byte_of(pair).is_none()).unwrap_or(pairs.len());
        return Err(UrError::Letters { at: 2 * at });
    };
    let Some((body, sum)) = bytes.split_last_chunk::<CHECKSUM_BYTES>() else {
        return Err(UrError::Checksum);
    };
    if crc32(body).to_be_bytes() != *sum {
        return Err(UrError::Checksum);
    }
    bytes.truncate(bytes.len() - CHECKSUM_BYTES);
    Ok(bytes)
}

fn byte_of(pair: &[u8; 2]) -> Option<u8> {
    let [first, last] = pair.map(|letter| usize::from(letter.to_ascii_lowercase().wrapping_sub(b'a')));
    if first >= LETTERS || last >= LETTERS { None } else { BYTES[first * LETTERS + last] }
}

/// CRC-32 as in ISO 3309 and zlib: reflected, polynomial 0xedb88320.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_example_is_written_and_read() {
        // BCR-2020-012, "Minimal".
        let text = "GUJLJNIHCXIDINJTHSJPKKCXIEHSJYHSNSGDMKHT";
        assert_eq!(write(b"Some binary data"), text);
        assert_eq!(read(text).unwrap(), b"Some binary data");
        assert_eq!(read(&text.to_lowercase()).unwrap(), b"Some binary data");
    }

    #[test]
    fn every_byte_has_its_own_pair() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(read(&write(&all)).unwrap(), all);
    }

    #[test]
    fn what_is_not_bytewords_is_refused_with_its_place() {
        assert_eq!(read("aead12"), Err(UrError::Letters { at: 4 }));
        assert_eq!(read("aeada"), Err(UrError::Letters { at: 4 }));
        assert_eq!(read("éé"), Err(UrError::Letters { at: 0 }));
        assert_eq!(read("aeaeae"), Err(UrError::Checksum));
        assert_eq!(read("aeadaolazmjendeotj"), Err(UrError::Letters { at: 16 }));
        assert_eq!(read(&write(b"airlock").replacen("HS", "HY", 1)), Err(UrError::Checksum));
    }
}
