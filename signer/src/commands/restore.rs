//! `restore`: the vault again, from a mnemonic or from shares, on a new device.
//!
//! What must stay true: the journal stays empty, because this device does not know what the lost one has signed,
//! and beside an empty journal nothing is signed (K2); roster and threshold are pinned as by `init`; a person sees
//! fingerprint and first addresses before anything is written, because another passphrase gives other keys and no
//! error; errors name positions and broken rules, never a word.

use super::founding::{self, Answer, FirstAddress, Holds, first_addresses};
use super::transcript::{self, Ceremony};
use super::{Place, now, words};
use crate::args::Restore;
use crate::failure::{Exit, Failure};
use crate::keys::Keyring;
use crate::vault::Spending;
use crate::vault::shares::{Gathered, Words};

/// What must follow, in this order.
const NEXT: [&str; 5] = [
    "genesis propose --state COPY --batches FOLDER --out FILE: from every copy of the journal and every signed batch that is left",
    "genesis sign FILE: as many custodians as the roster asks for, each reading it in words",
    "genesis install FILE: the journal goes on from there",
    "policy install, pair: this device has a new identity key; coordinator and custodians meet it anew",
    "wallet import, retire, label: imported keys, retirements and names were in the lost vault alone",
];

/// Restores.
pub fn run(place: &Place, args: &Restore) -> Result<(), Failure> {
    // Before anything else is opened, so that every number is the caller's.
    let mut gathered = Gathered::default();
    for number in args.mnemonic_fd.iter().chain(&args.share_fd) {
        gathered.add(&place.console.words_from_descriptor(*number)?)?;
    }
    let given = !args.share_fd.is_empty() || args.mnemonic_fd.is_some();
    if !given {
        words::need_a_terminal(place)?;
    }
    if let (true, Some(missing)) = (given, gathered.missing()) {
        return Err(Failure::new(
            Exit::Vault,
            "backup",
            format!("these shares are too few: {missing} needed"),
        ));
    }
    let mut beside = words::Beside::read(place, &args.beside)?;
    let mut founded = founding::begin(place, &args.founding, Holds::SpendingKeys)?;
    let gathered = if given { gathered } else { words::typed(place)? };
    let may_have_one = !given && !beside.has_bip39() && !beside.is_seed();
    if may_have_one && place.console.yes("Was a passphrase (a \"25th word\") set beside these words?")? {
        beside.ask_bip39(place)?;
    }
    let (root, what) = beside.open(gathered)?;
    let spending = Spending::new(root);
    let keyring = Keyring::open(&spending)?;
    let addresses = first_addresses(&keyring, founded.device.profile)?;
    confirm(place, &keyring, &addresses, given)?;
    let vault = founded.seal(Some(&spending))?;
    founded.or_nothing(founded.store(&vault))?;
    let device = vault.device();
    let from = if matches!(what, Words::Mnemonic) { "mnemonic" } else { "shares" };
    let ceremony = Ceremony {
        command: "restore",
        finished_at: now()?,
        device,
        sources: vec![source(what), "identity key: operating system (getrandom), new".to_owned()],
        checked: vec![
            "the words fit together by their own checksums".to_owned(),
            "the vault was sealed, opened again with its passphrases, and then stored".to_owned(),
            "the journal is empty: nothing is signed before a genesis that the custodians sign".to_owned(),
        ],
        addresses: &addresses,
    };
    transcript::write(&founded, &ceremony)?;
    let mut text = Answer::of(device).text();
    text += "\n\nNothing is signed yet: this device does not know what the lost one has\nsigned. What must follow:\n";
    for (number, step) in (1..).zip(NEXT) {
        text += &format!("\n  {number}. {}", step.replace(": ", ":\n     "));
    }
    let answer = Answer::of(device).restored(from, addresses, NEXT.to_vec());
    place.console.answer(&answer, text)
}

/// A person compares what the words gave with what is written beside them.
fn confirm(place: &Place, keyring: &Keyring, addresses: &[FirstAddress], given: bool) -> Result<(), Failure> {
    let console = &place.console;
    console.note(format_args!(
        "\nThese words give the keys {}. First addresses:\n",
        hex::encode(keyring.fingerprint())
    ));
    for one in addresses {
        console.note(format_args!("  {:<18} {:<8} {}", one.network.to_string(), one.role, one.address));
    }
    console.note("");
    if given || console.yes("Are these the keys that you expect?")? {
        return Ok(());
    }
    let why = "not the keys that were expected; nothing was kept. Another passphrase gives other keys";
    Err(Failure::new(Exit::Refused, "given_up", why))
}

fn source(what: Words) -> String {
    match what {
        Words::Mnemonic => "a mnemonic, from paper".to_owned(),
        Words::Shares { given, needed } => format!("{given} SLIP-39 shares, from paper; {needed} are enough"),
    }
}
