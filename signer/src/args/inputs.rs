//! What a command reads, and where from: files and folders, a pipe, a camera.

use clap::Args;
use std::path::PathBuf;
use std::str::FromStr;

/// Documents to read.
#[derive(Args, Clone, Debug, Default)]
pub struct Inputs {
    /// JSON or binary documents; PNG, GIF or JPEG pictures; Y4M or MJPEG recordings; directories of pictures.
    pub input: Vec<PathBuf>,
    /// Read from this camera, /dev/video0 for example, until the transfer is complete.
    #[arg(long, value_name = "DEVICE", conflicts_with_all = ["input", "pipe"])]
    pub camera: Option<PathBuf>,
    /// Read a Y4M or MJPEG stream from this file descriptor, - for standard input, until the transfer is complete.
    #[arg(long, value_name = "FD", conflicts_with = "input")]
    pub pipe: Option<Descriptor>,
    /// Of several transfers in sight, the one whose name begins like this.
    #[arg(long, value_name = "HEX")]
    pub transfer: Option<String>,
}

impl Inputs {
    /// Is there nothing to read?
    pub const fn is_empty(&self) -> bool {
        self.input.is_empty() && self.camera.is_none() && self.pipe.is_none()
    }
}

/// A file descriptor that the caller opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Descriptor(u32);

impl Descriptor {
    /// The name by which it is opened again.
    pub fn path(self) -> PathBuf {
        PathBuf::from("/proc/self/fd").join(self.0.to_string())
    }
}

impl FromStr for Descriptor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "-" => Ok(Self(0)),
            number => {
                number.parse().map(Self).map_err(|_| "give the number of a descriptor, or -".to_owned())
            }
        }
    }
}
