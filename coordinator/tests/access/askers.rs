//! One caller of each sort, and how each makes a request.
//!
//! Sessions are opened as if a log-in had happened; keys are real. The credentials that no longer count stand beside them.

use super::super::stage::Stage;
use airlock_coordinator::app::App;
use airlock_coordinator::audit::By;
use airlock_coordinator::keys::{self, Credential, Wanted};
use airlock_coordinator::people::passkey::store::{self, Passkey};
use airlock_coordinator::people::session::{self, Origin, Standing};
use airlock_coordinator::people::{Reach, Role, Scope, Subject, create};
use airlock_shared::approval::passkey::{base64url, credential_digest};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// What sort of caller.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Without a credential.
    Nobody,
    /// With one that counted once.
    Ended,
    /// A user of the partner.
    User,
    /// The partner's key of one scope.
    Key(Scope),
    /// One of a tenant's people.
    Staff { house: bool, roles: Vec<Role>, stepped_up: bool },
}

enum With {
    Nothing,
    Token(String),
    Session(Subject, Standing, Mutex<Option<String>>),
    Key(Box<Credential>),
}

/// One caller.
pub struct Asker {
    pub name: String,
    pub kind: Kind,
    with: With,
}

/// All of them, and where they ask.
pub struct Askers {
    pub all: Vec<Asker>,
    pub url: String,
    pub http: reqwest::Client,
    app: App,
    count: AtomicU64,
}

/// What came back: status, and the error's code or nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    pub status: u16,
    pub code: String,
    pub text: String,
}

impl Askers {
    /// Callers of the partner `acme` (id or name), of whose users `ann` is one, and of the house.
    pub async fn open(stage: &Stage, url: &str, acme: &str, ann: &str) -> Self {
        let app = stage.app.clone();
        // A connection each: whoever answers before a body has been read to its end closes it.
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
        let mut askers =
            Self { all: Vec::new(), url: url.to_owned(), http, app: app.clone(), count: AtomicU64::new(0) };
        askers.add("nobody", Kind::Nobody, With::Nothing);
        let open = Standing::Open { stepped_up: true };
        let user = Subject::User(ann.to_owned());
        askers.add("user", Kind::User, With::Session(user, open, Mutex::default()));
        for scope in Scope::ALL {
            let made = key(&app, acme, scope).await;
            askers.add(&format!("key:{}", scope.name()), Kind::Key(scope), With::Key(Box::new(made)));
        }
        for (tenant, house) in [(acme, false), ("house", true)] {
            for role in Role::ALL {
                askers.staff(tenant, house, &[role], open).await;
            }
            askers.staff(tenant, house, &Role::ALL, Standing::Open { stepped_up: false }).await;
            askers.staff(tenant, house, &[], open).await;
        }
        // A session without its second factor may do what somebody without any role may.
        let limited = askers.staff(acme, false, &[], Standing::Limited).await;
        assert_eq!(limited, askers.all.len() - 1);
        askers.ended(acme).await;
        askers
    }

    fn add(&mut self, name: &str, kind: Kind, with: With) -> usize {
        self.all.push(Asker { name: name.to_owned(), kind, with });
        self.all.len() - 1
    }

    async fn staff(&mut self, tenant: &str, house: bool, roles: &[Role], standing: Standing) -> usize {
        let words: Vec<&str> = roles.iter().map(|role| role.name()).collect();
        let stepped_up = standing == Standing::Open { stepped_up: true };
        let place = if house { "house" } else { "partner" };
        let fresh = if stepped_up { "" } else { " without a fresh factor" };
        let name =
            format!("{place} {}{fresh}", if words.is_empty() { "nothing".into() } else { words.join("+") });
        let count = self.all.len();
        // A session that is limited is one of somebody who has every role.
        let given = if standing == Standing::Limited { &Role::ALL } else { roles };
        let roles_given = given.iter().copied().collect();
        let person =
            create::person(&self.app.writer, tenant, &format!("asker{count}"), &roles_given).await.unwrap();
        let kind = Kind::Staff { house, roles: roles.to_vec(), stepped_up };
        self.add(&name, kind, With::Session(Subject::Person(person.id), standing, Mutex::default()))
    }

    /// Tokens of a deactivated person, of a session that ended, of another key; a key that was ended.
    async fn ended(&mut self, acme: &str) {
        let app = self.app.clone();
        let every = Role::ALL.into_iter().collect();
        for name in ["gone", "out"] {
            let subject = Subject::Person(create::person(&app.writer, acme, name, &every).await.unwrap().id);
            let token = token(&app, &subject, Standing::Open { stepped_up: true }).await;
            let sql = match name {
                "gone" => "update people set active = 0 where id = $1",
                _ => {
                    "update sessions set state = 'ended', ended_at = made_at, ended_why = '' where owner = $1"
                }
            };
            let id = subject.id().to_owned();
            let done = app.writer.commit(move |unit| {
                Box::pin(async move {
                    let done = sqlx::query(sql).bind(id).execute(unit.db()).await?;
                    Ok::<_, airlock_coordinator::ledger::LedgerError>(done.rows_affected())
                })
            });
            assert_eq!(done.await.unwrap(), 1, "{name}");
            self.add(&format!("a token of somebody who is {name}"), Kind::Ended, With::Token(token));
        }
        let made = wanted(&app, acme, Scope::ALL.to_vec()).await;
        keys::end(&app, &made.0, &Reach::All, &By::command_line()).await.unwrap();
        self.add("an ended key", Kind::Ended, With::Key(Box::new(made.1)));
    }

