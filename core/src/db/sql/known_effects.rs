//! The effects of the statements that a connection has run.

use std::collections::BTreeMap;

use super::{Change, SessionEffect, effect};
use crate::db::settings::Kind;

/// The most statements whose effects are kept: as many as the driver keeps prepared by default.
const CAPACITY: usize = 100;

/// The longest text that is kept, in bytes.
const LONGEST_TEXT: usize = 4096;

/// The effects of the statements that a connection has run, so that a text which is run again is not read again.
///
/// Counted by callgrind: for a text of 37 bytes looking it up takes 84 instructions, for one of 2,000 bytes 444;
/// reading it takes 84,910. It is a tree because hashing the longer text takes 5,200.
#[derive(Default)]
pub(in crate::db) struct KnownEffects {
    known: BTreeMap<Box<str>, SessionEffect>,
    /// Whether the server reads backslashes in strings in another way than by default. A text with a backslash may
    /// then do anything.
    unusual_backslashes: bool,
}

impl KnownEffects {
    pub(in crate::db) fn new(unusual_backslashes: bool) -> Self {
        Self { unusual_backslashes, ..Self::default() }
    }

    /// Returns what a text does to its session.
    pub(in crate::db) fn effect(&mut self, text: &str, kind: Kind) -> SessionEffect {
        if text.len() > LONGEST_TEXT {
            return self.read(text, kind);
        }
        match self.known.get(text) {
            Some(effect) => *effect,
            None => self.learn(text, kind),
        }
    }

    #[cold]
    fn learn(&mut self, text: &str, kind: Kind) -> SessionEffect {
        let effect = self.read(text, kind);
        if self.known.len() == CAPACITY {
            self.known.clear();
        }
        self.known.insert(text.into(), effect);
        effect
    }

    /// Returns what a text that does not come again does to its session.
    pub(in crate::db) fn read(&self, text: &str, kind: Kind) -> SessionEffect {
        let effect = effect(text, kind);
        if self.unusual_backslashes && text.contains('\\') {
            let change = effect.change.or(Some(Change::Other));
            return SessionEffect { may_end: true, change, ..effect };
        }
        effect
    }
}

#[cfg(all(test, feature = "postgres"))]
mod tests {
    use super::*;

    #[test]
    fn an_effect_is_the_same_however_often_and_whatever_was_run_between() {
        let mut known = KnownEffects::default();
        for round in 0..3 {
            for (text, changes) in [("SELECT 1", false), ("SET a = 1", true)] {
                assert_eq!(known.effect(text, Kind::Postgres).change.is_some(), changes, "{round}");
            }
            for number in 0..CAPACITY * 2 {
                let text = format!("SELECT {number}");
                assert!(known.effect(&text, Kind::Postgres).is_none(), "{text}");
            }
            assert!(known.known.len() <= CAPACITY);
        }
        let long = format!("SET a = '{}'", "x".repeat(LONGEST_TEXT));
        assert!(known.effect(&long, Kind::Postgres).change.is_some());
        assert!(!known.known.contains_key(long.as_str()));
    }
}
