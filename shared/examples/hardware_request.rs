//! Hands one transaction of a batch to a hardware wallet by hand, and checks what the device answers.
//!
//! ```text
//! cargo run -p airlock-shared --example hardware_request -- BUNDLE ITEM [--batch N] [--transaction N]
//!     [--fingerprint 8-HEX-DIGITS] [--qr-version 1-40] [--picture FILE.png|FILE.gif]
//!     [--reply TEXT|FILE.png|FILE.gif]...
//! ```
//! BUNDLE is a bundle as the coordinator exports it, in either spelling; items, batches and transactions count from
//! 0. Without `--reply` it prints the request's texts and writes their picture; with it, it checks the reply (all
//! parts, if it has several) and prints the signed transaction. It approves nothing, knows no policy, keeps no
//! journal and sends nothing: docs/hardware-wallets.md says what that means.

use airlock_shared::batch::Context;
use airlock_shared::chain::Signed;
use airlock_shared::document::{self, Document as _};
use airlock_shared::envelope::Bundle;
use airlock_shared::form::MAX_JSON_BYTES;
use airlock_shared::frames::ur::{Decoder, HardwareRequest, Parts, Progress};
use airlock_shared::frames::{FrameSize, Level, QrImage, animation, frames_of_picture};
use airlock_shared::words::words;
use std::error::Error;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

/// Pixels per module: a device's camera is worse than a telephone's.
const PIXELS_PER_MODULE: u32 = 8;
/// Slow enough for a small device.
const FRAMES_PER_SECOND: u16 = 4;
/// Version 10 is what the small screens and cameras of hardware wallets manage.
const QR_VERSION: u8 = 10;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The arguments.
struct Asked {
    bundle: PathBuf,
    item: usize,
    batch: usize,
    transaction: usize,
    fingerprint: Option<[u8; 4]>,
    qr_version: u8,
    picture: Option<PathBuf>,
    replies: Vec<String>,
}

