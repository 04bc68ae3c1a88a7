//! `attest`: this signer vouches for a range of its deposit addresses; `attest verify` checks the proof of one.
//!
//! What must stay true: the account's extended public key is taken from the spending compartment and nothing else, and the
//! secrets are gone before the addresses are derived; a person types the eight words; the journal has it on the disk before
//! the signature exists. Verifying opens nothing: partners run it without a home.

use super::{Place, ceremony, network_of, now, unlock};
use crate::args::{Attest, AttestAction, AttestVerify};
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::journal::{Beside, Journal};
use crate::qr::{Output, Written};
use crate::vault::Vault;
use airlock_shared::attestation::{AddressProof, AddressRange, Attestation, AttestationError};
use airlock_shared::document::{self, Document};
use airlock_shared::form::{self, MAX_JSON_BYTES};
use airlock_shared::frames::FrameSize;
use airlock_shared::hd::{AccountKey, HdError};
use airlock_shared::identity::Identity;
use airlock_shared::journal::{Ceremony, Event};
use airlock_shared::wallet::Role;
use airlock_shared::{Address, Network, words};
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use serde::Serialize;
use std::io::Read as _;
use std::path::Path;

/// Addresses that one thread derives at a time.
const CHUNK: u32 = 512;

#[derive(Serialize)]
struct Answer {
    format: &'static str,
    version: u8,
    network: Network,
    account: String,
    first: u32,
    count: u32,
    root: String,
    digest: String,
    words: String,
    signer: String,
    files: Written,
}

/// Attests, or verifies.
pub fn run(place: &Place, args: &Attest) -> Result<(), Failure> {
    if let Some(AttestAction::Verify(args)) = &args.action {
        return verify(place, args);
    }
    let (Some(network), Some(count), Some(out)) = (&args.network, args.count, &args.out) else {
        return Err(Failure::usage("attest needs --network, --count and --out"));
    };
    let (home, lock) = place.locked_home()?;
    let output = Output::open(out)?;
    let (mut vault, answer) = place.locked_spending_vault(&home, &lock)?;
    let network = network_of(network, vault.device().profile)?;
    let end = args.first.checked_add(count).filter(|end| *end <= 1 << 31);
    let end = end.ok_or_else(|| Failure::usage("the range goes beyond index 2147483647"))?;
    place.enter_sandbox(&home, Some(out))?;
    let mut journal = ceremony::open(&home, vault.device(), now()?)?;
    let key = unlock(&vault, answer)?.account(network, Role::Deposit)?.xpub()?.clone();
    let addresses = derive(&key, network, args.first..end)?;
    let (range, _) = AddressRange::over(network, args.first, &addresses, now()?).map_err(refused)?;
    let digest = range.words_digest();
    place.console.note(shown(&range, &addresses));
    place.console.confirm(args.confirm.as_deref(), &digest)?;
    let attestation = journalled(&home, &mut vault, &mut journal, range)?;
    let (json, binary) = (attestation.to_json(), attestation.to_binary());
    let files = output.write("attestation", &json, &binary, Attestation::KIND, FrameSize::default())?;
    let range = attestation.range;
    let text = format!("attested {} deposit addresses of {network} from index {}", range.count, range.first);
    let answer = Answer {
        format: "airlock attestation made",
        version: 1,
        network,
        account: range.account.to_string(),
        first: range.first,
        count: range.count,
        root: range.root.to_string(),
        digest: range.digest().to_string(),
        words: words::words(&digest),
        signer: attestation.signer.to_string(),
        files,
    };
    place.console.answer(&answer, text)
}

fn derive(
    key: &AccountKey,
    network: Network,
    indexes: std::ops::Range<u32>,
) -> Result<Vec<Address>, Failure> {
    let chunks: Vec<_> = indexes.clone().step_by(CHUNK as usize).collect();
    let chunk = |first: u32| key.addresses(network, first..indexes.end.min(first.saturating_add(CHUNK)));
    let derived: Result<Vec<_>, HdError> = chunks.into_par_iter().map(chunk).collect();
    let derived = derived.map_err(|error| Failure::new(Exit::Vault, "derivation", error))?;
    Ok(derived.concat())
}

fn shown(range: &AddressRange, addresses: &[Address]) -> String {
    let line = |word: &str, address: Option<&Address>, index: u32| {
        let address = address.map(Address::to_string).unwrap_or_default();
        format!("{word:<13}{}/0/{index}  {address}\n", range.account)
    };
    let last = range.first.saturating_add(range.count - 1);
    format!(
        "Attesting {} deposit addresses of {} ({})\n{}{}root         {}\n\n    {}\n\n\
         The coordinator shows the same words for this range (/v1/attestations/words), or it derives other addresses.",
        range.count,
        range.network,
        range.profile.name(),
        line("first", addresses.first(), range.first),
        line("last", addresses.last(), last),
        range.root,
        words::words(&range.words_digest())
    )
}

/// The entry is on the disk before the signature is made.
fn journalled(
    home: &Home,
    vault: &mut Vault,
    journal: &mut Journal,
    range: AddressRange,
) -> Result<Attestation, Failure> {
    let AddressRange { network, account, first, count, .. } = range;
    let detail = format!("{network} {account} from {first}, {count} addresses, {}", range.digest());
    let event = Event::Ceremony { kind: Ceremony::AddressesAttested, detail };
    journal.append(range.made_at, event, Beside::Nothing, vault.device())?;
    vault.device_mut().journal = journal.anchor();
    vault.store(home)?;
    Ok(range.sign(&vault.device().key))
}

fn refused(error: AttestationError) -> Failure {
    Failure::new(Exit::Refused, "attest.range", error)
}

#[derive(Serialize)]
struct Verified {
    format: &'static str,
    version: u8,
    network: Network,
    path: String,
    address: String,
    signer: String,
    attested_at: u64,
}

fn verify(place: &Place, args: &AttestVerify) -> Result<(), Failure> {
    let signer = Identity::from_hex(&args.signer)
        .ok_or_else(|| Failure::usage("--signer is the signer's key, 64 lower-case hex digits"))?;
    let proof = read_proof(&args.proof)?;
    let bad = |why: String| Failure::new(Exit::Refused, "attest.proof", why);
    let path = proof.check(&signer).map_err(|error| bad(error.to_string()))?;
    let (range, address) = (&proof.attestation.range, proof.address.to_string());
    if let Some(given) = args.address.as_ref().filter(|given| **given != address) {
        return Err(bad(format!("the proof is for {address}, not for {given}")));
    }
    let verified = Verified {
        format: "airlock attestation verified",
        version: 1,
        network: range.network,
        path: path.to_string(),
        address: address.clone(),
        signer: signer.to_string(),
        attested_at: range.made_at,
    };
    let text = format!("{address} on {} is the signer's, key {path}", range.network);
    place.console.answer(&verified, text)
}

fn read_proof(path: &Path) -> Result<AddressProof, Failure> {
    let unreadable = |error: &dyn std::fmt::Display| {
        Failure::new(Exit::Transfer, "document", format!("{}: {error}", path.display()))
    };
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_JSON_BYTES as u64).read_to_end(&mut bytes))
        .map_err(|error| unreadable(&error))?;
    let proof = match document::kind_of(&bytes) {
        Some(_) => document::read(&bytes),
        // What was cut out of an API's answer has lost its order and white space; every field is under the signature.
        None => form::from_foreign_json(AddressProof::NAME, u64::from(AddressProof::VERSION), &bytes),
    };
    proof.map_err(|error| unreadable(&error))
}
