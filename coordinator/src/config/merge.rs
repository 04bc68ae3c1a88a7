//! From the documented defaults, a file, the environment and flags to one set of settings, still untyped.
//!
//! `config.rs` calls [`Merged::read`] and then [`Merged::section`] for each typed part. serde ends at the first mistake;
//! here the setting that it names is noted and replaced by its default, and the part is read again, so that a person is
//! told all mistakes at once. What must stay true: nothing that may hold a credential is shown, here or in [`Merged::shown`].

use super::EXAMPLE;
use super::mistake::{ConfigError, Mistake, Mistakes};
use figment::error::{Actual, Kind};
use figment::providers::{Env, Format as _, Toml};
use figment::value::{Dict, Value};
use figment::{Error, Figment};
use serde::de::DeserializeOwned;

/// Variables that tests and scripts of this project read themselves.
const NOT_SETTINGS: &[&str] =
    &["test_postgres", "require_postgres", "anvil", "foreign_dir", "python", "require_foreign"];
/// More mistakes than anybody reads; reading a part ends there.
const MISTAKES_MAX: usize = 100;
/// Instead of a value that may hold a credential.
const HIDDEN: &str = "a value that is not shown";
/// The last part of keys whose values may hold credentials. A key that ends in `_file` names a file and is shown.
const SECRETS: &[&str] = &["url", "providers", "password", "secret", "token", "key"];

/// The settings after every source went over the one before it.
pub(super) struct Merged {
    sources: Figment,
    settings: Dict,
    defaults: Dict,
}

impl Merged {
    /// The defaults, the text of a file with the name to show for it, the environment if wanted, and flags as TOML.
    pub(super) fn read(
        file: Option<(&str, &str)>,
        environment: bool,
        flags: &str,
    ) -> Result<Self, ConfigError> {
        let mut mistakes = Mistakes::default();
        let mut sources = Figment::from(Toml::string(EXAMPLE));
        let defaults = mistakes.note(dict_of(&sources));
        if let Some((text, name)) = file {
            sources = over(sources, text, name, &mut mistakes);
        }
        if environment {
            sources = sources.merge(Env::prefixed("AIRLOCK_").split("__").ignore(NOT_SETTINGS));
        }
        sources = over(sources, flags, "the flags", &mut mistakes);
        let settings = mistakes.note(dict_of(&sources));
        let merged = settings.zip(defaults);
        mistakes.end(merged.map(|(settings, defaults)| Self { sources, settings, defaults }))
    }

    /// Takes the array of tables `name` out; each entry is read by itself, so that its neighbours are too.
    pub(super) fn take_array(&mut self, name: &str, mistakes: &mut Mistakes) -> Vec<Value> {
        match self.settings.remove(name) {
            None => Vec::new(),
            Some(Value::Array(_, entries)) => entries,
            Some(other) => {
                let found = shown_value(name, &other);
                let place = self.place(&other, name);
                mistakes.add(Mistake {
                    key: name.into(),
                    found,
                    expected: format!("[[{name}]] tables"),
                    place,
                });
                Vec::new()
            }
        }
    }

    /// Reads all that is left as one type.
    pub(super) fn rest<T: DeserializeOwned>(&self, mistakes: &mut Mistakes) -> Option<T> {
        self.section("", &Value::from(self.settings.clone()), &self.defaults, mistakes)
    }

    /// Reads one entry of an array of tables; `key` is its name in mistakes.
    pub(super) fn entry<T: DeserializeOwned>(
        &self,
        key: &str,
        entry: &Value,
        mistakes: &mut Mistakes,
    ) -> Option<T> {
        self.section(key, entry, &Dict::new(), mistakes)
    }

    fn section<T: DeserializeOwned>(
        &self,
        key: &str,
        section: &Value,
        defaults: &Dict,
        mistakes: &mut Mistakes,
    ) -> Option<T> {
        let mut section = section.clone();
        for _ in 0..MISTAKES_MAX {
            let error = match section.deserialize::<T>() {
                // What was read with defaults in place of mistakes still goes through the further checks.
                Ok(read) => return Some(read),
                Err(error) => error,
            };
            mistakes.add(self.mistake(key, &error, find(&section, &error.path)));
            if !repair(&mut section, &error, find_in(defaults, &error.path)) {
                return None;
            }
        }
        None
    }

