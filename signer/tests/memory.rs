//! What a signing session leaves in the memory of its process: nothing secret.
//!
//! A copy of this program runs the command `sign` as the real one does, sandbox included; a thread that was
//! started before then writes every writable page down, and the parent, which alone knows the secrets, looks
//! for them. What must stay true: the copy never learns what is looked for; the same search finds the same
//! secrets in a copy that holds them, and a canary in both.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod world;

use airlock_shared::document;
use airlock_shared::envelope::{Bundle, Replies};
use airlock_shared::roles::creator;
use airlock_shared::wallet::{Role, account_number};
use airlock_shared::{ItemId, Network, words};
use airlock_signer::args::CommandLine;
use airlock_signer::commands;
use airlock_signer::home::Home;
use airlock_signer::memory::Overwriting;
use airlock_signer::secret::Passphrase;
use airlock_signer::vault::Vault;
use clap::Parser as _;
use k256::elliptic_curve::PrimeField as _;
use k256::{FieldBytes, Scalar};
use std::fs::File;
use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{SystemTime, UNIX_EPOCH};
use world::{PASSPHRASE, World};

/// As in `main`.
#[global_allocator]
static HEAP: Overwriting = Overwriting;

/// Where the copy finds its work, and whether it is to hold its secrets until it has been looked into.
const WORK: &str = "AIRLOCK_TEST_MEMORY_WORK";
const HOLD: &str = "AIRLOCK_TEST_MEMORY_HOLD";

/// The entropy of every secret below.
const ENTROPY: [u8; 32] = *b"\x8f\x11\x5c\xe2\x07\x9a\x40\xd3\x6e\xb8\x21\xfa\x94\x3d\x70\xc6\
                             \x1b\x59\xe7\x82\x0c\xaf\x36\xd8\x63\xf4\x15\x9e\x4b\xa0\x7d\xc1";

/// Bytes to look for, and what they are.
#[derive(Clone)]
struct Needle {
    what: String,
    bytes: Vec<u8>,
}

/// Sixteen bytes of a secret are as good as found; a copy may be half overwritten.
fn parts(what: &str, secret: &[u8]) -> Vec<Needle> {
    let part = |(number, bytes): (usize, &[u8])| Needle {
        what: format!("{what}, part {number}"),
        bytes: bytes.to_vec(),
    };
    secret.chunks(16).enumerate().map(part).collect()
}

/// A scalar as bytes are written and as its limbs lie in memory (least significant first).
fn scalar(what: &str, big_endian: &[u8]) -> Vec<Needle> {
    let limbs: Vec<u8> = big_endian.iter().rev().copied().collect();
    [parts(what, big_endian), parts(&format!("limbs of {what}"), &limbs)].concat()
}

fn mnemonic() -> (bip39::Mnemonic, Vec<Needle>) {
    let mnemonic = bip39::Mnemonic::from_entropy(&ENTROPY).unwrap();
    let mut needles = Vec::new();
    let list: Vec<&str> = mnemonic.words().collect();
    for three in list.windows(3) {
        needles.push(Needle { what: format!("the words {three:?}"), bytes: three.join(" ").into_bytes() });
    }
    let indices: Vec<u8> = mnemonic.word_indices().flat_map(|index| (index as u16).to_le_bytes()).collect();
    needles.push(Needle { what: "the words' numbers".to_owned(), bytes: indices[..12].to_vec() });
    needles.push(Needle { what: "the words' numbers".to_owned(), bytes: indices[24..].to_vec() });
    (mnemonic, needles)
}

/// Every private key from the seed to the first hot wallet of a network.
fn path_keys(seed: &[u8], network: Network) -> Vec<Needle> {
    let hardened = |number| bip32::ChildNumber::new(number, true).unwrap();
    let plain = bip32::ChildNumber::new(0, false).unwrap();
    let account = account_number(network, Role::Hot).unwrap();
    let coin = if matches!(network, Network::Tron { .. }) { 195 } else { 60 };
    let mut key = bip32::XPrv::new(seed).unwrap();
    let mut needles = scalar("the master key", &key.to_bytes());
    needles.extend(parts("the master chain code", &key.attrs().chain_code));
    for (depth, child) in
        [hardened(44), hardened(coin), hardened(account), plain, plain].into_iter().enumerate()
    {
        key = key.derive_child(child).unwrap();
        needles.extend(scalar(&format!("the key of {network} at depth {}", depth + 1), &key.to_bytes()));
    }
    needles
}

