//! The table: permission x caller, and route x permission x whose.
//!
//! `$user`, `$withdrawal` … stand for an object of somebody; `$fresh` is a new word each time.

/// Every permission, who has it (`user`, `key:SCOPE`, roles), and whether it asks for a fresh second factor.
pub const PERMISSIONS: &[(&str, &str, bool)] = &[
    ("see_money", "user key:read operator approver auditor administrator", false),
    ("transfer", "user key:transfer", false),
    ("request_withdrawal", "user key:withdraw operator", false),
    ("approve_withdrawal", "approver", true),
    ("open_address", "user key:deposit operator", false),
    ("see_users", "key:read operator approver auditor administrator", false),
    ("manage_users", "key:manage_users operator administrator", false),
    ("run_batches", "operator", false),
    ("see_operations", "operator approver auditor administrator", false),
    ("manage_signers", "administrator", true),
    ("propose_adjustment", "operator", true),
    ("approve_adjustment", "approver", true),
    ("see_people", "operator approver auditor administrator", false),
    ("manage_people", "administrator", true),
    ("manage_keys", "administrator", true),
    ("manage_partners", "administrator", true),
    ("see_partners", "operator approver auditor administrator", false),
    ("see_audit", "auditor administrator", false),
    ("own_account", "user operator approver auditor administrator", false),
];

/// Whose things a route is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whose {
    /// Nobody's: no credential is needed.
    Public,
    /// The caller's own account: a session of any sort, no key.
    Account,
    /// A tenant's: the house reaches everybody's.
    Tenant,
    /// The house's alone.
    House,
}

/// One request to make.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    pub url: &'static str,
    /// JSON, or empty for none.
    pub body: &'static str,
    /// Does somebody succeed with it? (What needs a signer's documents or a node does not.)
    pub succeeds: bool,
}

/// One route, as the document spells it.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    pub method: &'static str,
    pub path: &'static str,
    pub permission: &'static str,
    pub whose: Whose,
    pub asks: &'static [Ask],
}

const fn route(
    method: &'static str,
    path: &'static str,
    permission: &'static str,
    whose: Whose,
    asks: &'static [Ask],
) -> Route {
    Route { method, path, permission, whose, asks }
}

const fn look(url: &'static str) -> Ask {
    Ask { url, body: "", succeeds: true }
}

const fn send(url: &'static str, body: &'static str) -> Ask {
    Ask { url, body, succeeds: true }
}

/// Refused for what it says, whoever says it.
const fn dummy(url: &'static str, body: &'static str) -> Ask {
    Ask { url, body, succeeds: false }
}

use Whose::{Account, House, Public, Tenant};

