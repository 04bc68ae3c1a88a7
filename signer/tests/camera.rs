//! Pictures from pipes, recordings and cameras: recorded bytes through the same trait as a camera's.
//!
//! No camera was at hand when this was written. What a driver would put into its buffers is made here from frames, in
//! each layout that is read; only the calls into the device itself (`camera/v4l2.rs`) have not run.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

use airlock_shared::document::Document as _;
use airlock_shared::envelope::{ApprovalRequest, Bundle};
use airlock_shared::frames::{Encoder, FrameSize, Level, Luma, QrImage};
use airlock_signer::args;
use airlock_signer::camera::{CameraError, Layout, Look, Pictures, Raw, Source};
use airlock_signer::console::Console;
use airlock_signer::failure::Failure;
use airlock_signer::qr::{Document, Inputs, QrError, Wanted};
use std::io::{PipeReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

fn payload(seed: u8, length: u32) -> Vec<u8> {
    (0..length).map(|at| (at.wrapping_mul(2_654_435_761) >> 23) as u8 ^ seed).collect()
}

/// The pictures of a transfer's frames, at four pixels a module.
fn frames(bytes: &[u8], kind: u8) -> Vec<Luma> {
    let encoder = Encoder::new(bytes, kind, FrameSize::new(10, Level::L).unwrap()).unwrap();
    let draw = |text: String| QrImage::encode(&text, encoder.size()).unwrap().luma(4).unwrap();
    encoder.frames().map(draw).collect()
}

/// Two rows of pictures by turns, every third of them lost.
fn interleaved(one: &[Luma], two: &[Luma]) -> Vec<Luma> {
    let turns = one.iter().zip(two).flat_map(|(a, b)| [a.clone(), b.clone()]);
    turns.enumerate().filter(|(at, _)| at % 3 != 0).map(|(_, picture)| picture).collect()
}

/// A console that answers nothing.
fn console() -> Console {
    let line = ["airlock-signer", "--json", "identity"];
    Console::new(&<args::CommandLine as clap::Parser>::parse_from(line).options)
}

fn y4m(colours: &str, pictures: &[Luma]) -> Vec<u8> {
    let (width, height) = (pictures[0].width(), pictures[0].height());
    let mut bytes = format!("YUV4MPEG2 W{width} H{height} F30:1 Ip A1:1{colours} XYSCSS=420\n").into_bytes();
    for picture in pictures {
        bytes.extend(b"FRAME\n");
        bytes.extend(picture.pixels());
        let half = (width.div_ceil(2) * height.div_ceil(2)) as usize;
        let colour = if colours == " Cmono" { 0 } else { 2 * half };
        bytes.extend(std::iter::repeat_n(b'\n', colour));
    }
    bytes
}

/// A picture in JPEG as cameras write it: without Huffman tables.
fn camera_jpeg(picture: &Luma) -> Vec<u8> {
    let mut file = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut file, 70)
        .encode(picture.pixels(), picture.width(), picture.height(), image::ExtendedColorType::L8)
        .unwrap();
    let (mut at, mut bare) = (2, file[..2].to_vec());
    while file[at + 1] != 0xda {
        let length = 2 + usize::from(u16::from_be_bytes([file[at + 2], file[at + 3]]));
        if file[at + 1] != 0xc4 {
            bare.extend(&file[at..at + length]);
        }
        at += length;
    }
    bare.extend(&file[at..]);
    bare
}

/// A pipe into which `bytes` are written, over and over if `again`, until nobody reads any more.
fn pipe(bytes: Vec<u8>, repeated: Vec<u8>) -> (PipeReader, args::Inputs) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    std::thread::spawn(move || {
        let mut ended = writer.write_all(&bytes);
        while ended.is_ok() && !repeated.is_empty() {
            ended = writer.write_all(&repeated);
        }
    });
    let pipe = Some(reader.as_raw_fd().to_string().parse().unwrap());
    (reader, args::Inputs { pipe, ..Default::default() })
}

fn bodies(found: Result<Vec<Document>, Failure>) -> Vec<Vec<u8>> {
    found.unwrap().into_iter().map(|document| document.bytes).collect()
}

