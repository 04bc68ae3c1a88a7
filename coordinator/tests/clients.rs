//! The clients under `docs/clients` really call a coordinator: they look, move money, repeat, and are refused (P4).
//!
//! They run as partners would run them: `bash` with curl and openssl, `python3` with its standard library.
// A test that cannot set its stage has failed; saying so by a panic is its job.
#![allow(clippy::unwrap_used, clippy::panic)]

mod stage;

use airlock_coordinator::app::App;
use airlock_coordinator::audit::By;
use airlock_coordinator::clock::Clock;
use airlock_coordinator::keys::{self, Wanted};
use airlock_coordinator::people::{Reach, Scope};
use serde_json::{Value, json};
use stage::{Served, on_each_database, serve};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

struct Client<'a> {
    program: &'a str,
    file: &'a str,
    url: String,
    key: String,
    secret: PathBuf,
}

impl Client<'_> {
    async fn call(&self, arguments: &[&str]) -> Output {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/clients").join(self.file);
        let mut command = Command::new(self.program);
        command.arg(file).args(arguments).env("NO_PROXY", "*").env("no_proxy", "*");
        command.env("AIRLOCK_URL", &self.url).env("AIRLOCK_KEY", &self.key);
        command.env("AIRLOCK_SECRET_FILE", &self.secret).env("PYTHONDONTWRITEBYTECODE", "1");
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    async fn json(&self, arguments: &[&str]) -> Value {
        let output = self.call(arguments).await;
        let (out, error) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert!(output.status.success(), "{}: {out} {error}", self.file);
        serde_json::from_str(&out).unwrap_or_else(|_| panic!("{}: {out} {error}", self.file))
    }
}

/// A coordinator on the stage's database that goes by the system's clock, as the clients do.
async fn of_today(served: &Served) -> (App, String) {
    let app = App::open(served.stage.app.config.clone(), Clock::System).await.unwrap();
    let url = serve(&app).await;
    (app, url)
}

fn secret_file(folder: &Path, secret: &str) -> PathBuf {
    let path = folder.join("secret");
    let _ = std::fs::remove_file(&path);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).unwrap();
    std::io::Write::write_all(&mut file, format!("{secret}\n").as_bytes()).unwrap();
    path
}

#[test]
fn both_clients_look_move_money_once_and_show_a_refusal() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        let (app, url) = of_today(&served).await;
        served.stage.give(&served.ann.id, "USDT", 10_000_000).await;
        let wanted = Wanted::new(&served.partner.id, "client", [Scope::Read, Scope::Transfer]);
        let made = keys::create(&app, wanted, &Reach::All, &By::command_line()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let secret = secret_file(folder.path(), &made.secret);
        for (program, file, left) in [("bash", "airlock.sh", "8.5"), ("python3", "airlock.py", "7")] {
            let (url, key, secret) = (url.clone(), made.key.id.clone(), secret.clone());
            let client = Client { program, file, url, key, secret };
            let body =
                json!({ "kind": "transfer", "from": served.ann.id, "to": served.bob.id, "asset": "USDT",
                "amount": "1.5", "note": "100 % \"safe\" & 谢谢" })
                .to_string();
            let once = format!("order-{file}");
            let first = client.json(&["POST", "/v1/transfers", &body, &once]).await;
            assert_eq!(first["amount"], "1.5", "{first}");
            // The same again is signed anew and answered as before; nothing moves twice.
            assert_eq!(client.json(&["POST", "/v1/transfers", &body, &once]).await, first);
            let target = format!("/v1/balances?user={}", served.ann.id);
            let balances = client.json(&["GET", &target]).await;
            assert_eq!(balances["balances"][0]["available"], left, "{file}: {balances}");
            let refused = client.call(&["GET", "/v1/balances?user=nobody"]).await;
            assert_eq!(refused.status.code(), Some(1), "{file}");
            let said = [refused.stdout, refused.stderr].concat();
            assert!(String::from_utf8(said).unwrap().contains("not_found"), "{file}");
            let other = secret_file(&tempfile::tempdir().unwrap().keep(), &"ab".repeat(32));
            let forged = Client { secret: other, ..client };
            let refused = forged.call(&["GET", &target]).await;
            let said = String::from_utf8([refused.stdout, refused.stderr].concat()).unwrap();
            assert!(refused.status.code() == Some(1) && said.contains("signature_wrong"), "{file}: {said}");
        }
    });
}
