//! The Merkle-sum tree: every node says what all below it are owed, and its hash binds that.
//!
//! Called by [`super`] and by the coordinator, which keeps the leaves. A pair's hash covers the sums of both children apart
//! (not only their total): with the total alone, each child could be told another sum of its sibling, and the total be the
//! greater of the two instead of both (Ji and Chalkias, "Generalized Proof of Liabilities", 2021). What must stay true: no
//! sum is negative, none overflows; an odd last node goes up as it is, so the shape follows from the number of leaves.

use crate::digest::Digest;
use sha2::{Digest as _, Sha256};
use std::fmt;

/// What is owed, per asset in the statement's order, minor units. Never negative, never above 63 bits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sums(Vec<u64>);

impl Sums {
    /// The sums, if none leaves 63 bits.
    pub fn new(minor: Vec<u64>) -> Option<Self> {
        minor.iter().all(|sum| i64::try_from(*sum).is_ok()).then_some(Self(minor))
    }

    /// Nothing of any of `assets` assets.
    pub fn zero(assets: usize) -> Self {
        Self(vec![0; assets])
    }

    /// Minor units per asset.
    pub fn minor(&self) -> &[u64] {
        &self.0
    }

    /// Both together; `None` if one leaves 63 bits or they count other assets.
    pub fn checked_add(&self, other: &Self) -> Option<Self> {
        if self.0.len() != other.0.len() {
            return None;
        }
        let add = |(a, b): (&u64, &u64)| a.checked_add(*b);
        self.0.iter().zip(&other.0).map(add).collect::<Option<Vec<_>>>().and_then(Self::new)
    }
}

impl fmt::Display for Sums {
    /// Decimal numbers with commas between them, as they are hashed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, sum) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str(",")?;
            }
            write!(f, "{sum}")?;
        }
        Ok(())
    }
}

/// A node: a hash, and what all below it are owed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Summed {
    /// Its hash.
    pub hash: Digest,
    /// What is owed below it.
    pub sums: Sums,
}

/// The leaf of one creditor.
pub fn leaf(salt: &Digest, owner: &str, sums: Sums) -> Summed {
    let text = format!("airlock:liability:1\n{salt}\n{owner}\n{sums}");
    let hash = Sha256::new().chain_update([0]).chain_update(text.as_bytes()).finalize();
    Summed { hash: Digest::from_bytes(hash.into()), sums }
}

fn pair(left: &Summed, right: &Summed) -> Option<Summed> {
    let text = format!("{}\n{}\n{}\n{}", left.hash, left.sums, right.hash, right.sums);
    let hash = Sha256::new().chain_update([1]).chain_update(text.as_bytes()).finalize();
    Some(Summed { hash: Digest::from_bytes(hash.into()), sums: left.sums.checked_add(&right.sums)? })
}

fn level_above(level: &[Summed]) -> Option<Vec<Summed>> {
    let join = |nodes: &[Summed]| match nodes {
        [left, right] => pair(left, right),
        nodes => nodes.first().cloned(),
    };
    level.chunks(2).map(join).collect()
}

/// All levels from the leaves to the root; `None` of nothing, or when a sum leaves 63 bits.
pub fn levels(leaves: Vec<Summed>) -> Option<Vec<Vec<Summed>>> {
    let mut levels = vec![(!leaves.is_empty()).then_some(leaves)?];
    while let Some(last) = levels.last().filter(|last| last.len() > 1) {
        let above = level_above(last)?;
        levels.push(above);
    }
    Some(levels)
}

/// The nodes that lead from the leaf at `index` to the root, from below.
pub fn path(levels: &[Vec<Summed>], mut index: usize) -> Vec<Summed> {
    let mut path = Vec::new();
    for level in levels {
        path.extend(level.get(index ^ 1).cloned());
        index /= 2;
    }
    path
}

/// The root to which `path` leads from the leaf at `index` of `count`; `None` if the path has another length than this
/// place has, a sum overflows, or there is no such place.
pub fn root_from(leaf: Summed, mut index: u64, count: u64, path: &[Summed]) -> Option<Summed> {
    let mut width = (index < count).then_some(count)?;
    let (mut node, mut steps) = (leaf, path.iter());
    while width > 1 {
        if index ^ 1 < width {
            let sibling = steps.next()?;
            node = if index & 1 == 1 { pair(sibling, &node)? } else { pair(&node, sibling)? };
        }
        (index, width) = (index / 2, width.div_ceil(2));
    }
    steps.next().is_none().then_some(node)
}
