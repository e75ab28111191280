//! Metrics as CSV: Grafana, the CloudWatch console, Azure's portal, or any table of moments and values.

use super::Series;
use crate::sources::{Values, moment};

/// Words in a column's name that say what it counts.
const COUNTS: [&str; 5] = ["count", "sum", "total", "hits", "requestcount"];
const RATES: [&str; 6] = ["/s", "per second", "rps", "reqps", "rate", "ops/s"];

/// `None` if the text is no table of moments and values.
pub(super) fn parse(text: &str) -> Option<Series> {
    let first = text.lines().find(|line| !line.trim().is_empty())?;
    let separator = [b';', b'\t', b',']
        .into_iter()
        .max_by_key(|separator| first.bytes().filter(|byte| byte == separator).count())?;
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .has_headers(false)
        .trim(csv::Trim::All)
        .delimiter(separator)
        .from_reader(text.as_bytes());
    let mut header: Vec<String> = Vec::new();
    let mut above = String::new();
    let (mut points, mut others) = (Vec::new(), 0);
    let mut column = None;
    for record in reader.records() {
        let record = record.ok()?;
        let at = record.get(0).and_then(moment::parse);
        let Some(at) = at else {
            others += 1;
            // The last row before the first moment names the columns; the rows above it may name the metric.
            if points.is_empty() {
                above = format!("{above} {}", header.join(" ")).to_lowercase();
                header = record.iter().map(str::to_lowercase).collect();
            }
            continue;
        };
        let place = *column.get_or_insert_with(|| value_column(&header, record.len()));
        let value = record.get(place).map(|cell| cell.replace('\u{a0}', ""));
        // An empty cell is an interval without a value.
        match value.as_deref() {
            Some("") | None => continue,
            Some(value) => match value.parse::<f64>() {
                Ok(value) => points.push((at, value)),
                Err(_) => others += 1,
            },
        }
    }
    if points.len() < 2 || others > points.len().max(8) {
        return None;
    }
    let name = header.get(column?).cloned().unwrap_or_default();
    let says = |words: &[&str]| words.iter().any(|word| name.contains(word));
    let cloudwatch = above.contains("full label") || above.contains("aws/");
    let values = if says(&RATES) {
        Some(Values::Rate)
    } else if says(&COUNTS) || name == "requests" || cloudwatch {
        Some(Values::Count)
    } else {
        None
    };
    let format = if cloudwatch {
        "CloudWatch CSV"
    } else if header.first().is_some_and(|name| name == "time") {
        "Grafana CSV"
    } else {
        "CSV of moments"
    };
    Some(Series { format, points, values, missing_is_none: cloudwatch })
}

/// The column of the values: one that is named for it, else the second.
fn value_column(header: &[String], columns: usize) -> usize {
    let named = |words: &[&str]| {
        (1..columns.min(header.len()))
            .find(|index| words.iter().any(|word| header[*index].contains(word)))
    };
    named(&["requests"]).or_else(|| named(&COUNTS)).or_else(|| named(&RATES)).unwrap_or(1)
}
