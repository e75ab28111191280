//! One page with plots that needs nothing else: no script, no font, no network.

mod plots;
mod sources;

use super::chart::escape;
use crate::answer::{Answer, Candidate, Run};
use crate::simulation::Mode;
use crate::text::{count, dollars, duration, percent};

const STYLE: &str = include_str!("page/style.css");

/// An answer as one self-contained page, for a screen of any width and for paper.
#[must_use]
pub fn page(answer: &Answer) -> String {
    let title = escape(&answer.traffic);
    let parts = [
        head(answer),
        tiles(answer),
        to_set(answer),
        reasons(answer),
        plots::plots(answer),
        hosts(answer),
        details(answer),
        sources::sources(answer),
    ];
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <title>{title}: which host</title>\n<style>{STYLE}</style>\n<main>\n{}\n</main>\n</html>\n",
        parts.join("\n")
    )
}

fn head(answer: &Answer) -> String {
    let statistics = &answer.statistics;
    format!(
        "<header><p class=\"over\">{}</p><h1>{}</h1>\
         <p class=\"sub\">{} requests in {}, {} a second on average, {} at the peak. Seed {}, prices of {}.</p></header>",
        escape(&answer.traffic),
        escape(&answer.sentence),
        count(statistics.requests as f64),
        duration(statistics.seconds),
        count(statistics.mean),
        count(statistics.peak),
        answer.inputs.seed,
        escape(&answer.inputs.region)
    )
}

fn tiles(answer: &Answer) -> String {
    let Some(run) = answer.best().and_then(|best| best.run.as_ref()) else { return String::new() };
    let ranges = &run.ranges;
    let outcome = &run.outcome;
    let share = outcome.cold_starts as f64 / outcome.requests.max(1) as f64;
    let limit = answer.inputs.database.as_ref().map_or("no database".to_owned(), |database| {
        format!("at most, of {}", database.max_connections)
    });
    let tiles = [
        ("Cost a month", ranges.month.text(dollars), "list prices".to_owned()),
        (
            "99 of 100 answered in",
            ranges.p99.text(duration),
            format!("half in {}", ranges.p50.text(duration)),
        ),
        ("Connections", ranges.peak_connections.text(count), limit),
        (
            "Processes",
            count(ranges.mean_instances.median),
            format!("on average, {} at most", ranges.peak_instances.text(count)),
        ),
        (
            "Wait for a start",
            percent(share),
            format!("{} requests", ranges.cold_starts.text(count)),
        ),
        (
            "Turned away",
            ranges.refused.text(percent),
            format!("{} allowed", percent(answer.inputs.goals.refused)),
        ),
    ];
    let tiles = tiles.map(|(name, value, note)| {
        format!("<div><dt>{name}</dt><dd>{value}<small>{note}</small></dd></div>")
    });
    format!("<dl class=\"tiles\">{}</dl>", tiles.concat())
}

/// The configuration and the bill of the answer.
fn to_set(answer: &Answer) -> String {
    let Some(run) = answer.best().and_then(|best| best.run.as_ref()) else { return String::new() };
    let least = run.least_max_connections.map_or(String::new(), |least| {
        format!("\n# the database: max_connections {least} at least")
    });
    format!(
        "<section class=\"two\"><div><h2>What to set</h2><pre>{}{least}</pre></div><div><h2>The bill</h2>{}</div></section>",
        escape(&run.settings.join("\n")),
        bill(run)
    )
}

fn bill(run: &Run) -> String {
    let rows = run.bill.lines.iter().map(|line| {
        let assumed = if line.assumed { ", assumed" } else { "" };
        format!(
            "<tr><td>{}<small>{} × ${} ({}, {}{assumed})</small></td><td>{}</td></tr>",
            escape(&line.what),
            count(line.amount),
            plain(line.usd),
            escape(&line.region),
            escape(&line.valid_on),
            dollars(line.month)
        )
    });
    format!(
        "<table class=\"bill\">{}<tr><th scope=\"row\">a month</th><th>{}</th></tr></table>",
        rows.collect::<String>(),
        dollars(run.bill.month)
    )
}

