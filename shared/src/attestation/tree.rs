//! The tree over a list of hashes, as RFC 9162 (Certificate Transparency) section 2.1 defines it.
//!
//! Called by [`super`], and by the coordinator, which keeps the leaves in chunks of a power of two and joins the path
//! within a chunk to the path of the chunk. What must stay true: a leaf is hashed after the byte 0, a pair after the
//! byte 1, so that no inner node can pass for a leaf. Pairing from the left and carrying an odd last one up unchanged
//! makes the same tree as the RFC's recursion.

use crate::digest::Digest;
use sha2::{Digest as _, Sha256};

/// The hash of a leaf.
pub fn leaf(bytes: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::new().chain_update([0]).chain_update(bytes).finalize().into())
}

fn pair(left: &Digest, right: &Digest) -> Digest {
    let hasher = Sha256::new().chain_update([1]);
    Digest::from_bytes(hasher.chain_update(left.as_bytes()).chain_update(right.as_bytes()).finalize().into())
}

fn level_above(level: &[Digest]) -> Vec<Digest> {
    let join = |nodes: &[Digest]| match nodes {
        [left, right] => pair(left, right),
        [alone] => *alone,
        // Chunks of two have one or two elements.
        _ => Digest::ZERO,
    };
    level.chunks(2).map(join).collect()
}

/// The root over `hashes`; `None` of nothing.
pub fn root(hashes: &[Digest]) -> Option<Digest> {
    let mut level = hashes.to_vec();
    while level.len() > 1 {
        level = level_above(&level);
    }
    level.first().copied()
}

/// The hashes that lead from the one at `index` to the root, from below; `None` if there is none at `index`.
pub fn path(hashes: &[Digest], mut index: usize) -> Option<Vec<Digest>> {
    let mut level = (index < hashes.len()).then(|| hashes.to_vec())?;
    let mut path = Vec::new();
    while level.len() > 1 {
        path.extend(level.get(index ^ 1));
        level = level_above(&level);
        index /= 2;
    }
    Some(path)
}

/// The root to which `path` leads from `hash` at `index` of `count`; `None` if the path has another length than this
/// place has, or there is no such place.
pub fn root_from(hash: Digest, mut index: u64, count: u64, path: &[Digest]) -> Option<Digest> {
    let mut width = (index < count).then_some(count)?;
    let (mut node, mut steps) = (hash, path.iter());
    while width > 1 {
        if index ^ 1 < width {
            let sibling = steps.next()?;
            node = if index & 1 == 1 { pair(sibling, &node) } else { pair(&node, sibling) };
        }
        (index, width) = (index / 2, width.div_ceil(2));
    }
    steps.next().is_none().then_some(node)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The leaves and roots of the reference implementation of Certificate Transparency (`merkle_tree_test`).
    const LEAVES: [&str; 8] =
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    const ROOTS: [&str; 8] = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn leaves() -> Vec<Digest> {
        LEAVES.iter().map(|text| leaf(&hex::decode(text).unwrap())).collect()
    }

    #[test]
    fn the_roots_are_those_of_certificate_transparency() {
        for (count, expected) in (1..).zip(ROOTS) {
            assert_eq!(root(&leaves()[..count]).unwrap().to_string(), expected, "{count} leaves");
        }
        assert_eq!(root(&[]), None);
    }

    #[test]
    fn every_path_leads_to_the_root_and_from_its_own_place_only() {
        for count in 1..=33 {
            let hashes: Vec<_> = (0..count).map(|i: u8| leaf(&[i])).collect();
            let (expected, total) = (root(&hashes), u64::from(count));
            for index in 0..usize::from(count) {
                let way = path(&hashes, index).unwrap();
                let place = index as u64;
                assert_eq!(root_from(hashes[index], place, total, &way), expected);
                assert_ne!(root_from(leaf(b"other"), place, total, &way), expected);
                let longer = [&way[..], &[Digest::ZERO]].concat();
                assert_eq!(root_from(hashes[index], place, total, &longer), None);
                if let Some((_, shorter)) = way.split_last() {
                    assert_eq!(root_from(hashes[index], place, total, shorter), None);
                    assert_ne!(root_from(hashes[index], place ^ 1, total, &way), expected);
                }
            }
            assert_eq!(path(&hashes, usize::from(count)), None);
            assert_eq!(root_from(Digest::ZERO, total, total, &[]), None);
        }
    }

    #[test]
    fn chunks_of_a_power_of_two_make_the_same_tree() {
        for count in [1, 3, 4, 5, 8, 9, 21] {
            let hashes: Vec<_> = (0..count).map(|i: u8| leaf(&[i])).collect();
            let roots: Vec<_> = hashes.chunks(4).filter_map(root).collect();
            assert_eq!(root(&roots), root(&hashes));
            for index in 0..hashes.len() {
                let within = path(hashes.chunks(4).nth(index / 4).unwrap(), index % 4).unwrap();
                let above = path(&roots, index / 4).unwrap();
                assert_eq!([within, above].concat(), path(&hashes, index).unwrap());
            }
        }
    }
}
