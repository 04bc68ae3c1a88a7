//! Runs one file of cases: finds its format by content, runs every case, counts.
//!
//! The binary and the test over `fixtures/vectors` call [`run`]. The format is never taken from a file's name, and
//! no count of keys, groups or networks is assumed, so other files of the same kinds run as well. A case of a
//! kind that Airlock does not build counts as skipped only after the strict decoder has refused it.

mod case;
mod evm;
mod format;
mod hardware;
mod keyfiles;
mod keys;
mod report;
mod shares;
mod tron;

pub use report::{Failure, Report};

use case::{Case, Outcome};
use format::Format;

/// Runs the cases in `text`.
pub fn run(text: &str) -> Report {
    let document: serde_json::Value = match serde_json::from_str(text) {
        Ok(document) => document,
        Err(error) => return Report::unreadable(format!("not JSON: {error}")),
    };
    let mut report = Report::default();
    let Some(format) = format::detect(&document) else {
        return Report::unreadable("no known format of vectors".to_owned());
    };
    report.format = format.name();
    match format {
        Format::TronKeys => each(&document, "vectors", &["label"], keys::tron_key, &mut report),
        Format::TronHd => each(&document, "vectors", &["id"], keys::hierarchical, &mut report),
        Format::TronTransactions => each(&document, "vectors", &["id"], tron::transaction, &mut report),
        Format::TronSignatureVariants => {
            for variants in list(&document, "vectors") {
                let parent = Case::new(variants, String::new());
                each(
                    variants,
                    "cases",
                    &["case"],
                    |case| tron::signature_variant(&parent, case),
                    &mut report,
                );
            }
        }
        Format::TronAddressTexts => {
            each(&document, "vectors", &["why", "text"], tron::address_text, &mut report)
        }
        Format::TronNodeSamples => each(&document, "vectors", &["tx_id"], tron::node_sample, &mut report),
        Format::EvmKeys => each(&document, "keys", &["seed_text", "i"], keys::evm_key, &mut report),
        Format::EvmTransactions => each(&document, "cases", &["id"], evm::transaction, &mut report),
        Format::EvmForeign => each(&document, "cases", &["name"], evm::foreign, &mut report),
        Format::InvalidRlp => each(&document, "cases", &["name"], evm::invalid_rlp, &mut report),
        Format::EvmAddresses => {
            each(&document, "accept", &["input"], evm::address_accepted, &mut report);
            each(&document, "reject", &["input"], evm::address_rejected, &mut report);
            let well_formed = "format_ok_but_refuse_as_destination";
            each(&document, well_formed, &["input"], evm::address_well_formed, &mut report);
        }
        Format::Hardware => each(&document, "cases", &["id"], hardware::message, &mut report),
        Format::Bip39 => keys::bip39_file(&document, &mut report),
        Format::KeyFiles => keyfiles::key_files(&document, &mut report),
        Format::Slip39 => shares::slip39_file(&document, &mut report),
        Format::Later(kind) => {
            report.record(String::new(), Ok(Outcome::Skipped(format!("{kind} (a later format)"))))
        }
    }
    report
}

/// The list called `name`, empty if there is none.
fn list<'a>(document: &'a serde_json::Value, name: &str) -> &'a [serde_json::Value] {
    document.get(name).and_then(serde_json::Value::as_array).map_or(&[], Vec::as_slice)
}

/// Runs `check` on every entry of the list called `name`; `labels` are the fields that name an entry.
fn each(
    document: &serde_json::Value,
    name: &str,
    labels: &[&str],
    check: impl Fn(&Case<'_>) -> case::Result<Outcome>,
    report: &mut Report,
) {
    for (index, entry) in list(document, name).iter().enumerate() {
        let label = labels.iter().find_map(|label| entry.get(label)).map(|label| match label.as_str() {
            Some(text) => text.to_owned(),
            None => label.to_string(),
        });
        let id = label.unwrap_or_else(|| format!("{name}[{index}]"));
        let case = Case::new(entry, id.clone());
        report.record(id, check(&case));
    }
}