fn reasons(answer: &Answer) -> String {
    let list = |items: &[String]| {
        items.iter().map(|item| format!("<li>{}</li>", escape(item))).collect::<String>()
    };
    let flips = match answer.flips.sentences.as_slice() {
        [] => "<p>From a tenth to ten times this load the answer stays the same, as far as it was looked for.</p>".to_owned(),
        flips => format!("<ul>{}</ul>", list(flips)),
    };
    let warnings = match answer.warnings.as_slice() {
        [] => String::new(),
        warnings => format!("<h2>Before you rely on it</h2><ul>{}</ul>", list(warnings)),
    };
    format!(
        "<section class=\"two\"><div><h2>Why</h2><ul>{}</ul></div><div><h2>Where the answer changes</h2>{flips}{warnings}</div></section>",
        list(&answer.reasons)
    )
}

fn hosts(answer: &Answer) -> String {
    let mut order = answer.candidates.iter().collect::<Vec<_>>();
    order.sort_by(|a, b| (!a.fits()).cmp(&!b.fits()).then(a.month().total_cmp(&b.month())));
    let rows = order.into_iter().map(|candidate| row(answer, candidate));
    format!(
        "<section><h2>All hosts</h2><table class=\"hosts\"><thead><tr><th>Host<th>A month<th>p50<th>p99<th>p99.9<th>Turned away\
         <th>Cold starts<th>Processes<th>Connections</tr></thead><tbody>{}</tbody></table></section>",
        rows.collect::<String>()
    )
}

fn row(answer: &Answer, candidate: &Candidate) -> String {
    let best = answer.host.as_ref() == Some(&candidate.host);
    let (class, note) = match (best, &candidate.misses) {
        (true, _) => ("best", "<small>the answer</small>".to_owned()),
        (_, Some(misses)) => ("missed", format!("<small>{}</small>", escape(misses))),
        (false, None) => ("", String::new()),
    };
    let name = format!("<th scope=\"row\">{}{note}</th>", escape(&candidate.title));
    let Some(run) = &candidate.run else {
        return format!("<tr class=\"missed\">{name}<td colspan=\"8\"></td></tr>");
    };
    let ranges = &run.ranges;
    let instances = ranges.peak_instances.text(count);
    let cells = [
        ("A month", ranges.month.text(dollars)),
        ("p50", ranges.p50.text(duration)),
        ("p99", ranges.p99.text(duration)),
        ("p99.9", ranges.p999.text(duration)),
        ("Turned away", ranges.refused.text(percent)),
        ("Cold starts", ranges.cold_starts.text(count)),
        ("Processes", format!("{} ≤ {instances}", count(ranges.mean_instances.median))),
        ("Connections", ranges.peak_connections.text(count)),
    ];
    let cells = cells.map(|(label, value)| format!("<td data-label=\"{label}\">{value}</td>"));
    format!("<tr class=\"{class}\">{name}{}</tr>", cells.concat())
}

fn details(answer: &Answer) -> String {
    let mut text = String::from("<section><h2>The arithmetic</h2>");
    for candidate in &answer.candidates {
        let Some(run) = &candidate.run else { continue };
        let note = match candidate.note.as_str() {
            "" => String::new(),
            note => format!("<p><small>{}</small></p>", escape(note)),
        };
        text.push_str(&format!(
            "<details><summary>{}: {} a month</summary>{}<pre>{}</pre><p>{} with {} GB each: {}.</p>{note}</details>",
            escape(&candidate.title),
            dollars(run.bill.month),
            bill(run),
            escape(&run.settings.join("\n")),
            cores(run.cores),
            count(run.memory_gb),
            escape(&run.plan),
        ));
    }
    let run = answer.candidates.iter().find_map(|candidate| candidate.run.as_ref());
    let mode = match run.map(|run| run.outcome.mode) {
        Some(Mode::Exact) => "Every request was simulated, one by one.",
        Some(Mode::Aggregate) => {
            "Simulated in aggregate: waits by queueing theory, latencies by samples of each stretch."
        }
        None => "",
    };
    text.push_str(&format!("<p class=\"note\">{mode}</p></section>"));
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
