//! systemd: service units.

use anyhost_core::Paradigm;

use super::Deployed;
use crate::workload::seconds;

/// A service that says when it is ready; other units are none of ours.
pub(crate) fn read(file: &str, text: &str) -> Option<Deployed> {
    let lines = || text.lines().map(str::trim);
    let value =
        |name: &str| lines().rev().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    if !matches!(value("Type"), Some("notify" | "notify-reload")) {
        return None;
    }
    let variables = lines().filter_map(|line| line.strip_prefix("Environment=")).flat_map(|list| {
        list.split_whitespace().filter_map(|pair| {
            let (name, value) = pair.trim_matches('"').split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        })
    });
    // DefaultTimeoutStopSec if the unit is silent.
    let kill = value("TimeoutStopSec").map_or(Some(90.0), span);
    let stem = file.rsplit('/').next().unwrap_or(file).trim_end_matches(".service");
    Some(Deployed {
        file: file.into(),
        name: stem.into(),
        paradigm: Paradigm::LongRunning,
        most: Some((1, "one unit")),
        // systemd stops the old process before it starts the new one.
        overlap: 2.0,
        cores: 1.0,
        kill: kill.map(|kill| (kill, "TimeoutStopSec")),
        preset_grace: 80.0,
        concurrency: 1,
        variables: variables.collect(),
        doors: Vec::new(),
    })
}

/// `90`, `90s`, `1min 30s`.
fn span(text: &str) -> Option<f64> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    text.split_whitespace().map(|part| seconds(&part.replace("min", "m").replace("sec", "s"))).sum()
}