    fn mistake(&self, section: &str, error: &Error, value: Option<&Value>) -> Mistake {
        let mut path = error.path.clone();
        if let Kind::MissingField(name) = &error.kind {
            path.push(name.to_string());
        }
        let key = spelled(section, &path);
        let (found, expected) = match &error.kind {
            Kind::UnknownField(name, known) => {
                let known = known.join(", ");
                (format!("the unknown key {name:?}"), format!("one of: {known}"))
            }
            Kind::MissingField(_) => ("nothing".to_owned(), "a value".to_owned()),
            Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
                (shown_actual(&key, found), in_words(expected))
            }
            Kind::Message(message) => (
                value.map_or_else(|| "a value".to_owned(), |value| shown_value(&key, value)),
                in_words(message),
            ),
            // The other kinds repeat no text of the value.
            other => (
                value.map_or("a value".to_owned(), |value| shown_value(&key, value)),
                in_words(&other.to_string()),
            ),
        };
        Mistake { place: value.and_then(|value| self.place(value, &key)), key, found, expected }
    }

    /// Which source said it; nothing for the defaults.
    fn place(&self, value: &Value, key: &str) -> Option<String> {
        let metadata = self.sources.get_metadata(value.tag())?;
        if metadata.name.contains("environment") {
            return Some(format!("the environment: AIRLOCK_{}", key.to_uppercase().replace('.', "__")));
        }
        (metadata.name != "TOML source string").then(|| metadata.name.to_string())
    }

    /// The settings in force as TOML, credentials masked: `config show`.
    pub(super) fn shown(&self) -> Result<String, ConfigError> {
        let mut settings = self.settings.clone();
        mask("", &mut settings);
        toml::to_string_pretty(&settings).map_err(|error| ConfigError {
            mistakes: vec![Mistake {
                key: "config show".into(),
                found: "settings that TOML cannot spell".into(),
                expected: error.to_string(),
                place: None,
            }],
        })
    }

    /// Does the setting differ from its default?
    pub(super) fn is_set(&self, path: &[&str]) -> bool {
        let path: Vec<String> = path.iter().map(|part| (*part).to_owned()).collect();
        let actual = |dict: &Dict| find_in(dict, &path).map(Value::to_actual);
        actual(&self.settings) != actual(&self.defaults)
    }
}

/// Puts a TOML text over the sources.
fn over(sources: Figment, text: &str, name: &str, mistakes: &mut Mistakes) -> Figment {
    match toml::from_str::<toml::Table>(text) {
        Ok(_) => sources.merge(Named(name.to_owned(), Toml::string(text))),
        Err(error) => {
            mistakes.add(not_toml(text, name, &error));
            sources
        }
    }
}

fn dict_of(sources: &Figment) -> Result<Dict, Mistake> {
    let value: Value = sources.extract().map_err(|error| plain(&error))?;
    Ok(value.into_dict().unwrap_or_default())
}

/// A TOML text under a name of ours.
struct Named(String, figment::providers::Data<Toml>);

impl figment::Provider for Named {
    fn metadata(&self) -> figment::Metadata {
        figment::Metadata::named(self.0.clone())
    }

    fn data(&self) -> Result<figment::value::Map<figment::Profile, Dict>, Error> {
        self.1.data()
    }
}

/// A text that is no TOML. The parser's own words quote the line, which may hold a credential: only its number is told.
fn not_toml(text: &str, name: &str, error: &toml::de::Error) -> Mistake {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.lines().count().max(1);
    let line = if before.ends_with('\n') { line.saturating_add(1) } else { line };
    let why = error.message().lines().next().unwrap_or_default().to_owned();
    Mistake {
        key: name.to_owned(),
        found: format!("no TOML in line {line}"),
        expected: format!("TOML: {why}"),
        place: None,
    }
}

fn plain(error: &Error) -> Mistake {
    let key = if error.path.is_empty() { "settings".to_owned() } else { error.path.join(".") };
    Mistake {
        key,
        found: "settings that do not fit together".into(),
        expected: in_words(&error.kind.to_string()),
        place: None,
    }
}

