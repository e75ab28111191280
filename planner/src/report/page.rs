//! One page with plots that needs nothing else: no script, no font, no network.

mod plots;
mod sources;

use super::chart::escape;
use crate::comparison::{Candidate, Comparison, Run};
use crate::model::Catalog;
use crate::simulation::Mode;
use crate::text::{count, dollars, duration, percent};
use crate::workload::Workload;

const STYLE: &str = include_str!("page/style.css");

/// A comparison as one self-contained page, for a screen of any width and for paper.
#[must_use]
pub fn page(comparison: &Comparison, catalog: &Catalog, workload: &Workload) -> String {
    let title = escape(&comparison.traffic);
    let parts = [
        head(comparison),
        tiles(comparison),
        reasons(comparison),
        plots::plots(comparison),
        hosts(comparison),
        details(comparison),
        sources::sources(catalog, comparison, workload),
    ];
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <title>{title}: which host</title>\n<style>{STYLE}</style>\n<main>\n{}\n</main>\n</html>\n",
        parts.join("\n")
    )
}

fn head(comparison: &Comparison) -> String {
    let statistics = &comparison.statistics;
    format!(
        "<header><p class=\"over\">{}</p><h1>{}</h1>\
         <p class=\"sub\">{} requests in {}, {} a second on average, {} at the peak. Seed {}.</p></header>",
        escape(&comparison.traffic),
        escape(&comparison.verdict.answer),
        count(statistics.requests as f64),
        duration(statistics.seconds),
        count(statistics.mean),
        count(statistics.peak),
        comparison.seed
    )
}

fn tiles(comparison: &Comparison) -> String {
    let best = comparison.verdict.host.as_ref().and_then(|host| comparison.candidate(host));
    let Some(Ok(run)) = best.map(|candidate| &candidate.result) else { return String::new() };
    let outcome = &run.outcome;
    let share = outcome.cold_starts as f64 / outcome.requests.max(1) as f64;
    let tiles = [
        ("Cost a month", dollars(run.cost.month), "list prices".to_owned()),
        (
            "99 of 100 answered in",
            duration(outcome.latency.p99),
            format!("half in {}", duration(outcome.latency.p50)),
        ),
        (
            "Connections",
            outcome.peak_connections.to_string(),
            format!("at most, of {}", comparison.connection_limit),
        ),
        (
            "Processes",
            count(outcome.mean_instances),
            format!("on average, {} at most", outcome.peak_instances),
        ),
        (
            "Wait for a start",
            percent(share),
            format!("{} requests", count(outcome.cold_starts as f64)),
        ),
        (
            "Turned away",
            percent(outcome.refused_share()),
            format!("{} requests", count(outcome.refused as f64)),
        ),
    ];
    let tiles = tiles.map(|(name, value, note)| {
        format!("<div><dt>{name}</dt><dd>{value}<small>{note}</small></dd></div>")
    });
    format!("<dl class=\"tiles\">{}</dl>", tiles.concat())
}

fn reasons(comparison: &Comparison) -> String {
    let list = |items: &[String]| {
        items.iter().map(|item| format!("<li>{}</li>", escape(item))).collect::<String>()
    };
    let flips = match comparison.verdict.flips.as_slice() {
        [] => "<p>At every load of this shape the same host is the cheapest.</p>".to_owned(),
        flips => format!("<ul>{}</ul>", list(flips)),
    };
    format!(
        "<section class=\"two\"><div><h2>Why</h2><ul>{}</ul></div><div><h2>Where the answer flips</h2>{flips}</div></section>",
        list(&comparison.verdict.reasons)
    )
}

fn hosts(comparison: &Comparison) -> String {
    let rows = comparison.candidates.iter().map(|candidate| row(comparison, candidate));
    format!(
        "<section><h2>All hosts</h2><table class=\"hosts\"><thead><tr><th>Host<th>A month<th>p50<th>p99<th>p99.9<th>Turned away\
         <th>Cold starts<th>Processes<th>Connections</tr></thead><tbody>{}</tbody></table></section>",
        rows.collect::<String>()
    )
}

