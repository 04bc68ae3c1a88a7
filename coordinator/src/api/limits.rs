//! How often one address, API key or person may ask: 429 beyond it, and headers that say where one stands.
//!
//! The rim asks [`Limits::address`] before anything else is done; the extractor of `Caller` asks [`Limits::caller`] once it
//! knows who asks. Headers as draft-ietf-httpapi-ratelimit-headers-10 spells them, and `Retry-After`. What must stay
//! true: memory is bounded whatever addresses ask (keys share a fixed number of slots, rested slots are evicted); a limit
//! is no lock-out, that one is in the database (`people`).

use super::ApiError;
use super::address::household;
use crate::config::{Allowance, LimitsConfig};
use crate::people::Caller;
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue};
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use std::fmt;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Slots of one limit; two keys that fall into one share it. Full, a limit holds some 8 MB.
const SLOTS: u64 = 1 << 18;
/// Limits that nobody is near are forgotten so often.
pub const EVICTION: Duration = Duration::from_secs(60);
/// Routes on which secrets are guessed.
const LOGIN_ROUTES: &[&str] = &[
    "/v1/auth/sign-up",
    "/v1/auth/login",
    "/v1/auth/second-factor",
    "/v1/auth/step-up",
    "/v1/invitations/accept",
    "/v1/me/password",
    "/v1/me/second-factor",
    "/v1/me/second-factor/confirm",
    "/v1/me/recovery-codes",
];

type Limiter = RateLimiter<u32, DashMapStateStore<u32>, DefaultClock, StateInformationMiddleware>;

/// Every limit of this process. It forgets at a restart.
pub struct Limits {
    address: Option<Limit>,
    login: Option<Limit>,
    key: Option<Limit>,
    person: Option<Limit>,
    hasher: RandomState,
    clock: DefaultClock,
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Limits")
    }
}

struct Limit {
    name: &'static str,
    limiter: Limiter,
    per_minute: u32,
    burst: u32,
    policy: HeaderValue,
}

/// Where somebody stands with the limit that they are nearest to.
#[derive(Clone, Debug)]
pub struct Standing {
    name: &'static str,
    policy: HeaderValue,
    remaining: u32,
    /// Seconds until the whole burst is there again.
    full_s: u64,
    /// How long until the next request is taken, if this one is not.
    wait: Option<Duration>,
}

/// Where the caller's standing is left for the rim: each request has one.
#[derive(Clone, Debug, Default)]
pub struct CallerStanding(Arc<OnceLock<Standing>>);

impl CallerStanding {
    /// The caller's standing, once the caller is known.
    pub fn get(&self) -> Option<&Standing> {
        self.0.get()
    }
}

impl Limits {
    /// As the settings say.
    pub fn new(config: &LimitsConfig) -> Self {
        Self {
            address: Limit::new("address", config.address),
            login: Limit::new("login", config.login),
            key: Limit::new("key", config.key),
            person: Limit::new("person", config.person),
            hasher: RandomState::new(),
            clock: DefaultClock::default(),
        }
    }

    /// Counts a request of an address; on the routes of log-in against their own limit too.
    pub fn address(&self, address: IpAddr, path: &str) -> Option<Standing> {
        let slot = self.slot(&household(address));
        let general = self.address.as_ref().map(|limit| limit.ask(slot, &self.clock));
        if general.as_ref().is_some_and(Standing::refuses) || !LOGIN_ROUTES.contains(&path) {
            return general;
        }
        self.login.as_ref().map(|limit| limit.ask(slot, &self.clock)).or(general)
    }

    /// Counts a request of a caller, once however often it is asked, and refuses it beyond the limit.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn caller(&self, caller: &Caller, extensions: &Extensions) -> Result<(), ApiError> {
        let Some(left) = extensions.get::<CallerStanding>() else { return Ok(()) };
        if left.get().is_some() {
            return Ok(());
        }
        let (limit, slot) = match caller {
            Caller::Key { id, .. } => (&self.key, self.slot(&("key", id))),
            Caller::User { id, .. } => (&self.person, self.slot(&("user", id))),
            Caller::Person { id, .. } => (&self.person, self.slot(&("person", id))),
        };
        let Some(limit) = limit else { return Ok(()) };
        let standing = left.0.get_or_init(|| limit.ask(slot, &self.clock));
        standing.refusal().map_or(Ok(()), Err)
    }

    /// Forgets those who have rested long enough that nothing counts against them.
    pub fn evict(&self) {
        for limit in [&self.address, &self.login, &self.key, &self.person].into_iter().flatten() {
            limit.limiter.retain_recent();
            limit.limiter.shrink_to_fit();
        }
    }

    /// Slots in use, of all limits.
    pub fn remembered(&self) -> usize {
        let limits = [&self.address, &self.login, &self.key, &self.person];
        limits.into_iter().flatten().map(|limit| limit.limiter.len()).sum()
    }

    fn slot(&self, key: &impl Hash) -> u32 {
        (self.hasher.hash_one(key) % SLOTS) as u32
    }
}

impl Limit {
    fn new(name: &'static str, allowance: Allowance) -> Option<Self> {
        let (per_minute, burst) = (NonZeroU32::new(allowance.per_minute)?, NonZeroU32::new(allowance.burst)?);
        let quota = Quota::per_minute(per_minute).allow_burst(burst);
        let window = u64::from(burst.get()).saturating_mul(60).div_ceil(u64::from(per_minute.get()));
        Some(Self {
            name,
            limiter: RateLimiter::dashmap(quota).with_middleware(),
            per_minute: per_minute.get(),
            burst: burst.get(),
            policy: HeaderValue::from_str(&format!("\"{name}\";q={burst};w={window}")).ok()?,
        })
    }

