//! Two answers in JSON, side by side.

use std::path::Path;

use serde_json::Value;

use crate::answer::SCHEMA;
use crate::text::{dollars, duration};

/// What differs between two answers that `plan --json` wrote: inputs, the answer, and each host's price and latency.
///
/// # Errors
/// One line if a file cannot be read or is no such answer.
pub fn difference(first: &Path, second: &Path) -> Result<String, String> {
    let (a, b) = (read(first)?, read(second)?);
    let mut text = format!("A: {}\nB: {}\n\n", first.display(), second.display());
    let mut differ = Vec::new();
    inputs("", &a["inputs"], &b["inputs"], &mut differ);
    if a["traffic"] != b["traffic"] {
        differ.push(format!("traffic: {} | {}", plain(&a["traffic"]), plain(&b["traffic"])));
    }
    match differ.as_slice() {
        [] => text.push_str("The inputs are the same.\n"),
        lines => text.push_str(&format!("Inputs (A | B):\n  {}\n", lines.join("\n  "))),
    }
    text.push_str(&format!("\nA: {}\nB: {}\n\n", plain(&a["sentence"]), plain(&b["sentence"])));
    let none = Vec::new();
    let hosts = |answer: &Value| answer["candidates"].as_array().cloned().unwrap_or_default();
    let (of_a, of_b) = (hosts(&a), hosts(&b));
    text.push_str("host                 A a month      p99 | B a month      p99\n");
    for host in of_a.iter().chain(of_b.iter().filter(|host| find(&of_a, host).is_none())) {
        let cells = [find(&of_a, host), find(&of_b, host)].map(cells);
        let name = plain(&host["host"]);
        text.push_str(&format!("{name:<20} {} | {}\n", cells[0], cells[1]));
    }
    let settings = |answer: &Value| {
        let best = hosts(answer).into_iter().find(|host| host["host"] == answer["host"]);
        let best = best.unwrap_or_default();
        let lines = best["run"]["settings"].as_array().unwrap_or(&none).clone();
        lines.iter().map(plain).collect::<Vec<_>>().join(", ")
    };
    text.push_str(&format!("\nA sets {}\nB sets {}\n", settings(&a), settings(&b)));
    Ok(text)
}

fn read(path: &Path) -> Result<Value, String> {
    let file = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| format!("{file}: {error}"))?;
    let value = serde_json::from_str::<Value>(&text).unwrap_or_default();
    match value["schema"].as_u64() {
        Some(schema) if schema == u64::from(SCHEMA) => Ok(value),
        Some(other) => Err(format!("{file}: has schema {other}, expected {SCHEMA}")),
        None => Err(format!("{file}: is no answer of `anyhost plan --json`")),
    }
}

/// The leaves that differ, as `name: a | b`.
fn inputs(name: &str, a: &Value, b: &Value, differ: &mut Vec<String>) {
    if a == b {
        return;
    }
    match (a, b) {
        (Value::Object(left), Value::Object(right)) => {
            let more = right.keys().filter(|key| !left.contains_key(*key));
            for key in left.keys().chain(more) {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                inputs(&name, &a[key], &b[key], differ);
            }
        }
        _ => differ.push(format!("{name}: {} | {}", plain(a), plain(b))),
    }
}

fn find<'a>(hosts: &'a [Value], host: &Value) -> Option<&'a Value> {
    hosts.iter().find(|known| known["host"] == host["host"])
}

fn cells(host: Option<&Value>) -> String {
    let run = host.map(|host| (&host["run"], host["misses"].is_null()));
    match run {
        Some((run, fits)) if run.is_object() => {
            let number = |value: &Value| value.as_f64().unwrap_or(0.0);
            let month = dollars(number(&run["ranges"]["month"]["median"]));
            let p99 = duration(number(&run["ranges"]["p99"]["median"]));
            format!("{}{month:>8} {p99:>8}", if fits { " " } else { "✗" })
        }
        _ => format!("{:>18}", "-"),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
