//! `doctor`: what is wrong with this machine and this home, and what to do about it.
//!
//! What must stay true: no passphrase is asked for, nothing is changed, and the sandbox is entered last, so
//! that what it enforces is what signing would have. Exit 0 if nothing has to be mended, else 5.

use super::{Place, now};
use crate::doctor::{self, Finding, Verdict};
use crate::failure::{Exit, Failure, plain};
use crate::machine::Machine;
use crate::sandbox::{self, Files};
use serde::Serialize;
use std::path::Path;

#[derive(Serialize)]
struct Answer {
    format: &'static str,
    version: u8,
    mend: usize,
    findings: Vec<Finding>,
}

/// Looks, prints, and fails if something must be mended.
pub fn run(place: &Place) -> Result<(), Failure> {
    let now = now()?;
    let seen = Machine::read(Path::new("/"));
    let mut findings = doctor::machine(&seen, place.protection, now);
    findings.extend(doctor::home(&place.root, &seen, now));
    findings.push(enforced(&place.root));
    let mend = findings.iter().filter(|one| one.verdict == Verdict::Mend).count();
    let lines: Vec<_> = findings.iter().map(line).collect();
    place
        .console
        .answer(&Answer { format: "airlock doctor", version: 1, mend, findings }, lines.join("\n"))?;
    if mend == 0 {
        return Ok(());
    }
    Err(Failure::new(
        Exit::State,
        "doctor",
        format!("{mend} of these must be mended before keys are used here"),
    ))
}

/// The kernel's answer to the sandbox that signing asks for.
fn enforced(root: &Path) -> Finding {
    let writable: &[&Path] = if root.is_dir() { &[root] } else { &[] };
    let (verdict, found, advice) = match sandbox::enter(writable) {
        Ok(enforced) => match enforced.files {
            Files::Fully => (Verdict::Fine, enforced.to_string(), ""),
            Files::Partly => (Verdict::Note, enforced.to_string(), "a newer kernel restricts more"),
            Files::NotAtAll => {
                let advice = "use a kernel from 5.13 on with Landlock (lsm=landlock,...)";
                (Verdict::Mend, enforced.to_string(), advice)
            }
        },
        Err(error) => (Verdict::Mend, error.to_string(), "use a kernel with seccomp filters"),
    };
    Finding { check: "sandbox", verdict, found, advice: advice.to_owned() }
}

fn line(finding: &Finding) -> String {
    let word = match finding.verdict {
        Verdict::Fine => "fine",
        Verdict::Note => "note",
        Verdict::Mend => "MEND",
    };
    let mut line = format!("{word}  {:<15} {}", finding.check, plain(&finding.found));
    if !finding.advice.is_empty() {
        line += &format!("\n      {:<15} -> {}", "", finding.advice);
    }
    line
}