pub const ROUTES: &[Route] = &[
    // Without a credential.
    route("get", "/health", "none", Public, &[look("/health")]),
    route("get", "/health/live", "none", Public, &[look("/health/live")]),
    route("get", "/health/ready", "none", Public, &[look("/health/ready")]),
    route("get", "/health/networks", "none", Public, &[dummy("/health/networks", "")]),
    route("get", "/metrics", "none", Public, &[dummy("/metrics", "")]),
    route(
        "post",
        "/v1/auth/sign-up",
        "none",
        Public,
        &[dummy("/v1/auth/sign-up", r#"{"email":"$fresh@example.org","password":"a password of $fresh"}"#)],
    ),
    route(
        "post",
        "/v1/auth/login",
        "none",
        Public,
        &[dummy("/v1/auth/login", r#"{"email":"nobody@example.org","password":"a password of nobody"}"#)],
    ),
    route(
        "post",
        "/v1/auth/second-factor",
        "none",
        Public,
        &[dummy("/v1/auth/second-factor", r#"{"challenge":"alc_00","code":"000000"}"#)],
    ),
    route(
        "post",
        "/v1/auth/refresh",
        "none",
        Public,
        &[dummy("/v1/auth/refresh", r#"{"refresh_token":"alr_00"}"#)],
    ),
    route(
        "post",
        "/v1/invitations/accept",
        "none",
        Public,
        &[dummy("/v1/invitations/accept", r#"{"invitation":"ali_00","password":"a password of nobody"}"#)],
    ),
    // One's own account.
    route("get", "/v1/me", "own_account", Account, &[look("/v1/me")]),
    route(
        "post",
        "/v1/me/password",
        "own_account",
        Account,
        &[dummy("/v1/me/password", r#"{"present":"not the present one","new":"another one of $fresh"}"#)],
    ),
    route("post", "/v1/me/second-factor", "own_account", Account, &[dummy("/v1/me/second-factor", "")]),
    route(
        "post",
        "/v1/me/second-factor/confirm",
        "own_account",
        Account,
        &[dummy("/v1/me/second-factor/confirm", r#"{"code":"000000"}"#)],
    ),
    route("post", "/v1/me/recovery-codes", "own_account", Account, &[dummy("/v1/me/recovery-codes", "")]),
    route("get", "/v1/me/sessions", "own_account", Account, &[look("/v1/me/sessions")]),
    route("delete", "/v1/me/sessions/{id}", "own_account", Account, &[look("/v1/me/sessions/$session")]),
    route("get", "/v1/me/passkeys", "own_account", Account, &[look("/v1/me/passkeys")]),
    route(
        "post",
        "/v1/me/passkeys",
        "own_account",
        Account,
        &[dummy(
            "/v1/me/passkeys",
            r#"{"label":"$fresh","credential":{"response":{"clientDataJSON":"AA","authenticatorData":"AA"}}}"#,
        )],
    ),
    route("post", "/v1/me/passkeys/options", "own_account", Account, &[dummy("/v1/me/passkeys/options", "")]),
    route(
        "delete",
        "/v1/me/passkeys/{credential}",
        "own_account",
        Account,
        &[look("/v1/me/passkeys/$passkey")],
    ),
    route("post", "/v1/auth/logout", "own_account", Account, &[look("/v1/auth/logout")]),
    route(
        "post",
        "/v1/auth/logout-everywhere",
        "own_account",
        Account,
        &[look("/v1/auth/logout-everywhere")],
    ),
    route(
        "post",
        "/v1/auth/step-up",
        "own_account",
        Account,
        &[dummy("/v1/auth/step-up", r#"{"code":"000000"}"#)],
    ),
    // Money.
    route(
        "get",
        "/v1/balances",
        "see_money",
        Tenant,
        &[look("/v1/balances"), look("/v1/balances?user=$user")],
    ),
    route(
        "get",
        "/v1/transactions",
        "see_money",
        Tenant,
        &[
            look("/v1/transactions"),
            look("/v1/transactions?user=$user"),
            look("/v1/transactions?partner=$partner"),
        ],
    ),
    route(
        "get",
        "/v1/transactions/export",
        "see_money",
        Tenant,
        &[
            look("/v1/transactions/export?format=csv&user=$user"),
            look("/v1/transactions/export?format=json&partner=$partner"),
        ],
    ),
    route(
        "get",
        "/v1/transactions/{id}",
        "see_money",
        Tenant,
        &[look("/v1/transactions/$transfer"), look("/v1/transactions/$withdrawal")],
    ),
    route(
        "post",
        "/v1/transfers",
        "transfer",
        Tenant,
        &[
            send(
                "/v1/transfers",
                r#"{"kind":"transfer","from":"$user","to":"$other","asset":"USDT","amount":"0.1"}"#,
            ),
            send("/v1/transfers", r#"{"kind":"payment","from":"$user","asset":"USDT","amount":"0.1"}"#),
        ],
    ),
    route("get", "/v1/transfers/{id}", "see_money", Tenant, &[look("/v1/transfers/$transfer")]),
    route(
        "get",
        "/v1/withdrawals",
        "see_money",
        Tenant,
        &[look("/v1/withdrawals"), look("/v1/withdrawals?user=$user")],
    ),
    route(
        "post",
        "/v1/withdrawals",
        "request_withdrawal",
        Tenant,
        &[send(
            "/v1/withdrawals",
            r#"{"user":"$user","network":"tron:0xa1710c4b","asset":"USDT","to":"TWd4WrZ9wn84f5x1hZhL4DHvk738ns5jwb","amount":"5"}"#,
        )],
    ),
    route(
        "post",
        "/v1/withdrawals/quote",
        "request_withdrawal",
        Tenant,
        &[send(
            "/v1/withdrawals/quote",
            r#"{"user":"$user","network":"tron:0xa1710c4b","asset":"USDT","amount":"5"}"#,
        )],
    ),
    route("get", "/v1/withdrawals/{id}", "see_money", Tenant, &[look("/v1/withdrawals/$withdrawal")]),
    route(
        "post",
        "/v1/withdrawals/{id}/approve",
        "approve_withdrawal",
        Tenant,
        &[send("/v1/withdrawals/$withdrawal/approve", r#"{"revision":1}"#)],
    ),
    route(
        "post",
        "/v1/withdrawals/{id}/cancel",
        "request_withdrawal",
        Tenant,
        &[look("/v1/withdrawals/$withdrawal/cancel")],
    ),
    route("get", "/v1/deposits", "see_money", Tenant, &[look("/v1/deposits?user=$user")]),
    route("get", "/v1/deposit-addresses", "see_money", Tenant, &[look("/v1/deposit-addresses?user=$user")]),
    route(
        "post",
        "/v1/deposit-addresses",
        "open_address",
        Tenant,
        &[dummy("/v1/deposit-addresses", r#"{"user":"$user","network":"tron:0xa1710c4b"}"#)],
    ),
    route("get", "/v1/liabilities/latest", "see_money", Tenant, &[look("/v1/liabilities/latest")]),
    route("get", "/v1/liabilities/proof", "see_money", Tenant, &[look("/v1/liabilities/proof?user=$user")]),
    // Adjustments by two people.
    route("get", "/v1/adjustments", "see_operations", Tenant, &[look("/v1/adjustments")]),
    route(
        "post",
        "/v1/adjustments",
        "propose_adjustment",
        Tenant,
        &[send(
            "/v1/adjustments",
            r#"{"user":"$user","asset":"USDT","amount":"1","direction":"debit","against":"partner","reason":"a test"}"#,
        )],
    ),
    route("get", "/v1/adjustments/{id}", "see_operations", Tenant, &[look("/v1/adjustments/$adjustment")]),
    route(
        "post",
        "/v1/adjustments/{id}/approve",
        "approve_adjustment",
        Tenant,
        &[send("/v1/adjustments/$adjustment/approve", r#"{"words":"seen"}"#)],
    ),
    route(
        "post",
        "/v1/adjustments/{id}/reject",
        "approve_adjustment",
        Tenant,
        &[send("/v1/adjustments/$adjustment2/reject", r#"{"words":"seen"}"#)],
    ),
    // Partners and what is theirs.
    route("get", "/v1/partners", "see_partners", Tenant, &[look("/v1/partners")]),
    route("post", "/v1/partners", "manage_partners", House, &[send("/v1/partners", r#"{"name":"$fresh"}"#)]),
    route("get", "/v1/partners/{id}", "see_partners", Tenant, &[look("/v1/partners/$partner")]),
    route(
        "patch",
        "/v1/partners/{id}",
        "manage_partners",
        House,
        &[send("/v1/partners/$partner", r#"{"name":"$fresh"}"#)],
    ),
    route("get", "/v1/partners/{id}/fees", "see_partners", Tenant, &[look("/v1/partners/$partner/fees")]),
    route(
        "put",
        "/v1/partners/{id}/fees",
        "manage_partners",
        House,
        &[send(
            "/v1/partners/$partner/fees",
            r#"{"network":"tron:0xa1710c4b","asset":"USDT","flat":"1","basis_points":10,"least":"1"}"#,
        )],
    ),
    route(
        "get",
        "/v1/partners/{id}/wallets",
        "see_partners",
        Tenant,
        &[look("/v1/partners/$partner/wallets")],
    ),
    route(
        "post",
        "/v1/partners/{id}/wallets",
        "manage_partners",
        Tenant,
        &[send(
            "/v1/partners/$partner/wallets",
            r#"{"network":"eip155:31337","address":"0x0202020202020202020202020202020202020202","role":"hot","label":"$fresh"}"#,
        )],
    ),
    route(
        "get",
        "/v1/partners/{id}/wallets/{wallet}",
        "see_partners",
        Tenant,
        &[look("/v1/partners/$partner/wallets/$wallet")],
    ),
    route(
        "patch",
        "/v1/partners/{id}/wallets/{wallet}",
        "manage_partners",
        Tenant,
        &[send("/v1/partners/$partner/wallets/$wallet", r#"{"label":"$fresh"}"#)],
    ),
    route("get", "/v1/users", "see_users", Tenant, &[look("/v1/users"), look("/v1/users?partner=$partner")]),
    route(
        "post",
        "/v1/users",
        "manage_users",
        Tenant,
        &[send("/v1/users", r#"{"partner":"$partner","external_id":"$fresh"}"#)],
    ),
    route("get", "/v1/users/{id}", "see_users", Tenant, &[look("/v1/users/$user")]),
    route(
        "post",
        "/v1/users/{id}/deactivate",
        "manage_users",
        Tenant,
        &[look("/v1/users/$victim/deactivate")],
    ),
    route("post", "/v1/users/{id}/activate", "manage_users", Tenant, &[look("/v1/users/$victim/activate")]),
    route("get", "/v1/admin/users", "see_users", House, &[look("/v1/admin/users?partner=$partner")]),
    route("get", "/v1/admin/balances", "see_money", House, &[look("/v1/admin/balances?partner=$partner")]),
    route("get", "/v1/keys", "manage_keys", Tenant, &[look("/v1/keys"), look("/v1/keys?partner=$partner")]),
    route(
        "post",
        "/v1/keys",
        "manage_keys",
        Tenant,
        &[send("/v1/keys", r#"{"partner":"$partner","label":"$fresh","scopes":["read"],"lifetime_s":3600}"#)],
    ),
    route(
        "post",
        "/v1/keys/{id}/rotate",
        "manage_keys",
        Tenant,
        &[send("/v1/keys/$key/rotate", r#"{"overlap_s":60}"#)],
    ),
    route("delete", "/v1/keys/{id}", "manage_keys", Tenant, &[look("/v1/keys/$key2")]),
    // People.
    route(
        "get",
        "/v1/people",
        "see_people",
        Tenant,
        &[look("/v1/people"), look("/v1/people?partner=$partner")],
    ),
    route(
        "post",
        "/v1/invitations",
        "manage_people",
        Tenant,
        &[send(
            "/v1/invitations",
            r#"{"name":"$fresh","email":"$fresh@example.org","roles":["auditor"],"partner":"$partner"}"#,
        )],
    ),
    route(
        "post",
        "/v1/people/{id}/roles",
        "manage_people",
        Tenant,
        &[send("/v1/people/$person/roles", r#"{"roles":["auditor"]}"#)],
    ),
    route("get", "/v1/role-changes", "see_people", Tenant, &[look("/v1/role-changes")]),
    route(
        "post",
        "/v1/role-changes/{id}/approve",
        "manage_people",
        Tenant,
        &[look("/v1/role-changes/$change/approve")],
    ),
    route(
        "post",
        "/v1/role-changes/{id}/reject",
        "manage_people",
        Tenant,
        &[look("/v1/role-changes/$change2/reject")],
    ),
    route(
        "post",
        "/v1/people/{id}/deactivate",
        "manage_people",
        Tenant,
        &[look("/v1/people/$leaver/deactivate")],
    ),
    route("get", "/v1/sign-ups", "manage_users", House, &[look("/v1/sign-ups")]),
    route(
        "post",
        "/v1/sign-ups/{user}/accept",
        "manage_users",
        House,
        &[dummy("/v1/sign-ups/$missing/accept", "")],
    ),
    // The house's books and operation.
    route("get", "/v1/ledger/trial-balance", "see_operations", House, &[look("/v1/ledger/trial-balance")]),
    route("get", "/v1/ledger/reserves", "see_operations", House, &[look("/v1/ledger/reserves")]),
    route("get", "/v1/ledger/company", "see_operations", House, &[look("/v1/ledger/company")]),
    route(
        "post",
        "/v1/treasury/opening-capital",
        "manage_partners",
        House,
        &[send(
            "/v1/treasury/opening-capital",
            r#"{"network":"tron:0xa1710c4b","wallet":"TJRabPrwbZy45sbavfcjinPJC18kjpRTv8","asset":"USDT","amount_base":"5"}"#,
        )],
    ),
    route("get", "/v1/audit", "see_audit", Tenant, &[look("/v1/audit")]),
    route("get", "/v1/chains", "see_operations", House, &[look("/v1/chains")]),
    route(
        "post",
        "/v1/chains/resume",
        "run_batches",
        House,
        &[dummy("/v1/chains/resume", r#"{"network":"tron:0xa1710c4b"}"#)],
    ),
    route("post", "/v1/xpubs", "manage_signers", House, &[dummy("/v1/xpubs", "{}")]),
    route("get", "/v1/attestations", "see_operations", House, &[look("/v1/attestations")]),
    route("post", "/v1/attestations", "manage_signers", House, &[dummy("/v1/attestations", "{}")]),
    route(
        "get",
        "/v1/attestations/words",
        "manage_signers",
        House,
        &[dummy("/v1/attestations/words?network=tron:0xa1710c4b&count=1", "")],
    ),
    // Batches and what crosses the gap: a partner's own signer's, or the house's.
    route("get", "/v1/alerts", "see_operations", Tenant, &[look("/v1/alerts")]),
    route(
        "post",
        "/v1/alerts/{id}/close",
        "run_batches",
        Tenant,
        &[send("/v1/alerts/$alert/close", r#"{"why":"seen to"}"#)],
    ),
    route("get", "/v1/batches", "see_operations", Tenant, &[look("/v1/batches")]),
    route(
        "post",
        "/v1/batches",
        "run_batches",
        Tenant,
        &[dummy("/v1/batches", r#"{"network":"tron:0xa1710c4b","asset":"TRX","partner":"$partner"}"#)],
    ),
    route("get", "/v1/batches/{id}", "see_operations", Tenant, &[look("/v1/batches/$batch")]),
    route(
        "post",
        "/v1/batches/{id}/abandon",
        "run_batches",
        Tenant,
        &[dummy("/v1/batches/$batch/abandon", r#"{"why":"a test"}"#)],
    ),
    route(
        "get",
        "/v1/batches/{id}/signed-batch.json",
        "see_operations",
        Tenant,
        &[dummy("/v1/batches/$batch/signed-batch.json", "")],
    ),
    route(
        "get",
        "/v1/batches/{id}/approval-request.json",
        "see_operations",
        Tenant,
        &[dummy("/v1/batches/$batch/approval-request.json", "")],
    ),
    route(
        "get",
        "/v1/batches/{id}/approval-request.gif",
        "see_operations",
        Tenant,
        &[dummy("/v1/batches/$batch/approval-request.gif", "")],
    ),
    route(
        "get",
        "/v1/batches/{id}/approval-request/frames/{file}",
        "see_operations",
        Tenant,
        &[dummy("/v1/batches/$batch/approval-request/frames/1.png", "")],
    ),
    route(
        "post",
        "/v1/batches/{id}/approvals",
        "approve_withdrawal",
        Tenant,
        &[dummy("/v1/batches/$batch/approvals", "{}")],
    ),
    route(
        "get",
        "/v1/batches/{id}/passkey-options",
        "approve_withdrawal",
        Tenant,
        &[dummy("/v1/batches/$batch/passkey-options?person=alice", "")],
    ),
    route(
        "post",
        "/v1/batches/{id}/passkey-approvals",
        "approve_withdrawal",
        Tenant,
        &[dummy(
            "/v1/batches/$batch/passkey-approvals",
            r#"{"person":"alice","credential":{"rawId":"AA","response":{"clientDataJSON":"AA","authenticatorData":"AA","signature":"AA"}}}"#,
        )],
    ),
    route(
        "get",
        "/v1/batches/{id}/hardware",
        "run_batches",
        Tenant,
        &[dummy("/v1/batches/$batch/hardware", "")],
    ),
    route(
        "post",
        "/v1/batches/{id}/hardware",
        "run_batches",
        Tenant,
        &[dummy("/v1/batches/$batch/hardware", "{}")],
    ),
    route(
        "get",
        "/v1/batches/{id}/hardware/{item}/{file}",
        "run_batches",
        Tenant,
        &[dummy("/v1/batches/$batch/hardware/1/1.png", "")],
    ),
    route("post", "/v1/bundles", "run_batches", Tenant, &[dummy("/v1/bundles", r#"{"batches":["$batch"]}"#)]),
    route("get", "/v1/bundles/{id}", "run_batches", Tenant, &[look("/v1/bundles/$bundle")]),
    route(
        "get",
        "/v1/bundles/{id}/export.json",
        "run_batches",
        Tenant,
        &[look("/v1/bundles/$bundle/export.json")],
    ),
    route(
        "get",
        "/v1/bundles/{id}/export.bin",
        "run_batches",
        Tenant,
        &[look("/v1/bundles/$bundle/export.bin")],
    ),
    route(
        "get",
        "/v1/bundles/{id}/export.gif",
        "run_batches",
        Tenant,
        &[look("/v1/bundles/$bundle/export.gif")],
    ),
    route(
        "get",
        "/v1/bundles/{id}/frames/{file}",
        "run_batches",
        Tenant,
        &[look("/v1/bundles/$bundle/frames/1.png")],
    ),
    route("post", "/v1/replies", "run_batches", Tenant, &[dummy("/v1/replies", "{}")]),
    // Signers.
    route("get", "/v1/introduction", "see_operations", Tenant, &[look("/v1/introduction")]),
    route("get", "/v1/signers", "see_operations", Tenant, &[look("/v1/signers")]),
    route(
        "post",
        "/v1/signers",
        "manage_signers",
        Tenant,
        &[dummy("/v1/signers", r#"{"introduction":"","confirm":"","partner":"$partner"}"#)],
    ),
    route("post", "/v1/policies", "manage_signers", Tenant, &[dummy("/v1/policies", "{}")]),
    route("post", "/v1/wallets", "manage_signers", Tenant, &[dummy("/v1/wallets", "{}")]),
    route("get", "/v1/reconciliation", "see_operations", House, &[dummy("/v1/reconciliation", "")]),
];
