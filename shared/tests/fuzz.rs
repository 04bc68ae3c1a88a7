//! Every decoder of this crate, given what is almost right, nothing at all, or made to hurt.
//!
//! No panic, no hang, no more than 256 MiB (`fuzz/measure.rs`). What still decodes is also used: encoded again,
//! its transactions built, its rules asked. `AIRLOCK_FUZZ_ROUNDS` raises the number of inputs; CI takes few.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

#[path = "fuzz/measure.rs"]
mod measure;
#[path = "fuzz/mutation.rs"]
mod mutation;
mod sample;

use airlock_shared::approval::passkey;
use airlock_shared::attestation::{AddressProof, Attestation};
use airlock_shared::batch::Content;
use airlock_shared::chain::erc20::TransferCall;
use airlock_shared::chain::{evm, rlp, tron};
use airlock_shared::document::{self, Document};
use airlock_shared::envelope::{ApprovalReply, ApprovalRequest, Bundle, Introduction, Replies, SignedBatch};
use airlock_shared::form::{self, Form, Name, Node};
use airlock_shared::frames::ur::{self, DeviceSignature, SignRequest, Ur};
use airlock_shared::frames::{
    Encoder, FrameSize, Level, QrImage, Transfers, WhenFull, animation, frames_of_picture,
};
use airlock_shared::genesis::SignedGenesis;
use airlock_shared::hd::{AccountKey, KeyPath};
use airlock_shared::journal::{Entry, Event, Record};
use airlock_shared::policy::SignedPolicy;
use airlock_shared::roles::creator;
use airlock_shared::slip39::{Share, combine};
use airlock_shared::{Address, BaseUnits, Digest, Family, Network, PersonId};
use measure::{fuzz, try_each};
use std::path::Path;

/// Every file of `fixtures/batch` and its neighbours that could be a document, and documents of the sample.
fn documents() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/batch/valid");
    let mut paths: Vec<_> = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        let bytes = std::fs::read(&path).unwrap();
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("hex") => found.push(hex::decode(bytes.trim_ascii()).unwrap()),
            _ => found.push(bytes),
        }
    }
    for network in [Network::TRON, Network::ETHEREUM] {
        let signed = sample::signed_batch(network, 5);
        found.extend([signed.to_binary(), signed.to_json().into_bytes()]);
    }
    found
}

/// Reads documents of one kind, and what can be done with those that are read.
fn document<D: Document>(used: impl Fn(D)) {
    let pool = documents();
    let own = |bytes: &&Vec<u8>| document::read::<D>(bytes).is_ok();
    let mut good: Vec<_> = pool.iter().filter(own).cloned().collect();
    // Where no fixture is of this kind, another kind's with its head is near enough to begin with.
    if good.is_empty() {
        let headed = |bytes: &Vec<u8>| [&document::MAGIC[..], &[D::KIND, D::VERSION], &bytes[6..]].concat();
        good.extend(pool.iter().filter(|bytes| bytes.starts_with(&document::MAGIC)).map(headed));
    }
    fuzz(D::NAME, &good, 1, |bytes| {
        let Ok(read) = document::read::<D>(bytes) else { return };
        let again =
            if bytes.starts_with(&document::MAGIC) { read.to_binary() } else { read.to_json().into_bytes() };
        assert_eq!(bytes, again, "read, but not the one spelling");
        used(read);
    });
}

/// Reads a part of a document from bare CBOR.
fn part<F: Form>(name: &str, good: &[Vec<u8>]) {
    fuzz(name, good, 1, |bytes| {
        if let Ok(read) = form::from_cbor::<F>(name, bytes) {
            assert_eq!(bytes, form::to_cbor(&read), "read, but not the one spelling");
        }
    });
}

/// What both sides make of a content that decodes.
fn built(content: &Content) {
    let _ = creator::transactions(content);
    let _ = content.digest();
    let _ = Record::of(content, content.created_at, |_| Vec::new()).map(|record| record.digest());
}

#[test]
fn documents_that_cross() {
    document::<Bundle>(|bundle| bundle.envelopes.iter().for_each(|envelope| built(&envelope.content)));
    document::<ApprovalRequest>(|request| built(&request.content));
    document::<Replies>(|replies| {
        let _ = replies.replies.iter().all(|reply| reply.receipt.is_authentic());
    });
    document::<SignedBatch>(|file| built(&file.envelope.content));
    document::<ApprovalReply>(drop);
    document::<Introduction>(drop);
}

