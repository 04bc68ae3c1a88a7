//! The camera between two screens: frames go in as they were shown, and come out as a camera sees them.
//!
//! Some are missing, some come twice, and their order is any. The seed makes a run repeatable. What must
//! stay true: never more is lost than the transfer is made to bear (three in ten).

use anyhow::Context as _;
use std::path::{Path, PathBuf};

/// What a camera did to a transfer.
#[derive(Clone, Debug)]
pub struct Scan {
    /// The directory with the pictures that came through.
    pub directory: PathBuf,
    /// Frames that were shown.
    pub shown: usize,
    /// Frames that never came through.
    pub dropped: usize,
    /// Frames that came twice.
    pub repeated: usize,
}

/// Photographs `frames` into `directory`, which is made anew.
///
/// # Errors
/// A file cannot be written.
pub fn scan(frames: &[Vec<u8>], directory: &Path, seed: u64) -> anyhow::Result<Scan> {
    if directory.exists() {
        std::fs::remove_dir_all(directory)?;
    }
    std::fs::create_dir_all(directory)?;
    let mut dice = Dice(seed);
    let mut order: Vec<usize> = (0..frames.len()).collect();
    dice.shuffle(&mut order);
    // A transfer of K symbols is shown as 1.5 K + 4 frames; a fifth lost leaves a margin.
    let dropped = if frames.len() > 4 { frames.len() / 5 } else { 0 };
    order.truncate(frames.len() - dropped);
    let repeated = order.len().div_ceil(4);
    order.extend_from_within(..repeated);
    dice.shuffle(&mut order);
    for (place, number) in order.iter().enumerate() {
        let path = directory.join(format!("photo-{place:04}.png"));
        std::fs::write(&path, &frames[*number]).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(Scan { directory: directory.to_owned(), shown: frames.len(), dropped, repeated })
}

/// The pictures of a directory, in the order of their names.
///
/// # Errors
/// The directory cannot be read.
pub fn pictures(directory: &Path) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(directory)
        .with_context(|| format!("reading {}", directory.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "png"));
    paths.sort();
    paths.iter().map(|path| Ok(std::fs::read(path)?)).collect()
}

/// SplitMix64: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % sides as u64).unwrap_or(0)
    }

    fn shuffle<T>(&mut self, things: &mut [T]) {
        for last in (1..things.len()).rev() {
            things.swap(last, self.roll(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_photographs_with_some_lost_and_some_twice() {
        let frames: Vec<Vec<u8>> = (0..20u8).map(|n| vec![n]).collect();
        let folder = tempfile::tempdir().unwrap();
        let once = scan(&frames, &folder.path().join("a"), 7).unwrap();
        let again = scan(&frames, &folder.path().join("b"), 7).unwrap();
        let photographs = pictures(&once.directory).unwrap();
        assert_eq!(photographs, pictures(&again.directory).unwrap());
        assert_eq!(photographs.len(), 20 - once.dropped + once.repeated);
        let distinct: std::collections::BTreeSet<_> = photographs.iter().collect();
        assert_eq!(distinct.len(), 20 - once.dropped);
        assert!(!photographs.is_sorted());
    }
}
