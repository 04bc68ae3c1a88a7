//! Messages of hardware wallets: decoded strictly and written again, byte for byte.
//!
//! A case has a type and its CBOR, or a whole text, or both; from either the other spelling must follow.

use crate::case::{Case, Outcome, Result};
use airlock_shared::frames::ur::{Message, Ur};

pub(crate) fn message(case: &Case<'_>) -> Result<Outcome> {
    let ur_type = case.text("type")?;
    let ur = if case.has("ur") {
        Ur::parse(case.text("ur")?).map_err(|error| case.fail("ur", "a Uniform Resource", error))?
    } else {
        Ur::new(ur_type, case.bytes("cbor")?).map_err(|error| case.fail("cbor", "a message", error))?
    };
    case.same_text("type", ur.ur_type())?;
    if case.has("cbor") {
        case.same_bytes("cbor", ur.cbor())?;
    }
    let message = Message::read(&ur).map_err(|error| case.fail("cbor", "to be read", error))?;
    let again = message.to_ur().map_err(|error| case.fail("cbor", "to be written", error))?;
    case.same("cbor", hex::encode(ur.cbor()), hex::encode(again.cbor()))?;
    if case.has("ur") {
        case.same("ur", case.text("ur")?.to_lowercase(), again.text().to_lowercase())?;
    }
    Ok(Outcome::Passed)
}