/// `network`, `0`, `token`, `1`, `asset` as `network[0].token[1].asset`.
fn spelled(section: &str, path: &[String]) -> String {
    let mut key = section.to_owned();
    for part in path {
        if part.bytes().all(|byte| byte.is_ascii_digit()) {
            key.push_str(&format!("[{part}]"));
        } else {
            if !key.is_empty() {
                key.push('.');
            }
            key.push_str(part);
        }
    }
    key
}

fn find<'v>(value: &'v Value, path: &[String]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, part| match value {
        Value::Dict(_, dict) => dict.get(part),
        Value::Array(_, entries) => entries.get(part.parse::<usize>().ok()?),
        _ => None,
    })
}

fn find_in<'v>(dict: &'v Dict, path: &[String]) -> Option<&'v Value> {
    let (first, rest) = path.split_first()?;
    find(dict.get(first)?, rest)
}

/// Takes the named setting out of the way; false if what is left cannot be read without it.
fn repair(section: &mut Value, error: &Error, default: Option<&Value>) -> bool {
    let Some((last, parents)) = error.path.split_last() else { return false };
    let parent = parents.iter().try_fold(section, |value, part| match value {
        Value::Dict(_, dict) => dict.get_mut(part),
        Value::Array(_, entries) => entries.get_mut(part.parse::<usize>().ok()?),
        _ => None,
    });
    match (parent, default) {
        (Some(Value::Dict(_, dict)), Some(default)) => dict.insert(last.clone(), default.clone()).is_some(),
        // An unknown key, or one that may be missing; if it may not, the next round says so and ends.
        (Some(Value::Dict(_, dict)), None) if !matches!(error.kind, Kind::MissingField(_)) => {
            dict.remove(last).is_some()
        }
        _ => false,
    }
}

/// May the value of this setting hold a credential?
fn is_secret(key: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or(key);
    let last = last.split('[').next().unwrap_or(last);
    SECRETS.iter().any(|secret| last == *secret || last.ends_with(&format!("_{secret}")))
}

fn shown_actual(key: &str, found: &Actual) -> String {
    match found {
        _ if is_secret(key) => HIDDEN.to_owned(),
        Actual::Str(text) => format!("{text:?}"),
        Actual::Unsigned(number) => number.to_string(),
        Actual::Signed(number) => number.to_string(),
        Actual::Float(number) => number.to_string(),
        Actual::Bool(truth) => truth.to_string(),
        Actual::Seq => "a list".to_owned(),
        Actual::Map => "a table".to_owned(),
        other => other.to_string(),
    }
}

fn shown_value(key: &str, value: &Value) -> String {
    shown_actual(key, &value.to_actual())
}

/// serde's words for a type, for people who write no Rust.
fn in_words(expected: &str) -> String {
    let first = expected.lines().next().unwrap_or_default();
    match first {
        "u8" => "a whole number, 0 to 255".to_owned(),
        "u16" => "a whole number, 0 to 65535".to_owned(),
        "u32" => "a whole number, 0 to 4294967295".to_owned(),
        "u64" | "usize" => "a whole number, 0 or greater".to_owned(),
        "a string" | "string" => "a text".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list".to_owned(),
        "invalid socket address syntax" | "socket address" => {
            "an address and port such as 127.0.0.1:8380".to_owned()
        }
        other if other.starts_with("struct ") => "a table".to_owned(),
        other => other.to_owned(),
    }
}

/// Masks every value that may hold a credential; an empty one is shown as empty.
fn mask(above: &str, settings: &mut Dict) {
    for (name, value) in settings.iter_mut() {
        let key = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        mask_value(&key, value);
    }
}

fn mask_value(key: &str, value: &mut Value) {
    match value {
        Value::Dict(_, dict) => mask(key, dict),
        Value::Array(_, entries) => entries.iter_mut().for_each(|entry| mask_value(key, entry)),
        Value::String(_, text) if is_secret(key) && !text.is_empty() => *text = masked(text),
        _ => {}
    }
}

/// A URL as its scheme and host, anything else as stars.
fn masked(text: &str) -> String {
    match text.split_once(':') {
        Some(("sqlite", _)) => text.to_owned(),
        _ if text.contains("://") => format!("{}/***", super::SecretUrl(text.to_owned()).host()),
        _ => "***".to_owned(),
    }
}
