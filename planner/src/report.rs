//! What was found, for a terminal, for a program, for a reader.

mod chart;
mod difference;
mod page;
mod table;

use serde::Serialize;

pub use difference::difference;
pub use page::page;
pub use table::{side_by_side, table};

/// Anything as JSON, on lines of its own.
///
/// # Panics
/// Never for the types of this crate: their fields are all plain.
#[must_use]
pub fn json(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("plain fields can be written");
    text.push('\n');
    text
}
