//! Frames as pictures: what is drawn is read again, by our reader and by another, and foreign files are refused.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use airlock_shared::frames::{
    Decoder, Encoder, FrameSize, Level, Luma, PictureError, PictureFile, Progress, QrImage, QrScanner,
    ScanError, Scanner, animation, frames_of_picture,
};
use proptest::prelude::{ProptestConfig, any, proptest};

fn payload(length: usize) -> Vec<u8> {
    (0..length as u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

fn pictures(encoder: &Encoder, count: u32) -> Vec<QrImage> {
    (0..count).map(|n| QrImage::encode(&encoder.frame(n), encoder.size()).unwrap()).collect()
}

#[test]
fn a_gif_of_thirty_kilobytes_is_read_back_with_every_fourth_frame_lost() {
    for version in [20, 25] {
        let bytes = payload(30_000);
        let encoder = Encoder::new(&bytes, 3, FrameSize::new(version, Level::L).unwrap()).unwrap();
        let gif = animation(&pictures(&encoder, encoder.suggested_frames()), 4, 10).unwrap();
        let texts = frames_of_picture(&gif).unwrap();
        assert_eq!(texts.len(), encoder.suggested_frames() as usize);
        let mut decoder = Decoder::new();
        let kept = texts.iter().enumerate().filter(|(index, _)| index % 4 != 0);
        let received = kept.into_iter().find_map(|(_, text)| match decoder.receive(text).unwrap() {
            Progress::Complete(payload) => Some(payload.bytes),
            _ => None,
        });
        assert_eq!(received, Some(bytes));
    }
}

#[test]
fn a_full_code_of_every_kind_is_drawn_and_read_by_two_readers() {
    for (version, level) in [(5, Level::L), (10, Level::M), (20, Level::L), (25, Level::Q), (40, Level::L)] {
        let size = FrameSize::new(version, level).unwrap();
        let text = base45::encode(payload(size.bytes()));
        let image = QrImage::encode(&text, size).unwrap();
        assert_eq!(image.side_modules(), size.modules() + 8);
        let luma = image.luma(QrImage::PIXELS_PER_MODULE).unwrap();
        assert_eq!(QrScanner.scan(&luma), std::slice::from_ref(&text), "ours {size:?}");
        assert_eq!(another_reader(&luma), std::slice::from_ref(&text), "rqrr {size:?}");
        assert_eq!(frames_of_picture(&image.png(4).unwrap()).unwrap(), [text]);
    }
}

/// rqrr, which shares nothing with our reader.
fn another_reader(luma: &Luma) -> Vec<String> {
    let (width, height) = (luma.width() as usize, luma.height() as usize);
    let is_dark = |x: usize, y: usize| luma.pixels()[y * width + x] < 128;
    let mut picture = rqrr::PreparedImage::prepare_from_bitmap(width, height, is_dark);
    picture.detect_grids().iter().map(|grid| grid.decode().unwrap().1).collect()
}

/// A picture of `side` pixels with `code` in its middle, each module `scale` pixels, on grey with a gradient.
fn photograph(code: &QrImage, scale: u32, side: u32) -> Luma {
    let code = code.luma(scale).unwrap();
    let start = (side - code.width()) / 2;
    let pixel = |at: u32| {
        let (x, y) = (at % side, at / side);
        let inside = (start..start + code.width()).contains(&x) && (start..start + code.width()).contains(&y);
        let shade = (x * 60 / side) as u8;
        if inside {
            code.pixels()[((y - start) * code.width() + x - start) as usize] / 2 + 40 + shade
        } else {
            90 + shade
        }
    };
    Luma::new(side, side, (0..side * side).map(pixel).collect()).unwrap()
}

#[test]
fn a_small_code_in_a_large_picture_and_a_large_one_are_both_read() {
    let encoder = Encoder::new(&payload(3000), 3, FrameSize::default()).unwrap();
    let code = QrImage::encode(&encoder.frame(0), encoder.size()).unwrap();
    for (scale, side) in [(4, 1800), (16, 1800), (24, 3000)] {
        assert_eq!(QrScanner.scan(&photograph(&code, scale, side)), [encoder.frame(0)], "{scale} in {side}");
    }
}

#[test]
fn a_noisy_picture_is_read_after_smoothing() {
    let encoder = Encoder::new(&payload(3000), 3, FrameSize::default()).unwrap();
    let code = QrImage::encode(&encoder.frame(0), encoder.size()).unwrap().luma(4).unwrap();
    let noise = payload(code.pixels().len());
    let grey = code.pixels().iter().zip(noise).map(|(pixel, noise)| 70 + pixel / 4 + noise / 3);
    let picture = Luma::new(code.width(), code.height(), grey.collect()).unwrap();
    assert_eq!(QrScanner.scan(&picture), [encoder.frame(0)]);
}

#[test]
fn a_foreign_code_that_is_easier_to_read_does_not_hide_a_frame() {
    let encoder = Encoder::new(&payload(3000), 3, FrameSize::default()).unwrap();
    let frame = QrImage::encode(&encoder.frame(0), encoder.size()).unwrap().luma(3).unwrap();
    let sticker = QrImage::encode("HTTPS://EXAMPLE.ORG", FrameSize::default()).unwrap().luma(24).unwrap();
    let (width, height) = (frame.width() + sticker.width(), sticker.height().max(frame.height()));
    let mut pixels = vec![255; (width * height) as usize];
    for (code, left) in [(&frame, 0), (&sticker, frame.width())] {
        for (y, row) in code.pixels().chunks(code.width() as usize).enumerate() {
            let at = y * width as usize + left as usize;
            pixels[at..at + row.len()].copy_from_slice(row);
        }
    }
    let picture = Luma::new(width, height, pixels).unwrap();
    assert!(QrScanner.scan(&picture).contains(&encoder.frame(0)));
}

#[test]
fn digits_and_letters_mixed_still_fill_a_code() {
    let size = FrameSize::default();
    let text: String = "1234567890ABCDEFGH0000000000000X".chars().cycle().take(size.characters()).collect();
    let image = QrImage::encode(&text, size).unwrap();
    assert_eq!(QrScanner.scan(&image.luma(4).unwrap()), std::slice::from_ref(&text));
    let refused = QrImage::encode(&format!("{text}0"), size);
    assert_eq!(refused, Err(PictureError::TooLong { found: 1250, limit: 1249 }));
    assert_eq!(QrImage::encode("ABc", size), Err(PictureError::Character { found: 'c', at: 2 }));
}

#[test]
fn every_form_has_its_quiet_zone() {
    let image = QrImage::encode("AIRLOCK", FrameSize::default()).unwrap();
    let side = image.side_modules();
    assert_eq!(side, 29);
    let luma = image.luma(3).unwrap();
    let border = luma.pixels().chunks(87).enumerate().flat_map(|(y, row)| {
        row.iter().enumerate().filter(move |(x, _)| *x < 12 || y < 12 || *x >= 75 || y >= 75)
    });
    assert!(border.into_iter().all(|(_, pixel)| *pixel == 255));
    assert!(image.svg().contains("viewBox=\"0 0 29 29\"") && image.svg().contains("M4 4.5h7m"));
    let terminal = image.terminal();
    let lines: Vec<&str> = terminal.lines().collect();
    assert_eq!(lines.len(), side.div_ceil(2));
    assert_eq!(lines[0].matches(' ').count(), side);
    assert!(lines[2].contains("    █▀▀▀▀▀█"));
}

#[test]
fn two_codes_in_one_picture_are_both_read() {
    let [a, b] = ["LEFT CODE", "RIGHT CODE"]
        .map(|text| QrImage::encode(text, FrameSize::default()).unwrap().luma(5).unwrap());
    let rows = a.pixels().chunks(a.width() as usize).zip(b.pixels().chunks(b.width() as usize));
    let pixels = rows.flat_map(|(left, right)| [left, right].concat()).collect();
    let both = Luma::new(a.width() + b.width(), a.height(), pixels).unwrap();
    let mut texts = QrScanner.scan(&both);
    texts.sort();
    assert_eq!(texts, ["LEFT CODE", "RIGHT CODE"]);
}

#[test]
fn an_animation_needs_pictures_of_one_size() {
    let small = QrImage::encode("A", FrameSize::default()).unwrap();
    let large = QrImage::encode(&"A".repeat(200), FrameSize::default()).unwrap();
    assert_eq!(animation(&[], 4, 10), Err(PictureError::Sizes));
    assert_eq!(animation(&[small.clone(), large], 4, 10), Err(PictureError::Sizes));
    let small = [small];
    assert_eq!(animation(&small, 4, 0), Err(PictureError::FramesPerSecond { found: 0 }));
    assert_eq!(animation(&small, 0, 10), Err(PictureError::PixelsPerModule { found: 0 }));
    assert_eq!(animation(&small, 65, 10), Err(PictureError::PixelsPerModule { found: 65 }));
}

#[test]
fn foreign_and_damaged_files_are_refused() {
    assert_eq!(frames_of_picture(b""), Err(ScanError::UnknownFormat));
    assert!(matches!(frames_of_picture(b"\xff\xd8\xff\xe0 a photograph"), Err(ScanError::Damaged { .. })));
    let image = QrImage::encode("AIRLOCK", FrameSize::default()).unwrap();
    let (png, gif) = (image.png(4).unwrap(), animation(&[image.clone(), image], 4, 10).unwrap());
    for file in [&png, &gif] {
        for cut in 4..file.len() - 20 {
            let _ = frames_of_picture(&file[..cut]); // an error or what was seen, never a panic
        }
        for at in 0..file.len() {
            let mut damaged = file.clone();
            damaged[at] ^= 0x55;
            let _ = frames_of_picture(&damaged);
        }
    }
}

#[test]
fn pictures_beyond_the_limits_are_refused_before_they_are_decoded() {
    // A GIF of 65,535 by 65,535 pixels that has no data at all.
    let gif = b"GIF89a\xff\xff\xff\xff\x00\x00\x00\x2c\x00\x00\x00\x00\xff\xff\xff\xff\x00\x02\x00\x3b";
    let too_large = Err(ScanError::TooLarge { width: 65_535, height: 65_535 });
    assert_eq!(frames_of_picture(gif), too_large);
    // A small screen with an enormous picture on it.
    let gif = b"GIF89a\x20\x00\x20\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff\x2c\x00\x00\x00\x00\xff\xff\xff\xff\x00\x02\x00\x3b";
    assert!(matches!(frames_of_picture(gif), Err(ScanError::Damaged { .. })));
    let pixels = vec![255; 8193];
    assert_eq!(Luma::new(8193, 1, pixels).err(), Some(ScanError::TooLarge { width: 8193, height: 1 }));
    let count = Luma::new(10, 10, vec![0; 99]).err();
    assert_eq!(count, Some(ScanError::PixelCount { found: 99, width: 10, height: 10 }));
    assert!(QrScanner.scan(&Luma::new(0, 0, vec![]).unwrap()).is_empty());
    assert!(QrScanner.scan(&Luma::new(1, 1, vec![0]).unwrap()).is_empty());
}

#[test]
fn a_photograph_in_jpeg_is_read_in_grey_and_in_colour() {
    let encoder = Encoder::new(&payload(3000), 3, FrameSize::default()).unwrap();
    let code = QrImage::encode(&encoder.frame(1), encoder.size()).unwrap().luma(5).unwrap();
    let rgb: Vec<u8> =
        code.pixels().iter().flat_map(|pixel| [pixel / 2 + 60, pixel / 2 + 50, pixel / 3 + 40]).collect();
    for (pixels, colour) in
        [(code.pixels(), image::ExtendedColorType::L8), (&rgb[..], image::ExtendedColorType::Rgb8)]
    {
        let mut file = Vec::new();
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut file, 60)
            .encode(pixels, code.width(), code.height(), colour)
            .unwrap();
        assert_eq!(frames_of_picture(&file).unwrap(), [encoder.frame(1)]);
        for cut in (4..file.len()).step_by(211) {
            let _ = frames_of_picture(&file[..cut]); // an error or what was seen, never a panic
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_pixels_are_scanned_without_a_panic(width in 0u32..300, height in 0u32..300, seed in any::<u64>(), kind in 0u8..4) {
        let mut roll = seed;
        let mut dice = move || {
            roll = roll.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (roll >> 56) as u8
        };
        let pixels: Vec<u8> = (0..width * height).map(|at| match kind {
            0 => dice(),
            1 => if dice() < 128 { 0 } else { 255 },
            // Stripes of random width, then finder-like blocks: what the reader looks at longest.
            2 => if (at % width.max(1) / (1 + (seed % 5) as u32)).is_multiple_of(2) { 0 } else { 255 },
            _ => if (at % 9 + at / width.max(1) % 9) % 4 < 2 { 0 } else { dice() },
        }).collect();
        let _ = QrScanner.scan(&Luma::new(width, height, pixels).unwrap());
    }

    #[test]
    fn any_bytes_after_a_format_s_first_ones_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..2000), kind in 0usize..3) {
        let start: [&[u8]; 3] = [b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff"];
        let file = [start[kind], &bytes].concat();
        if let Ok(pictures) = PictureFile::open(&file) {
            assert!(pictures.take(100).count() < 100, "bounded");
        }
    }
}
