//! Differences between what two doors answer, as lines that a person reads.

use std::fmt;

use similar::TextDiff;

/// Two doors that answer one request differently.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The method and the target of the request.
    pub request: String,
    /// The name of the one door, and what it answers.
    pub one: (String, String),
    /// The name of the other door, and what it answers.
    pub other: (String, String),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { request, one, other } = self;
        writeln!(f, "{request}: {} and {} answer differently", one.0, other.0)?;
        f.write_str(&lines(&one.0, &one.1, &other.0, &other.1))
    }
}

/// The lines in which two texts differ, in the form of `diff -u`.
pub(crate) fn lines(one: &str, one_text: &str, other: &str, other_text: &str) -> String {
    let difference = TextDiff::from_lines(one_text, other_text);
    difference.unified_diff().context_radius(3).header(one, other).to_string()
}
