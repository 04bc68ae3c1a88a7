//! Frames as pictures: what is drawn is read again, by both readers, and foreign files are refused.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use airlock_shared::frames::{
    Decoder, Encoder, FrameSize, Level, Luma, PictureError, Progress, QrImage, QrScanner, Rqrr, Rxing,
    ScanError, Scanner, animation, frames_of_picture,
};

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
fn a_full_code_of_every_kind_is_drawn_and_read_by_both_readers() {
    for (version, level) in [(5, Level::L), (10, Level::M), (20, Level::L), (25, Level::Q), (40, Level::L)] {
        let size = FrameSize::new(version, level).unwrap();
        let text = base45::encode(payload(size.bytes()));
        let image = QrImage::encode(&text, size).unwrap();
        assert_eq!(image.side_modules(), size.modules() + 8);
        let luma = image.luma(QrImage::PIXELS_PER_MODULE).unwrap();
        assert_eq!(Rxing.scan(&luma), std::slice::from_ref(&text), "rxing {size:?}");
        assert_eq!(Rqrr.scan(&luma), std::slice::from_ref(&text), "rqrr {size:?}");
        assert_eq!(frames_of_picture(&image.png(4).unwrap()).unwrap(), [text]);
    }
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
    assert!(image.svg().contains("viewBox=\"0 0 29 29\"") && image.svg().contains("M4 4h7v1h-7z"));
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
    assert_eq!(frames_of_picture(b"\xff\xd8\xff\xe0 a photograph"), Err(ScanError::UnknownFormat));
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