    /// A word that was not used before.
    pub fn fresh(&self) -> String {
        format!("fresh{}", self.count.fetch_add(1, Ordering::SeqCst))
    }

    /// Another session of the same caller, if it has sessions at all; and one's own account is asked about with it.
    pub async fn another_session(&self, asker: &Asker) -> Option<String> {
        let With::Session(subject, standing, _) = &asker.with else { return None };
        Some(session::open(&self.app, subject, *standing, &Origin::default()).await.unwrap().session)
    }

    /// A passkey of the caller's own, if it logs in at all.
    pub async fn another_passkey(&self, asker: &Asker) -> Option<String> {
        let With::Session(subject, ..) = &asker.with else { return None };
        Some(passkey(&self.app, subject).await)
    }

    /// The next request opens a session of its own.
    pub fn forget(&self, asker: &Asker) {
        if let With::Session(_, _, known) = &asker.with {
            *known.lock().unwrap() = None;
        }
    }

    async fn authorization(
        &self,
        asker: &Asker,
        method: &str,
        url: &str,
        body: &[u8],
        once: &str,
    ) -> Option<String> {
        match &asker.with {
            With::Nothing => None,
            With::Token(token) => Some(format!("Bearer {token}")),
            With::Session(subject, standing, known) => {
                let session = known.lock().unwrap().clone();
                let session = match session {
                    Some(session) => session,
                    None => {
                        let origin = Origin::default();
                        let opened = session::open(&self.app, subject, *standing, &origin).await;
                        let session = opened.unwrap().session;
                        *known.lock().unwrap() = Some(session.clone());
                        session
                    }
                };
                let token = self.app.access.tokens().unwrap().mint(subject, &session, self.app.clock.now());
                Some(format!("Bearer {token}"))
            }
            With::Key(key) => {
                let nonce = format!("{:032x}", self.count.fetch_add(1, Ordering::SeqCst));
                let seconds = self.app.clock.now() / 1000;
                Some(key.authorization(method, url, body, Some(once), seconds, &nonce))
            }
        }
    }

    /// Makes a request; an idempotency key of its own goes with it. While all exports that may run are running, it waits.
    pub async fn ask(&self, asker: &Asker, method: &str, url: &str, body: &str) -> Answer {
        loop {
            let answer = self.ask_once(asker, method, url, body).await;
            if answer.code != "unavailable" || !url.contains("/export?") {
                return answer;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    async fn ask_once(&self, asker: &Asker, method: &str, url: &str, body: &str) -> Answer {
        self.send_bytes(asker, method, url, body.as_bytes().to_vec(), "application/json").await
    }

    /// Makes a request with a body that may be anything.
    pub async fn send_bytes(
        &self,
        asker: &Asker,
        method: &str,
        url: &str,
        body: Vec<u8>,
        kind: &str,
    ) -> Answer {
        let method = method.to_uppercase();
        let once = format!("once-{}", self.count.fetch_add(1, Ordering::SeqCst));
        let name = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request =
            self.http.request(name, format!("{}{url}", self.url)).header("Idempotency-Key", &once);
        if let Some(authorization) = self.authorization(asker, &method, url, &body, &once).await {
            request = request.header("Authorization", authorization);
        }
        if !body.is_empty() {
            request = request.header("Content-Type", kind).body(body);
        }
        told(request).await
    }
}

/// Sends a request; checks the one shape of every refusal on the way.
pub async fn told(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let text = response.text().await.unwrap_or_default();
    let mut code = String::new();
    if status >= 400 {
        let body: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let error = &body["error"];
        assert_eq!(error["request_id"], id.as_str(), "{status} {text}");
        assert!(error["message"].is_string() && error["retryable"].is_boolean(), "{status} {text}");
        assert_eq!((body.as_object().unwrap().len(), error.as_object().unwrap().len()), (1, 4), "{text}");
        code = error["code"].as_str().unwrap().to_owned();
    }
    Answer { status, code, text }
}

/// A token of a session that was opened just now.
pub async fn token(app: &App, subject: &Subject, standing: Standing) -> String {
    let opened = session::open(app, subject, standing, &Origin::default()).await.unwrap();
    app.access.tokens().unwrap().mint(subject, &opened.session, app.clock.now())
}

async fn key(app: &App, partner: &str, scope: Scope) -> Credential {
    wanted(app, partner, vec![scope]).await.1
}

async fn wanted(app: &App, partner: &str, scopes: Vec<Scope>) -> (String, Credential) {
    let mut wanted = Wanted::new(partner, "asker", scopes);
    wanted.networks = vec!["127.0.0.0/8".parse().unwrap()];
    let made = keys::create(app, wanted, &Reach::All, &By::command_line()).await.unwrap();
    (made.key.id.clone(), made.credential().unwrap())
}

/// A passkey that somebody registered; answers its credential.
pub async fn passkey(app: &App, subject: &Subject) -> String {
    let (bytes, subject) = (airlock_coordinator::db::random_id().unwrap().into_bytes(), subject.clone());
    let credential = base64url(&bytes);
    let row = Passkey {
        credential: credential.clone(),
        public_key: String::new(),
        counter: 0,
        label: "theirs".to_owned(),
        made_at: app.clock.now(),
        used_at: None,
    };
    let digest = credential_digest(&bytes).to_string();
    let done = app.writer.commit(move |unit| {
        Box::pin(async move {
            let done = store::insert(unit.db(), &subject, &digest, &row).await?;
            Ok::<_, airlock_coordinator::ledger::LedgerError>(done)
        })
    });
    assert!(done.await.unwrap());
    credential
}
