//! Contenders that take turns: A B A B …, so that a disturbance of the machine hits both sides of a pair.

use std::fmt;
use std::io::Write as _;
use std::time::Duration;

use crate::effort::Effort;
use crate::results::{Contest, Entry, Turn};

/// One of those that are compared; the first of a contest is ours.
pub struct Contender<'a> {
    name: String,
    turn: Box<dyn FnMut(Duration) -> Turn + 'a>,
}

impl<'a> Contender<'a> {
    /// A contender that does as much as it can in the time it is given.
    pub fn new(name: impl Into<String>, turn: impl FnMut(Duration) -> Turn + 'a) -> Self {
        Self { name: name.into(), turn: Box::new(turn) }
    }
}

impl fmt::Debug for Contender<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Contender").field(&self.name).finish()
    }
}

/// Lets all contenders take their turns, and says on stderr how it goes.
pub fn contest(
    id: impl Into<String>,
    title: impl Into<String>,
    effort: Effort,
    mut contenders: Vec<Contender<'_>>,
) -> Contest {
    let (id, title) = (id.into(), title.into());
    for contender in &mut contenders {
        (contender.turn)(effort.warm_up());
    }
    let mut entries: Vec<Entry> = contenders
        .iter()
        .map(|contender| Entry { name: contender.name.clone(), turns: Vec::new() })
        .collect();
    for _ in 0..effort.rounds() {
        for (contender, entry) in contenders.iter_mut().zip(&mut entries) {
            entry.turns.push((contender.turn)(effort.turn()));
        }
    }
    let contest = Contest { id, title, entries };
    say(&contest.to_string());
    contest
}

/// Says on stderr how a run goes.
pub fn say(text: &str) {
    // Whoever closed stderr does not want to know.
    let _ = writeln!(std::io::stderr(), "{text}");
}
