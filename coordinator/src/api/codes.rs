//! The closed list of codes that a refusal may carry: what programs decide by.
//!
//! `error.rs` makes errors of them, `messages.rs` their texts, and a test compares `docs/errors.md` with this list. A new code is
//! one entry here, a line in each of `messages/{en,zh,ko}.toml`, and its row in the table. What must stay true: a code's
//! name, status and retryability never change once released; the line above each is what the table says of it.

use axum::http::StatusCode;

macro_rules! codes {
    (@retry) => { false };
    (@retry retryable) => { true };
    ($( #[doc = $about:literal] $code:ident = $name:literal, $status:ident $($retry:ident)?; )+) => {
        /// Why a request was refused.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Code {
            $( #[doc = $about] $code, )+
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &[Self] = &[ $( Self::$code, )+ ];

            /// As answers spell it.
            pub const fn name(self) -> &'static str {
                match self { $( Self::$code => $name, )+ }
            }

            /// The status that goes with it.
            pub const fn status(self) -> StatusCode {
                match self { $( Self::$code => StatusCode::$status, )+ }
            }

            /// May the very same request, with the same idempotency key, succeed later?
            pub const fn retryable(self) -> bool {
                match self { $( Self::$code => codes!(@retry $($retry)?), )+ }
            }

            /// One sentence for the table.
            pub fn about(self) -> &'static str {
                match self { $( Self::$code => $about, )+ }.trim()
            }
        }
    };
}

