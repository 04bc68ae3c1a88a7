//! `airlock-coordinator`: serve, migrate, and make people.
//!
//! Answers of the creating commands are one line of JSON on standard output; logs go to standard error. Exit codes:
//! 0 done, 1 failed, 2 usage, 3 `ledger verify` or `audit verify` found a fault or `liabilities verify` a lie.

use airlock_coordinator::app::{App, prepare, serve};
use airlock_coordinator::audit::{self, Action, By};
use airlock_coordinator::batches::intake;
use airlock_coordinator::clock::Clock;
use airlock_coordinator::config::{Config, ConfigError};
use airlock_coordinator::db::Database;
use airlock_coordinator::deposits::address::{self, XpubExport};
use airlock_coordinator::export;
use airlock_coordinator::keys::{self, Wanted};
use airlock_coordinator::ledger::verify;
use airlock_coordinator::liabilities;
use airlock_coordinator::logs;
use airlock_coordinator::pairing::{self, CoordinatorKey};
use airlock_coordinator::people::invitation::{self, Grant, Invited};
use airlock_coordinator::people::{HOUSE, Reach, Scope, create, roles_of_words};
use airlock_shared::document::Document as _;
use airlock_shared::envelope::Introduction;
use airlock_shared::identity::Identity;
use airlock_shared::policy::SignedPolicy;
use anyhow::Context as _;
use clap::{Parser, Subcommand};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

// A quarter of the server's time at saturation went into glibc's memory (docs/decisions/0017).
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(
    name = "airlock-coordinator",
    version,
    about = "The online half of Airlock. It holds no spending key"
)]
struct Arguments {
    /// Settings over the documented defaults (`airlock-coordinator config` prints those).
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    /// sqlite:PATH or postgres://… without a password in it; prefer the settings file or AIRLOCK_DATABASE__URL.
    #[arg(long, global = true)]
    database_url: Option<String>,
    /// Address and port of the API.
    #[arg(long, global = true)]
    listen: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves the API and does the work.
    Serve {
        /// Migrates first.
        #[arg(long)]
        migrate: bool,
    },
    /// Brings the database up to date.
    Migrate,
    /// Prints every setting with its default and unit; `check` and `show` look at those in force.
    Config {
        #[command(subcommand)]
        command: Option<ConfigCommand>,
    },
    /// People of the house and of partners.
    #[command(subcommand)]
    Person(Person),
    /// Partners.
    #[command(subcommand)]
    Partner(Partner),
    /// End users of partners.
    #[command(subcommand)]
    User(User),
    /// Partners' API keys.
    #[command(subcommand)]
    Key(KeyCommand),
    /// The signer's extended public keys, from which deposit addresses are derived.
    #[command(subcommand)]
    Xpub(Xpub),
    /// The books.
    #[command(subcommand)]
    Ledger(Ledger),
    /// What is owed to everybody, signed, so that each creditor can check their own part (docs/liabilities.md).
    #[command(subcommand)]
    Liabilities(Liabilities),
    /// Who did what (docs/auditor-guide.md).
    #[command(subcommand)]
    Audit(audit::command::Command),
    /// The coordinator's own identity key, which signs what crosses the gap and never a payment.
    #[command(subcommand)]
    Identity(IdentityCommand),
    /// Prints what a signer is shown to be paired with this coordinator.
    Introduction,
    /// Signers.
    #[command(subcommand)]
    Signer(SignerCommand),
    /// The signer's policy, as its custodians signed it.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// The signer's hot, cold and energy wallets.
    #[command(subcommand)]
    Wallet(WalletCommand),
}

#[derive(Clone, Copy, Subcommand)]
enum ConfigCommand {
    /// Says whether the settings are valid: one line for each mistake, exit code 1.
    Check,
    /// Prints the settings in force as TOML, credentials masked.
    Show,
}

#[derive(Subcommand)]
enum IdentityCommand {
    /// Makes the key if there is none, and prints its public half.
    Init,
}

#[derive(Subcommand)]
enum SignerCommand {
    /// Pairs a signer: compare the eight words on both screens, then type them.
    Pair {
        /// Its introduction: JSON, binary, or a picture of its QR code.
        file: PathBuf,
        /// The eight words; without them, they are printed and nothing is paired.
        #[arg(long, default_value = "")]
        confirm: String,
        /// The partner (id or name) for whom alone it is paired; without it, the house.
        #[arg(long, default_value = HOUSE)]
        partner: String,
    },
}