#[test]
fn policies_and_what_custodians_sign() {
    document::<SignedPolicy>(|signed| {
        let _ = signed.policy.digest();
        let _ = signed.check(&sample::roster(), signed.policy.profile);
    });
    document::<SignedGenesis>(drop);
    document::<Attestation>(drop);
    document::<AddressProof>(drop);
}

#[test]
fn parts_of_documents() {
    let contents = [Network::TRON, Network::ETHEREUM].map(|network| sample::content(network, 7));
    part::<Content>("content", &contents.each_ref().map(form::to_cbor));
    let records =
        contents.each_ref().map(|content| Record::of(content, sample::NOW, |_| Vec::new()).unwrap());
    part::<Record>("record", &records.each_ref().map(form::to_cbor));
    let entries: Vec<Entry> = documents()
        .iter()
        .filter_map(|bytes| document::read::<Replies>(bytes).ok())
        .flat_map(entries_of)
        .collect();
    assert!(!entries.is_empty());
    part::<Entry>("entry", &entries.iter().map(form::to_cbor).collect::<Vec<_>>());
    part::<Event>("event", &entries.iter().map(|entry| form::to_cbor(&entry.event)).collect::<Vec<_>>());
}

fn entries_of(replies: Replies) -> Vec<Entry> {
    replies.replies.into_iter().map(|reply| reply.receipt.entry).collect()
}

/// Every string of hex in a file of vectors that is long enough to be something.
fn hex_of(name: &str) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/vectors").join(name);
    let tree: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let (mut open, mut found) = (vec![&tree], Vec::new());
    while let Some(node) = open.pop() {
        match node {
            serde_json::Value::Array(list) => open.extend(list),
            serde_json::Value::Object(map) => open.extend(map.values()),
            serde_json::Value::String(text) if text.len() > 80 => {
                found.extend(hex::decode(text.trim_start_matches("0x")).ok());
            }
            _ => {}
        }
    }
    assert!(!found.is_empty(), "{name}");
    found
}

#[test]
fn transactions_of_both_families() {
    let evm = [hex_of("evm-tx.json"), hex_of("evm-foreign-transactions.json")].concat();
    fuzz("EVM transaction", &evm, 1, |bytes| {
        if let Ok(unsigned) = evm::decode_unsigned(bytes) {
            assert_eq!(unsigned.encode(), bytes);
        }
        if let Ok(signed) = evm::decode_signed(bytes) {
            assert_eq!(signed.bytes(), bytes);
            let _ = signed.sender();
        }
    });
    fuzz("RLP", &hex_of("evm-foreign-transactions.json"), 1, |bytes| drop(rlp::decode(bytes)));
    let tron = [hex_of("tron-transactions.json"), hex_of("tron-node-samples.json")].concat();
    fuzz("TRON transaction", &tron, 1, |bytes| {
        if let Ok(unsigned) = tron::decode_unsigned(bytes) {
            assert_eq!(unsigned.encode(), bytes);
        }
        if let Ok(signed) = tron::decode_signed(bytes) {
            let _ = signed.signers(Network::TRON);
            let _ = signed.bandwidth_bytes();
        }
    });
    let call = [[0xa9, 0x05, 0x9c, 0xbb].as_slice(), &[0; 12], &[7; 20], &[0; 24], &[9; 8]].concat();
    fuzz("transfer call", &[call], 1, |bytes| drop(TransferCall::decode(bytes)));
}

#[test]
fn frames_and_what_hardware_wallets_speak() {
    let size = FrameSize::new(5, Level::L).unwrap();
    let payload: Vec<u8> = (0..3_000_u32).map(|n| ((n * n) >> 3) as u8).collect();
    let encoder = Encoder::new(&payload, 1, size).unwrap();
    let texts: Vec<String> = encoder.frames().take(40).collect();
    // A line is a code; a scan is many.
    let scans = [texts[..2].join("\n"), texts.join("\n"), texts[20..].join("\n")].map(String::into_bytes);
    fuzz("frames", &scans, 4, |bytes| {
        let mut transfers = Transfers::new(3, WhenFull::Refuse);
        for line in bytes.split(|byte| *byte == b'\n').take(200) {
            let _ = transfers.receive(&String::from_utf8_lossy(line));
        }
        drop(transfers.into_complete());
    });
    let parts = ur::Parts::of_fragments(Ur::new("bytes", payload.clone()).unwrap(), 200).unwrap();
    let texts: Vec<String> = (1..40).map(|number| parts.text(number)).collect();
    let scans = [texts[..2].join("\n"), texts.join("\n")].map(String::into_bytes);
    fuzz("UR parts", &scans, 4, |bytes| {
        let mut decoder = ur::Decoder::new("bytes");
        for line in bytes.split(|byte| *byte == b'\n').take(200) {
            let text = String::from_utf8_lossy(line);
            let _ = decoder.receive(&text);
            let _ = Ur::parse(&text);
        }
    });
    fuzz("UR messages", &hex_of("ur-hardware.json"), 1, |bytes| {
        for family in [Family::Tron, Family::Evm] {
            let _ = SignRequest::decode(family, bytes).map(|request| request.encode());
            let _ = DeviceSignature::decode(family, bytes).map(|signature| signature.encode());
        }
    });
}

