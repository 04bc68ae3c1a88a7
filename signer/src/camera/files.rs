//! The pictures of files that are in memory: PNG and JPEG one each, GIF as many as it has.

use super::{CameraError, Look, Pictures};
use airlock_shared::frames::PictureFile;
use std::path::PathBuf;

/// Files, in the order in which they are read.
pub struct Files(pub Vec<(PathBuf, Vec<u8>)>);

/// The same while they are read; a file's bytes are gone when its last picture is.
struct Reading {
    rest: std::vec::IntoIter<(PathBuf, Vec<u8>)>,
    open: Option<(PathBuf, PictureFile<'static>)>,
}

impl Files {
    /// Their pictures.
    pub fn pictures(self) -> impl Pictures {
        Reading { rest: self.0.into_iter(), open: None }
    }
}

impl Pictures for Reading {
    fn next(&mut self) -> Result<Option<Look>, CameraError> {
        loop {
            if let Some((name, pictures)) = &mut self.open {
                match pictures.next() {
                    Some(Ok(picture)) => return Ok(Some(Look::Picture(picture))),
                    Some(Err(why)) => return Ok(Some(Look::Damaged { name: name.clone(), why })),
                    None => self.open = None,
                }
            }
            let Some((name, bytes)) = self.rest.next() else { return Ok(None) };
            match PictureFile::open(bytes) {
                Ok(pictures) => self.open = Some((name, pictures)),
                Err(why) => return Ok(Some(Look::Damaged { name, why })),
            }
        }
    }
}
