//! Contests: contenders run in alternating turns (A B A B …), so that a disturbance of the machine hits both of a pair.

use std::fmt;
use std::io::Write as _;
use std::time::Duration;

use crate::effort::Effort;
use crate::results::{Contest, Entry, Turn};

/// One side of a contest; the first contender is this workspace's.
pub struct Contender<'a> {
    name: String,
    turn: Box<dyn FnMut(Duration) -> Turn + 'a>,
}

impl<'a> Contender<'a> {
    /// A contender that repeats its work for as long as its turn lasts.
    pub fn new(name: impl Into<String>, turn: impl FnMut(Duration) -> Turn + 'a) -> Self {
        Self { name: name.into(), turn: Box::new(turn) }
    }
}

impl fmt::Debug for Contender<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Contender").field(&self.name).finish()
    }
}

/// Runs the turns of all contenders, and reports progress on stderr.
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

/// Reports the progress of a run on stderr.
pub fn say(text: &str) {
    // Ignored: a closed stderr must not end the run.
    let _ = writeln!(std::io::stderr(), "{text}");
}
