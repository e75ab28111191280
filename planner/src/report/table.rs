//! The answer on one screen of a terminal.

use crate::answer::{Answer, Candidate};
use crate::simulation::Mode;
use crate::text::{count, dollars, duration, percent, wrap};

/// Columns of a terminal that is not known.
const WIDTH: usize = 100;

/// Hosts that reach the goals, that are listed.
const LISTED: usize = 8;

/// An answer: what to take, what to set, what it costs, why, and the other hosts in the order of their price.
#[must_use]
pub fn table(answer: &Answer) -> String {
    let mut text = format!(
        "{}: {} requests in {}, seed {}, prices of {}\n\n{}\n",
        answer.traffic,
        count(answer.statistics.requests as f64),
        duration(answer.statistics.seconds),
        answer.inputs.seed,
        answer.inputs.region,
        answer.sentence
    );
    if let Some(run) = answer.best().and_then(|best| best.run.as_ref()) {
        text.push_str(&format!("  set   {}\n", run.settings.join("\n        ")));
        let bill = run.bill.lines.iter().filter(|line| line.month.abs() >= 0.005);
        let bill = bill.map(|line| format!("{} {}", line.what, dollars(line.month)));
        let bill = bill.collect::<Vec<_>>();
        if !bill.is_empty() {
            text.push_str(&list("  bill  ", &bill.join(", ")));
        }
    }
    for reason in &answer.reasons {
        text.push_str(&list("  - ", reason));
    }
    for flip in &answer.flips.sentences {
        text.push_str(&list("  - ", flip));
    }
    text.push('\n');
    text.push_str(&hosts(answer));
    for warning in &answer.warnings {
        text.push_str(&list("! ", warning));
    }
    text.push_str(&list("", &notes(answer)));
    text
}

fn list(bullet: &str, text: &str) -> String {
    wrap(bullet, text, WIDTH)
}

fn hosts(answer: &Answer) -> String {
    let mut order = answer.candidates.iter().collect::<Vec<_>>();
    order.sort_by(|a, b| (!a.fits()).cmp(&!b.fits()).then(a.month().total_cmp(&b.month())));
    let header = ["", "host", "a month", "p50", "p99", "refused", "cold", "instances", "conns"];
    let mut rows = vec![header.map(str::to_owned)];
    rows.extend(order.iter().filter(|host| host.fits()).take(LISTED).map(|host| row(answer, host)));
    let mut text = if rows.len() > 1 { align(&rows) } else { String::new() };
    let more = order.iter().filter(|host| host.fits()).skip(LISTED);
    let more = more.map(|host| format!("{} {}", host.host, dollars(host.month())));
    let more = more.collect::<Vec<_>>();
    if !more.is_empty() {
        text.push_str(&list("   ", &format!("dearer: {}", more.join(", "))));
    }
    for host in order.iter().filter(|host| !host.fits()) {
        let misses = host.misses.as_deref().unwrap_or_default();
        text.push_str(&list("✗  ", &format!("{}: {misses}", host.host)));
    }
    text
}

fn row(answer: &Answer, candidate: &Candidate) -> [String; 9] {
    let mark = if answer.host.as_ref() == Some(&candidate.host) { "→" } else { "" };
    let (mark, host) = (mark.to_owned(), candidate.host.clone());
    let Some(run) = &candidate.run else {
        let none = || "-".to_owned();
        return [mark, host, none(), none(), none(), none(), none(), none(), none()];
    };
    let ranges = &run.ranges;
    [
        mark,
        host,
        ranges.month.text(dollars),
        ranges.p50.text(duration),
        ranges.p99.text(duration),
        ranges.refused.text(percent),
        ranges.cold_starts.text(count),
        format!("{} ≤ {}", count(ranges.mean_instances.median), ranges.peak_instances.text(count)),
        ranges.peak_connections.text(count),
    ]
}

fn notes(answer: &Answer) -> String {
    let run = answer.candidates.iter().find_map(|candidate| candidate.run.as_ref());
    let mode = match run.map(|run| run.outcome.mode) {
        Some(Mode::Exact) => "Every request was simulated",
        Some(Mode::Aggregate) => "Simulated in aggregate (--exact-up-to)",
        None => return String::new(),
    };
    let seeds = answer.best().and_then(|best| best.run.as_ref()).map_or(1, |run| run.ranges.seeds);
    let seeds = if seeds > 1 { format!("; ranges are over {seeds} seeds") } else { String::new() };
    format!(
        "{mode}{seeds}. Goals: p99 {}, {} turned away, {} in use in the busiest minute. List prices \
         with dates and sources: --json, --html.",
        duration(answer.inputs.goals.p99),
        percent(answer.inputs.goals.refused),
        percent(answer.inputs.goals.utilisation)
    )
}

/// Several answers: one line each, then why.
#[must_use]
pub fn side_by_side(answers: &[Answer]) -> String {
    let header =
        ["traffic", "mean /s", "peak/mean", "idle", "take", "a month", "p99", "connections"];
    let mut rows = vec![header.map(str::to_owned)];
    for answer in answers {
        let statistics = &answer.statistics;
        let run = answer.best().and_then(|best| best.run.as_ref());
        rows.push([
            answer.traffic.clone(),
            count(statistics.mean),
            format!("{:.1}", statistics.peak_to_mean),
            percent(statistics.idle),
            answer.host.clone().unwrap_or("none".into()),
            run.map_or("-".into(), |run| run.ranges.month.text(dollars)),
            run.map_or("-".into(), |run| run.ranges.p99.text(duration)),
            run.map_or("-".into(), |run| run.ranges.peak_connections.text(count)),
        ]);
    }
    let mut text = align(&rows);
    for answer in answers {
        text.push_str(&format!("\n{}: {}\n", answer.traffic, answer.sentence));
        for reason in answer.reasons.iter().chain(&answer.flips.sentences) {
            text.push_str(&list("  - ", reason));
        }
    }
    text
}

/// Columns under each other: names to the left, figures to the right.
fn align<const N: usize>(rows: &[[String; N]]) -> String {
    let width =
        |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = std::array::from_fn::<usize, N, _>(width);
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let space = " ".repeat(widths[column] - cell.chars().count());
            if column == 0 || column == 1 && N == 9 {
                format!("{cell}{space}")
            } else {
                format!("{space}{cell}")
            }
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}
