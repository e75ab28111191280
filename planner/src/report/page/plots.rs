//! The plots of a page: the course of both paradigms' best, and costs over load.

use crate::answer::{Answer, Candidate, Run};
use crate::report::chart::{Axis, Chart, Format, Line, Rule, escape};
use crate::simulation::Point;
use crate::text::count;

/// Colours of the style sheet.
const COLOURS: usize = 9;

/// A host that is plotted, with its colour.
struct Plotted<'a> {
    candidate: &'a Candidate,
    run: &'a Run,
    colour: usize,
}

pub(crate) fn plots(answer: &Answer) -> String {
    let plotted = plotted(answer);
    if plotted.is_empty() {
        return String::new();
    }
    let span = answer.statistics.seconds;
    let line = |value: fn(&crate::traffic::Stretch) -> f64| {
        let mut points = answer.peaks.iter().map(|at| Some((at.at, value(at)))).collect::<Vec<_>>();
        points.extend(answer.peaks.last().map(|at| Some((span, value(at)))));
        points
    };
    let lines = [line(|at| at.high), line(|at| at.mean), line(|at| at.low)];
    let high = most(&[&lines[0]]);
    let classes = ["traffic thin", "traffic area", "traffic thin"];
    let traffic = Chart {
        title: "Requests per second over time".into(),
        x: Axis::between(0.0, span, Format::Clock),
        y: Axis::from_zero(high, Format::Count),
        lines: lines
            .into_iter()
            .zip(classes)
            .map(|(points, class)| Line { class: class.into(), points, steps: true })
            .collect(),
        rules: Vec::new(),
    };
    let instances =
        over_time(&plotted, span, "Processes over time", |point| point.instances as f64);
    let mut connections =
        over_time(&plotted, span, "Open database connections over time", |point| {
            point.connections as f64
        });
    limit(&mut connections, answer, &plotted);
    [
        figure("Traffic", "requests a second: least, mean and most of each stretch", &[], &traffic),
        figure(
            "Processes",
            "instances or environments, at most in each stretch",
            &plotted,
            &instances,
        ),
        figure(
            "Database connections",
            "open at most in each stretch, against the limit",
            &plotted,
            &connections,
        ),
        figure("Latency", "p99 bold, median thin; logarithmic", &plotted, &latency(&plotted, span)),
    ]
    .concat()
}

/// The answer, and the cheapest of the other paradigm.
fn plotted(answer: &Answer) -> Vec<Plotted<'_>> {
    let runs = answer.candidates.iter().enumerate().filter_map(|(index, candidate)| {
        Some(Plotted { candidate, run: candidate.run.as_ref()?, colour: index % COLOURS })
    });
    let mut runs = runs.collect::<Vec<_>>();
    runs.sort_by(|a, b| {
        let by_goals = (!a.candidate.fits()).cmp(&!b.candidate.fits());
        by_goals.then(a.candidate.month().total_cmp(&b.candidate.month()))
    });
    let serverless = runs.first().is_some_and(|plotted| plotted.candidate.is_serverless());
    let other = runs.iter().position(|plotted| plotted.candidate.is_serverless() != serverless);
    let other = other.map(|index| runs.remove(index));
    runs.truncate(1);
    runs.extend(other);
    runs
}

fn course(points: &[Point], span: f64, value: impl Fn(&Point) -> f64) -> Vec<Option<(f64, f64)>> {
    let mut course = points.iter().map(|point| Some((point.at, value(point)))).collect::<Vec<_>>();
    course.extend(points.last().map(|point| Some((span, value(point)))));
    course
}

fn most(lines: &[&[Option<(f64, f64)>]]) -> f64 {
    lines.iter().flat_map(|line| line.iter().flatten()).map(|(_, y)| *y).fold(0.0, f64::max)
}

fn over_time(
    plotted: &[Plotted<'_>],
    span: f64,
    title: &str,
    value: impl Fn(&Point) -> f64,
) -> Chart {
    let lines = plotted.iter().enumerate().map(|(index, plotted)| Line {
        class: format!("c{}{}", plotted.colour, if index > 0 { " dashed" } else { "" }),
        points: course(&plotted.run.outcome.course, span, &value),
        steps: true,
    });
    let lines = lines.collect::<Vec<_>>();
    let high = lines.iter().map(|line| most(&[&line.points])).fold(0.0, f64::max);
    Chart {
        title: title.into(),
        x: Axis::between(0.0, span, Format::Clock),
        y: Axis::from_zero(high, Format::Count),
        lines,
        rules: Vec::new(),
    }
}

fn limit(chart: &mut Chart, answer: &Answer, plotted: &[Plotted<'_>]) {
    let Some(database) = &answer.inputs.database else { return };
    let limit = database.max_connections as f64;
    let peaks = plotted.iter().map(|plotted| plotted.run.outcome.peak_connections as f64);
    let peak = peaks.fold(0.0, f64::max);
    let label = format!("the server takes {}", count(limit));
    if limit <= peak * 25.0 {
        chart.y = Axis::from_zero(peak.max(limit), Format::Count);
        chart.rules.push(Rule { at: limit, label });
    } else {
        // Far above: named, not drawn, so that the lines can be told apart.
        chart.rules.push(Rule { at: peak * 1.08, label: format!("{label}, far above") });
    }
}

fn latency(plotted: &[Plotted<'_>], span: f64) -> Chart {
    let mut lines = Vec::new();
    for (index, plotted) in plotted.iter().enumerate() {
        let dashed = if index > 0 { " dashed" } else { "" };
        for thin in [" thin", ""] {
            let value = |point: &Point| if thin.is_empty() { point.p99 } else { point.p50 };
            let points = course(&plotted.run.outcome.course, span, value);
            // A stretch without a request has no latency.
            let points = points.into_iter().map(|point| point.filter(|(_, y)| *y > 0.0)).collect();
            let class = format!("c{}{thin}{dashed}", plotted.colour);
            lines.push(Line { class, points, steps: false });
        }
    }
    let values = || lines.iter().flat_map(|line| line.points.iter().flatten()).map(|(_, y)| *y);
    let (low, high) = (values().fold(f64::MAX, f64::min), values().fold(0.0, f64::max));
    Chart {
        title: "Latency over time, median and 99th percentile".into(),
        x: Axis::between(0.0, span, Format::Clock),
        y: Axis::logarithmic(low * 0.8, high * 1.25, Format::Duration),
        lines,
        rules: Vec::new(),
    }
}

fn figure(name: &str, note: &str, plotted: &[Plotted<'_>], chart: &Chart) -> String {
    let keys = plotted.iter().enumerate().map(|(index, plotted)| {
        key(&plotted.candidate.short, plotted.colour, if index > 0 { " dashed" } else { "" })
    });
    let legend = keys.collect::<String>();
    let legend =
        if legend.is_empty() { legend } else { format!("<p class=\"legend\">{legend}</p>") };
    format!(
        "<figure><figcaption><b>{name}</b> <span>{note}</span></figcaption>{legend}{}</figure>",
        chart.for_page()
    )
}

fn key(name: &str, colour: usize, class: &str) -> String {
    format!(
        "<span><svg viewBox=\"0 0 24 8\" aria-hidden=\"true\"><path class=\"c{colour}{class}\" d=\"M0 4H24\"/></svg>{}</span>",
        escape(name)
    )
}
