//! Several providers of one network: who is asked first, who is left alone for a while, and who is asked again.
//!
//! Every capability reaches a chain through [`Providers`]. What must stay true: a provider is used only after it has proved to
//! be on the configured network with the configured tokens; one that failed waits, longer each time, and is still asked when
//! nobody else is left; a second opinion always comes from another provider than the first.

use super::{BlockId, BroadcastAnswer, ChainError, Node, Settings, Transfer, View};
use airlock_shared::Network;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// The first pause after a failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The providers of one network, in order of preference.
pub struct Providers {
    settings: Arc<Settings>,
    all: Vec<Provider>,
}

struct Provider {
    node: Arc<Node>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    identity: Identity,
    failures: u32,
    not_before: Option<Instant>,
    last_error: Option<String>,
    answered: Option<Instant>,
}

#[derive(Default, Clone, PartialEq, Eq)]
enum Identity {
    #[default]
    Unproved,
    Proved,
    /// On another network or with another token: never used until the next start.
    Refused,
}

/// An answer and who gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told<T> {
    /// The provider's place in the configured order.
    pub provider: usize,
    /// What it said.
    pub answer: T,
}

/// How a provider is doing, for health pages and logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Place and host.
    pub label: String,
    /// Has it proved to be on the configured network?
    pub proved: bool,
    /// Was it refused for good?
    pub refused: bool,
    /// Failures since its last answer.
    pub failures: u32,
    /// The last error, if it has not answered since.
    pub last_error: Option<String>,
    /// How long ago it answered last, if it ever did.
    pub answered_before: Option<Duration>,
}

/// What another provider says about events of a final block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opinion {
    /// It has the same block final. The events at `missing` (places in the question) are not in it.
    SameBlock {
        /// Who answered.
        provider: usize,
        /// Which events it does not have.
        missing: Vec<usize>,
    },
    /// It has another block final at that height: one of the two is wrong, and nothing may be credited.
    OtherBlock {
        /// Who answered.
        provider: usize,
        /// Its block.
        id: BlockId,
    },
    /// Nobody else can tell now.
    Unavailable {
        /// Why.
        why: String,
    },
}

/// The providers of every configured network.
#[derive(Default)]
pub struct Chains(Vec<Arc<Providers>>);

impl Chains {
    /// Builds all clients. Nothing is asked yet; see [`Self::prove`].
    pub fn new(settings: impl IntoIterator<Item = Settings>) -> Result<Self, ChainError> {
        let built: Result<_, _> = settings.into_iter().map(|one| Providers::new(one).map(Arc::new)).collect();
        Ok(Self(built?))
    }

    /// Checks every provider that can be reached; see [`Providers::prove`].
    pub async fn prove(&self) -> Result<(), ChainError> {
        for providers in &self.0 {
            providers.prove().await?;
        }
        Ok(())
    }

    /// The providers of one network, if it is configured.
    pub fn of(&self, network: Network) -> Option<&Arc<Providers>> {
        self.0.iter().find(|providers| providers.network() == network)
    }

    /// All of them, in the configured order.
    pub fn all(&self) -> &[Arc<Providers>] {
        &self.0
    }
}

impl fmt::Debug for Chains {
    /// Networks only: URLs may hold access keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|providers| providers.network())).finish()
    }
}

impl Providers {
    /// Builds the clients. Nothing is asked yet; each provider is checked before its first answer counts.
    pub fn new(settings: Settings) -> Result<Self, ChainError> {
        let settings = Arc::new(settings);
        let all: Vec<Provider> = Node::all(&settings)?
            .into_iter()
            .map(|node| Provider { node: Arc::new(node), state: Mutex::default() })
            .collect();
        for (place, provider) in all.iter().enumerate() {
            // A second opinion from the same host is the first one again.
            if all[..place].iter().any(|other| host(other.node.label()) == host(provider.node.label())) {
                let what = format!(
                    "{}: another provider of {} has the same host",
                    provider.node.label(),
                    settings.network
                );
                return Err(ChainError::Settings(what));
            }
        }
        Ok(Self { settings, all })
    }

