//! What people read of a refusal, in English, Chinese or Korean, as `Accept-Language` asks.
//!
//! The texts are `messages/{en,zh,ko}.toml`, compiled in, one line per [`Code`]; a test finds a code without a line. What comes after the
//! colon of a message is the detail that the code's place added, in English always. What must stay true: programs
//! decide by the code, so a text may change at any time.

use super::codes::Code;
use axum::http::{HeaderMap, header};
use figment::Figment;
use figment::providers::{Format as _, Toml};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// More ranges than this in one header are not looked at.
const RANGES_MAX: usize = 32;

/// A language that messages are written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Language {
    /// The default.
    #[default]
    English,
    /// In simplified characters.
    Chinese,
    /// As in the south.
    Korean,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 3] = [Self::English, Self::Chinese, Self::Korean];

    /// Its tag, for `Content-Language`.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh",
            Self::Korean => "ko",
        }
    }

    /// The language that a request's `Accept-Language` weighs highest (RFC 9110 section 12.5.4, with the basic matching of RFC
    /// 4647: `zh-CN` is served by `zh`); English if it names none of ours, or cannot be read.
    pub fn asked(headers: &HeaderMap) -> Self {
        let values = headers.get_all(header::ACCEPT_LANGUAGE).iter();
        let ranges = values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        let mut best = (0, Self::default());
        let mut named = Vec::new();
        let mut others = 0;
        for range in ranges.take(RANGES_MAX) {
            let (tag, weight) = weighed(range);
            let primary = tag.split('-').next().unwrap_or_default();
            if primary == "*" {
                others = others.max(weight);
            } else if let Some(ours) =
                Self::ALL.into_iter().find(|ours| primary.eq_ignore_ascii_case(ours.tag()))
            {
                named.push(ours);
                if weight > best.0 {
                    best = (weight, ours);
                }
            }
        }
        // `*` stands for the languages that were not named; the first of ours among them.
        let rest = Self::ALL.into_iter().find(|ours| !named.contains(ours));
        match rest {
            Some(rest) if others > best.0 => rest,
            _ => best.1,
        }
    }
}

/// A range and its weight in thousandths; a malformed weight is none.
fn weighed(range: &str) -> (&str, u16) {
    let mut parts = range.split(';').map(str::trim);
    let tag = parts.next().unwrap_or_default();
    let weight = match parts.next() {
        None => 1_000,
        Some(weight) => {
            weight.strip_prefix("q=").or(weight.strip_prefix("Q=")).and_then(thousandths).unwrap_or(0)
        }
    };
    (tag, weight)
}

/// `qvalue` of RFC 9110: 0 to 1 with at most three places.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, places) = text.split_once('.').unwrap_or((text, ""));
    if places.len() > 3 || !places.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let places: u16 = format!("{places:0<3}").parse().ok()?;
    match (whole, places) {
        ("0", places) => Some(places),
        ("1", 0) => Some(1_000),
        _ => None,
    }
}

type Texts = BTreeMap<String, String>;

static TEXTS: LazyLock<[Texts; 3]> = LazyLock::new(|| {
    [include_str!("messages/en.toml"), include_str!("messages/zh.toml"), include_str!("messages/ko.toml")]
        // A test reads all three; a file that could not be read would leave the codes' names.
        .map(|text| Figment::from(Toml::string(text)).extract().unwrap_or_default())
});

/// The lines of a language.
fn texts(language: Language) -> &'static Texts {
    let [english, chinese, korean] = &*TEXTS;
    match language {
        Language::English => english,
        Language::Chinese => chinese,
        Language::Korean => korean,
    }
}

/// A code's text, and after a colon what its place had to add.
pub fn message(code: Code, detail: &str, language: Language) -> String {
    let text = texts(language).get(code.name()).map_or(code.name(), String::as_str);
    if detail.is_empty() { text.to_owned() } else { format!("{text}: {detail}") }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn asked(value: &str) -> &'static str {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_str(value).unwrap());
        Language::asked(&headers).tag()
    }

    #[test]
    fn every_code_has_a_line_in_each_language_and_no_line_is_without_a_code() {
        for language in Language::ALL {
            let names: Vec<&str> = texts(language).keys().map(String::as_str).collect();
            let mut codes: Vec<&str> = Code::ALL.iter().map(|code| code.name()).collect();
            codes.sort_unstable();
            assert_eq!(names, codes, "messages/{}.toml", language.tag());
            assert!(texts(language).values().all(|text| !text.is_empty() && !text.ends_with('.')));
        }
    }

    #[test]
    fn the_highest_weight_wins_and_english_is_the_default() {
        for (value, tag) in [
            ("zh", "zh"),
            ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
            ("ko-KR", "ko"),
            ("KO", "ko"),
            ("en;q=0.5, ko;q=0.7, zh;q=0.6", "ko"),
            ("de, fr;q=0.9", "en"),
            ("de, fr;q=0.9, zh;q=0.1", "zh"),
            ("zh;q=0", "en"),
            ("*", "en"),
            ("en;q=0, *;q=0.5", "zh"),
            ("zh;q=0.2, *;q=0.5", "en"),
            ("zh;q=1.001, ko;q=0.001", "ko"),
            ("zh;q=x, ko;q=0.0001", "en"),
            (";;;,,,q=", "en"),
            ("", "en"),
        ] {
            assert_eq!(asked(value), tag, "{value}");
        }
    }

    #[test]
    fn a_header_of_a_thousand_ranges_is_read_no_further_than_the_limit() {
        assert_eq!(asked(&format!("{}ko", "de,".repeat(1_000))), "en");
    }

    #[test]
    fn a_detail_follows_the_colon() {
        let text = message(Code::NotFound, "batch", Language::Korean);
        assert!(text.ends_with(": batch") && !text.starts_with("not_found"), "{text}");
    }
}
