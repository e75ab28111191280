//! Tables for a terminal.

use crate::comparison::{Candidate, Comparison};
use crate::simulation::Mode;
use crate::text::{count, dollars, duration, percent};

/// A comparison as a table, with the answer and its reasons.
#[must_use]
pub fn table(comparison: &Comparison) -> String {
    let mut text = format!(
        "{}: {} requests in {}, seed {}\n\n",
        comparison.traffic,
        count(comparison.statistics.requests as f64),
        duration(comparison.statistics.seconds),
        comparison.seed
    );
    let mut rows = vec![
        [
            "",
            "host",
            "a month",
            "p50",
            "p99",
            "p99.9",
            "refused",
            "cold starts",
            "instances",
            "connections",
        ]
        .map(str::to_owned),
    ];
    for candidate in &comparison.candidates {
        rows.push(row(comparison, candidate));
    }
    text.push_str(&align(&rows));
    let verdict = &comparison.verdict;
    text.push_str(&format!("\n{}\n", verdict.answer));
    for reason in verdict.reasons.iter().chain(&verdict.flips) {
        text.push_str(&format!("  - {reason}\n"));
    }
    if !verdict.missed.is_empty() {
        text.push_str("Not good enough:\n");
        for (host, fault) in &verdict.missed {
            text.push_str(&format!("  - {host}: {fault}\n"));
        }
    }
    text.push_str(&notes(comparison));
    text
}

/// Several comparisons: one line each with the answer, then why.
#[must_use]
pub fn side_by_side(comparisons: &[Comparison]) -> String {
    let mut rows = vec![
        ["traffic", "mean /s", "peak/mean", "idle", "take", "a month", "p99", "connections"]
            .map(str::to_owned),
    ];
    for comparison in comparisons {
        let statistics = &comparison.statistics;
        let best = comparison.verdict.host.as_ref().and_then(|host| comparison.candidate(host));
        let run = best.and_then(|candidate| candidate.result.as_ref().ok());
        rows.push([
            comparison.traffic.clone(),
            count(statistics.mean),
            format!("{:.1}", statistics.peak_to_mean),
            percent(statistics.idle),
            comparison.verdict.host.clone().unwrap_or("none".into()),
            run.map_or("-".into(), |run| dollars(run.cost.month)),
            run.map_or("-".into(), |run| duration(run.outcome.latency.p99)),
            run.map_or("-".into(), |run| run.outcome.peak_connections.to_string()),
        ]);
    }
    let mut text = align(&rows);
    for comparison in comparisons {
        text.push_str(&format!("\n{}\n  {}\n", comparison.traffic, comparison.verdict.answer));
        for reason in comparison.verdict.reasons.iter().chain(&comparison.verdict.flips) {
            text.push_str(&format!("  - {reason}\n"));
        }
    }
    text
}

fn row(comparison: &Comparison, candidate: &Candidate) -> [String; 10] {
    let best = comparison.verdict.host.as_ref() == Some(&candidate.host);
    let missed = comparison.verdict.missed.iter().any(|(host, _)| host == &candidate.host);
    let mark = if best {
        "→"
    } else if missed {
        "✗"
    } else {
        ""
    };
    let (mark, host) = (mark.to_owned(), candidate.host.clone());
    let Ok(run) = &candidate.result else {
        let none = || "-".to_owned();
        return [mark, host, none(), none(), none(), none(), none(), none(), none(), none()];
    };
    let outcome = &run.outcome;
    let latency = &outcome.latency;
    [
        mark,
        host,
        dollars(run.cost.month),
        duration(latency.p50),
        duration(latency.p99),
        duration(latency.p999),
        percent(outcome.refused_share()),
        count(outcome.cold_starts as f64),
        format!("{} ≤ {}", count(outcome.mean_instances), outcome.peak_instances),
        format!("{} of {}", outcome.peak_connections, comparison.connection_limit),
    ]
}

fn notes(comparison: &Comparison) -> String {
    let mut modes =
        comparison.candidates.iter().filter_map(|c| Some(c.result.as_ref().ok()?.outcome.mode));
    let mode = match modes.next() {
        Some(Mode::Exact) => "Every request was simulated.",
        Some(Mode::Aggregate) => {
            "Simulated in aggregate: waits by queueing theory, latencies by samples (--exact-up-to)."
        }
        None => "",
    };
    format!(
        "{mode} Prices are list prices with their dates (--json, --html), without free tiers.\n"
    )
}

/// Columns under each other: the first two to the left, the others to the right.
fn align<const N: usize>(rows: &[[String; N]]) -> String {
    let width =
        |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = std::array::from_fn::<usize, N, _>(width);
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let space = " ".repeat(widths[column] - cell.chars().count());
            if column < 2 && N == 10 || column == 0 {
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
