//! BENCHMARKS.md, its plots and the README's table, from the results of a run.

mod costs;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::headlines::{HEADLINES, Headline};
use crate::plot::{self, Bar};
use crate::results::{Contest, Metric, Results, Spread};

/// Where the plots lie, from the root of the workspace.
const PLOTS: &str = "bench/plots";

/// The contests that are shown as plots, and what of them.
const SHOWN: [(&str, Metric); 6] = [
    ("pool/16", Metric::Throughput),
    ("checkout/1", Metric::Throughput),
    ("http/hello/64", Metric::Cpu),
    ("http/note/64", Metric::Throughput),
    ("event/http/small", Metric::Time),
    ("lambda/first-poll", Metric::Time),
];

/// Writes everything between its markers, below the root of the workspace.
///
/// # Errors
/// If a page has no markers, or something cannot be written.
pub fn write(results: &Results, root: &Path) -> Result<(), String> {
    let plots = root.join(PLOTS);
    fs::create_dir_all(&plots).map_err(|error| format!("{PLOTS}: {error}"))?;
    for (id, metric) in SHOWN {
        if let Some(contest) = results.contests.iter().find(|contest| contest.id == id) {
            put(&plots.join(file(id)), &plot::bars(&contest.title, &bars(contest, metric)))?;
        }
    }
    for curve in &results.curves {
        put(&plots.join(file(&curve.id)), &plot::lines(curve))?;
    }
    fill(&root.join("BENCHMARKS.md"), "headlines", &headlines(results, HEADLINES))?;
    fill(&root.join("BENCHMARKS.md"), "results", &self::results(results))?;
    fill(&root.join("README.md"), "benchmarks", &headlines(results, &summary()))
}

/// The most important headlines, for the README.
fn summary() -> Vec<Headline> {
    let said = [
        ("pool/16", "sqlx::Pool"),
        ("pool/16", "deadpool-postgres"),
        ("http/note/64", "axum + sqlx::PgPool"),
        ("http/hello/64", "actix-web"),
        ("event/http/small", "lambda_http"),
        ("lambda/first-poll", "lambda_http"),
    ];
    let chosen = |headline: &&Headline| said.contains(&(headline.contest, headline.peer));
    HEADLINES.iter().filter(chosen).copied().collect()
}

fn file(id: &str) -> String {
    format!("{}.svg", id.replace(['/', ' '], "-"))
}

fn bars(contest: &Contest, metric: Metric) -> Vec<Bar> {
    let bar = |name: &str, value: Spread| {
        let words = metric.show(value.median);
        Bar { name: name.to_owned(), value, words }
    };
    let entries = contest.entries.iter();
    entries.filter_map(|entry| Some(bar(&entry.name, entry.spread(metric)?))).collect()
}