#[test]
fn a_stream_ends_by_itself_when_the_expected_kind_is_complete() {
    let (bundle, request) = (payload(1, 2500), payload(2, 9000));
    let shown = interleaved(&frames(&request, ApprovalRequest::KIND), &frames(&bundle, Bundle::KIND));
    // The pipe never ends; the writer notices that nobody reads.
    let stream = y4m("", &shown);
    let endless = stream[stream.iter().position(|byte| *byte == b'\n').unwrap() + 1..].to_vec();
    let (_reader, given) = pipe(stream, endless);
    let inputs = Inputs::open_all(&given).unwrap();
    assert_eq!(bodies(inputs.wanted(&console(), Wanted::one(Bundle::KIND))), [bundle]);
}

#[test]
fn of_two_transfers_of_one_kind_the_named_one_is_taken_and_without_a_name_nobody_guesses() {
    let (one, two) = (payload(3, 3000), payload(4, 3000));
    let shown = interleaved(&frames(&one, Bundle::KIND), &frames(&two, Bundle::KIND));
    let shown: Vec<Luma> =
        shown.iter().chain(&shown).chain(&interleaved(&frames(&two, 1), &frames(&one, 1))).cloned().collect();
    let encoder = Encoder::new(&two, Bundle::KIND, FrameSize::new(10, Level::L).unwrap()).unwrap();
    let (_reader, given) = pipe(y4m(" Cmono", &shown), Vec::new());
    let failed = Inputs::open_all(&given).unwrap().wanted(&console(), Wanted::one(Bundle::KIND)).unwrap_err();
    assert!(failed.message.contains("2 documents would do"), "{failed}");
    assert!(failed.message.contains(&encoder.transfer_id().to_string()), "{failed}");
    let (_reader, given) = pipe(y4m(" C420jpeg", &shown), Vec::new());
    let given = args::Inputs { transfer: Some(encoder.transfer_id().to_string()[..6].to_owned()), ..given };
    let inputs = Inputs::open_all(&given).unwrap();
    assert_eq!(bodies(inputs.wanted(&console(), Wanted::one(Bundle::KIND))), [two]);
}

#[test]
fn an_mjpeg_stream_without_huffman_tables_is_read_between_garbage_and_broken_pictures() {
    let bundle = payload(5, 2500);
    let mut stream = Vec::new();
    for picture in frames(&bundle, Bundle::KIND) {
        let jpeg = camera_jpeg(&picture);
        stream.extend(&jpeg);
        stream.extend(b"\r\n--boundary\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\xff\x00");
        stream.extend(&jpeg[..jpeg.len() / 2]);
    }
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("recording.mjpeg");
    std::fs::write(&recording, &stream).unwrap();
    let given = args::Inputs { input: vec![recording], ..Default::default() };
    let from_file = Inputs::open_all(&given).unwrap().wanted(&console(), Wanted::one(Bundle::KIND));
    assert_eq!(bodies(from_file), std::slice::from_ref(&bundle));
    let (_reader, given) = pipe(stream, Vec::new());
    let from_pipe = Inputs::open_all(&given).unwrap().wanted(&console(), Wanted::one(Bundle::KIND));
    assert_eq!(bodies(from_pipe), [bundle]);
}

/// What a camera's driver puts into its buffers, one after the other, over and over.
struct Recorded {
    raw: Raw,
    buffers: Vec<Vec<u8>>,
    next: usize,
}

impl Recorded {
    fn of(layout: Layout, padding: u32, pictures: &[Luma]) -> Self {
        let (width, height) = (pictures[0].width(), pictures[0].height());
        let row = |row: &[u8]| -> Vec<u8> {
            let samples: Vec<u8> = match layout {
                Layout::Yuyv => row.iter().flat_map(|level| [*level, 128]).collect(),
                _ => row.to_vec(),
            };
            samples.into_iter().chain(std::iter::repeat_n(7, padding as usize)).collect()
        };
        let buffer = |picture: &Luma| match layout {
            // A driver gives the whole buffer, the picture at its beginning.
            Layout::Jpeg => [camera_jpeg(picture), vec![0; 5000]].concat(),
            _ => picture.pixels().chunks(width as usize).flat_map(row).collect(),
        };
        let sample_bytes = if layout == Layout::Yuyv { 2 } else { 1 };
        let raw = Raw { layout, width, height, row_bytes: width * sample_bytes + padding };
        Self { raw, buffers: pictures.iter().map(buffer).collect(), next: 0 }
    }
}