fn needles(identity: &[u8]) -> Vec<Needle> {
    let (mnemonic, mut needles) = mnemonic();
    let seed = mnemonic.to_seed_normalized("");
    needles.extend(parts("the entropy", &ENTROPY));
    needles.extend(parts("the BIP-39 seed", &seed));
    needles.extend(path_keys(&seed, Network::TRON_DEV));
    needles.extend(path_keys(&seed, Network::EVM_DEV));
    needles.extend(parts("the identity key", identity));
    needles.push(Needle { what: "the passphrase".to_owned(), bytes: PASSPHRASE.as_bytes().to_vec() });
    needles
}

/// What is in the copy's memory, by name, each once.
fn found(dump: &[u8], needles: &[Needle]) -> Vec<String> {
    let mut begins = vec![Vec::new(); 1 << 16];
    for (number, needle) in needles.iter().enumerate() {
        begins[usize::from(u16::from_le_bytes([needle.bytes[0], needle.bytes[1]]))].push(number);
    }
    let mut seen = std::collections::BTreeSet::new();
    for (place, pair) in dump.windows(2).enumerate() {
        for number in &begins[usize::from(u16::from_le_bytes([pair[0], pair[1]]))] {
            if dump[place..].starts_with(&needles[*number].bytes) {
                seen.insert(needles[*number].what.clone());
            }
        }
    }
    seen.into_iter().collect()
}

/// Bytes that the copy leaves on purpose; put together at run time.
fn canary(place: u8) -> [u8; 24] {
    std::array::from_fn(|i| (i as u8).wrapping_mul(37) ^ place ^ black_box(0x80))
}

/// A home with these secrets, a bundle for both networks and its words.
fn prepared(hold: bool) -> (World, Vec<Needle>, Vec<u8>, Bundle) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() - 5;
    let world = World::of(now, &ENTROPY);
    let envelopes: Vec<_> = [(Network::TRON_DEV, 1), (Network::EVM_DEV, 51)]
        .into_iter()
        .map(|(network, first)| {
            let mut content = world.content(network, 3);
            content.items.iter_mut().zip(first..).for_each(|(item, id)| item.id = ItemId::new(id));
            world.envelope(content)
        })
        .collect();
    let bundle = Bundle { envelopes };
    let folder = world.folder.path();
    let identity = world.vault().device().key.to_bytes();
    std::fs::write(folder.join("bundle.bin"), document::Document::to_binary(&bundle)).unwrap();
    std::fs::write(folder.join("words"), words::words(&bundle.words_digest())).unwrap();
    std::fs::write(folder.join("pass"), PASSPHRASE).unwrap();
    std::fs::set_permissions(folder.join("pass"), PermissionsExt::from_mode(0o600)).unwrap();
    let mut copy = Command::new(std::env::current_exe().unwrap());
    copy.args(["--exact", "a_copy_signs_and_is_looked_into"]).env(WORK, folder).stdin(Stdio::null());
    if hold {
        copy.env(HOLD, "1");
    }
    let ended = copy.output().unwrap();
    let said = [ended.stdout, ended.stderr].concat();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&said));
    let dump = std::fs::read(folder.join("dump")).unwrap();
    (world, needles(&identity), dump, bundle)
}

/// Every signature's ephemeral number: with it and the signature anybody computes the key.
fn ephemeral(world: &World, bundle: &Bundle) -> Vec<Needle> {
    let reply = std::fs::read(world.folder.path().join("out/reply.bin")).unwrap();
    let replies: Replies = document::read(&reply).unwrap();
    let seed = mnemonic().0.to_seed_normalized("");
    let number = |bytes: &[u8]| {
        let bytes: [u8; 32] = bytes.try_into().unwrap();
        Scalar::from_repr(FieldBytes::from(bytes)).unwrap()
    };
    let mut needles = Vec::new();
    for (envelope, reply) in bundle.envelopes.iter().zip(&replies.replies) {
        let network = envelope.content.network;
        let key = path_keys(&seed, network);
        let secret = [&key[key.len() - 4].bytes[..], &key[key.len() - 3].bytes].concat();
        let transactions = creator::transactions(&envelope.content).unwrap();
        for (unsigned, signature) in transactions.iter().flatten().zip(&reply.signatures) {
            let bytes = signature.to_bytes();
            let (r, s) = (number(&bytes[..32]), number(&bytes[32..64]));
            let digest = number(&unsigned.signing_hash());
            let k = s.invert().unwrap() * (digest + r * number(&secret));
            needles.extend(scalar("a signature's number", &k.to_repr()));
            needles.extend(scalar("a signature's number, negated", &(-k).to_repr()));
        }
    }
    assert_eq!(needles.len(), 6 * 2 * 4);
    needles
}

