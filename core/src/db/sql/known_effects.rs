//! The effects of the statements that a connection has run.

use std::collections::BTreeMap;

use super::Effect;

/// The most statements whose effects are kept: as many as the driver keeps prepared by default.
const CAPACITY: usize = 100;

/// The longest text that is kept, in bytes.
const LONGEST_TEXT: usize = 4096;

/// The effects of the statements that a connection has run, so that a text which is run again is not read again.
///
/// Counted by callgrind: for a text of 37 bytes looking it up takes 84 instructions, for one of 2,000 bytes 444, where
/// reading it takes 84,910. A tree, since hashing the longer one takes 5,200.
#[derive(Default)]
pub(in crate::db) struct KnownEffects(BTreeMap<Box<str>, Effect>);

impl KnownEffects {
    /// Returns what a text does to its session. `read` finds it out for a text that has not been run.
    pub(in crate::db) fn of(&mut self, text: &str, read: fn(&str) -> Effect) -> Effect {
        if text.len() > LONGEST_TEXT {
            return read(text);
        }
        match self.0.get(text) {
            Some(effect) => *effect,
            None => self.learn(text, read),
        }
    }

    #[cold]
    fn learn(&mut self, text: &str, read: fn(&str) -> Effect) -> Effect {
        let effect = read(text);
        if self.0.len() == CAPACITY {
            self.0.clear();
        }
        self.0.insert(text.into(), effect);
        effect
    }
}

#[cfg(all(test, feature = "postgres"))]
mod tests {
    use super::super::of_postgres;
    use super::*;

    #[test]
    fn an_effect_is_the_same_however_often_and_whatever_was_run_between() {
        let mut known = KnownEffects::default();
        for round in 0..3 {
            for (text, changes) in [("SELECT 1", false), ("SET a = 1", true)] {
                assert_eq!(known.of(text, of_postgres).change.is_some(), changes, "{round}");
            }
            for number in 0..CAPACITY * 2 {
                let text = format!("SELECT {number}");
                assert!(known.of(&text, of_postgres).is_none(), "{text}");
            }
            assert!(known.0.len() <= CAPACITY);
        }
        let long = format!("SET a = '{}'", "x".repeat(LONGEST_TEXT));
        assert!(known.of(&long, of_postgres).change.is_some());
        assert!(!known.0.contains_key(long.as_str()));
    }
}
