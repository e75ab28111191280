//! JSON objects whose members stay in the order in which they are written, as in a real event.

use std::fmt;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// An object being written.
pub(super) struct Object(String);

impl Object {
    pub(super) fn new() -> Self {
        Self("{".into())
    }

    /// Writes one more member.
    pub(super) fn with(mut self, name: &str, value: impl Serialize) -> Self {
        let value = serde_json::to_string(&value).expect("what is in an event is JSON");
        self.raw(name, &value);
        self
    }

    /// Writes one more member that is an object itself.
    pub(super) fn with_object(mut self, name: &str, value: Self) -> Self {
        self.raw(name, &value.end());
        self
    }

    /// Writes an object out of names and values, or `null` if there are none.
    pub(super) fn with_map<V: Serialize>(mut self, name: &str, map: &[(String, V)]) -> Self {
        if map.is_empty() {
            self.raw(name, "null");
            return self;
        }
        let object = map.iter().fold(Self::new(), |object, (name, value)| object.with(name, value));
        self.with_object(name, object)
    }

    pub(super) fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }

    fn raw(&mut self, name: &str, value: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&serde_json::to_string(name).expect("text is JSON"));
        self.0.push(':');
        self.0.push_str(value);
    }
}

/// The members of an object that was read, in the order in which they stand there.
pub(super) struct Members(Vec<(String, Box<RawValue>)>);

impl Members {
    pub(super) fn parse(json: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(json)
            .map_err(|error| format!("{error}, in {}", String::from_utf8_lossy(json)))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// A member's value; `null` if it is not there.
    pub(super) fn get(&self, name: &str) -> Result<Value, String> {
        self.0
            .iter()
            .find(|(own, _)| own == name)
            .map_or(Ok(Value::Null), |(_, value)| parse(value))
    }

    /// The members of a member that is an object itself; none if it is not there.
    pub(super) fn object(&self, name: &str) -> Result<Vec<(String, Value)>, String> {
        let Some((_, value)) = self.0.iter().find(|(own, _)| own == name) else {
            return Ok(Vec::new());
        };
        if value.get() == "null" {
            return Ok(Vec::new());
        }
        let members = Self::parse(value.get().as_bytes())?.0.into_iter();
        members.map(|(name, value)| Ok((name, parse(&value)?))).collect()
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        from.deserialize_map(InOrder)
    }
}

fn parse(value: &RawValue) -> Result<Value, String> {
    serde_json::from_str(value.get()).map_err(|error| error.to_string())
}
