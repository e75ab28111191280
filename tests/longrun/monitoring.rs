//! The dashboard and the alert rules in `docs/monitoring`: Prometheus takes them, and every metric that they name exists.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhost_tests::connection::Wire;
use anyhost_tests::fleet::Instance;
use anyhost_tests::skip::skip;

use crate::operators::{ADMIN, admin_port, samples};

const PROMTOOL: &str = "/usr/bin/promtool";

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/monitoring").join(name)
}

/// Runs promtool with these arguments and this input, and returns its exit code and what it says. `None` if it is not
/// installed: then the test is skipped.
fn promtool(arguments: &[&str], input: &str) -> Option<(Option<i32>, String)> {
    if !Path::new(PROMTOOL).exists() {
        skip("promtool is not installed; the package prometheus has it");
        return None;
    }
    let mut command = Command::new(PROMTOOL);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it can be started");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let said = [output.stdout, output.stderr].concat();
    Some((output.status.code(), String::from_utf8_lossy(&said).into_owned()))
}

/// Notes on SQLite that has answered a request, and its page of metrics.
fn page() -> (Instance, anyhost_tests::connection::Answer) {
    let settings = [ADMIN, ("DATABASE_URL", "sqlite::memory:"), ("MAX_IN_FLIGHT", "1000")];
    let instance = Instance::start("notes-paas", &settings);
    assert_eq!(Wire::to(instance.port).get("/notes").status, 200);
    let page = Wire::to(admin_port(&instance)).get("/metrics");
    (instance, page)
}

/// The metrics of ours that a text of queries names. A histogram has one name for its three series.
fn named(queries: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let words = queries.split(|c| !is_part(c));
    // Labels have these beginnings too.
    let labels = ["http_response_status_class", "db_client_connection_pool_name"];
    let ours = ["http_server_", "anyhost_", "process_", "db_client_connection_"];
    let is_ours = |word: &&str| {
        ours.iter().any(|begin| word.starts_with(begin))
            && !labels.contains(word)
            && *word != "db_client_connection_state"
    };
    let base = |word: &str| {
        let ends = ["_bucket", "_sum"];
        let base = ends.iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word);
        match base.strip_suffix("_seconds_count") {
            Some(name) => format!("{name}_seconds"),
            None => base.to_owned(),
        }
    };
    words.filter(is_ours).map(base).collect()
}

#[test]
fn prometheus_takes_the_alert_rules() {
    let rules = file("alerts.yml").display().to_string();
    if let Some((code, said)) = promtool(&["check", "rules", &rules], "") {
        assert_eq!(code, Some(0), "{said}");
    }
}

#[test]
fn prometheus_has_nothing_to_say_about_the_page_of_metrics() {
    let (_instance, page) = page();
    if let Some((_, said)) = promtool(&["check", "metrics"], &page.body) {
        // OpenTelemetry gave it this name.
        let is_known = |line: &&str| line.starts_with("db_client_connection_count ");
        let others: Vec<&str> = said.lines().filter(|line| !is_known(line)).collect();
        assert!(others.is_empty(), "{others:?}");
    }
}

#[test]
fn every_metric_of_the_dashboard_and_the_alert_rules_exists() {
    let (_instance, page) = page();
    let samples = samples(&page);
    let exists = |name: &str| {
        samples.keys().any(|key| key.split(' ').next().is_some_and(|metric| metric == name))
    };
    for name in ["dashboard.json", "alerts.yml"] {
        let text = fs::read_to_string(file(name)).expect("the file exists");
        let named = named(&text);
        assert!(named.len() > 5, "{name}: {named:?}");
        let missing: Vec<_> = named.iter().filter(|metric| !exists(metric)).collect();
        assert!(missing.is_empty(), "{name} names {missing:?}, and the page is\n{}", page.body);
    }
    let dashboard = fs::read_to_string(file("dashboard.json")).expect("the file exists");
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64()).collect();
    assert!(ids.len() == panels.len() && !ids.contains(&None), "each panel has its own id");
}
