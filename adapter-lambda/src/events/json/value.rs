//! The values inside an event: each type accepts any JSON, and keeps only the values of its own kind.
//!
//! Long because every kind of value has its visitor, and all visitors have one form.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::Deserializer;
use serde::de::{Deserialize, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A string; `None` for any other JSON.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Text<'a>(pub(crate) Option<Cow<'a, str>>);

/// A list of strings; other values are left out.
#[derive(Debug, Default)]
pub(crate) struct Texts<'a>(pub(crate) Vec<Cow<'a, str>>);

/// A string or null; any other JSON is an error.
#[derive(Debug, Default)]
pub(crate) struct Body<'a>(pub(crate) Option<Cow<'a, str>>);

/// Whether the value is `true`; any other JSON is false.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flag(pub(crate) bool);

/// Whether a field is present and not null.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Present(pub(crate) bool);

/// A map of names to one or several values each, in document order; `None` for any other JSON.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pairs<'a>(pub(crate) Option<Vec<(Cow<'a, str>, Scalar<'a>)>>);

/// A value of a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scalar<'a> {
    /// A string.
    Text(Cow<'a, str>),
    /// A number or a boolean, as its JSON text.
    Other(String),
    /// Null, or something nested.
    Nothing,
}

impl Text<'_> {
    /// The text, empty if there is none.
    pub(crate) fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    /// The text, if it is present and not empty.
    pub(crate) fn filled(&self) -> Option<&str> {
        self.0.as_deref().filter(|text| !text.is_empty())
    }
}

impl<'a> Pairs<'a> {
    /// The pairs of this multi-value map, and those of the single-value map whose names have no value here.
    /// `key` makes one text of the spellings of a name.
    ///
    /// AWS fills both maps with the same names; tools that imitate it leave one of them empty, or parts of it.
    pub(crate) fn with_missing<'e>(
        &'e self,
        single: &'e Self,
        key: impl Fn(&str) -> String,
    ) -> Cow<'e, Self> {
        let (many, one) = (self.as_slice(), single.as_slice());
        if many.is_empty() && !one.is_empty() {
            return Cow::Borrowed(single);
        }
        if Self::has_every_name(many, one) {
            return Cow::Borrowed(self);
        }
        let (empty, mut pairs): (Vec<_>, Vec<_>) =
            many.iter().cloned().partition(|(_, value)| *value == Scalar::Nothing);
        let mut names: HashSet<String> = pairs.iter().map(|(name, _)| key(name)).collect();
        for (name, value) in one.iter().cloned().chain(empty) {
            if names.insert(key(&name)) {
                pairs.push((name, value));
            }
        }
        Cow::Owned(Self(Some(pairs)))
    }

    fn as_slice(&self) -> &[(Cow<'a, str>, Scalar<'a>)] {
        self.0.as_deref().unwrap_or_default()
    }

    /// Whether `many` has a value for each name of `one`, in the same order: the usual case, without a set.
    fn has_every_name(
        many: &[(Cow<'a, str>, Scalar<'a>)],
        one: &[(Cow<'a, str>, Scalar<'a>)],
    ) -> bool {
        let mut filled = many.iter().peekable();
        one.iter().all(|(name, _)| {
            let found = filled.next().is_some_and(|(n, v)| n == name && *v != Scalar::Nothing);
            while filled.next_if(|(n, _)| n == name).is_some() {}
            found
        })
    }
}

/// How a visitor handles a number, a boolean or null that it does not expect.
macro_rules! odd_scalar {
    ($value:expr) => {
        fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
            Ok($value)
        }
        fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Self::Value, E> {
            Ok($value)
        }
        fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Self::Value, E> {
            Ok($value)
        }
        fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Self::Value, E> {
            Ok($value)
        }
        fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Self::Value, E> {
            Ok($value)
        }
    };
}

/// How a visitor handles a string that it does not expect.
macro_rules! odd_text {
    ($value:expr) => {
        fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<Self::Value, E> {
            Ok($value)
        }
    };
}

/// How a visitor handles a list that it does not expect.
macro_rules! odd_list {
    ($value:expr) => {
        fn visit_seq<A: serde::de::SeqAccess<'de>>(
            self,
            mut list: A,
        ) -> Result<Self::Value, A::Error> {
            while list.next_element::<serde::de::IgnoredAny>()?.is_some() {}
            Ok($value)
        }
    };
}