fn main() -> ExitCode {
    match asked(std::env::args().skip(1)).and_then(|asked| run(&asked)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn asked(mut arguments: impl Iterator<Item = String>) -> Result<Asked> {
    const USAGE: &str = "usage: hardware_request BUNDLE ITEM [--batch N] [--transaction N] [--fingerprint HEX] \
                         [--qr-version N] [--picture FILE.png|FILE.gif] [--reply TEXT|FILE]...";
    let (bundle, item) = arguments.next().zip(arguments.next()).ok_or(USAGE)?;
    let mut asked = Asked {
        bundle: bundle.into(),
        item: item.parse().map_err(|_| USAGE)?,
        batch: 0,
        transaction: 0,
        fingerprint: None,
        qr_version: QR_VERSION,
        picture: None,
        replies: Vec::new(),
    };
    while let Some((option, value)) = arguments.next().map(|option| (option, arguments.next())) {
        let value = value.ok_or(USAGE)?;
        match option.as_str() {
            "--batch" => asked.batch = value.parse()?,
            "--transaction" => asked.transaction = value.parse()?,
            "--fingerprint" => {
                let bytes = hex::decode(&value)?;
                asked.fingerprint = Some(bytes.try_into().map_err(|_| "a fingerprint has 8 hex digits")?);
            }
            "--qr-version" => asked.qr_version = value.parse()?,
            "--picture" => asked.picture = Some(value.into()),
            "--reply" => asked.replies.push(value),
            _ => return Err(USAGE.into()),
        }
    }
    Ok(asked)
}

fn run(asked: &Asked) -> Result<()> {
    let request = request(asked)?;
    if asked.replies.is_empty() {
        return show(asked, &request);
    }
    let signed = accept(&request, &asked.replies)?;
    println!("signed by     {}", request.source());
    println!("tx id         {}", hex::encode(signed.tx_id()));
    println!("transaction   {}", hex::encode(signed.bytes()));
    Ok(())
}

/// The request, from a bundle whose coordinator signed it; what it pays is printed on the way.
fn request(asked: &Asked) -> Result<HardwareRequest> {
    let bundle: Bundle = document::read(&bytes_of(&asked.bundle)?)?;
    let count = bundle.envelopes.len();
    let envelope = bundle.envelopes.get(asked.batch).ok_or_else(|| {
        format!("there is no batch {}: the bundle has {count}, counted from 0", asked.batch)
    })?;
    if !envelope.is_authentic() {
        return Err("the coordinator's signature does not match this batch".into());
    }
    let content = &envelope.content;
    let request = HardwareRequest::new(content, asked.item, asked.transaction, asked.fingerprint)?;
    println!("batch         {} on {}", content.batch_id, content.network);
    println!("words         {}", words(&content.digest()));
    println!("approvals     {} (not checked here)", envelope.approvals.len());
    if let Some(item) = content.items.get(asked.item) {
        println!("item          {} ({} of {})", item.id, asked.item + 1, content.items.len());
        let payments = content.signatures_per_item() - usize::from(has_cancel(&content.context));
        if asked.transaction < payments {
            println!("pays          {} base units of {}", item.amount, content.asset.symbol);
            println!("to            {}", item.destination);
        } else {
            println!("pays          nothing: it cancels the item's account nonce");
        }
    }
    println!("from          {}", request.source());
    println!("path          {}", request.path());
    println!("request id    {}", request.request_id());
    println!("signing hash  {}", hex::encode(request.unsigned().signing_hash()));
    Ok(request)
}

fn has_cancel(context: &Context) -> bool {
    matches!(context, Context::Evm(evm) if evm.cancel.is_some())
}

fn show(asked: &Asked, request: &HardwareRequest) -> Result<()> {
    let size = FrameSize::new(asked.qr_version, Level::L)?;
    let parts = Parts::fitting(request.ur()?, size)?;
    // A loop of the fragments alone; whoever misses one waits for its next turn.
    let texts: Vec<String> = (1..).take(parts.total()).map(|number| parts.text(number)).collect();
    println!("answers with  {}", request.reply_type());
    texts.iter().for_each(|text| println!("{text}"));
    let Some(path) = &asked.picture else { return Ok(()) };
    let images =
        texts.iter().map(|text| QrImage::encode(text, size)).collect::<std::result::Result<Vec<_>, _>>()?;
    let file = match (images.as_slice(), ending(path)) {
        ([image], Some("png")) => image.png(PIXELS_PER_MODULE)?,
        (images, Some("gif")) => animation(images, PIXELS_PER_MODULE, FRAMES_PER_SECOND)?,
        (_, Some("png")) => {
            return Err(format!("{} parts need a .gif, or a larger --qr-version", texts.len()).into());
        }
        _ => return Err("a picture is a .png or a .gif".into()),
    };
    std::fs::write(path, file)?;
    println!("written to    {}", path.display());
    Ok(())
}

/// The signed transaction, if the replies put together are the answer to this request.
fn accept(request: &HardwareRequest, replies: &[String]) -> Result<Signed> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let mut decoder = Decoder::new(request.reply_type());
    let mut seen = "no reply".to_owned();
    for reply in replies {
        let texts = match ending(Path::new(reply)) {
            Some("png" | "gif") => frames_of_picture(&bytes_of(Path::new(reply))?)?,
            _ => vec![reply.trim().to_owned()],
        };
        for text in texts {
            match decoder.receive(&text)? {
                Progress::Complete(ur) => return Ok(request.accept(&ur, now)?),
                Progress::Received { received, needed } => seen = format!("{received} of {needed} parts"),
                Progress::Foreign => return Err(format!("this is no {}", request.reply_type()).into()),
                Progress::Repeated => {}
            }
        }
    }
    Err(format!("the reply is not whole: {seen}").into())
}

/// A file, if it is no longer than any document may be.
fn bytes_of(path: &Path) -> Result<Vec<u8>> {
    let file = std::fs::File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut bytes = Vec::new();
    file.take(MAX_JSON_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_JSON_BYTES {
        return Err(format!(
            "{} is longer than {MAX_JSON_BYTES} bytes, as no {} is",
            path.display(),
            Bundle::NAME
        )
        .into());
    }
    Ok(bytes)
}

fn ending(path: &Path) -> Option<&str> {
    path.extension().and_then(|ending| ending.to_str())
}
