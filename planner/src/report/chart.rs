//! Line charts as SVG. Colours are classes, so that a page can follow its reader's taste and its printer.
//!
//! Our own two hundred lines, since the plotting libraries write fixed colours and one size of text: a page that is
//! read on a phone and printed needs neither.

mod axis;
mod draw;

pub(crate) use axis::{Axis, Format};
pub(crate) use draw::Chart;

/// A line of a chart.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// A class: `c0` to `c8` is the colour, further ones how it is drawn (`thin`, `dashed`, `area`).
    pub(crate) class: String,
    /// Points from left to right; `None` is a break.
    pub(crate) points: Vec<Option<(f64, f64)>>,
    /// Whether a value holds until the next one.
    pub(crate) steps: bool,
}

/// A horizontal line with a name.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) at: f64,
    pub(crate) label: String,
}

/// A text that may stand in HTML and SVG.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