impl Pictures for Recorded {
    fn next(&mut self) -> Result<Option<Look>, CameraError> {
        let buffer = &self.buffers[self.next % self.buffers.len()];
        // Now and then a buffer breaks off.
        let used = if self.next % 5 == 4 { buffer.len() / 3 } else { buffer.len() };
        self.next += 1;
        Ok(Some(match self.raw.picture(&buffer[..used]) {
            Ok(picture) => Look::Picture(picture),
            Err(why) => Look::Damaged { name: "recorded".into(), why },
        }))
    }
}

#[test]
fn every_layout_of_a_camera_s_buffers_is_read() {
    let bundle = payload(6, 2000);
    let shown = frames(&bundle, Bundle::KIND);
    for (layout, padding) in
        [(Layout::Grey, 0), (Layout::Grey, 24), (Layout::Yuyv, 0), (Layout::Yuyv, 64), (Layout::Jpeg, 0)]
    {
        let source = Source::Camera(Box::new(Recorded::of(layout, padding, &shown)));
        let found = Inputs::of(source).wanted(&console(), Wanted::one(Bundle::KIND));
        assert_eq!(bodies(found), std::slice::from_ref(&bundle), "{layout:?} {padding}");
    }
}

#[test]
fn what_is_missing_is_said() {
    let shown = frames(&payload(7, 3000), Bundle::KIND);
    let read = |stream: Vec<u8>, kind| {
        let (_reader, given) = pipe(stream, Vec::new());
        Inputs::open_all(&given).unwrap().wanted(&console(), Wanted::one(kind)).unwrap_err().message
    };
    let few = read(y4m("", &shown[..3]), Bundle::KIND);
    assert!(few.contains("incomplete: 3 frames of about"), "{few}");
    let other = read(y4m("", &shown), ApprovalRequest::KIND);
    assert!(other.contains("of another kind or name than asked for: bundle"), "{other}");
    let grey = Luma::new(64, 64, vec![99; 4096]).unwrap();
    let nothing = read(y4m("", &[grey]), Bundle::KIND);
    assert!(nothing.contains("nothing of Airlock in 1 of them"), "{nothing}");
    assert!(read(Vec::new(), Bundle::KIND).contains("nothing of Airlock in 0 of them"));
    let nobody = Inputs::open_all(&args::Inputs::default()).err().unwrap();
    assert!(nobody.message.contains("--camera"), "{nobody}");
}

