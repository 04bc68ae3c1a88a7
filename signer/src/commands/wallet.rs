//! `wallet import`, `list`, `label` and `retire`: single keys from elsewhere, names, and wallets taken out of use.
//!
//! What must stay true: a key comes through a hidden prompt, a descriptor or a key file, and never leaves again; it
//! signs for one TRON network or for the EVM networks of this profile; a key that signs on one TRON network is
//! refused for another, because TRON's signed bytes name no network; what changes what can be signed is on record
//! in the journal before the vault is stored.

use super::ceremony::{BeforeGenesis, record};
use super::{Place, network_of, now};
use crate::args::{Import, LabelOf, Retire, WalletAction};
use crate::failure::{Exit, Failure};
use crate::keys::{Keyring, payload_of_import};
use crate::secret::without_line_end;
use crate::vault::keystore::{self, KeystoreError};
use crate::vault::{
    Device, Imported, ImportedKey, Label, Labelled, MAX_LABELS, MAX_RETIRED, Reach, VaultError, WalletRef,
};
use airlock_shared::journal::Ceremony;
use airlock_shared::wallet::Role;
use airlock_shared::{Address, Network};
use serde::Serialize;
use std::io::Read as _;
use zeroize::Zeroizing;

/// How many derived keys of each account an imported one is compared with.
const COMPARED: u32 = 100;
/// 64 digits, `0x` and a line end.
const MAX_KEY_BYTES: usize = 80;
/// How often a person may mistype a key.
const KEY_TRIES: usize = 3;
/// Longer passwords than this are nobody's.
const MAX_PASSWORD_BYTES: usize = 1_024;

/// A key on its way in.
enum Brought {
    /// Hex digits, or none yet: they will be asked for.
    Hex(Option<Zeroizing<String>>),
    /// A key file and its password, which may have to be asked for.
    File(Vec<u8>, Option<Zeroizing<String>>),
}

#[derive(Serialize)]
struct Answer {
    format: &'static str,
    version: u8,
    imported: Vec<ImportedAnswer>,
    labels: Vec<LabelAnswer>,
    retired: Vec<RetiredAnswer>,
}

#[derive(Serialize)]
struct ImportedAnswer {
    slot: u32,
    networks: String,
    address: String,
    label: String,
    imported_at: u64,
}

#[derive(Serialize)]
struct LabelAnswer {
    network: Network,
    address: String,
    label: String,
}

#[derive(Serialize)]
struct RetiredAnswer {
    network: Network,
    role: &'static str,
    index: u32,
}

/// Carries out one of them.
pub fn run(place: &Place, action: &WalletAction) -> Result<(), Failure> {
    match action {
        WalletAction::Import(args) => import(place, args),
        WalletAction::List => list(place),
        WalletAction::Label(args) => label(place, args),
        WalletAction::Retire(args) => retire(place, args),
    }
}

fn import(place: &Place, args: &Import) -> Result<(), Failure> {
    let label = label_of(&args.label)?;
    // Descriptors before anything else is opened, so that every number is the caller's.
    let brought = bring(place, args)?;
    let typed = matches!(brought, Brought::Hex(None));
    let (home, lock) = place.locked_home()?;
    let (mut vault, answer) = place.locked_spending_vault(&home, &lock)?;
    let network = network_of(&args.network, vault.device().profile)?;
    place.enter_sandbox(&home, None)?;
    let mut opened = vault.open_to_change(&answer.passphrase()?)?;
    let keyring = Keyring::open(&opened.spending)?;
    super::check_keys(&vault, &keyring)?;
    let key = brought.open(place, Reach::of(network))?;
    let payload = payload_of_import(&key)?;
    if let Some(why) = speaks_against(vault.device(), &keyring, network, &payload)? {
        return Err(Failure::new(Exit::Refused, "key", why));
    }
    let address = Address::new(network, payload);
    expected(place, &address, typed)?;
    let slot = opened.spending.import(key).ok_or(VaultError::NoSlotLeft)?;
    vault.put_back(&opened)?;
    let detail = format!("imported/{slot} {network} {address}");
    record(place, &home, &mut vault, (Ceremony::KeyImported, detail), BeforeGenesis::Refuse)?;
    let one = Imported { reach: Reach::of(network), payload, label, imported_at: now()? };
    vault.device_mut().imported.push(one);
    vault.store(&home)?;
    let note = "Backups of the seed do not hold this key: keep its own backup.";
    respond(
        place,
        vault.device(),
        &format!("imported/{slot} is {address} on {}\n{note}", reach_name(network)),
    )
}

/// What descriptors and files give, read while they can be.
fn bring(place: &Place, args: &Import) -> Result<Brought, Failure> {
    let from = |number: Option<u32>, most| {
        number.map(|number| place.console.secret_from_descriptor(number, most)).transpose()
    };
    let Some(path) = &args.keystore else { return Ok(Brought::Hex(from(args.key_fd, MAX_KEY_BYTES)?)) };
    let password = from(args.keystore_password_fd, MAX_PASSWORD_BYTES)?;
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path);
    file.and_then(|file| file.take(keystore::MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| Failure::new(Exit::Transfer, "keystore", format!("{}: {error}", path.display())))?;
    Ok(Brought::File(bytes, password))
}

