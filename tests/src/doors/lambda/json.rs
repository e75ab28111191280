//! JSON objects whose members stay in the order in which they are written, as in a real event.

use serde::Serialize;

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

    /// Writes an object out of names and values, or `null` where there are none.
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