fn headlines(results: &Results, chosen: &[Headline]) -> String {
    let mut text =
        "| what | against | promised | measured: median (smallest – largest) | |\n|---|---|---|---|---|\n"
            .to_owned();
    for headline in chosen {
        let Headline { what, peer, metric, bound, .. } = headline;
        let (said, word) = match headline.ratio(results) {
            Some(Spread { min, median, max }) => {
                let word = if bound.holds(median) { "reached" } else { "**not reached**" };
                (format!("{median:.2} × ({min:.2} – {max:.2})"), word)
            }
            None => ("not measured".to_owned(), ""),
        };
        let compared = match metric {
            Metric::Throughput => "throughput",
            Metric::Time => "time",
            Metric::Cpu => "processor time",
            Metric::AllCpu => "processor time with the server's",
            Metric::Memory => "memory",
            Metric::P99 => "99th percentile",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {what} | {peer} | {compared} {bound} | {said} | {word} |");
    }
    text
}

/// What stands between the markers of the results.
#[must_use]
pub fn results(results: &Results) -> String {
    let machine = &results.machine;
    let mut text = format!(
        "One run of {:.0} minutes on {} × {}, {:.0} GiB, Linux {}. The load of the machine was {:.1} before the run and \
         {:.1} at its end{}.\n\nVersions: {}.\n",
        (machine.seconds / 60.0).ceil(),
        machine.cpus,
        machine.processor,
        machine.memory as f64 / f64::from(1 << 30),
        machine.kernel,
        machine.load_before,
        machine.load_after,
        if machine.load_before > 1.0 {
            ": **it had other work to do**, so absolute numbers say little"
        } else {
            ""
        },
        results
            .versions
            .iter()
            .map(|(name, version)| format!("{name} {version}"))
            .collect::<Vec<_>>()
            .join(", "),
    );
    for (title, prefix) in [
        ("Connection pools", "pool/"),
        ("Connection pools: borrowing alone", "checkout/"),
        ("Connection pools over a network", "remote/"),
        ("HTTP", "http/"),
        ("Lambda: events into requests", "event/"),
        ("Lambda: whole processes", "lambda/"),
    ] {
        let mut contests =
            results.contests.iter().filter(|contest| contest.id.starts_with(prefix)).peekable();
        if contests.peek().is_some() {
            let _ = write!(text, "\n### {title}\n");
        }
        for contest in contests {
            table(&mut text, contest);
        }
        if prefix == "http/" {
            costs::table(&mut text, results);
        }
    }
    if !results.curves.is_empty() {
        text.push_str("\n### Curves\n");
    }
    for curve in &results.curves {
        let path = format!("{PLOTS}/{}", file(&curve.id));
        let _ = write!(text, "\n![{}]({path})\n\n| {} |", curve.title, curve.x);
        let points = curve.lines.first().map_or(&[][..], |(_, points)| points);
        // A curve over time has too many points for a table.
        let tabled = points.len() <= 16;
        if !tabled {
            text.truncate(text.len() - curve.x.len() - 4);
            continue;
        }
        for (name, _) in &curve.lines {
            let _ = write!(text, " {name} |");
        }
        let _ = write!(text, "\n|---|{}\n", "---|".repeat(curve.lines.len()));
        for (row, (x, _)) in points.iter().enumerate() {
            let _ = write!(text, "| {x} |");
            for (_, points) in &curve.lines {
                let y = points.get(row).map_or(String::new(), |(_, y)| format!("{y:.0}"));
                let _ = write!(text, " {y} |");
            }
            text.push('\n');
        }
    }
    text
}

fn table(text: &mut String, contest: &Contest) {
    let metrics = [Metric::Throughput, Metric::Cpu, Metric::AllCpu, Metric::P99, Metric::Memory];
    let known =
        |metric: &Metric| contest.entries.iter().any(|entry| entry.spread(*metric).is_some());
    let metrics: Vec<Metric> = metrics.into_iter().filter(known).collect();
    let _ = write!(text, "\n**{}**\n\n", contest.title);
    if SHOWN.iter().any(|(id, _)| *id == contest.id) {
        let _ = write!(text, "![{}]({PLOTS}/{})\n\n", contest.title, file(&contest.id));
    }
    text.push_str("| | throughput |");
    for metric in &metrics[1..] {
        text.push_str(match metric {
            Metric::Cpu => " processor time for each |",
            Metric::AllCpu => " with the server's |",
            Metric::P99 => " 99 of 100 within |",
            _ => " memory |",
        });
    }
    let counted = contest.entries.iter().flat_map(|e| &e.turns).any(|t| t.round_trips.is_some());
    text.push_str(if counted { " round trips for each |" } else { "" });
    let columns = metrics.len() + usize::from(counted) + 2;
    let _ = write!(text, " ours to this |\n|{}\n", "---|".repeat(columns));
    for entry in &contest.entries {
        let _ = write!(text, "| {} |", entry.name);
        for metric in &metrics {
            let said = entry.spread(*metric).map(|spread| metric.show(spread.median));
            let _ = write!(text, " {} |", said.unwrap_or_default());
        }
        if counted {
            let trips = Spread::from_values(
                entry
                    .turns
                    .iter()
                    .filter_map(|t| Some(t.round_trips? as f64 / t.done.max(1) as f64)),
            );
            let said = trips.map(|trips| format!("{:.2}", trips.median));
            let _ = write!(text, " {} |", said.unwrap_or_default());
        }
        let ratio = contest.ratio(&entry.name, Metric::Throughput);
        let said = match ratio {
            Some(Spread { min, median, max }) if entry.name != contest.entries[0].name => {
                format!("{median:.2} × ({min:.2} – {max:.2})")
            }
            _ => String::new(),
        };
        let _ = writeln!(text, " {said} |");
    }
}

/// Puts a text between the two markers of a name.
/// Replaces what stands between two markers.
pub(crate) fn fill(path: &Path, name: &str, text: &str) -> Result<(), String> {
    let page = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->"));
    let missing = || format!("{}: no markers named {name}", path.display());
    let (before, rest) = page.split_once(&begin).ok_or_else(missing)?;
    let (_, after) = rest.split_once(&end).ok_or_else(missing)?;
    put(path, &format!("{before}{begin}\n{text}\n{end}{after}"))
}

fn put(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