codes! {
    // What cannot be read.
    /// The request breaks the rules of HTTP.
    BadRequest = "bad_request", BAD_REQUEST;
    /// The body is not the JSON that this call takes; the message says where.
    BadJson = "bad_json", BAD_REQUEST;
    /// The query names an unknown parameter or gives one a wrong value.
    BadQuery = "bad_query", BAD_REQUEST;
    /// The body broke off.
    BadBody = "bad_body", BAD_REQUEST;
    /// A text holds a character that cannot be stored.
    BadText = "bad_text", BAD_REQUEST;
    /// The multipart form cannot be read.
    BadMultipart = "bad_multipart", BAD_REQUEST;
    /// The header `Idempotency-Key` is missing or malformed.
    IdempotencyKeyNeeded = "idempotency_key_needed", BAD_REQUEST;
    /// A partner or the house must say which user it means.
    UserNeeded = "user_needed", UNPROCESSABLE_ENTITY;
    /// The body is larger than this coordinator takes.
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE;
    /// The body is not of the content type that this call takes.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE;

    // Who may do what.
    /// No credential, or not a valid one.
    Unauthorized = "unauthorized", UNAUTHORIZED;
    /// Known, but not in this role.
    Forbidden = "forbidden", FORBIDDEN;
    /// Allowed once the second factor has been given again.
    StepUpNeeded = "step_up_needed", FORBIDDEN;
    /// No such object, or not the caller's.
    NotFound = "not_found", NOT_FOUND;
    /// No route has this path.
    NoSuchRoute = "no_such_route", NOT_FOUND;
    /// The route exists, with other methods: see the header `Allow`.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED;
    /// More requests than this caller may make: wait as long as `Retry-After` says.
    RateLimited = "rate_limited", TOO_MANY_REQUESTS retryable;
    /// E-mail or password is wrong, or the account may not log in; which of them is not told.
    BadCredentials = "bad_credentials", UNAUTHORIZED;
    /// The second factor's code is wrong or was used before.
    BadCode = "bad_code", UNAUTHORIZED;
    /// The session, challenge or refresh token is unknown, used or has ended: log in again.
    SessionEnded = "session_ended", UNAUTHORIZED;
    /// Too many failures: wait as long as `Retry-After` says.
    TooManyAttempts = "too_many_attempts", TOO_MANY_REQUESTS retryable;
    /// The header of a signed request cannot be read.
    SignatureMalformed = "signature_malformed", UNAUTHORIZED;
    /// The key is unknown or the signature does not belong to this request.
    SignatureWrong = "signature_wrong", UNAUTHORIZED;
    /// The signed request was stamped too long ago or too far ahead: look at the clock.
    TimestampOutsideWindow = "timestamp_outside_window", UNAUTHORIZED;
    /// The signed request was stamped before this coordinator started: sign it again.
    StampedBeforeStart = "stamped_before_start", UNAUTHORIZED;
    /// The nonce of the signed request was taken before: sign it again with another.
    NonceUsed = "nonce_used", UNAUTHORIZED;
    /// The API key has ended or expired.
    KeyEnded = "key_ended", UNAUTHORIZED;
    /// The key's partner is not active.
    PartnerInactive = "partner_inactive", UNAUTHORIZED;
    /// The key may not be used from this address.
    AddressNotAllowed = "address_not_allowed", FORBIDDEN;
    /// Somebody else than whoever proposed it must decide.
    OwnProposal = "own_proposal", FORBIDDEN;
    /// Nobody signs up by oneself at this coordinator.
    SignUpOff = "sign_up_off", FORBIDDEN;
    /// Give either the second factor's code or a recovery code, one of them.
    CodeNeeded = "code_needed", UNPROCESSABLE_ENTITY;

    // Money.
    /// Not enough is available for amount and fee.
    InsufficientFunds = "insufficient_funds", UNPROCESSABLE_ENTITY;
    /// The amount is not an exact decimal of the asset, or is zero.
    BadAmount = "bad_amount", UNPROCESSABLE_ENTITY;
    /// The amount goes beyond what the books can count.
    AmountOutOfRange = "amount_out_of_range", UNPROCESSABLE_ENTITY;
    /// Less than the smallest amount of the asset on this network.
    BelowMinimum = "below_minimum", UNPROCESSABLE_ENTITY;
    /// More than the largest amount of the asset on this network.
    AboveMaximum = "above_maximum", UNPROCESSABLE_ENTITY;
    /// This coordinator does not serve the network.
    UnknownNetwork = "unknown_network", UNPROCESSABLE_ENTITY;
    /// This coordinator does not know the asset, or not on this network.
    UnknownAsset = "unknown_asset", UNPROCESSABLE_ENTITY;
    /// Not an address of the network.
    BadAddress = "bad_address", UNPROCESSABLE_ENTITY;
    /// Nobody owns this address: what is sent there is lost.
    ReservedAddress = "reserved_address", UNPROCESSABLE_ENTITY;
    /// The address is the token's own contract: what is sent there is lost.
    TokenContract = "token_contract", UNPROCESSABLE_ENTITY;
    /// The address is one of the company's own wallets.
    OwnAddress = "own_address", UNPROCESSABLE_ENTITY;
    /// The address is none of the company's wallets.
    NotOurWallet = "not_our_wallet", UNPROCESSABLE_ENTITY;
    /// The memo is too long, or the network has none.
    BadMemo = "bad_memo", UNPROCESSABLE_ENTITY;
    /// The idempotency key was used for another request.
    IdempotencyKeyReused = "idempotency_key_reused", CONFLICT;
    /// The posting has been made before.
    Repeated = "repeated", CONFLICT;
    /// The hold was settled or released before.
    HoldEnded = "hold_ended", CONFLICT;
    /// The note is longer than 140 characters or has control characters.
    BadNote = "bad_note", UNPROCESSABLE_ENTITY;
    /// A reason that is empty, too long, or holds control characters.
    BadReason = "bad_reason", UNPROCESSABLE_ENTITY;
    /// This kind of transfer does not go between these two.
    BadParties = "bad_parties", UNPROCESSABLE_ENTITY;
    /// Sender and recipient are the same.
    ToOneself = "to_oneself", UNPROCESSABLE_ENTITY;
    /// The quote has expired: ask for another.
    QuoteExpired = "quote_expired", CONFLICT;
    /// The quote was made for another withdrawal.
    QuoteDiffers = "quote_differs", CONFLICT;
    /// The fee's parts contradict each other or go beyond their ranges.
    BadFees = "bad_fees", UNPROCESSABLE_ENTITY;
    /// There is no such quote of this user.
    UnknownQuote = "unknown_quote", UNPROCESSABLE_ENTITY;

    // States.
    /// The object is in another state than this step needs.
    WrongState = "wrong_state", CONFLICT;
    /// The object changed since it was looked at: look again.
    WrongRevision = "wrong_revision", CONFLICT;
    /// It may have been signed, so it cannot be taken back.
    MayBeSigned = "may_be_signed", CONFLICT;
    /// An attempt at paying it is still alive.
    LiveAttempt = "live_attempt", CONFLICT;
    /// A reason is needed, of 1 to 500 bytes without control characters.
    WhyNeeded = "why_needed", UNPROCESSABLE_ENTITY;

    // Deposit addresses.
    /// Not an xpub export of the paired signer, or not of this network's account.
    BadXpubExport = "bad_xpub_export", UNPROCESSABLE_ENTITY;
    /// The network has no xpub yet.
    NoXpub = "no_xpub", CONFLICT;
    /// The network has another xpub already.
    XpubExists = "xpub_exists", CONFLICT;
    /// The attestation does not hold.
    BadAttestation = "bad_attestation", UNPROCESSABLE_ENTITY;
    /// No address beyond the attested ranges is given out.
    NotAttested = "not_attested", CONFLICT;
    /// A stored address no longer agrees with its derivation or proof; it is not given out.
    AddressAltered = "address_altered", CONFLICT;

    // Batches.
    /// Only some kinds of batch are made by this call.
    UnknownKind = "unknown_kind", UNPROCESSABLE_ENTITY;
    /// Nothing is due, or all that is due was left out; the message says why.
    NothingDue = "nothing_due", CONFLICT;
    /// No wallet of this network can pay.
    NoWallet = "no_wallet", CONFLICT;
    /// Not a configured hardware wallet that a policy lists.
    NoHardwareWallet = "no_hardware_wallet", UNPROCESSABLE_ENTITY;
    /// The wallet belongs to another partner and pays its withdrawals only.
    ForeignWallet = "foreign_wallet", UNPROCESSABLE_ENTITY;
    /// The hardware wallet's batch cannot take this step.
    Hardware = "hardware", CONFLICT;
    /// The signer is suspended.
    SignerSuspended = "signer_suspended", CONFLICT;
    /// The signer has no policy here yet.
    NoPolicy = "no_policy", CONFLICT;
    /// The policy does not allow it.
    Policy = "policy", UNPROCESSABLE_ENTITY;
    /// The fees would exceed their cap.
    FeeCap = "fee_cap", CONFLICT;
    /// The clock and the chain's time are too far apart.
    Clock = "clock", CONFLICT;
    /// The batch cannot be built.
    Batch = "batch", UNPROCESSABLE_ENTITY;
    /// The person's id is not one.
    BadPerson = "bad_person", UNPROCESSABLE_ENTITY;
    /// The approval does not hold.
    Approval = "approval", UNPROCESSABLE_ENTITY;
    /// The passkey's assertion does not hold.
    BadAssertion = "bad_assertion", UNPROCESSABLE_ENTITY;
    /// The batches cannot go into one bundle, or not now.
    Bundle = "bundle", CONFLICT;
    /// The batch expires too soon to be signed.
    TooLate = "too_late", CONFLICT;
    /// The batch is not signed yet.
    NotSigned = "not_signed", CONFLICT;
    /// The document cannot be read or does not hold.
    BadDocument = "bad_document", UNPROCESSABLE_ENTITY;
    /// Frames are missing: scan on, or send the rest.
    Incomplete = "incomplete", UNPROCESSABLE_ENTITY;
    /// The upload holds no document of the expected kind.
    BadUpload = "bad_upload", UNPROCESSABLE_ENTITY;
    /// The size of frames is not a possible one.
    BadFrameSize = "bad_frame_size", UNPROCESSABLE_ENTITY;

    // Signers.
    /// The words are not those of this introduction.
    Words = "words", UNPROCESSABLE_ENTITY;
    /// The signer is of another profile (main, test, dev).
    OtherProfile = "other_profile", UNPROCESSABLE_ENTITY;
    /// The introduction names no custodians.
    NoRoster = "no_roster", UNPROCESSABLE_ENTITY;
    /// The signer is not paired.
    NotPaired = "not_paired", CONFLICT;
    /// It is there already, with other content.
    Taken = "taken", CONFLICT;
    /// Not a wallet export of a paired signer.
    BadWallets = "bad_wallets", UNPROCESSABLE_ENTITY;

    // People and partners.
    /// The password is too short, too long or a common one.
    WeakPassword = "weak_password", UNPROCESSABLE_ENTITY;
    /// Not an e-mail address.
    BadEmail = "bad_email", UNPROCESSABLE_ENTITY;
    /// The name cannot be used.
    BadName = "bad_name", UNPROCESSABLE_ENTITY;
    /// There is no such role.
    BadRole = "bad_role", UNPROCESSABLE_ENTITY;
    /// The invitation is unknown, used or expired.
    BadInvitation = "bad_invitation", UNPROCESSABLE_ENTITY;
    /// No second factor is in force, or none was begun.
    SecondFactorMissing = "second_factor_missing", CONFLICT;
    /// The passkey cannot be taken.
    BadPasskey = "bad_passkey", UNPROCESSABLE_ENTITY;
    /// The user is closed.
    UserInactive = "user_inactive", UNPROCESSABLE_ENTITY;
    /// The house must say which partner it means.
    PartnerNeeded = "partner_needed", UNPROCESSABLE_ENTITY;
    /// Keys are for partners; the house's own people log in.
    HouseHasNoKeys = "house_has_no_keys", UNPROCESSABLE_ENTITY;
    /// The partner has as many live keys as it may have.
    TooManyKeys = "too_many_keys", CONFLICT;
    /// A key needs at least one scope, and only known ones.
    ScopeNeeded = "scope_needed", UNPROCESSABLE_ENTITY;
    /// A key needs at least one network of addresses it may be used from.
    NetworksNeeded = "networks_needed", UNPROCESSABLE_ENTITY;
    /// Not a network of addresses in CIDR notation.
    BadNetwork = "bad_network", UNPROCESSABLE_ENTITY;
    /// The label is empty, too long or has control characters.
    BadLabel = "bad_label", UNPROCESSABLE_ENTITY;
    /// The lifetime is out of range.
    BadLifetime = "bad_lifetime", UNPROCESSABLE_ENTITY;
    /// A switch, threshold or fee is out of range.
    BadSetting = "bad_setting", UNPROCESSABLE_ENTITY;

    // Our side.
    /// Our fault; the cause is in our log under the request's id.
    Internal = "internal", INTERNAL_SERVER_ERROR;
    /// The books are in doubt: nothing leaves until a person has looked.
    Frozen = "frozen", SERVICE_UNAVAILABLE retryable;
    /// A dependency is away, and nothing was changed.
    Unavailable = "unavailable", SERVICE_UNAVAILABLE retryable;
    /// It took too long and may still take effect: repeat it with the same idempotency key.
    TimedOut = "timed_out", GATEWAY_TIMEOUT retryable;
}

impl Code {
    /// The code for a refusal that the HTTP library made by itself.
    pub fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::NoSuchRoute,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::PAYLOAD_TOO_LARGE => Self::BodyTooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType,
            status if status.is_client_error() => Self::BadRequest,
            _ => Self::Internal,
        }
    }
}
