//! What people bring back: documents as JSON, as bytes, or as pictures of QR frames in any order.
//!
//! `http.rs` hands over the raw parts of a request; [`documents`] finds what is in them. A part is told by its first bytes, never
//! by what its sender calls it. What must stay true: the number of parts is bounded before anything is decoded, a damaged or
//! foreign frame is a lost frame and no error, and nothing that comes out of here has been believed yet.

use airlock_shared::document::kind_of;
use airlock_shared::frames::{FrameError, ScanError, frames_of_picture, gather, is_picture};

/// The most parts of one upload: every frame of the longest reply, photographed twice.
pub const PARTS_MAX: usize = 4_000;
/// The most documents in one upload.
pub const DOCUMENTS_MAX: usize = 64;

/// Why an upload holds no document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntakeError {
    /// Too many files or documents.
    #[error("{found} {what}, at most {limit} are read")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// A lone picture that cannot be read.
    #[error("the picture cannot be read: {0}")]
    Picture(#[from] ScanError),
    /// Frames are missing.
    #[error("the transfer is incomplete: {have} frames of about {need}")]
    Incomplete {
        /// Different frames read.
        have: usize,
        /// Frames that suffice nearly always.
        need: usize,
    },
    /// Frames that do not fit together.
    #[error(transparent)]
    Frames(#[from] FrameError),
    /// Another kind of document.
    #[error("binary document kind {found} where kind {expected} was expected")]
    Kind {
        /// What was expected.
        expected: u8,
        /// What was there.
        found: u8,
    },
    /// Nothing of ours.
    #[error("nothing of Airlock was found in {parts} parts")]
    Nothing {
        /// How many parts were read.
        parts: usize,
    },
}

/// The documents of `kind` in the parts of an upload: plain ones first, then those carried by frames. Scanning is
/// slow: call it off the async threads.
pub fn documents(parts: Vec<Vec<u8>>, kind: u8) -> Result<Vec<Vec<u8>>, IntakeError> {
    let count = parts.len();
    bound("parts", count, PARTS_MAX)?;
    let (pictures, mut documents): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| is_picture(part));
    documents.retain(|document| !document.is_empty());
    documents.iter_mut().for_each(end_line);
    documents.extend(transfers(texts(&pictures)?)?);
    bound("documents", documents.len(), DOCUMENTS_MAX)?;
    let other = documents.iter().filter_map(|document| kind_of(document)).find(|found| *found != kind);
    match (other, documents.is_empty()) {
        (Some(found), _) => Err(IntakeError::Kind { expected: kind, found }),
        (None, true) => Err(IntakeError::Nothing { parts: count }),
        (None, false) => Ok(documents),
    }
}

/// A canonical JSON document ends with a line feed, which shells and web forms like to drop.
pub fn end_line(document: &mut Vec<u8>) {
    if document.starts_with(b"{") && !document.ends_with(b"\n") {
        document.push(b'\n');
    }
}

const fn bound(what: &'static str, found: usize, limit: usize) -> Result<(), IntakeError> {
    if found > limit { Err(IntakeError::TooMany { what, found, limit }) } else { Ok(()) }
}

/// The texts of all codes. One unreadable picture among many is a lost frame; a lone one is an error.
fn texts(pictures: &[Vec<u8>]) -> Result<Vec<String>, IntakeError> {
    let mut texts = Vec::new();
    for picture in pictures {
        match frames_of_picture(picture) {
            Ok(found) => texts.extend(found),
            Err(error) if pictures.len() == 1 => return Err(error.into()),
            Err(_) => {}
        }
    }
    Ok(texts)
}

/// The documents of a heap of frames. Stray frames of a transfer that is not complete are no error beside
/// one that is.
fn transfers(texts: Vec<String>) -> Result<Vec<Vec<u8>>, IntakeError> {
    let gathered = gather(texts, DOCUMENTS_MAX)?;
    if let (true, Some(missing)) = (gathered.complete.is_empty(), gathered.incomplete.first()) {
        return Err(IntakeError::Incomplete { have: missing.have, need: missing.need });
    }
    Ok(gathered.complete.into_iter().map(|payload| payload.bytes).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use airlock_shared::frames::{Encoder, FrameSize, QrImage};

    fn pictures(payload: &[u8], kind: u8) -> Vec<Vec<u8>> {
        let encoder = Encoder::new(payload, kind, FrameSize::default()).unwrap();
        encoder
            .frames()
            .map(|text| QrImage::encode(&text, FrameSize::default()).unwrap().png(4).unwrap())
            .collect()
    }

    #[test]
    fn two_mixed_transfers_with_lost_and_repeated_frames_are_both_read() {
        let (one, two) = ([b"AIRL\x02\x01".to_vec(), vec![7; 2_000]].concat(), b"AIRL\x02\x01short".to_vec());
        let mut parts = pictures(&one, 2);
        parts.remove(0);
        parts.extend(pictures(&two, 2));
        parts.push(parts[1].clone());
        parts.reverse();
        let mut found = documents(parts, 2).unwrap();
        found.sort_by_key(Vec::len);
        assert_eq!(found, [two, one]);
    }

    #[test]
    fn missing_frames_are_told_and_other_kinds_refused() {
        let payload = [b"AIRL\x02\x01".to_vec(), vec![7; 3_000]].concat();
        let parts = pictures(&payload, 2).into_iter().take(1).collect();
        assert!(matches!(documents(parts, 2), Err(IntakeError::Incomplete { have: 1, .. })));
        assert_eq!(
            documents(vec![b"AIRL\x04\x01x".to_vec()], 2),
            Err(IntakeError::Kind { expected: 2, found: 4 })
        );
        assert_eq!(documents(vec![Vec::new()], 2), Err(IntakeError::Nothing { parts: 1 }));
    }

    #[test]
    fn a_photograph_is_a_picture_and_no_document() {
        let cut_short = vec![0xff, 0xd8, 0xff, 0xe0, 0x00];
        assert!(matches!(documents(vec![cut_short], 2), Err(IntakeError::Picture(_))));
    }
}
