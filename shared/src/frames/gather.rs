//! Gathers a heap of scanned texts into transfers: what both programs do with a folder of pictures.
//!
//! Frames of several transfers may lie together, in any order, repeated, among foreign codes and damaged
//! ones. Each transfer is solved by itself, so that a finished one never starts again and a stray frame of
//! another never spoils it. What is not complete is reported beside what is.

use super::{Decoder, FrameError, Payload, Progress, TransferId};

/// What a heap of texts held.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Gathered {
    /// The complete transfers, those of one frame first; equal ones once.
    pub complete: Vec<Payload>,
    /// Transfers of which frames are missing.
    pub incomplete: Vec<Missing>,
}

/// A transfer of which frames are missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Missing {
    /// Different frames found.
    pub have: usize,
    /// Frames needed, or a few more.
    pub need: usize,
}

/// Gathers `texts`. More than `most` transfers, and a transfer whose frames all fit but whose digest does
/// not, are errors.
pub fn gather(texts: Vec<String>, most: usize) -> Result<Gathered, FrameError> {
    let mut gathered = Gathered::default();
    let mut groups: Vec<(TransferId, Vec<String>)> = Vec::new();
    for text in texts {
        // A decoder of its own tells which transfer a frame belongs to.
        let mut probe = Decoder::new();
        match (probe.receive(&text), probe.transfer_id()) {
            // A short message is one frame; it may have been photographed often.
            (Ok(Progress::Complete(whole)), _) if !gathered.complete.contains(&whole) => {
                gathered.complete.push(whole);
            }
            (Ok(Progress::Received { .. }), Some(id)) => {
                match groups.iter_mut().find(|(known, _)| *known == id) {
                    Some((_, group)) => group.push(text),
                    None => groups.push((id, vec![text])),
                }
            }
            // Foreign, repeated, or damaged: a lost frame.
            _ => {}
        }
        let found = gathered.complete.len() + groups.len();
        if found > most {
            return Err(FrameError::TooManyTransfers { found, most });
        }
    }
    for (_, group) in groups {
        solve(&group, &mut gathered)?;
    }
    Ok(gathered)
}

/// Solves one transfer from its frames.
fn solve(frames: &[String], gathered: &mut Gathered) -> Result<(), FrameError> {
    let mut decoder = Decoder::new();
    let mut missing = None;
    for frame in frames {
        match decoder.receive(frame) {
            Ok(Progress::Complete(payload)) => {
                gathered.complete.push(payload);
                return Ok(());
            }
            Ok(Progress::Received { have, need }) => missing = Some(Missing { have, need }),
            Err(error @ (FrameError::DigestMismatch { .. } | FrameError::Unsolvable { .. })) => {
                return Err(error);
            }
            // A damaged or repeated frame is a lost frame.
            _ => {}
        }
    }
    gathered.incomplete.extend(missing);
    Ok(())
}
