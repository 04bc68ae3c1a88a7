//! `policy new`, `policy diff`, `policy explain`: what custodians read before they sign a policy.
//!
//! What must stay true: none of them changes a home or signs anything, and `new` overwrites no file. Foreign
//! text is shown escaped.

use super::super::{Place, network_of, now};
use crate::args::Inputs as Args;
use crate::failure::{Exit, Failure, plain};
use crate::policy::diff::{self, Difference, Effect};
use crate::policy::template;
use crate::qr::{Inputs, Wanted};
use crate::session::{Explained, Refusal, Signer};
use airlock_shared::document::Document as _;
use airlock_shared::envelope::Bundle;
use airlock_shared::policy::{Policy, SignedPolicy};
use airlock_shared::{PersonId, Profile};
use serde::Serialize;
use std::io::Write as _;
use std::path::Path;

/// Drafts a closed policy.
pub fn new(
    place: &Place,
    name: &str,
    profile: &str,
    networks: &[String],
    out: Option<&Path>,
) -> Result<(), Failure> {
    let name = PersonId::new(name)
        .ok_or_else(|| Failure::usage(format!("{name:?} is not a name: 1 to 64 of a-z 0-9 . _ @ -")))?;
    let profile = Profile::from_name(profile)
        .ok_or_else(|| Failure::usage(format!("profile {profile:?} is not main, test or dev")))?;
    let networks = networks.iter().map(|text| network_of(text, profile)).collect::<Result<_, _>>()?;
    let policy = template::closed(name, profile, networks);
    let draft = SignedPolicy { policy, signatures: Vec::new() }.to_json();
    place.console.note(template::explanation());
    let Some(path) = out else { return place.console.print(draft.trim_end()) };
    let failed = |error| Failure::new(Exit::Transfer, "output", format!("{}: {error}", path.display()));
    let mut file = std::fs::File::create_new(path).map_err(failed)?;
    file.write_all(draft.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}

#[derive(Serialize)]
struct Differs {
    format: &'static str,
    version: u8,
    old: String,
    new: String,
    differences: Vec<Difference>,
}

/// Tells how `new` differs from `old`.
pub fn diff(place: &Place, old: &Policy, new: &Policy) -> Result<(), Failure> {
    let differences = diff::differences(old, new);
    let line = |one: &Difference| {
        let word = match one.effect {
            Effect::Looser => "LOOSER ",
            Effect::Tighter => "tighter",
            Effect::Other => "changed",
        };
        format!("{word}  {}", plain(&one.text))
    };
    let text = match &differences[..] {
        [] => "no difference".to_owned(),
        some => some.iter().map(line).collect::<Vec<_>>().join("\n"),
    };
    let (old, new) = (old.digest().to_string(), new.digest().to_string());
    let answer = Differs { format: "airlock policy difference", version: 1, old, new, differences };
    place.console.answer(&answer, text)
}

#[derive(Serialize)]
struct Answer {
    format: &'static str,
    version: u8,
    bundles: Vec<Told>,
}

#[derive(Serialize)]
struct Told {
    batches: Vec<Judged>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<Refused>,
}

#[derive(Serialize)]
struct Judged {
    batch_id: String,
    content: String,
    passes: bool,
    rules: Vec<Verdict>,
}

#[derive(Serialize)]
struct Verdict {
    rule: &'static str,
    passed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed: Option<String>,
}

#[derive(Serialize)]
struct Refused {
    code: String,
    batch: Option<usize>,
    item: Option<usize>,
    why: String,
}

/// Tells what every rule says. Exit 0 even where rules refuse: this explains, it does not judge.
pub fn explain(place: &Place, under: Option<Policy>, args: &Args) -> Result<(), Failure> {
    let home = place.home()?;
    let inputs = Inputs::open_all(args)?;
    let vault = place.vault(&home)?;
    place.enter_sandbox(&home, None)?;
    let signer = Signer::open(home, None, vault)?;
    let now = now()?;
    let mut bundles = Vec::new();
    for document in inputs.wanted(&place.console, Wanted::all(Bundle::KIND))? {
        let explained = signer.explain_bundle(&document.bytes, under.as_ref(), now)?;
        bundles.push(told(explained, under.is_some()));
    }
    let text: Vec<_> = bundles.iter().map(page).collect();
    place.console.answer(&Answer { format: "airlock explanation", version: 1, bundles }, text.join("\n"))
}

fn told(explained: Explained, by_another_policy: bool) -> Told {
    let judged = |(content, verdicts): (airlock_shared::batch::Content, crate::session::Verdicts)| {
        let verdict = |(rule, verdict): (airlock_shared::policy::Rule, Result<(), _>)| {
            let refusal: Option<airlock_shared::policy::Refusal> = verdict.err();
            let item = refusal.as_ref().and_then(|refusal| refusal.item);
            let (found, allowed) =
                refusal.map(|refusal| (plain(&refusal.found), plain(&refusal.allowed))).unzip();
            Verdict { rule: rule.word(), passed: found.is_none(), item, found, allowed }
        };
        let rules: Vec<_> = verdicts.into_iter().map(verdict).collect();
        let passes = rules.iter().all(|one| one.passed);
        Judged {
            batch_id: content.batch_id.to_string(),
            content: content.digest().to_string(),
            passes,
            rules,
        }
    };
    let refused =
        |Refusal { code, batch, item, why, .. }: Refusal| Refused { code, batch, item, why: plain(&why) };
    // The signer's own examination goes by the policy in force, so it says nothing about another one.
    let refusal = explained.refusal.filter(|_| !by_another_policy);
    Told { batches: explained.batches.into_iter().map(judged).collect(), refused: refusal.map(refused) }
}

fn page(told: &Told) -> String {
    let mut page = String::new();
    for batch in &told.batches {
        page += &format!("batch        {}\n", batch.batch_id);
        for one in &batch.rules {
            let item = one.item.map_or(String::new(), |item| format!("item {item}: "));
            page += &match (&one.found, &one.allowed) {
                (Some(found), Some(allowed)) => {
                    format!("  REFUSES    {:<32} {item}{found}, against {allowed}\n", one.rule)
                }
                _ => format!("  passes     {}\n", one.rule),
            };
        }
    }
    match &told.refused {
        Some(refused) => page + &format!("as things stand: refused by {}: {}\n", refused.code, refused.why),
        None => page,
    }
}
