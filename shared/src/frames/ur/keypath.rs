//! `crypto-keypath` (BCR-2020-007): which key of the device is meant.
//!
//! ```text
//! 304({1: [index, hardened, index, hardened ...], 2: fingerprint of the master key, 3: depth})
//! ```
//! A sign request carries one. Steps are plain numbers; ranges and wildcards name no single key and are refused.

use super::cbor::{CborError, Reader, Writer};
use crate::hd::KeyPath;

/// The tag of a `crypto-keypath`.
const TAG: u64 = 304;
/// More steps than any path of BIP-44; ours have five.
const MAX_STEPS: u64 = 10;
/// BIP-32: numbers from here on are the hardened ones.
const HARDENED: u64 = 1 << 31;

/// One step of a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// Below 2^31.
    pub index: u32,
    /// Marked with an apostrophe in text.
    pub hardened: bool,
}

/// A path from the device's master key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Keypath {
    /// 1 to 10 steps.
    pub steps: Vec<Step>,
    /// First four bytes of HASH160 of the master public key (BIP-32): devices compare it with their own.
    pub source_fingerprint: Option<[u8; 4]>,
    /// How deep the named key is, where a sender says so.
    pub depth: Option<u8>,
}

impl Keypath {
    /// The path of one of our wallets on the device whose master key has this fingerprint.
    pub fn of(path: KeyPath, source_fingerprint: Option<[u8; 4]>) -> Self {
        let account = path.account();
        let hardened = [44, account.coin(), account.account()].map(|index| Step { index, hardened: true });
        let plain = [path.change(), path.index()].map(|index| Step { index, hardened: false });
        Self { steps: hardened.into_iter().chain(plain).collect(), source_fingerprint, depth: None }
    }

    /// Reads a path as a policy spells it, `m/44'/60'/0'/0/0`; `None` for more than 10 steps or a number of 2^31 or more.
    pub fn parse(path: &str, source_fingerprint: Option<[u8; 4]>) -> Option<Self> {
        let step = |text: &str| {
            let (number, hardened) = text.strip_suffix('\'').map_or((text, false), |number| (number, true));
            let index: u32 = number.parse().ok()?;
            (u64::from(index) < HARDENED).then_some(Step { index, hardened })
        };
        let steps: Vec<Step> = path.strip_prefix("m/")?.split('/').map(step).collect::<Option<_>>()?;
        (steps.len() as u64 <= MAX_STEPS).then_some(Self { steps, source_fingerprint, depth: None })
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, CborError> {
        from.tag(TAG)?;
        let (mut steps, mut fingerprint, mut depth) = (None, None, None);
        for _ in 0..from.map(3)? {
            match from.number()? {
                1 => steps = Some(read_steps(from)?),
                2 => {
                    let number = from.number()?;
                    let wrong = |_| from.value(2, format!("fingerprint {number} is above 32 bits"));
                    fingerprint = Some(u32::try_from(number).map_err(wrong)?.to_be_bytes());
                }
                3 => {
                    let number = from.number()?;
                    depth = Some(u8::try_from(number).map_err(|_| from.value(3, format!("depth {number}")))?);
                }
                key => return from.unknown(key),
            }
        }
        let steps = from.needed(1, steps)?;
        Ok(Self { steps, source_fingerprint: fingerprint, depth })
    }

    pub(super) fn write(&self, to: &mut Writer) {
        to.tag(TAG);
        to.map(1 + usize::from(self.source_fingerprint.is_some()) + usize::from(self.depth.is_some()));
        to.number(1);
        to.array(2 * self.steps.len());
        for step in &self.steps {
            to.number(step.index.into());
            to.flag(step.hardened);
        }
        if let Some(fingerprint) = self.source_fingerprint {
            to.number(2);
            to.number(u32::from_be_bytes(fingerprint).into());
        }
        if let Some(depth) = self.depth {
            to.number(3);
            to.number(depth.into());
        }
    }
}

fn read_steps(from: &mut Reader<'_>) -> Result<Vec<Step>, CborError> {
    let length = from.array(2 * MAX_STEPS)?;
    if length == 0 || length % 2 != 0 {
        return Err(from.value(1, format!("{length} elements are no steps of index and hardened")));
    }
    let mut steps = Vec::with_capacity(length as usize / 2);
    for _ in 0..length / 2 {
        let index = from.number()?;
        if index >= HARDENED {
            return Err(from.value(1, format!("index {index} is not below 2^31")));
        }
        steps.push(Step { index: index as u32, hardened: from.flag()? });
    }
    Ok(steps)
}

impl std::fmt::Display for Keypath {
    /// As BIP-32 writes it: `m/44'/60'/0'/0/0`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("m")?;
        self.steps
            .iter()
            .try_for_each(|step| write!(f, "/{}{}", step.index, if step.hardened { "'" } else { "" }))
    }
}
