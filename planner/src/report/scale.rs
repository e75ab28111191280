//! The chart of the planner's own time and memory.

use super::chart::{Axis, Chart, Format, Line};

/// What one run of the planner took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScalePoint {
    /// Requests a day.
    pub a_day: f64,
    /// Seconds it ran.
    pub seconds: f64,
    /// The most memory it held, in MiB.
    pub mib: f64,
    /// Whether every request was simulated.
    pub exact: bool,
}

const STYLE: &str = "<style>text{font:12px system-ui,sans-serif;fill:#5b6675}path{fill:none;stroke:#5b6675;stroke-width:2}\
.grid{stroke:#e6eaf0;stroke-width:1}.axis,.tick{stroke:#c5ccd6;stroke-width:1}.c0{stroke:#0067b1}.c3{stroke:#d05a00}\
.title{font-weight:600;fill:#1b2330;font-size:14px}rect{fill:#fff}</style>";

/// Run time and memory over load, as one SVG file.
#[must_use]
pub fn scale(points: &[ScalePoint]) -> String {
    let (width, height) = (760.0, 230.0);
    let x = || Axis::logarithmic(1.0, 1e9, Format::Count);
    let chart = |title: &str, class: &str, y: Axis, value: fn(&ScalePoint) -> f64| Chart {
        title: title.into(),
        x: x(),
        y,
        lines: vec![Line {
            class: class.into(),
            points: points.iter().map(|point| Some((point.a_day, value(point)))).collect(),
            steps: false,
        }],
        rules: Vec::new(),
    };
    let high = |value: fn(&ScalePoint) -> f64| points.iter().map(value).fold(0.0, f64::max);
    let seconds =
        chart("Run time", "c0", Axis::from_zero(high(|p| p.seconds), Format::Duration), |p| {
            p.seconds
        });
    let memory = chart("Memory", "c3", Axis::from_zero(high(|p| p.mib), Format::Count), |p| p.mib);
    let exact =
        points.iter().filter(|point| point.exact).map(|point| point.a_day).fold(0.0, f64::max);
    let exact = crate::text::count(exact);
    let title =
        |y: f64, text: &str| format!("<text class=\"title\" x=\"8\" y=\"{y}\">{text}</text>");
    let plot = |chart: &Chart, y: f64| {
        format!(
            "<g transform=\"translate(0 {y})\">{}</g>",
            chart
                .svg("plot", width, height)
                .replace("<svg ", &format!("<svg width=\"{width}\" height=\"{height}\" "))
        )
    };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} 540\">{STYLE}<rect width=\"100%\" height=\"100%\"/>{}{}{}{}</svg>\n",
        title(
            20.0,
            &format!(
                "Run time of all hosts over requests a day (one by one up to {exact}, then in aggregate)"
            )
        ),
        plot(&seconds, 26.0),
        title(290.0, "Most memory, MiB, over requests a day"),
        plot(&memory, 296.0),
    )
}
