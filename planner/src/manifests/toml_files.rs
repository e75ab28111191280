//! Fly: `fly.toml`.

use anyhost_core::Paradigm;
use toml::{Table, Value};

use super::Deployed;
use crate::workload::seconds;

/// A Fly app. Fly starts no machines by itself, so that their number is not in the file.
pub(crate) fn fly(file: &str, text: &str) -> Result<Deployed, String> {
    let table = text.parse::<Table>().map_err(|error| {
        let reason = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
        format!("{file}: is no TOML: {reason}")
    })?;
    let kill = match table.get("kill_timeout") {
        Some(Value::String(text)) => seconds(text),
        Some(Value::Integer(seconds)) => Some(*seconds as f64),
        _ => Some(5.0),
    };
    let variables = table.get("env").and_then(Value::as_table).into_iter().flatten();
    let variables = variables.map(|(name, value)| {
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        (name.clone(), text)
    });
    Ok(Deployed {
        file: file.into(),
        name: table.get("app").and_then(Value::as_str).unwrap_or("without a name").to_owned(),
        paradigm: Paradigm::LongRunning,
        most: None,
        overlap: 2.0,
        cores: 1.0,
        kill: kill.map(|kill| (kill, "kill_timeout")),
        preset_grace: 4.0,
        concurrency: 1,
        variables: variables.collect(),
        doors: Vec::new(),
    })
}
