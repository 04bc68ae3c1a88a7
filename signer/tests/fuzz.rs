//! The signer's own decoders, given what is almost right: the vault, its compartments, journals, backups, key
//! files and recordings of cameras.
//!
//! As in `shared/tests/fuzz.rs`: no panic, no hang, no more than 256 MiB. The vault's key derivation is left
//! out: how much it may take is in its header, readable in clear, and bounded by its own tests.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

#[allow(dead_code, reason = "what is made to hurt is tried in shared")]
#[path = "../../shared/tests/fuzz/measure.rs"]
mod measure;
#[path = "../../shared/tests/fuzz/mutation.rs"]
mod mutation;
mod world;

use airlock_shared::{Network, PersonId, Profile};
use airlock_signer::camera;
use airlock_signer::home::Home;
use airlock_signer::journal::Journal;
use airlock_signer::session::Decoded;
use airlock_signer::vault::{Device, Spending, costs_of, keystore, shares};
use measure::fuzz;
use std::io::Cursor;
use std::os::unix::fs::PermissionsExt;
use world::World;
use zeroize::Zeroizing;

#[test]
fn the_vault_and_its_compartments() {
    let world = World::new();
    let file = std::fs::read(world.home.vault()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let home = Home::create(&folder.path().join("home")).unwrap();
    fuzz("vault", &[file], 4, |bytes| {
        std::fs::write(home.vault(), bytes).unwrap();
        std::fs::set_permissions(home.vault(), PermissionsExt::from_mode(0o600)).unwrap();
        let _ = costs_of(&home);
    });
    let plain = Device::generate(PersonId::new("bob").unwrap(), Profile::Dev, 1).unwrap().encode();
    let devices = [world.vault().device().encode().to_vec(), plain.to_vec()];
    fuzz("identity compartment", &devices, 1, |bytes| {
        if let Ok(device) = Device::decode(bytes) {
            assert_eq!(device.encode()[..], *bytes, "read, but not the one spelling");
        }
    });
    let spending = world.vault().open_spending(&world::passphrase()).ok().unwrap().encode();
    fuzz("spending compartment", &[spending.to_vec()], 1, |bytes| drop(Spending::decode(bytes)));
}

#[test]
fn journals_and_bundles() {
    let world = World::new();
    let bundle = world.bundle(world.content(Network::TRON_DEV, 3));
    world.sign(&bundle).unwrap();
    let journal = std::fs::read(world.home.journal()).unwrap();
    fuzz("journal", &[journal], 4, |bytes| drop(Journal::of_copy(bytes)));
    let signer = world.signer();
    let other = world.bundle(world.content(Network::EVM_DEV, 3));
    fuzz("bundle, examined", &[bundle, other], 4, |bytes| {
        let _ = Decoded::read(bytes);
        let _ = signer.examine(bytes, world.now);
    });
}

#[test]
fn backups_and_key_files() {
    let words = bip39::Mnemonic::from_entropy(&[7; 32]).unwrap().to_string().into_bytes();
    fuzz("words of a backup", &[words], 2, |bytes| {
        let texts: Vec<_> =
            String::from_utf8_lossy(bytes).split('\n').map(|text| Zeroizing::new(text.to_owned())).collect();
        let _ = shares::restore(&texts, b"");
    });
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/vectors/keystore-v3.json");
    let vectors: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut files = Vec::new();
    collect_key_files(&vectors, &mut files);
    assert!(!files.is_empty());
    fuzz("key file", &files, 1, |bytes| drop(keystore::check_address(bytes, &[7; 20])));
}

#[test]
fn recordings_of_cameras() {
    let y4m = |colours: &str, bytes: usize| {
        let header = format!("YUV4MPEG2 W16 H16 F10:1 {colours}\n");
        let picture = [b"FRAME\n".to_vec(), vec![0x80; bytes]].concat();
        [header.into_bytes(), picture.clone(), picture].concat()
    };
    // A JPEG of its markers alone: start, application, tables, frame of 16 by 16, scan, end.
    let jpeg = hex::decode(
        "ffd8ffe000104a46494600010100000100010000ffdb004300100b0c0e0c0a100e0d0e1211101318281a181616183123251d\
         283a333d3c3933383740485c4e404457453738506d51575f626768673e4d71797064785c656763ffc0000b08001000100101\
         1100ffc40014000100000000000000000000000000000000ffda0008010100003f0037ffd9",
    )
    .unwrap();
    let recordings = [y4m("C420", 384), y4m("Cmono", 256), jpeg.repeat(2)];
    fuzz("recordings", &recordings, 4, |bytes| {
        let Ok(mut pictures) = camera::stream("a recording".into(), Cursor::new(bytes.to_vec())) else {
            return;
        };
        for _ in 0..50 {
            match pictures.next() {
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => break,
            }
        }
    });
}

/// Every object in the vectors that says it is a key file.
fn collect_key_files(node: &serde_json::Value, found: &mut Vec<Vec<u8>>) {
    match node {
        serde_json::Value::Array(list) => list.iter().for_each(|one| collect_key_files(one, found)),
        serde_json::Value::Object(map) if map.contains_key("crypto") || map.contains_key("Crypto") => {
            found.push(node.to_string().into_bytes());
        }
        serde_json::Value::Object(map) => map.values().for_each(|one| collect_key_files(one, found)),
        _ => {}
    }
}