    /// Checks every provider that can be reached. One on the wrong network, or with a token that is not the configured one, is
    /// an error and refuses the start; one that does not answer is checked when it does.
    pub async fn prove(&self) -> Result<(), ChainError> {
        for provider in &self.all {
            match provider.prove().await {
                Err(error) if error.is_lie() => return Err(error),
                Err(error) => {
                    tracing::warn!(network = %self.settings.network, %error, "provider not reached")
                }
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// The name of the provider at a place, as rows and logs have it.
    pub fn label(&self, place: usize) -> &str {
        self.all.get(place).map_or("", |provider| provider.node.label())
    }

    /// The place of the provider with the same host as `label`, wherever it stood when the label was written; `None` once it is
    /// not configured any more.
    pub fn place_of(&self, label: &str) -> Option<usize> {
        self.all.iter().position(|provider| host(provider.node.label()) == host(label))
    }

    /// Their network.
    pub fn network(&self) -> Network {
        self.settings.network
    }

    /// What they were built from.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How many are configured and not refused.
    pub fn usable(&self) -> usize {
        self.all.iter().filter(|provider| provider.state().identity != Identity::Refused).count()
    }

    /// How each is doing, in the configured order.
    pub fn health(&self) -> Vec<Health> {
        self.all.iter().map(Provider::health).collect()
    }

    /// Asks one provider after the other until one answers. The last error is returned when none does.
    pub async fn ask<T, F, Fut>(&self, call: F) -> Result<Told<T>, ChainError>
    where
        F: Fn(Arc<Node>) -> Fut,
        Fut: Future<Output = Result<T, ChainError>>,
    {
        self.ask_besides(None, call).await
    }

    /// Like [`Self::ask`], never asking the provider at place `besides`.
    pub async fn ask_besides<T, F, Fut>(&self, besides: Option<usize>, call: F) -> Result<Told<T>, ChainError>
    where
        F: Fn(Arc<Node>) -> Fut,
        Fut: Future<Output = Result<T, ChainError>>,
    {
        self.ask_others(besides.as_slice(), call).await
    }

    /// Like [`Self::ask`], asking none of the providers at the places `asked`.
    pub async fn ask_others<T, F, Fut>(&self, asked: &[usize], call: F) -> Result<Told<T>, ChainError>
    where
        F: Fn(Arc<Node>) -> Fut,
        Fut: Future<Output = Result<T, ChainError>>,
    {
        let mut last = None;
        for place in self.order().into_iter().filter(|place| !asked.contains(place)) {
            match self.all[place].ask(&call).await {
                Ok(answer) => return Ok(Told { provider: place, answer }),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| ChainError::NoProvider {
            network: self.settings.network,
            last: "there is no other provider".to_owned(),
        }))
    }

    /// Asks every usable provider, all at once: for questions where one answer proves nothing.
    pub async fn ask_each<T, F, Fut>(&self, call: F) -> Vec<Told<Result<T, ChainError>>>
    where
        F: Fn(Arc<Node>) -> Fut,
        Fut: Future<Output = Result<T, ChainError>>,
    {
        let call = &call;
        let asked = self
            .order()
            .into_iter()
            .map(|place| async move { Told { provider: place, answer: self.all[place].ask(call).await } });
        futures::future::join_all(asked).await
    }

    /// Sends signed bytes to every usable provider at once. Their answers are hints; see [`BroadcastAnswer`].
    pub async fn broadcast(&self, bytes: &[u8]) -> Vec<Told<BroadcastAnswer>> {
        let bytes: Arc<[u8]> = bytes.into();
        let told = self
            .ask_each(|node| {
                let bytes = Arc::clone(&bytes);
                async move { Ok(node.broadcast(&bytes).await) }
            })
            .await;
        let hint = |answer: Result<BroadcastAnswer, ChainError>| {
            answer.unwrap_or_else(|error| BroadcastAnswer::Unknown { text: error.to_string() })
        };
        told.into_iter().map(|told| Told { provider: told.provider, answer: hint(told.answer) }).collect()
    }

    /// Reads a final block again at another provider than `first` and compares its id and these events in it. Where some are
    /// missing, the next one is asked: one that hides something cannot keep two others from agreeing.
    pub async fn second_opinion(
        &self,
        first: usize,
        height: u64,
        id: BlockId,
        events: &[Transfer],
    ) -> Opinion {
        let (mut asked, mut doubt) = (vec![first], None);
        loop {
            let again = self.ask_others(&asked, |node| async move { node.block(height, View::Final).await });
            let Told { provider, answer } = match again.await {
                Ok(told) => told,
                Err(error) => return doubt.unwrap_or(Opinion::Unavailable { why: error.to_string() }),
            };
            if answer.header.id != id {
                return Opinion::OtherBlock { provider, id: answer.header.id };
            }
            let lacks = |event: &Transfer| !answer.transfers.contains(event);
            let missing = events.iter().enumerate().filter(|(_, event)| lacks(event)).map(|(place, _)| place);
            let opinion = Opinion::SameBlock { provider, missing: missing.collect() };
            if matches!(&opinion, Opinion::SameBlock { missing, .. } if missing.is_empty()) {
                return opinion;
            }
            asked.push(provider);
            doubt.get_or_insert(opinion);
        }
    }

    /// Places in the order to ask: those that are well, then those that should be left alone, never the refused.
    fn order(&self) -> Vec<usize> {
        let now = Instant::now();
        let mut places: Vec<(bool, usize)> = Vec::with_capacity(self.all.len());
        for (place, provider) in self.all.iter().enumerate() {
            let state = provider.state();
            if state.identity != Identity::Refused {
                places.push((state.not_before.is_some_and(|time| time > now), place));
            }
        }
        places.sort_unstable();
        places.into_iter().map(|(_, place)| place).collect()
    }
}

/// Host and port of a label.
fn host(label: &str) -> Option<&str> {
    label.rsplit_once(' ').map(|(_, host)| host)
}

impl Provider {
    /// The lock is held for a few field accesses only; a panic meanwhile cannot leave them half changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn health(&self) -> Health {
        let state = self.state();
        Health {
            label: self.node.label().to_owned(),
            proved: state.identity == Identity::Proved,
            refused: state.identity == Identity::Refused,
            failures: state.failures,
            last_error: state.last_error.clone(),
            answered_before: state.answered.map(|at| at.elapsed()),
        }
    }

    async fn prove(&self) -> Result<(), ChainError> {
        let proved = self.node.check_identity().await;
        let mut state = self.state();
        match &proved {
            Ok(()) => {
                state.identity = Identity::Proved;
                state.answered = Some(Instant::now());
            }
            Err(error) if error.is_lie() => {
                state.identity = Identity::Refused;
                state.last_error = Some(error.to_string());
            }
            Err(error) => state.failed(error),
        }
        proved
    }

    async fn ask<T, F, Fut>(&self, call: &F) -> Result<T, ChainError>
    where
        F: Fn(Arc<Node>) -> Fut,
        Fut: Future<Output = Result<T, ChainError>>,
    {
        let unproved = self.state().identity != Identity::Proved;
        if unproved {
            self.prove().await?;
        }
        let answer = call(Arc::clone(&self.node)).await;
        match &answer {
            Ok(_) => self.state().answered(),
            // Lagging is no failure: the provider said so plainly.
            Err(ChainError::NotYet { .. }) => {}
            Err(error) => self.state().failed(error),
        }
        answer
    }
}

impl State {
    fn answered(&mut self) {
        self.answered = Some(Instant::now());
        self.failures = 0;
        self.not_before = None;
        self.last_error = None;
    }

    fn failed(&mut self, error: &ChainError) {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(16)).min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        self.not_before = Instant::now().checked_add(pause);
        self.last_error = Some(error.to_string());
    }
}