#[test]
fn pictures() {
    let size = FrameSize::new(5, Level::L).unwrap();
    let images: Vec<_> =
        ["AIRLOCK", "ANOTHER 1234567890"].iter().map(|text| QrImage::encode(text, size).unwrap()).collect();
    let png = images[0].png(2).unwrap();
    let gif = animation(&images[..1], 2, 8).unwrap();
    let luma = images[1].luma(2).unwrap();
    let mut jpeg = Vec::new();
    image::codecs::jpeg::JpegEncoder::new(&mut jpeg)
        .encode(luma.pixels(), luma.width(), luma.height(), image::ExtendedColorType::L8)
        .unwrap();
    fuzz("pictures", &[png, gif, jpeg], 20, |bytes| drop(frames_of_picture(bytes)));
}

#[test]
fn words_numbers_names_and_paths() {
    let mut random = mutation::Random::new(1);
    let mut bytes = |count: usize| (0..count).map(|_| random.next() as u8).collect::<Vec<_>>();
    let secret = bytes(32);
    let needed = airlock_shared::slip39::randomness_for(2, 32);
    let shares = airlock_shared::slip39::split(&secret, b"", (2, 3), 7, &bytes(needed)).unwrap();
    let words: Vec<_> = shares.iter().map(|share| share.words().as_bytes().to_vec()).collect();
    fuzz("SLIP-39 shares", &words, 4, |bytes| {
        let shares = String::from_utf8_lossy(bytes);
        let shares: Vec<Share> =
            shares.split('\n').take(20).filter_map(|text| Share::parse(text).ok()).collect();
        let _ = shares.first().map(|_| combine(&shares[..1], b""));
    });
    let tron = Address::new(Network::TRON, [7; 20]).to_string();
    let evm = Address::new(Network::ETHEREUM, [7; 20]).to_string();
    let key = "xpub6BosfCnifzxcFwrSzQiqu2DBVTshkCXacvNsWGYJVVhhawA7d4R5WSWGFNbi8Aw6ZRc1brxMyWMzG3DSSSSoekkudhUd9yLb6qx39T9nMdj";
    let texts =
        [&tron, &evm, "m/44'/195'/0'/0/7", "eip155:1", "tron:0x2b6653dc", "123.456", "olga@desk", key];
    fuzz("texts", &texts.map(|text| text.as_bytes().to_vec()), 1, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let _ = Address::parse(Network::TRON, &text);
        let _ = Address::parse(Network::ETHEREUM, &text);
        let _ = text.parse::<Network>();
        let _ = text.parse::<KeyPath>();
        let _ = text.parse::<AccountKey>();
        let _ = text.parse::<BaseUnits>();
        let _ = PersonId::new(&text);
    });
}

#[test]
fn passkeys() {
    let content = Digest::of("airlock:test:1", b"content");
    let origins = ["https://airlock.example".to_owned()];
    let expected = passkey::Expected {
        content: &content,
        rp_id: "airlock.example",
        origins: &origins,
        user_verification: true,
    };
    let client = format!(
        r#"{{"type":"webauthn.get","challenge":"{}","origin":"https://airlock.example","crossOrigin":false}}"#,
        passkey::challenge(&content)
    );
    let key: [u8; 65] = std::array::from_fn(|i| if i == 0 { 4 } else { i as u8 });
    let good = [
        client.into_bytes(),
        [[1; 32].as_slice(), &[0x05, 0, 0, 0, 1]].concat(),
        vec![0x30, 6, 2, 1, 1, 2, 1, 1],
    ];
    fuzz("passkey assertions", &good, 1, |bytes| {
        for place in 0..3 {
            let mut parts = good.each_ref().map(Vec::as_slice);
            parts[place] = bytes;
            let assertion = passkey::Assertion {
                client_data: parts[0],
                authenticator_data: parts[1],
                signature: parts[2],
            };
            let _ = passkey::verify(&assertion, &key, &expected);
        }
        let _ = <&[u8; 65]>::try_from(bytes).map(passkey::is_public_key);
    });
}