#[derive(Subcommand)]
enum PolicyCommand {
    /// Takes a signed policy.
    Import {
        /// The policy: JSON, binary, or a picture of its QR code.
        file: PathBuf,
    },
}

#[derive(Subcommand)]
enum WalletCommand {
    /// Takes the JSON file that `airlock-signer addresses --json` wrote.
    Import {
        /// The file.
        file: PathBuf,
    },
}

#[derive(Subcommand)]
enum Xpub {
    /// Takes the JSON file that `airlock-signer xpub` wrote.
    Import {
        /// The file.
        file: PathBuf,
    },
}

#[derive(Subcommand)]
enum Person {
    /// Invites one and prints the invitation once; for somebody who is there already, a new way in.
    Invite {
        /// Their person id: a-z 0-9 . _ @ -
        #[arg(long)]
        name: String,
        /// Their e-mail, by which they log in.
        #[arg(long)]
        email: String,
        /// What they do: operator, approver, auditor, administrator, with commas.
        #[arg(long)]
        role: String,
        /// The partner's id or name; without it, one of the house's people.
        #[arg(long)]
        partner: Option<String>,
    },
}

#[derive(Subcommand)]
enum Partner {
    /// Makes one and prints its id.
    Create {
        /// A name of its own.
        #[arg(long)]
        name: String,
    },
}

#[derive(Subcommand)]
enum User {
    /// Makes one and prints its id.
    Create {
        /// The partner's id or name.
        #[arg(long)]
        partner: String,
        /// How the partner calls the user.
        #[arg(long)]
        external_id: String,
    },
}

#[derive(Subcommand)]
enum KeyCommand {
    /// Makes one and prints its id and secret once.
    Create {
        /// The partner's id or name.
        #[arg(long)]
        partner: String,
        /// What it may do: read, transfer, withdraw, deposit, manage_users, separated by commas.
        #[arg(long, value_delimiter = ',', required = true)]
        scopes: Vec<String>,
        /// A network (CIDR) or address from which it may be used; repeat it for more. None: from anywhere.
        #[arg(long, value_name = "CIDR")]
        allow: Vec<String>,
        /// What its owner calls it.
        #[arg(long, default_value = "command line")]
        label: String,
        /// Seconds until it expires; without it, it does not.
        #[arg(long, value_name = "SECONDS")]
        lifetime_s: Option<u32>,
    },
}