fn row(comparison: &Comparison, candidate: &Candidate) -> String {
    let verdict = &comparison.verdict;
    let best = verdict.host.as_ref() == Some(&candidate.host);
    let fault =
        verdict.missed.iter().find(|(host, _)| host == &candidate.host).map(|(_, fault)| fault);
    let class = if best {
        "best"
    } else if fault.is_some() {
        "missed"
    } else {
        ""
    };
    let note = match (best, fault) {
        (true, _) => "<small>the answer</small>".to_owned(),
        (_, Some(fault)) => format!("<small>{}</small>", escape(fault)),
        (false, None) => String::new(),
    };
    let title = escape(&candidate.title);
    let name = format!("<th scope=\"row\">{title}{note}</th>");
    let Ok(run) = &candidate.result else {
        return format!("<tr class=\"missed\">{name}<td colspan=\"8\"></td></tr>");
    };
    let Run { outcome, cost, .. } = run;
    let latency = &outcome.latency;
    let cells = [
        ("A month", dollars(cost.month)),
        ("p50", duration(latency.p50)),
        ("p99", duration(latency.p99)),
        ("p99.9", duration(latency.p999)),
        ("Turned away", percent(outcome.refused_share())),
        ("Cold starts", count(outcome.cold_starts as f64)),
        ("Processes", format!("{} ≤ {}", count(outcome.mean_instances), outcome.peak_instances)),
        ("Connections", format!("{} of {}", outcome.peak_connections, comparison.connection_limit)),
    ];
    let cells = cells.map(|(label, value)| format!("<td data-label=\"{label}\">{value}</td>"));
    format!("<tr class=\"{class}\">{name}{}</tr>", cells.concat())
}

fn details(comparison: &Comparison) -> String {
    let mut text = String::from("<section><h2>The arithmetic</h2>");
    for candidate in &comparison.candidates {
        let Ok(run) = &candidate.result else { continue };
        let lines = run.cost.lines.iter().map(|line| {
            format!(
                "<li>{}: {} × ${} = {} <small>({}, {})</small></li>",
                escape(&line.what),
                count(line.amount),
                plain(line.usd),
                dollars(line.month),
                escape(&line.region),
                escape(&line.valid_on)
            )
        });
        let bounded = run.bounded.as_ref().map_or(String::new(), |reason| {
            format!("<p><small>Core refuses more: {}</small></p>", escape(reason))
        });
        let note = match candidate.note.as_str() {
            "" => String::new(),
            note => format!("<p><small>{}</small></p>", escape(note)),
        };
        text.push_str(&format!(
            "<details><summary>{}: {} a month</summary><ul>{}</ul><p>{} with {} GB each, at most {} of them: {}.</p>{bounded}{note}</details>",
            escape(&candidate.title),
            dollars(run.cost.month),
            lines.collect::<String>(),
            cores(run.cores),
            count(run.memory_gb),
            run.most_instances,
            escape(&run.plan),
        ));
    }
    let mode =
        comparison.candidates.iter().find_map(|c| Some(c.result.as_ref().ok()?.outcome.mode));
    let mode = match mode {
        Some(Mode::Exact) => "Every request was simulated, one by one.",
        Some(Mode::Aggregate) => {
            "Simulated in aggregate: waits by queueing theory, latencies by samples of each stretch."
        }
        None => "",
    };
    text.push_str(&format!("<p class=\"note\">{mode} Free tiers are not taken off.</p></section>"));
    text
}

fn cores(cores: f64) -> String {
    let plural = if cores == 1.0 { "" } else { "s" };
    format!("{} processor{plural}", count(cores))
}

/// A price without an exponent and without zeros at its end.
fn plain(usd: f64) -> String {
    let text = format!("{usd:.12}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