    fn ask(&self, slot: u32, clock: &DefaultClock) -> Standing {
        let (remaining, wait) = match self.limiter.check_key(&slot) {
            Ok(snapshot) => (snapshot.remaining_burst_capacity(), None),
            Err(not_until) => (0, Some(not_until.wait_time_from(clock.now()))),
        };
        if wait.is_some() {
            metrics::counter!("airlock_rate_limited_total", "limit" => self.name).increment(1);
        }
        let spent = u64::from(self.burst.saturating_sub(remaining));
        let full_s = spent.saturating_mul(60).div_ceil(u64::from(self.per_minute));
        Standing { name: self.name, policy: self.policy.clone(), remaining, full_s, wait }
    }
}

impl Standing {
    /// Is the request one too many?
    pub const fn refuses(&self) -> bool {
        self.wait.is_some()
    }

    /// The refusal, if it is one.
    pub fn refusal(&self) -> Option<ApiError> {
        self.refuses().then(|| ApiError::new(super::Code::RateLimited, self.name))
    }

    /// Says it in the answer's headers.
    pub fn tell(&self, headers: &mut HeaderMap) {
        let said = format!("\"{}\";r={};t={}", self.name, self.remaining, self.full_s);
        if let Ok(value) = HeaderValue::from_str(&said) {
            headers.insert(HeaderName::from_static("ratelimit"), value);
        }
        headers.insert(HeaderName::from_static("ratelimit-policy"), self.policy.clone());
        if let Some(wait) = self.wait {
            // Whole seconds, never 0: a client that comes back a moment early is refused again.
            let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1);
            headers.insert(axum::http::header::RETRY_AFTER, HeaderValue::from(seconds));
        }
    }
}

/// Evicts until told to stop.
pub async fn run(app: crate::app::App, mut stop: tokio::sync::watch::Receiver<bool>) {
    while !*stop.borrow() {
        tokio::select! {
            () = tokio::time::sleep(EVICTION) => app.limits.evict(),
            changed = stop.changed() => if changed.is_err() { return },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn limits(text: &str) -> Limits {
        Limits::new(&Config::from_toml(&format!("[limits]\n{text}")).unwrap().limits)
    }

    fn asked(limits: &Limits, address: &str, path: &str, times: usize) -> usize {
        let taken = |_: &usize| {
            let standing = limits.address(address.parse().unwrap(), path);
            !standing.is_some_and(|standing| standing.refuses())
        };
        (0..times).filter(taken).count()
    }

    #[test]
    fn one_address_is_limited_and_its_neighbour_is_not() {
        let limits = limits("address_per_minute = 1\naddress_burst = 5");
        assert_eq!(asked(&limits, "192.0.2.1", "/v1/me", 20), 5);
        assert_eq!(asked(&limits, "192.0.2.2", "/v1/me", 4), 4);
    }

    #[test]
    fn addresses_of_one_network_of_ipv6_count_as_one() {
        let limits = limits("address_per_minute = 1\naddress_burst = 5");
        assert_eq!(asked(&limits, "2001:db8::1", "/v1/me", 3), 3);
        assert_eq!(asked(&limits, "2001:db8::ffff:2", "/v1/me", 3), 2);
        assert_eq!(asked(&limits, "2001:db8:0:1::1", "/v1/me", 3), 3);
    }

    #[test]
    fn routes_of_log_in_have_a_stricter_limit() {
        let limits = limits("login_per_minute = 1\nlogin_burst = 2");
        assert_eq!(asked(&limits, "192.0.2.1", "/v1/auth/login", 10), 2);
        assert_eq!(asked(&limits, "192.0.2.1", "/v1/me", 10), 10);
    }

    #[test]
    fn none_a_minute_means_no_limit() {
        let limits = limits("address_per_minute = 0\nlogin_per_minute = 0");
        assert_eq!(asked(&limits, "192.0.2.1", "/v1/auth/login", 10_000), 10_000);
        assert_eq!(limits.remembered(), 0);
    }

    #[test]
    fn memory_is_bounded_however_many_addresses_ask_and_rested_ones_are_forgotten() {
        let limits = limits("address_per_minute = 600000\naddress_burst = 1");
        for number in 0..400_000_u32 {
            let address = std::net::Ipv4Addr::from_bits(number.wrapping_mul(2_654_435_761));
            let _ = limits.address(address.into(), "/v1/me");
        }
        assert!(limits.remembered() <= SLOTS as usize, "{}", limits.remembered());
        std::thread::sleep(Duration::from_millis(5));
        limits.evict();
        assert!(limits.remembered() < 1000, "{}", limits.remembered());
    }

    #[test]
    fn headers_say_where_one_stands_and_when_to_come_back() {
        let limits = limits("address_per_minute = 60\naddress_burst = 2");
        let told = || {
            let mut headers = HeaderMap::new();
            limits.address(IpAddr::from([192, 0, 2, 1]), "/v1/me").unwrap().tell(&mut headers);
            let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
            (text("ratelimit").unwrap(), text("ratelimit-policy").unwrap(), text("retry-after"))
        };
        assert_eq!(told(), ("\"address\";r=1;t=1".into(), "\"address\";q=2;w=2".into(), None));
        assert_eq!(told().0, "\"address\";r=0;t=2");
        assert_eq!(told().2.as_deref(), Some("1"));
    }
}