#[test]
fn after_signing_no_seed_no_words_no_key_and_no_passphrase_is_in_memory() {
    let (world, mut needles, dump, bundle) = prepared(false);
    needles.extend(ephemeral(&world, &bundle));
    assert!(dump.len() > 64 << 10, "{} bytes", dump.len());
    let planted = [1, 2].map(|place| Needle { what: place.to_string(), bytes: canary(place).to_vec() });
    assert_eq!(found(&dump, &planted), ["1", "2"], "the canaries on heap and stack");
    let left = found(&dump, &needles);
    assert!(left.is_empty(), "{} of {} in memory: {left:#?}", left.len(), needles.len());
}

#[test]
fn the_same_search_finds_secrets_that_are_held() {
    let (_, needles, dump, _) = prepared(true);
    let held = found(&dump, &needles);
    for what in [
        "the entropy, part 0",
        "limbs of the master key, part 1",
        "the passphrase",
        "the identity key, part 0",
    ] {
        assert!(held.iter().any(|one| one == what), "{what} in {held:#?}");
    }
}

/// The copy's side.
#[test]
fn a_copy_signs_and_is_looked_into() {
    let Some(folder) = std::env::var_os(WORK) else { return };
    let folder = Path::new(&folder);
    let (done, wait) = mpsc::channel::<()>();
    // Both are opened now: of a process that is not dumpable, they belong to root.
    let memory = File::open("/proc/self/mem").unwrap();
    let mut maps = File::open("/proc/self/maps").unwrap();
    let mut dump = File::create(folder.join("dump")).unwrap();
    let looker = std::thread::spawn(move || {
        wait.recv().unwrap();
        write_down(&memory, &mut maps, &mut dump);
    });
    if std::env::var_os(HOLD).is_some() {
        let home = Home::open(&folder.join("home")).unwrap();
        let passphrase = Passphrase::from_bytes(std::fs::read(folder.join("pass")).unwrap()).ok().unwrap();
        let vault = Vault::load(&home, &passphrase).ok().unwrap();
        let held = hold(&vault, &passphrase);
        done.send(()).unwrap();
        looker.join().unwrap();
        drop(held);
        return;
    }
    sign(folder);
    leave(canary(1));
    std::mem::forget(black_box(Box::new(canary(2))));
    done.send(()).unwrap();
    looker.join().unwrap();
}

fn sign(folder: &Path) {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (home, pass, bundle, out) = (path("home"), path("pass"), path("bundle.bin"), path("out"));
    let said = std::fs::read_to_string(folder.join("words")).unwrap();
    let line = ["airlock-signer", "--home", &home, "--passphrase-file", &pass, "--json", "sign", &bundle];
    let line =
        CommandLine::try_parse_from(line.into_iter().chain(["--out", &out, "--confirm", &said])).unwrap();
    commands::run(line).unwrap();
}

/// Opens the spending compartment and keeps what it gives.
fn hold(vault: &Vault, passphrase: &Passphrase) -> impl Sized + use<> {
    let spending = vault.open_spending(passphrase).ok().unwrap();
    let keyring = airlock_signer::keys::Keyring::open(&spending).ok().unwrap();
    (spending, keyring)
}

/// Leaves bytes on the stack below the caller.
#[inline(never)]
fn leave(bytes: [u8; 24]) {
    let mut frame = [0_u8; 8_192];
    frame[64..88].copy_from_slice(&bytes);
    black_box(&frame);
}

/// Every page of every writable mapping that holds anything.
fn write_down(memory: &File, maps: &mut File, dump: &mut File) {
    let mut text = String::with_capacity(1 << 20);
    maps.read_to_string(&mut text).unwrap();
    let mut page = vec![0_u8; 4_096];
    let mut run = false;
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (from, to) = words.next().unwrap().split_once('-').unwrap();
        let writable = words.next().unwrap().starts_with("rw");
        let bounds = [from, to].map(|hex| u64::from_str_radix(hex, 16).unwrap());
        if !writable {
            continue;
        }
        for place in (bounds[0]..bounds[1]).step_by(page.len()) {
            let holds = memory.read_exact_at(&mut page, place).is_ok() && page.iter().any(|byte| *byte != 0);
            if holds {
                dump.write_all(&page).unwrap();
            } else if run {
                // Pages that are not neighbours must not look so.
                dump.write_all(&[0; 64]).unwrap();
            }
            run = holds;
        }
    }
}