/// A tree as it stands, for documents that no program of ours would write.
struct Raw(Node);

impl Form for Raw {
    fn write(&self, to: &mut form::Writer) {
        let Node::Map(fields) = &self.0 else { panic!("a map") };
        fields.iter().for_each(|(key, name, node)| to.put(*key, name.clone(), node.clone()));
    }

    fn read(from: &mut form::Reader) -> Result<Self, form::FormError> {
        Err(from.refused("raw", "is never read"))
    }
}

/// Binary documents of a megabyte: lists within lists, long lists, texts and maps, and claims of far more.
fn binary_bombs() -> impl Iterator<Item = Vec<u8>> {
    let headed = |kind: u8, body: Vec<u8>| [&document::MAGIC[..], &[kind, 1], &body].concat();
    let of = |node: Node| form::to_cbor(&Raw(Node::Map(vec![(0, Name::default(), node)])));
    (1..=12).flat_map(move |kind| {
        let shapes = (0..5).map(move |shape| match shape {
            0 => vec![0x81; 1 << 20],
            1 => vec![0xa1; 1 << 20],
            2 => of(Node::List(vec![Node::Uint(0); 1_000_000])),
            3 => of(Node::Bytes(vec![0; 1_000_000])),
            _ => form::to_cbor(&Raw(Node::Map(
                (0..100_000).map(|key| (key, Name::default(), Node::Uint(0))).collect(),
            ))),
        });
        let claims = [0x5b_u8, 0x7b, 0x9b, 0xbb].into_iter().flat_map(|head| {
            [1_u64 << 20, 1 << 32, u64::MAX]
                .map(|claim| [&[0xa1, 0x00, head][..], &claim.to_be_bytes()].concat())
        });
        shapes.chain(claims).map(move |body| headed(kind, body))
    })
}

/// JSON documents of twelve megabytes, which is as long as they may be, and of one byte more.
fn json_bombs() -> impl Iterator<Item = Vec<u8>> {
    const BYTES: usize = form::MAX_JSON_BYTES;
    let opening = b"{\n  \"format\": \"airlock bundle\",\n  \"version\": 1,\n  \"envelopes\": [";
    (0..11).map(move |shape| match shape {
        0 => b"[".repeat(BYTES),
        1 => b"{\"a\":".repeat(BYTES / 5),
        2 => [b"\"".to_vec(), vec![b'a'; BYTES - 3], b"\"\n".to_vec()].concat(),
        3 => [b"[".to_vec(), b"0,".repeat(BYTES / 2 - 2), b"0]".to_vec()].concat(),
        4 => b"9".repeat(BYTES),
        5 => vec![b' '; BYTES],
        6 => vec![b'{'; BYTES + 1],
        7 => [opening.to_vec(), b"{},".repeat((BYTES - 100) / 3), b"{}]}".to_vec()].concat(),
        8 => [opening.to_vec(), b"{\"a\":0},".repeat((BYTES - 100) / 8), b"0]}".to_vec()].concat(),
        9 => [opening.to_vec(), b"\"\",".repeat((BYTES - 100) / 3), b"\"\"]}".to_vec()].concat(),
        _ => {
            let mut text = opening.to_vec();
            (0..900_000).for_each(|n| text.extend(format!("{{\"{n:x}\":0}},").bytes()));
            text.truncate(BYTES - 10);
            text
        }
    })
}

#[test]
fn what_is_made_to_hurt() {
    let refused = |bytes: &[u8]| {
        assert!(document::read::<Bundle>(bytes).is_err());
        assert!(document::read::<SignedPolicy>(bytes).is_err());
    };
    try_each("binary documents made to hurt", binary_bombs(), refused);
    try_each("JSON documents made to hurt", json_bombs(), refused);
    let rlp =
        [vec![0xc1; 1 << 20], vec![0xf9; 1 << 20], [vec![0xbf], vec![0xff; 8]].concat(), vec![0x80; 1 << 20]];
    try_each("transactions made to hurt", rlp, |bytes| {
        let _ = rlp::decode(bytes);
        assert!(evm::decode_unsigned(bytes).is_err() && evm::decode_signed(bytes).is_err());
        assert!(tron::decode_unsigned(bytes).is_err() && tron::decode_signed(bytes).is_err());
    });
    let fragments = ["ur:bytes/1-4294967295/lpad", "ur:bytes/1-10000000/lpadcsgycxcxaddayk"]
        .map(|text| text.as_bytes().to_vec());
    try_each("UR parts made to hurt", fragments, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        assert!(ur::Decoder::new("bytes").receive(&text).is_err());
    });
}
