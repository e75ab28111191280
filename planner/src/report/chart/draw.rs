//! A chart drawn at a size.

use super::{Axis, Line, Rule, escape};

/// A chart.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    /// A description of the chart for readers who cannot see it.
    pub(crate) title: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) lines: Vec<Line>,
    pub(crate) rules: Vec<Rule>,
}

/// Room for the text beside the axes.
const LEFT: f64 = 52.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 26.0;

impl Chart {
    /// For a page: at two sizes, of which its style shows the one that fits.
    pub(crate) fn for_page(&self) -> String {
        format!("{}{}", self.svg("wide", 760.0, 250.0), self.svg("narrow", 360.0, 230.0))
    }

    /// As one SVG element of a class.
    pub(crate) fn svg(&self, class: &str, width: f64, height: f64) -> String {
        let title = escape(&self.title);
        let mut svg = format!(
            r#"<svg class="{class}" viewBox="0 0 {width} {height}" role="img" aria-label="{title}" xmlns="http://www.w3.org/2000/svg">"#
        );
        let frame = Frame { width: width - LEFT - RIGHT, height: height - TOP - BOTTOM };
        self.axes(&mut svg, frame);
        for rule in &self.rules {
            let y = frame.y(self.y.place(rule.at));
            let (right, label) = (LEFT + frame.width, escape(&rule.label));
            svg.push_str(&format!(
                r#"<path class="rule" d="M{LEFT} {y:.1}H{right:.1}"/><text class="rule" x="{right:.1}" y="{:.1}" text-anchor="end">{label}</text>"#,
                if y < TOP + 14.0 { y + 12.0 } else { y - 4.0 }
            ));
        }
        for line in &self.lines {
            svg.push_str(&self.line(line, frame));
        }
        svg.push_str("</svg>");
        svg
    }

    fn axes(&self, svg: &mut String, frame: Frame) {
        for (value, text) in self.y.ticks((frame.height / 38.0) as usize) {
            let y = frame.y(self.y.place(value));
            svg.push_str(&format!(
                r#"<path class="grid" d="M{LEFT} {y:.1}h{:.1}"/><text x="{:.1}" y="{:.1}" text-anchor="end">{text}</text>"#,
                frame.width,
                LEFT - 6.0,
                y + 4.0
            ));
        }
        let bottom = TOP + frame.height;
        for (value, text) in self.x.ticks((frame.width / 76.0) as usize) {
            let x = frame.x(self.x.place(value));
            // A text at the edge stays inside.
            let anchor = if x > LEFT + frame.width - 12.0 { "end" } else { "middle" };
            svg.push_str(&format!(
                r#"<path class="tick" d="M{x:.1} {bottom:.1}v4"/><text x="{x:.1}" y="{:.1}" text-anchor="{anchor}">{text}</text>"#,
                bottom + 17.0
            ));
        }
        svg.push_str(&format!(
            r#"<path class="axis" d="M{LEFT} {bottom:.1}h{:.1}"/>"#,
            frame.width
        ));
    }

    fn line(&self, line: &Line, frame: Frame) -> String {
        let mut path = String::new();
        let mut last: Option<(f64, f64)> = None;
        for point in &line.points {
            let place = point.map(|(x, y)| (frame.x(self.x.place(x)), frame.y(self.y.place(y))));
            match (last, place) {
                (None, Some((x, y))) => path.push_str(&format!("M{x:.1} {y:.1}")),
                (Some((_, before)), Some((x, y))) => {
                    if line.steps && (before - y).abs() > 0.05 {
                        path.push_str(&format!("H{x:.1}V{y:.1}"));
                    } else {
                        path.push_str(&format!("L{x:.1} {y:.1}"));
                    }
                }
                (_, None) => {}
            }
            last = place;
        }
        let class = &line.class;
        if class.contains("area") {
            let places = line.points.iter().flatten().map(|(x, _)| frame.x(self.x.place(*x)));
            let (first, last) =
                places.fold((f64::MAX, LEFT), |(first, last), x| (first.min(x), last.max(x)));
            let bottom = TOP + frame.height;
            return format!(
                r#"<path class="{class}" d="{path}"/><path class="{class} fill" d="{path}L{last:.1} {bottom:.1}L{first:.1} {bottom:.1}Z"/>"#
            );
        }
        format!(r#"<path class="{class}" d="{path}"/>"#)
    }
}

#[derive(Clone, Copy)]
struct Frame {
    width: f64,
    height: f64,
}

impl Frame {
    fn x(self, place: f64) -> f64 {
        LEFT + self.width * place
    }

    fn y(self, place: f64) -> f64 {
        TOP + self.height * (1.0 - place)
    }
}
