//! Plots as SVG: bars for ratios, lines for curves.

use std::fmt::Write as _;

use crate::results::{Curve, Spread};

const WIDTH: f64 = 760.0;
/// One colour for each line; the first is ours.
const COLOURS: [&str; 6] = ["#0b6e4f", "#c8553d", "#3d5a80", "#b08900", "#7a4988", "#666666"];
const FONT: &str = "font-family=\"system-ui, sans-serif\" font-size=\"13\" fill=\"#222\"";

/// One bar of a plot: what it shows, its value and the words behind it.
#[derive(Clone, Debug)]
pub struct Bar {
    /// What it shows.
    pub name: String,
    /// Its length, with the smallest and the largest of what it is the median of.
    pub value: Spread,
    /// The value in words.
    pub words: String,
}

/// Bars that begin at zero, each with its spread; the first is ours.
#[must_use]
pub fn bars(title: &str, bars: &[Bar]) -> String {
    const LEFT: f64 = 250.0;
    const ROW: f64 = 30.0;
    let right = WIDTH - 110.0;
    let height = 44.0 + ROW * bars.len() as f64;
    let most = bars.iter().map(|bar| bar.value.max).fold(f64::MIN_POSITIVE, f64::max);
    let x = |value: f64| LEFT + (right - LEFT) * value / most;
    let mut svg = begin(height, title);
    for (row, bar) in bars.iter().enumerate() {
        let top = 36.0 + ROW * row as f64;
        let middle = top + 11.0;
        let Spread { min, median, max } = bar.value;
        let colour = COLOURS[usize::from(row > 0) * 2];
        let width = x(median) - LEFT;
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\" {FONT}>{}</text>\
             <rect x=\"{LEFT}\" y=\"{top:.0}\" width=\"{width:.1}\" height=\"22\" fill=\"{colour}\"/>\
             <path d=\"M{:.1} {middle:.0}H{:.1}\" stroke=\"#222\" stroke-width=\"1.5\"/>\
             <text x=\"{:.1}\" y=\"{}\" {FONT}>{}</text>",
            LEFT - 8.0,
            middle + 5.0,
            escape(&bar.name),
            x(min),
            x(max),
            x(max) + 8.0,
            middle + 5.0,
            escape(&bar.words),
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// Lines over a quantity.
#[must_use]
pub fn lines(curve: &Curve) -> String {
    const LEFT: f64 = 80.0;
    const TOP: f64 = 40.0;
    const BOTTOM: f64 = 330.0;
    let right = WIDTH - 190.0;
    let points = || curve.lines.iter().flat_map(|(_, points)| points);
    let scale = |value: f64| if curve.logarithmic { value.max(1e-9).log2() } else { value };
    let least = points().map(|(x, _)| scale(*x)).fold(f64::INFINITY, f64::min);
    let last = points().map(|(x, _)| scale(*x)).fold(f64::NEG_INFINITY, f64::max);
    let most = ceiling(points().map(|(_, y)| *y).fold(0.0, f64::max));
    let x = |value: f64| {
        LEFT + (right - LEFT) * (scale(value) - least) / (last - least).max(f64::MIN_POSITIVE)
    };
    let y = |value: f64| BOTTOM - (BOTTOM - TOP) * value / most;
    let mut svg = begin(BOTTOM + 50.0, &curve.title);
    for step in 0..=4 {
        let value = most * f64::from(step) / 4.0;
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {:.1}H{right}\" stroke=\"#ddd\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\" {FONT}>{}</text>",
            y(value),
            LEFT - 8.0,
            y(value) + 4.0,
            number(value),
        );
    }
    let mut marks: Vec<f64> = points().map(|(x, _)| *x).collect();
    marks.sort_unstable_by(f64::total_cmp);
    marks.dedup();
    let step = marks.len().div_ceil(12).max(1);
    for mark in marks.iter().step_by(step) {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\" {FONT}>{}</text>",
            x(*mark),
            BOTTOM + 18.0,
            number(*mark),
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\" {FONT}>{}</text>\
         <text x=\"14\" y=\"{TOP}\" {FONT} transform=\"rotate(-90 14 {TOP})\" text-anchor=\"end\">{}</text>",
        (LEFT + right) / 2.0,
        BOTTOM + 40.0,
        escape(&curve.x),
        escape(&curve.y),
    );
    for (row, (name, points)) in curve.lines.iter().enumerate() {
        let colour = COLOURS[row % COLOURS.len()];
        let path: Vec<String> =
            points.iter().map(|point| format!("{:.1},{:.1}", x(point.0), y(point.1))).collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\
             <rect x=\"{}\" y=\"{}\" width=\"14\" height=\"4\" fill=\"{colour}\"/>\
             <text x=\"{}\" y=\"{}\" {FONT}>{}</text>",
            path.join(" "),
            right + 14.0,
            TOP + 20.0 * row as f64,
            right + 34.0,
            TOP + 20.0 * row as f64 + 6.0,
            escape(name),
        );
    }
    svg.push_str("</svg>\n");
    svg
}

fn begin(height: f64, title: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\">\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\
         <text x=\"12\" y=\"22\" {FONT} font-weight=\"600\">{}</text>\n",
        escape(title),
    )
}

/// The next number that is easy to divide by four.
fn ceiling(value: f64) -> f64 {
    let power = 10f64.powf(value.max(1e-9).log10().floor());
    [1.0, 2.0, 4.0, 6.0, 8.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|ceiling| *ceiling >= value)
        .unwrap_or(value)
}

fn number(value: f64) -> String {
    match value {
        v if v >= 10_000.0 => format!("{:.0}k", v / 1e3),
        v if v.fract() == 0.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.0}"),
        v => format!("{v:.2}"),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_names_what_it_shows_and_nothing_in_it_is_markup() {
        let value = Spread { min: 1.0, median: 2.0, max: 3.0 };
        let bar = Bar { name: "a < b".into(), value, words: "2.0 ×".into() };
        let svg = bars("ours & theirs", &[bar]);
        assert!(svg.contains("a &lt; b") && svg.contains("ours &amp; theirs"), "{svg}");
    }

    #[test]
    fn the_scale_ends_above_the_largest_value() {
        for (value, end) in [(0.7, 0.8), (1.0, 1.0), (17.0, 20.0), (4_100.0, 6_000.0)] {
            assert!((ceiling(value) - end).abs() < 1e-9, "{value}: {}", ceiling(value));
        }
    }
}
