//! The plots of a page: the course of both paradigms' best, and costs over load.

use crate::comparison::{Candidate, Comparison, Run};
use crate::report::chart::{Axis, Chart, Format, Line, Mark, Rule, escape};
use crate::simulation::Point;
use crate::text::{count, dollars};

/// A host that is plotted, with its colour.
struct Plotted<'a> {
    candidate: &'a Candidate,
    run: &'a Run,
    colour: usize,
}

pub(crate) fn plots(comparison: &Comparison) -> String {
    let plotted = plotted(comparison);
    let Some(first) = plotted.first() else { return String::new() };
    let span = comparison.statistics.seconds;
    let time = || Axis::between(0.0, span, Format::Clock);
    let rates = course(&first.run.outcome.course, span, |point| point.rate);
    let traffic = Chart {
        title: "Requests per second over time".into(),
        x: time(),
        y: Axis::from_zero(most(&[&rates]), Format::Count),
        lines: vec![Line { class: "traffic area".into(), points: rates, steps: true }],
        rules: Vec::new(),
        marks: Vec::new(),
    };
    let instances =
        over_time(&plotted, span, "Processes over time", |point| point.instances as f64);
    let mut connections =
        over_time(&plotted, span, "Open database connections over time", |point| {
            point.connections as f64
        });
    limit(&mut connections, comparison, &plotted);
    [
        figure("Traffic", "requests a second", &[], &traffic),
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
        costs(comparison, &plotted),
    ]
    .concat()
}

/// The answer, and the cheapest of the other paradigm.
fn plotted(comparison: &Comparison) -> Vec<Plotted<'_>> {
    let runs = comparison.candidates.iter().enumerate().filter_map(|(colour, candidate)| {
        Some(Plotted { candidate, run: candidate.result.as_ref().ok()?, colour })
    });
    let mut runs = runs.collect::<Vec<_>>();
    let missed = |plotted: &Plotted<'_>| {
        comparison.verdict.missed.iter().any(|(host, _)| host == &plotted.candidate.host)
    };
    runs.sort_by(|a, b| {
        (missed(a), a.run.cost.month)
            .partial_cmp(&(missed(b), b.run.cost.month))
            .unwrap_or(std::cmp::Ordering::Equal)
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
        marks: Vec::new(),
    }
}

fn limit(chart: &mut Chart, comparison: &Comparison, plotted: &[Plotted<'_>]) {
    let limit = comparison.connection_limit as f64;
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
        marks: Vec::new(),
    }
}

fn costs(comparison: &Comparison, plotted: &[Plotted<'_>]) -> String {
    let curves = &comparison.curves;
    let mean = comparison.statistics.mean.max(1e-3);
    // Three factors of ten around this load, and far enough to see the first flips.
    let (low, high) = ((mean / 300.0).max(1e-3), (mean * 300.0).clamp(30.0, 1e5));
    let within = |load: f64| (low..=high).contains(&load);
    let index = |host: &str| comparison.candidates.iter().position(|c| c.host == host).unwrap_or(0);
    let mut lines = Vec::new();
    let mut legend = String::new();
    for (host, costs) in &curves.hosts {
        let colour = index(host);
        let main = plotted.iter().any(|plotted| plotted.candidate.host == *host);
        let points = curves.loads.iter().zip(costs).filter(|(load, _)| within(**load));
        let points = points.map(|(load, cost)| cost.map(|cost| (*load, cost))).collect();
        lines.push(Line {
            class: format!("c{colour}{}", if main { "" } else { " thin" }),
            points,
            steps: false,
        });
        legend.push_str(&key(&comparison.candidates[colour].short, colour, ""));
    }
    let values = || lines.iter().flat_map(|line| line.points.iter().flatten()).map(|(_, y)| *y);
    let (least, most) = (values().fold(f64::MAX, f64::min).max(0.1), values().fold(1.0, f64::max));
    let marks = curves.flips.iter().filter(|flip| within(flip.load)).map(|flip| Mark {
        at: (flip.load, flip.month),
        label: format!("{}/s: {}", count(flip.load), dollars(flip.month)),
    });
    let mut marks = marks.collect::<Vec<_>>();
    marks.truncate(4);
    let chart = Chart {
        title: "Cost a month over load, with the points where the cheapest host changes".into(),
        x: Axis::logarithmic(low, high, Format::Count),
        y: Axis::logarithmic(least, most, Format::Dollars),
        lines: lines.into_iter().chain([here(mean, least, most)]).collect(),
        rules: Vec::new(),
        marks,
    };
    format!(
        "<figure><figcaption><b>Cost over load</b> <span>a month, over requests a second on average, for this shape, by price alone: without queues and the database's limit; dots are \
         break-even points, the upright line is this load</span></figcaption><p class=\"legend\">{legend}</p>{}</figure>",
        chart.for_page()
    )
}

fn here(mean: f64, least: f64, most: f64) -> Line {
    Line {
        class: "here".into(),
        points: vec![Some((mean, least)), Some((mean, most))],
        steps: false,
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
