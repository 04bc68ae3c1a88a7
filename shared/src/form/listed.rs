//! Closed lists: values that are one of a few, each with a number in canonical bytes and a word in JSON.
//!
//! Kinds, reasons, rules, events and the like are written with [`closed_list!`]; [`super::Writer::choice`] and
//! [`super::Reader::choice`] spell them. What must stay true: numbers and words, once released, never change their value.

/// One of a closed list of values.
pub trait Listed: Copy + 'static {
    /// Every value, in the order of its number.
    const ALL: &'static [Self];

    /// Its number in canonical bytes.
    fn code(self) -> u64;

    /// Its word in JSON and on screens.
    fn word(self) -> &'static str;
}

macro_rules! closed_list {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// Every value, in the order of its number.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its number in canonical bytes.
            pub const fn code(self) -> u64 {
                match self { $(Self::$variant => $code,)* }
            }

            /// Its word in JSON and on screens.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The value with that number.
            pub fn from_code(code: u64) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.code() == code)
            }

            /// The value with that word.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.word() == word)
            }
        }

        impl $crate::form::Listed for $name {
            const ALL: &'static [Self] = Self::ALL;

            fn code(self) -> u64 {
                Self::code(self)
            }

            fn word(self) -> &'static str {
                Self::word(self)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}
pub(crate) use closed_list;