impl Brought {
    fn open(self, place: &Place, reach: Reach) -> Result<ImportedKey, Failure> {
        match self {
            Self::Hex(Some(given)) => key_of_hex(&given, reach),
            Self::Hex(None) => {
                let ask = || place.console.hidden_words("The private key, 64 hex digits (not shown): ");
                for _ in 1..KEY_TRIES {
                    match key_of_hex(&ask()?, reach) {
                        Err(error) => place.console.note(format_args!("  {error}. Once more.")),
                        key => return key,
                    }
                }
                key_of_hex(&ask()?, reach)
            }
            Self::File(file, given) => {
                let password = match given {
                    Some(text) => text,
                    None => place.console.hidden_words("Password of the key file (not shown): ")?,
                };
                let password = without_line_end(&password).as_bytes();
                let key = ImportedKey::new(reach, keystore::open(&file, password)?);
                keystore::check_address(&file, &payload_of_import(&key)?)?;
                Ok(key)
            }
        }
    }
}

/// Hex digits have no checksum: mistyped ones are another key, of which there is no backup anywhere. So a person
/// who typed them knows the key again by its address before anything is kept.
fn expected(place: &Place, address: &Address, typed: bool) -> Result<(), Failure> {
    let question = format!("This is the key of {address}. Is that the address that you expect?");
    if !typed || place.console.yes(&question)? {
        return Ok(());
    }
    Err(Failure::new(Exit::Refused, "given_up", "not the key that was expected; nothing was changed"))
}

fn key_of_hex(text: &str, reach: Reach) -> Result<ImportedKey, Failure> {
    let digits = text.trim();
    let mut bytes = Zeroizing::new([0; 32]);
    hex::decode_to_slice(digits.strip_prefix("0x").unwrap_or(digits), &mut bytes[..])
        .map_err(|_| Failure::new(Exit::Refused, "key", "a private key is 64 hex digits, nothing else"))?;
    Ok(ImportedKey::new(reach, bytes))
}

/// Why this key must not sign on this network as well, if anything.
fn speaks_against(
    device: &Device,
    keyring: &Keyring,
    network: Network,
    payload: &[u8; 20],
) -> Result<Option<String>, Failure> {
    for (slot, one) in device.imported.iter().enumerate().filter(|(_, one)| one.payload == *payload) {
        match (one.reach, Reach::of(network)) {
            (known, new) if known == new => {
                return Ok(Some(format!("this key is imported/{slot} already")));
            }
            (Reach::Tron { chain_id }, Reach::Tron { .. }) => {
                let other = Network::Tron { chain_id };
                return Ok(Some(format!(
                    "this key signs on {other} already (imported/{slot}); TRON's signed bytes name no network, so a payment made on one could be repeated on the other"
                )));
            }
            _ => {}
        }
    }
    // A derived key under a second name would have two counters of nonces; on TRON, a second network.
    let evm = [Network::ETHEREUM, Network::Evm { chain_id: 80_002 }, Network::EVM_DEV];
    let tron = [Network::TRON, Network::NILE, Network::SHASTA, Network::TRON_DEV];
    let networks = if matches!(network, Network::Tron { .. }) { &tron[..] } else { &evm[..] };
    for known in networks {
        for role in Role::DERIVED {
            let account = keyring.account(*known, role)?;
            for index in 0..COMPARED {
                if account.address(index)?.payload() == payload {
                    let path = account.key_path(index);
                    return Ok(Some(format!("this key is one of this vault's own, {path} on {known}")));
                }
            }
        }
    }
    Ok(None)
}

fn list(place: &Place) -> Result<(), Failure> {
    let home = place.home()?;
    let vault = place.vault(&home)?;
    respond(place, vault.device(), "")
}

fn label(place: &Place, args: &LabelOf) -> Result<(), Failure> {
    let (home, _lock) = place.locked_home()?;
    let mut vault = place.vault(&home)?;
    let network = network_of(&args.network, vault.device().profile)?;
    let address = Address::parse(network, &args.address).map_err(Failure::usage)?;
    let named = args.label.as_deref().map(label_of).transpose()?;
    let labels = &mut vault.device_mut().labels;
    labels.retain(|one| one.address != address);
    if let Some(label) = named {
        if labels.len() >= MAX_LABELS {
            return Err(Failure::usage(format!("no more than {MAX_LABELS} addresses can have a label")));
        }
        labels.push(Labelled { address, label });
    }
    vault.store(&home)?;
    respond(place, vault.device(), "")
}

