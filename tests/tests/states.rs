//! The tables of `docs/states.md` against the code: every state, and every step that leads out of it.
//!
//! Each table stands between `<!-- states: NAME -->` and `<!-- end -->` and is exactly what this file makes of the
//! code; `AIRLOCK_WRITE_DOCS=1 cargo test -p airlock-tests --test states` writes them.
#![allow(missing_docs, clippy::unwrap_used)]

use airlock_coordinator::batches::state as batch;
use airlock_coordinator::deposits::state as deposit;
use airlock_coordinator::withdrawals::AttemptState;
use airlock_coordinator::withdrawals::state as withdrawal;
use airlock_shared::{Address, Network};
use std::fmt::Write as _;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/states.md");

/// One line per state: what it may become, and by what.
fn table<'a>(lines: impl Iterator<Item = (&'a str, Vec<String>)>) -> String {
    let mut text = "| state | may become |\n|---|---|\n".to_owned();
    for (state, steps) in lines {
        let steps = if steps.is_empty() { "– (the end)".to_owned() } else { steps.join(", ") };
        writeln!(text, "| {state} | {steps} |").unwrap();
    }
    text
}

fn withdrawals() -> String {
    use withdrawal::{Event, State};
    let source = Address::new(Network::TRON_DEV, [1; 20]);
    let events = [
        Event::Approve,
        Event::Queue,
        Event::Fund,
        Event::Take,
        Event::Export,
        Event::Sign,
        Event::RequestEnergy,
        Event::ReceiveEnergy,
        Event::Broadcast,
        Event::Accept,
        Event::Include,
        Event::Exclude,
        Event::Complete { source },
        Event::Requeue,
        Event::Fail,
        Event::Cancel,
    ];
    let steps = |state: State| {
        let step = |event: &Event| {
            state.next(*event).ok().map(|(to, _)| format!("{} ({})", to.name(), event.name()))
        };
        events.iter().filter_map(step).collect()
    };
    table(State::ALL.into_iter().map(|state| (state.name(), steps(state))))
}

fn attempts() -> String {
    let steps = |state: AttemptState| {
        AttemptState::ALL
            .into_iter()
            .filter(|to| state.step(*to).is_ok())
            .map(|to| to.name().to_owned())
            .collect()
    };
    table(AttemptState::ALL.into_iter().map(|state| (state.name(), steps(state))))
}

fn batches() -> String {
    use batch::{Event, State};
    let steps = |state: State| {
        let step =
            |event: Event| state.next(event).ok().map(|to| format!("{} ({})", to.name(), event.name()));
        Event::ALL.into_iter().filter_map(step).collect()
    };
    table(State::ALL.into_iter().map(|state| (state.name(), steps(state))))
}

fn deposits() -> String {
    use deposit::{Event, State};
    let events = [
        (Event::SeenAtHead, "seen at the head"),
        (Event::SeenFinal, "seen in a final block"),
        (Event::LeftTheChain, "its block disappeared"),
        (Event::ConfirmedBySecond, "a second provider has it too"),
        (Event::Unbookable, "the ledger cannot hold it"),
        (Event::OwnerUnknown, "nobody knows whose it is"),
        (Event::Assigned, "a person assigned it"),
    ];
    let steps = |state: State| {
        let step =
            |(event, why): &(Event, &str)| state.next(*event).ok().map(|to| format!("{} ({why})", to.name()));
        events.iter().filter_map(step).collect()
    };
    table(State::ALL.into_iter().map(|state| (state.name(), steps(state))))
}

fn tables() -> [(&'static str, String); 4] {
    [("withdrawal", withdrawals()), ("attempt", attempts()), ("batch", batches()), ("deposit", deposits())]
}

/// Start and end of what stands between the markers of a table.
fn place(document: &str, name: &str) -> Option<(usize, usize)> {
    let marker = format!("<!-- states: {name} -->\n");
    let start = document.find(&marker)? + marker.len();
    Some((start, start + document[start..].find("<!-- end -->")?))
}

#[test]
fn the_tables_in_the_docs_are_what_the_code_does() {
    let mut document = std::fs::read_to_string(DOCUMENT).unwrap();
    let write = std::env::var_os("AIRLOCK_WRITE_DOCS").is_some();
    for (name, expected) in tables() {
        let (start, end) =
            place(&document, name).unwrap_or_else(|| panic!("docs/states.md has no table {name}"));
        if write {
            document.replace_range(start..end, &expected);
        } else {
            assert_eq!(document[start..end].trim(), expected.trim(), "the table of {name}");
        }
    }
    if write {
        std::fs::write(DOCUMENT, document).unwrap();
    }
}

#[test]
fn every_state_of_a_withdrawal_can_be_reached_from_pending() {
    let table = withdrawals();
    for state in withdrawal::State::ALL.into_iter().skip(1) {
        assert!(table.contains(&format!(" {} (", state.name())), "{} is never reached", state.name());
    }
}
