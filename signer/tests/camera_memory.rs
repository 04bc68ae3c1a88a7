//! The memory that a hostile stream can make the program take. A process of its own: the peak is the process's.

#![allow(clippy::unwrap_used, reason = "a test may")]

use airlock_shared::frames::{Encoder, FrameSize, Level, Luma, QrImage, Transfers, WhenFull};
use airlock_signer::camera::{CameraError, Look, Pictures, Source};
use airlock_signer::qr::{Inputs, QrError};
use std::io::Write;

/// What S2 allows.
const PEAK_MAX_KIB: u64 = 256 << 10;

/// The most memory that this process ever held.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Full pictures of the largest size, in each a new frame of one of many long transfers that never complete.
struct Crowd {
    encoders: Vec<Encoder>,
    left: u32,
}

impl Pictures for Crowd {
    fn next(&mut self) -> Result<Option<Look>, CameraError> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        let encoder = &self.encoders[left as usize % self.encoders.len()];
        let code = QrImage::encode(&encoder.frame(left), encoder.size()).unwrap().luma(4).unwrap();
        let (width, height) = (3840, 2160);
        let mut pixels: Vec<u8> =
            (0..width * height).map(|at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for (y, row) in code.pixels().chunks(code.width() as usize).enumerate() {
            let at = (y + 100) * width as usize + 100;
            pixels[at..at + row.len()].copy_from_slice(row);
        }
        Ok(Some(Look::Picture(Luma::new(width, height, pixels).unwrap())))
    }
}

#[test]
fn a_hostile_stream_takes_less_than_256_mib() {
    let size = FrameSize::new(40, Level::L).unwrap();
    let bytes: Vec<u8> = (0..1_000_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 21) as u8).collect();
    let encoders = (0..20).map(|cut| Encoder::new(&bytes[cut..], 1, size).unwrap()).collect();
    let before = peak_kib();
    let ended = Inputs::of(Source::Camera(Box::new(Crowd { encoders, left: 24 }))).documents();
    assert!(matches!(ended, Err(QrError::Incomplete { .. } | QrError::NothingSeen { .. })), "{ended:?}");
    let crowd = peak_kib();

    // The longest transfer at the usual size, none of its symbols a source symbol: large equations.
    let longest = Encoder::new(&bytes, 1, FrameSize::new(20, Level::L).unwrap()).unwrap();
    let mut transfers = Transfers::new(8, WhenFull::Forget);
    for number in longest.source_frames()..2 * longest.source_frames() + 8 {
        transfers.receive(&longest.frame(number)).unwrap();
    }
    assert_eq!(transfers.complete().count(), 1);
    drop((transfers, longest));
    let solved = peak_kib();

    // Pictures that claim to be enormous, coded pictures that never end, and one that is as large as may be.
    let mut largest = Vec::new();
    let noise: Vec<u8> = (0..3840 * 2160u32).map(|at| (at.wrapping_mul(2_246_822_519) >> 13) as u8).collect();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut largest, 90)
        .encode(&noise, 3840, 2160, image::ExtendedColorType::L8)
        .unwrap();
    let endless = [b"\xff\xd8\xff\xda\x00\x02".to_vec(), vec![0x55; 64 << 20]].concat();
    let mut enormous = largest.clone();
    let size_at = enormous.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap() + 5;
    enormous[size_at..size_at + 4].copy_from_slice(&[0xff; 4]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hostile.mjpeg");
    let mut file = std::fs::File::create(&path).unwrap();
    for part in [&enormous, &largest, &endless, &largest, &enormous] {
        file.write_all(part).unwrap();
    }
    drop((endless, enormous, largest, noise));
    let ended = Inputs::of(Source::stream(&path).unwrap()).documents();
    assert!(matches!(ended, Err(QrError::NothingSeen { pictures: 3.. })), "{ended:?}");
    let peak = peak_kib();
    println!(
        "peak: {before} KiB before, {crowd} KiB after large pictures, {solved} KiB after a long transfer, {peak} KiB at the end"
    );
    assert!(peak < PEAK_MAX_KIB, "{peak} KiB");
}
