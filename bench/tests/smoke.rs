//! Every benchmark runs once, briefly.

use std::process::Command;

use anyhost_bench::headlines::HEADLINES;
use anyhost_bench::results::Results;

#[track_caller]
fn run(part: &str) -> Results {
    let output = Command::new(env!("CARGO_BIN_EXE_anyhost-bench")).args(["smoke", part]).output();
    let output = output.expect("the benchmarks were built");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let results: Results = serde_json::from_slice(&output.stdout).expect("results");
    for contest in &results.contests {
        assert!(contest.entries.len() >= 2, "{}: nobody to compare with", contest.id);
        for entry in &contest.entries {
            let done: u64 = entry.turns.iter().map(|turn| turn.done).sum();
            let failed: u64 = entry.turns.iter().map(|turn| turn.failed).sum();
            assert!(
                done > 0 && failed == 0,
                "{}: {}: {done} done, {failed} failed",
                contest.id,
                entry.name
            );
        }
    }
    for headline in HEADLINES.iter().filter(|headline| headline.contest.starts_with(prefix(part))) {
        assert!(headline.ratio(&results).is_some(), "{headline:?} is not measured");
    }
    results
}

/// How the contests of a part begin.
fn prefix(part: &str) -> &str {
    if part == "lambda" { "event" } else { part }
}

#[test]
fn pools_run() {
    assert!(run("pool").contests.len() >= 8);
}

#[test]
fn the_soak_runs() {
    let program = env!("CARGO_BIN_EXE_anyhost-bench");
    let output = Command::new(program).args(["soak", "--seconds", "3", "--slow", "50"]).output();
    let output = output.expect("the benchmarks were built");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn servers_run() {
    let results = run("http");
    assert!(results.contests.len() >= 8);
    for turn in results.contests.iter().flat_map(|contest| &contest.entries).flat_map(|e| &e.turns)
    {
        assert!(turn.counters.is_some(), "nothing is known of where its time goes: {turn:?}");
    }
    // They are counted if strace is installed and allowed to trace; then of every server.
    assert_eq!(results.calls.len() % 3, 0, "{:?}", results.calls);
    for calls in &results.calls {
        assert!(calls.each > 0.9, "a request is read and answered: {calls:?}");
    }
    let page = anyhost_bench::page::results(&results);
    let (_, costs) = page.split_once("### HTTP: where").expect("a table of costs");
    assert!(costs.contains("| anyhost |") && costs.contains("| axum + sqlx::PgPool |"), "{costs}");
}

#[test]
fn functions_run() {
    let results = run("lambda");
    assert!(results.contests.iter().any(|contest| contest.id == "lambda/first-poll"));
}

#[test]
fn storms_run() {
    let curves = run("storm").curves;
    assert_eq!(curves.len(), 5);
    for curve in curves {
        assert!(curve.lines.iter().all(|(_, points)| !points.is_empty()), "{}", curve.id);
    }
}

#[test]
fn growth_runs() {
    let curves = run("growth").curves;
    let line = |points: &Vec<(f64, f64)>| points.iter().all(|(_, y)| *y > 0.0);
    assert!(curves.iter().all(|curve| curve.lines.iter().all(|(_, points)| line(points))));
    assert_eq!(curves.len(), 3);
}

#[test]
fn predictions_are_held_against_measurements() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_anyhost-bench"));
    let output = command.args(["reality", "--seconds", "1", "--json"]).output();
    let output = output.expect("the benchmarks were built");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("results");
    let runs = found["runs"].as_array().expect("runs");
    // Shares of a processor need a cgroup that this user may make.
    let shares = if found["without_shares"].is_null() { 5 } else { 0 };
    assert_eq!(runs.len(), 9 + shares);
    for run in runs {
        assert_eq!(run["failed"], 0, "{run}");
        for figure in run["figures"].as_array().expect("figures") {
            // Within a second nothing has to be refused.
            let least = if figure["unit"] == "share" { 0.0 } else { f64::MIN_POSITIVE };
            assert!(figure["predicted"].as_f64() >= Some(least), "{run}");
            assert!(figure["measured"].as_f64() >= Some(least), "{run}");
        }
    }
    // Whether the size of the pool is among the lines depends on what a second happens to measure.
    let set = runs.iter().filter_map(|run| run["set"].as_str());
    let recommended = set.filter(|set| set.contains("APP_INSTANCES=")).count();
    assert_eq!(recommended, 3 + usize::from(shares > 0), "{runs:?}");
}