fn retire(place: &Place, args: &Retire) -> Result<(), Failure> {
    let (home, _lock) = place.locked_home()?;
    let mut vault = place.vault(&home)?;
    let wallet = wallet_of(args, vault.device())?;
    let name = wallet.to_string();
    if vault.device().is_retired(&wallet) {
        return Err(Failure::new(Exit::Refused, "wallet", format!("{name} is retired already")));
    }
    if vault.device().retired.len() >= MAX_RETIRED {
        return Err(Failure::usage(format!("no more than {MAX_RETIRED} wallets can be retired")));
    }
    // The same key has a wallet of its own on each of them.
    let elsewhere = match wallet.network {
        Network::Evm { .. } => " On other EVM networks it goes on.",
        Network::Tron { .. } => "",
    };
    let question =
        format!("Retire {name} for ever? What it still holds can then not be signed for here.{elsewhere}");
    if !args.yes && !place.console.yes(&question)? {
        return Err(Failure::new(Exit::Refused, "given_up", "nothing was changed"));
    }
    record(place, &home, &mut vault, (Ceremony::WalletRetired, name.clone()), BeforeGenesis::Refuse)?;
    vault.device_mut().retired.push(wallet);
    vault.store(&home)?;
    respond(place, vault.device(), &format!("{name} is retired.{elsewhere}"))
}

fn wallet_of(args: &Retire, device: &Device) -> Result<WalletRef, Failure> {
    let network = network_of(&args.network, device.profile)?;
    let role = Role::from_name(&args.role).filter(|role| *role != Role::Hardware).ok_or_else(|| {
        Failure::usage(format!("role {:?} is not deposit, hot, cold, energy or imported", args.role))
    })?;
    let place = usize::try_from(args.index).unwrap_or(usize::MAX);
    let known = device.imported.get(place).is_some_and(|one| one.reach.covers(network));
    if role == Role::Imported && !known {
        let why = format!("no key was imported into slot {} for {network}", args.index);
        return Err(Failure::new(Exit::Refused, "wallet", why));
    }
    Ok(WalletRef { network, role, index: args.index })
}

fn label_of(text: &str) -> Result<Label, Failure> {
    Label::new(text).ok_or_else(|| {
        Failure::usage(
            "a label has 1 to 64 bytes: letters, digits, spaces inside, and - _ . , : / ( ) # + & @",
        )
    })
}

fn reach_name(network: Network) -> String {
    match network {
        Network::Evm { .. } => "the EVM networks of this profile".to_owned(),
        Network::Tron { .. } => format!("{network} alone"),
    }
}

/// What the vault holds besides derived keys, under a line about what was just done.
fn respond(place: &Place, device: &Device, done: &str) -> Result<(), Failure> {
    let imported = |(slot, one): (u32, &Imported)| {
        let (networks, shown) = match one.reach {
            Reach::Evm => ("eip155:*".to_owned(), Network::ETHEREUM),
            Reach::Tron { chain_id } => {
                let network = Network::Tron { chain_id };
                (network.to_string(), network)
            }
        };
        let address = Address::new(shown, one.payload).to_string();
        ImportedAnswer {
            slot,
            networks,
            address,
            label: one.label.as_str().to_owned(),
            imported_at: one.imported_at,
        }
    };
    let labelled = |one: &Labelled| LabelAnswer {
        network: one.address.network(),
        address: one.address.to_string(),
        label: one.label.as_str().to_owned(),
    };
    let retired =
        |one: &WalletRef| RetiredAnswer { network: one.network, role: one.role.name(), index: one.index };
    let answer = Answer {
        format: "airlock wallets",
        version: 1,
        imported: (0..).zip(&device.imported).map(imported).collect(),
        labels: device.labels.iter().map(labelled).collect(),
        retired: device.retired.iter().map(retired).collect(),
    };
    let text = if done.is_empty() { lines(&answer) } else { done.to_owned() };
    place.console.answer(&answer, text)
}

fn lines(answer: &Answer) -> String {
    let mut lines = Vec::new();
    for one in &answer.imported {
        let slot = format!("imported/{}", one.slot);
        lines.push(format!("{slot:<12} {:<18} {}  {}", one.networks, one.address, one.label));
    }
    for one in &answer.labels {
        lines.push(format!("{:<12} {:<18} {}  {}", "label", one.network.to_string(), one.address, one.label));
    }
    for one in &answer.retired {
        lines.push(format!("{:<12} {:<18} {}/{}", "retired", one.network.to_string(), one.role, one.index));
    }
    if lines.is_empty() {
        "no imported keys, no labels, no retired wallets".to_owned()
    } else {
        lines.join("\n")
    }
}

impl From<KeystoreError> for Failure {
    fn from(error: KeystoreError) -> Self {
        let (exit, code) = match &error {
            KeystoreError::DoesNotOpen => (Exit::Vault, "wrong_passphrase"),
            _ => (Exit::Refused, "keystore"),
        };
        Self::new(exit, code, error)
    }
}