#[test]
fn streams_that_make_no_sense_are_refused_before_memory_is_taken() {
    let cases: [(&[u8], &str); 10] = [
        (b"GIF89a...", "neither a Y4M nor an MJPEG"),
        (b"YUV4MPEG3 W1 H1\n", "not that of Y4M"),
        (b"YUV4MPEG2 H100\nFRAME\n", "0 by 100 pixels"),
        (b"YUV4MPEG2 W99999 H2\nFRAME\n", "a width of 99999"),
        (b"YUV4MPEG2 W8000 H8000\nFRAME\n", "8000 by 8000 pixels"),
        (b"YUV4MPEG2 W-4 H4\nFRAME\n", "a width of -4"),
        (b"YUV4MPEG2 W18446744073709551617 H4\nFRAME\n", "a width of 18446744073709551617"),
        (b"YUV4MPEG2 W64 H64 C420p10\nFRAME\n", "colours 420p10"),
        (b"YUV4MPEG2 W64 H64\nFRAMES\n", "does not begin with FRAME"),
        (&[b'Y'; 4000], "longer than 256"),
    ];
    for (stream, expected) in cases {
        let (_reader, given) = pipe(stream.to_vec(), Vec::new());
        let said = Inputs::open_all(&given).unwrap().wanted(&console(), Wanted::any()).unwrap_err().message;
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn any_bytes_of_a_stream_are_survived() {
    let mut state = 7u64;
    let mut dice = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as u32
    };
    let good = camera_jpeg(&frames(&payload(8, 100), 1)[0]);
    for round in 0..60 {
        let mut stream = match round % 3 {
            0 => [&good[..], &good, &good].concat(),
            1 => y4m("", &frames(&payload(9, 100), 1)),
            _ => (0..5000).map(|_| dice() as u8).collect(),
        };
        let start = if round % 3 == 2 { b"\xff\xd8\xff".to_vec() } else { Vec::new() };
        for _ in 0..1 + dice() % 40 {
            let at = 12 + dice() as usize % (stream.len() - 12);
            stream[at] = dice() as u8;
        }
        stream.truncate(12 + dice() as usize % (stream.len() - 12));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.mjpg");
        std::fs::write(&path, [start, stream].concat()).unwrap();
        let _ = Inputs::of(Source::stream(&path).unwrap()).documents(); // an error or what was seen
    }
}

/// A home without spending keys, which `inspect` needs.
fn home(folder: &std::path::Path) -> Vec<String> {
    std::fs::write(folder.join("pass"), "a passphrase for tests").unwrap();
    std::fs::set_permissions(folder.join("pass"), PermissionsExt::from_mode(0o600)).unwrap();
    let [home, pass] = ["home", "pass"].map(|name| folder.join(name).display().to_string());
    let options = ["--home", &home, "--passphrase-file", &pass].map(str::to_owned).to_vec();
    let init = ["init", "--name", "bob", "--profile", "dev", "--identity-only"];
    let cost = ["--kdf-memory-kib", "47104", "--kdf-passes", "1"];
    let made = Command::new(PROGRAM).args(&options).args(init).args(cost).args(ROSTER).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    options
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_airlock-signer");
/// The generator of Ed25519, which is somebody's key.
const ROSTER: [&str; 2] =
    ["--roster", "alice=5866666666666666666666666666666666666666666666666666666666666666"];

#[test]
fn ctrl_c_ends_the_reading_and_leaves_the_home_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let options = home(folder.path());
    let inspect = |stdin| {
        // What started the tests may have told them to ignore the signal, as shells do in the background.
        let line = ["--default-signal=INT", PROGRAM];
        let mut command = Command::new("env");
        command.args(line).args(&options).args(["inspect", "--pipe", "-"]).stdin(stdin);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let (reader, mut writer) = std::io::pipe().unwrap();
    let mut child = inspect(Stdio::from(reader));
    let grey = y4m("", &[Luma::new(320, 240, vec![120; 320 * 240]).unwrap()]);
    writer.write_all(&grey).unwrap();
    // The pipe holds less than these pictures: once they are written the program is reading.
    for _ in 0..20 {
        writer.write_all(&grey[grey.iter().position(|byte| *byte == b'\n').unwrap() + 1..]).unwrap();
    }
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().signal(), Some(2));
    drop(writer);
    // The next one finds no lock and no half-done work.
    let (reader, mut writer) = std::io::pipe().unwrap();
    let next = inspect(Stdio::from(reader));
    writer.write_all(&grey).unwrap();
    drop(writer);
    let said = String::from_utf8(next.wait_with_output().unwrap().stderr).unwrap();
    assert!(said.contains("nothing of Airlock in 1 of them"), "{said}");
}

#[test]
fn a_camera_that_is_not_there_is_an_error_of_its_own() {
    let Err(error) = Source::camera(std::path::Path::new("/dev/null")).map(|_| ()) else {
        panic!("no camera")
    };
    assert!(
        matches!(error, CameraError::Io { .. } | CameraError::NoFormat { .. } | CameraError::NotLinux),
        "{error}"
    );
    let given = args::Inputs { camera: Some("/dev/video-none".into()), ..Default::default() };
    let failed = Inputs::open_all(&given).err().unwrap();
    assert!(failed.message.contains("/dev/video-none"), "{failed}");
    let missing = Inputs::open(&["/no/such/file".into()]);
    assert!(matches!(missing, Err(QrError::Io { .. })));
}