/// How a visitor handles an object that it does not expect.
macro_rules! odd_map {
    ($value:expr) => {
        fn visit_map<A: serde::de::MapAccess<'de>>(
            self,
            mut map: A,
        ) -> Result<Self::Value, A::Error> {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok($value)
        }
    };
}

pub(super) use {odd_list, odd_scalar, odd_text};

/// How a visitor reads a string: borrowed if the JSON has it without escapes.
macro_rules! text {
    ($make:expr) => {
        fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
            Ok($make(Cow::Borrowed(text)))
        }
        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok($make(Cow::Owned(text.to_owned())))
        }
        fn visit_string<E: Error>(self, text: String) -> Result<Self::Value, E> {
            Ok($make(Cow::Owned(text)))
        }
    };
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }
            text!(|text| Text(Some(text)));
            odd_scalar!(Text(None));
            odd_list!(Text(None));
            odd_map!(Text(None));
        }
        deserializer.deserialize_any(Any)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Body<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Body<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a body that is a text or null")
            }
            text!(|text| Body(Some(text)));
            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(Body(None))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Flag;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true or false")
            }
            fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
                Ok(Flag(value))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Flag(text.eq_ignore_ascii_case("true")))
            }
            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(Flag(false))
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
                Ok(Flag(number == 1))
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
                Ok(Flag(number == 1))
            }
            fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
                Ok(Flag(false))
            }
            odd_list!(Flag(false));
            odd_map!(Flag(false));
        }
        deserializer.deserialize_any(Any)
    }
}

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Option::<IgnoredAny>::deserialize(deserializer)?;
        Ok(Self(value.is_some()))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Texts<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Texts<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of texts")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut texts = Vec::new();
                while let Some(Text(text)) = list.next_element()? {
                    texts.extend(text);
                }
                Ok(Texts(texts))
            }
            text!(|text| Texts(vec![text]));
            odd_scalar!(Texts::default());
            odd_map!(Texts::default());
        }
        deserializer.deserialize_any(Any)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Pairs<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of names to values")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::with_capacity(16);
                while let Some(Text(name)) = map.next_key()? {
                    let name = name.unwrap_or_default();
                    match map.next_value()? {
                        Values::One(value) => pairs.push((name, value)),
                        Values::Many(values) => {
                            pairs.extend(values.into_iter().map(|value| (name.clone(), value)));
                        }
                    }
                }
                Ok(Pairs(Some(pairs)))
            }
            odd_scalar!(Pairs(None));
            odd_text!(Pairs(None));
            odd_list!(Pairs(None));
        }
        deserializer.deserialize_any(Any)
    }
}

/// The value of one name of a map: one scalar or a list.
enum Values<'a> {
    One(Scalar<'a>),
    Many(Vec<Scalar<'a>>),
}

impl<'de: 'a, 'a> Deserialize<'de> for Values<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Values<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value or a list of values")
            }
            text!(|text| Values::One(Scalar::Text(text)));
            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(Values::One(Scalar::Nothing))
            }
            fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
                Ok(Values::One(Scalar::Other(value.to_string())))
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
                Ok(Values::One(Scalar::Other(number.to_string())))
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
                Ok(Values::One(Scalar::Other(number.to_string())))
            }
            fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
                Ok(Values::One(Scalar::Other(number.to_string())))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                // Most lists have one value, which is stored without allocating a list.
                let Some(first) = list.next_element()? else { return Ok(Values::Many(Vec::new())) };
                let Some(second) = list.next_element()? else { return Ok(Values::One(first)) };
                let mut values = vec![first, second];
                while let Some(value) = list.next_element()? {
                    values.push(value);
                }
                Ok(Values::Many(values))
            }
            odd_map!(Values::One(Scalar::Nothing));
        }
        deserializer.deserialize_any(Any)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Scalar<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            text!(Scalar::Text);
            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(Scalar::Nothing)
            }
            fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
                Ok(Scalar::Other(value.to_string()))
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
                Ok(Scalar::Other(number.to_string()))
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
                Ok(Scalar::Other(number.to_string()))
            }
            fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
                Ok(Scalar::Other(number.to_string()))
            }
            odd_list!(Scalar::Nothing);
            odd_map!(Scalar::Nothing);
        }
        deserializer.deserialize_any(Any)
    }
}