#[derive(Subcommand)]
enum Ledger {
    /// Replays every entry against the balances.
    Verify,
    /// Writes the books as one file for auditors: accounts, transfers, batches, items, journals (docs/ledger.md).
    Export {
        /// Where; nothing is overwritten.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

#[derive(Subcommand)]
enum Liabilities {
    /// Takes a picture of the books and of the reserves at final blocks, signs it, and writes the statement.
    Prove {
        /// Where; nothing is overwritten.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Checks a statement, and a creditor's proof in it. Needs no settings and no database.
    Verify {
        /// The statement, or the whole answer of `GET /v1/liabilities/proof`.
        statement: PathBuf,
        /// A creditor's proof.
        proof: Option<PathBuf>,
        /// The coordinator's public key, 64 hex digits, known from elsewhere.
        #[arg(long, value_name = "HEX")]
        coordinator: String,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("airlock-coordinator: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    if let Command::Liabilities(Liabilities::Verify { statement, proof, coordinator }) = &arguments.command {
        return verify_liabilities(statement, proof.as_deref(), coordinator);
    }
    if let Command::Audit(command) = &arguments.command
        && let Some(code) = audit::command::without_settings(command)?
    {
        return Ok(code);
    }
    let flags = overrides(&arguments)?;
    if let Command::Config { command } = &arguments.command {
        return told_settings(*command, arguments.config.as_deref(), &flags);
    }
    let config = match Config::load(arguments.config.as_deref(), &flags) {
        Ok(config) => config,
        Err(error) => return Ok(refused_settings(&error)),
    };
    logs::start(&config);
    match arguments.command {
        Command::Serve { migrate } => {
            let migrate = migrate || config.database.migrate;
            if let Err(error) = prepared_and_served(config, migrate).await {
                tracing::error!(error = format!("{error:#}"), "ended badly");
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Migrate => println!("{}", json!({ "applied": migrate(&config).await? })),
        // Answered before the settings were read.
        Command::Config { .. } => {}
        Command::Person(Person::Invite { name, email, role, partner }) => {
            invite(config, name, email, &role, partner.as_deref()).await?;
        }
        Command::Partner(Partner::Create { name }) => {
            let app = App::open(config, Clock::System).await?;
            println!("{}", serde_json::to_string(&create::partner(&app.writer, &name).await?)?);
        }
        Command::User(User::Create { partner, external_id }) => {
            let app = App::open(config, Clock::System).await?;
            println!("{}", serde_json::to_string(&create::user(&app.writer, &partner, &external_id).await?)?);
        }
        Command::Key(KeyCommand::Create { partner, scopes, allow, label, lifetime_s }) => {
            create_key(config, &partner, &label, &scopes, &allow, lifetime_s).await?;
        }
        Command::Xpub(Xpub::Import { file }) => import_xpub(config, &file).await?,
        Command::Ledger(Ledger::Verify) => return verify_ledger(&config).await,
        Command::Ledger(Ledger::Export { out }) => export_ledger(config, &out).await?,
        Command::Liabilities(Liabilities::Prove { out }) => prove_liabilities(config, &out).await?,
        // Answered before the settings were read.
        Command::Liabilities(Liabilities::Verify { .. }) => {}
        Command::Audit(command) => return audit::command::run(config, command).await,
        Command::Identity(IdentityCommand::Init) => {
            let key = CoordinatorKey::open(&config.home)?;
            println!("{}", json!({ "identity": key.identity().to_string() }));
        }
        Command::Introduction => {
            let key = CoordinatorKey::open(&config.home)?;
            print!("{}", key.introduction(config.creator.clone(), config.profile).to_json());
        }
        Command::Signer(SignerCommand::Pair { file, confirm, partner }) => {
            let bytes = document_in(&file, Introduction::KIND)?;
            let app = App::open(config, Clock::System).await?;
            let paired = pairing::pair(&app, &bytes, &confirm, &partner, &By::command_line()).await?;
            println!("{}", serde_json::to_string(&paired)?);
        }
        Command::Policy(PolicyCommand::Import { file }) => {
            let bytes = document_in(&file, SignedPolicy::KIND)?;
            let app = App::open(config, Clock::System).await?;
            let policy = pairing::import_policy(&app, &bytes, &Reach::All, &By::command_line()).await?.policy;
            println!(
                "{}",
                json!({ "name": policy.name.to_string(), "version": policy.version,
                "digest": policy.digest().to_string() })
            );
        }
        Command::Wallet(WalletCommand::Import { file }) => {
            let bytes = std::fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
            let app = App::open(config, Clock::System).await?;
            let wallets = pairing::import_wallets(&app, &bytes, &Reach::All, &By::command_line()).await?;
            println!("{}", json!({ "wallets": wallets.len() }));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Flags as settings, over everything else.
fn overrides(arguments: &Arguments) -> anyhow::Result<String> {
    let mut text = String::new();
    // JSON strings are TOML basic strings.
    if let Some(url) = &arguments.database_url {
        // It goes over a file that the settings name.
        text.push_str(&format!("[database]\nurl = {}\nurl_file = \"\"\n", serde_json::to_string(url)?));
    }
    if let Some(listen) = &arguments.listen {
        text.push_str(&format!("[server]\nlisten = {}\n", serde_json::to_string(listen)?));
    }
    Ok(text)
}

/// Says all that is wrong with the settings, one line each.
fn refused_settings(error: &ConfigError) -> ExitCode {
    for mistake in &error.mistakes {
        eprintln!("{mistake}");
    }
    ExitCode::FAILURE
}

fn told_settings(
    command: Option<ConfigCommand>,
    path: Option<&Path>,
    flags: &str,
) -> anyhow::Result<ExitCode> {
    let told = match command {
        None => Ok(airlock_coordinator::config::EXAMPLE.to_owned()),
        Some(ConfigCommand::Check) => Config::load(path, flags).map(|_| "{\"valid\":true}\n".to_owned()),
        Some(ConfigCommand::Show) => Config::shown(path, flags),
    };
    match told {
        Ok(text) => print!("{text}"),
        Err(error) => return Ok(refused_settings(&error)),
    }
    Ok(ExitCode::SUCCESS)
}

async fn prepared_and_served(config: Config, migrate: bool) -> anyhow::Result<()> {
    prepare(&config, &Clock::System, migrate).await?;
    Ok(serve(config, Clock::System).await?)
}

async fn migrate(config: &Config) -> anyhow::Result<Vec<&'static str>> {
    let db = Database::open(config.database_url.reveal(), 1).await?;
    Ok(db.migrate(Clock::System.now()).await?)
}

async fn create_key(
    config: Config,
    partner: &str,
    label: &str,
    scopes: &[String],
    allow: &[String],
    lifetime_s: Option<u32>,
) -> anyhow::Result<()> {
    let scope = |name: &String| {
        Scope::from_name(name).with_context(|| {
            format!("--scopes: {name:?}; read, transfer, withdraw, deposit or manage_users are expected")
        })
    };
    let mut wanted = Wanted::new(partner, label, scopes.iter().map(scope).collect::<Result<Vec<_>, _>>()?);
    wanted.networks = keys::http::networks(allow).map_err(|why| anyhow::anyhow!("--allow: {why}"))?;
    wanted.expires_at = lifetime_s.map(|lifetime| Clock::System.now() + i64::from(lifetime) * 1000);
    let app = App::open(config, Clock::System).await?;
    let made = keys::create(&app, wanted, &Reach::All, &By::command_line()).await?;
    println!("{}", json!({ "id": made.key.id, "secret": *made.secret, "partner": made.key.partner }));
    Ok(())
}

/// Whoever has a shell here is the root of trust: the roles come with acceptance.
async fn invite(
    config: Config,
    name: String,
    email: String,
    roles: &str,
    partner: Option<&str>,
) -> anyhow::Result<()> {
    let app = App::open(config, Clock::System).await?;
    let roles = roles_of_words(roles)?;
    anyhow::ensure!(!roles.is_empty(), "name a role: operator, approver, auditor or administrator");
    let partner = match partner {
        None => HOUSE.to_owned(),
        Some(named) => create::partner_id(&app.db, named).await?,
    };
    let invited = Invited { name, email, partner, roles };
    let made = invitation::invite(&app, By::command_line(), invited, Grant::Direct).await?;
    println!("{}", json!({ "id": made.id, "invitation": made.invitation }));
    Ok(())
}

async fn import_xpub(config: Config, file: &Path) -> anyhow::Result<()> {
    let json = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let export = XpubExport::read(&json)?;
    let shown =
        json!({ "network": export.network, "path": export.path, "first_address": export.first_address });
    let app = App::open(config, Clock::System).await?;
    address::import(&app, export, &By::command_line()).await?;
    println!("{shown}");
    Ok(())
}

/// The one document of `kind` in a file.
fn document_in(file: &Path, kind: u8) -> anyhow::Result<Vec<u8>> {
    let bytes = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let found = intake::documents(vec![bytes], kind)?;
    found.into_iter().next().context("no document in the file")
}

async fn export_ledger(config: Config, out: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(!out.exists(), "{} exists; nothing is overwritten", out.display());
    let key = CoordinatorKey::open(&config.home)?;
    let app = App::open(config, Clock::System).await?;
    let asked = json!({ "file": out });
    audit::read(&app, &By::command_line(), Action::LedgerExport, "", asked).await?;
    let counts = export::export(&app.db, &app.config, &key, app.clock.now(), out).await?;
    println!("{}", json!({ "file": out, "counts": counts }));
    Ok(())
}

async fn prove_liabilities(config: Config, out: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(!out.exists(), "{} exists; nothing is overwritten", out.display());
    let key = CoordinatorKey::open(&config.home)?;
    let app = App::open(config, Clock::System).await?;
    let signed = liabilities::prove(&app, &key, &By::command_line()).await?;
    std::fs::write(out, signed.to_json()).with_context(|| format!("writing {}", out.display()))?;
    println!("{}", liabilities::check::check(signed.to_json().as_bytes(), None, &key.identity())?);
    Ok(())
}

fn verify_liabilities(statement: &Path, proof: Option<&Path>, coordinator: &str) -> anyhow::Result<ExitCode> {
    let read = |path: &Path| std::fs::read(path).with_context(|| format!("reading {}", path.display()));
    let key = Identity::from_hex(coordinator).context("--coordinator: expected 64 lower-case hex digits")?;
    let (statement, proof) = (read(statement)?, proof.map(read).transpose()?);
    match liabilities::check::check(&statement, proof.as_deref(), &key) {
        Ok(shown) => println!("{shown}"),
        Err(error) => {
            println!("{}", json!({ "verified": false, "why": error.to_string() }));
            return Ok(ExitCode::from(3));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn verify_ledger(config: &Config) -> anyhow::Result<ExitCode> {
    let db = Database::open(config.database_url.reveal(), 1).await?;
    db.expect_current().await?;
    let verified = verify::snapshot(&db).await?;
    let sound = verified.faults.is_empty();
    println!(
        "{}",
        json!({ "sound": sound, "accounts": verified.accounts, "entries": verified.entries, "faults": verified.faults })
    );
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::from(3) })
}
