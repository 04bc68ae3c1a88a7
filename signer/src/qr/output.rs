//! Where answers go: a document as JSON, binary, QR frames, and animations of them.
//!
//! Called by every command that answers across the gap. What must stay true: the directory is made before the
//! sandbox is entered and is all that is written to; frames of an earlier answer never stay beside new ones.

use super::{Folder, QrError, contents, io};
use airlock_shared::frames::{Encoder, FrameSize, QrImage, animation, svg_animation};
use rayon::prelude::{IntoParallelRefIterator as _, ParallelIterator as _};
use std::path::{Path, PathBuf};

/// Frames shown a second; what most cameras follow.
const FRAMES_PER_SECOND: u16 = 10;

/// Where answers go.
pub struct Output {
    directory: PathBuf,
    vector: bool,
}

/// What was written.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Written {
    /// The JSON document.
    pub json: PathBuf,
    /// The binary document.
    pub binary: PathBuf,
    /// The animation.
    pub animation: PathBuf,
    /// The animation as SVG, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vector: Option<PathBuf>,
    /// How many QR frames are in `frames/`.
    pub frames: usize,
}

impl Output {
    /// Makes the directory. Before the sandbox is entered.
    pub fn open(directory: &Path) -> Result<Self, QrError> {
        let frames = directory.join("frames");
        std::fs::create_dir_all(&frames).map_err(io(&frames))?;
        Ok(Self { directory: directory.into(), vector: false })
    }

    /// Asks for the animation as SVG too, which a browser shows at any size.
    pub fn with_svg(self, vector: bool) -> Self {
        Self { vector, ..self }
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Writes one document four ways: `NAME.json`, `NAME.bin`, `frames/NAME-0001.png` …, `NAME.gif`, and `NAME.svg` if asked for.
    pub fn write(
        &self,
        name: &str,
        json: &str,
        binary: &[u8],
        kind: u8,
        size: FrameSize,
    ) -> Result<Written, QrError> {
        let written = Written {
            json: self.put(&format!("{name}.json"), json.as_bytes())?,
            binary: self.put(&format!("{name}.bin"), binary)?,
            animation: self.directory.join(format!("{name}.gif")),
            vector: None,
            frames: 0,
        };
        let images = images(binary, kind, size)?;
        self.remove_old_frames(name)?;
        let pngs: Vec<_> = images.par_iter().map(|image| image.png(QrImage::PIXELS_PER_MODULE)).collect();
        for (number, png) in (1..).zip(pngs) {
            self.put(&format!("frames/{name}-{number:04}.png"), &png?)?;
        }
        let gif = animation(&images, QrImage::PIXELS_PER_MODULE, FRAMES_PER_SECOND)?;
        self.put(&format!("{name}.gif"), &gif)?;
        let vector = if self.vector {
            let drawn = svg_animation(&images, FRAMES_PER_SECOND)?;
            Some(self.put(&format!("{name}.svg"), drawn.as_bytes())?)
        } else {
            None
        };
        Ok(Written { frames: images.len(), vector, ..written })
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, QrError> {
        let path = self.directory.join(name);
        std::fs::write(&path, bytes).map_err(io(&path))?;
        Ok(path)
    }

    /// Frames of an earlier answer under the same name would be scanned as a second transfer.
    fn remove_old_frames(&self, name: &str) -> Result<(), QrError> {
        let frames = self.directory.join("frames");
        for path in contents(&frames, Folder::Pictures)? {
            let file = path.file_name().and_then(|text| text.to_str()).unwrap_or_default();
            if file.strip_prefix(name).is_some_and(|rest| rest.starts_with('-')) {
                std::fs::remove_file(&path).map_err(io(&path))?;
            }
        }
        Ok(())
    }
}

/// The QR codes of a document: enough frames that losing some does not matter.
pub fn images(binary: &[u8], kind: u8, size: FrameSize) -> Result<Vec<QrImage>, QrError> {
    let encoder = Encoder::new(binary, kind, size)?;
    let texts: Vec<_> = (0..encoder.suggested_frames()).map(|number| encoder.frame(number)).collect();
    let drawn: Result<Vec<_>, _> =
        texts.par_iter().map(|text| QrImage::encode(text, encoder.size())).collect();
    Ok(drawn?)
}
