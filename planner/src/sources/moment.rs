//! Timestamps as logs and exports write them, in seconds since 1970.

use serde_json::Value;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

/// With an offset: the common log format.
const COMMON: &[BorrowedFormatItem<'_>] = format_description!(
    "[day]/[month repr:short]/[year]:[hour]:[minute]:[second] [offset_hour sign:mandatory][offset_minute]"
);

/// Without an offset, taken as UTC: only differences matter.
const LOCAL: [&[BorrowedFormatItem<'_>]; 6] = [
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second]"),
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]"),
    format_description!("[year]/[month]/[day] [hour]:[minute]:[second]"),
    format_description!("[month padding:none]/[day padding:none]/[year] [hour]:[minute]:[second]"),
    format_description!("[year]-[month]-[day] [hour]:[minute]"),
    format_description!("[year]/[month]/[day] [hour]:[minute]"),
];

/// The moment that a text names; `None` if it is none.
pub(super) fn parse(text: &str) -> Option<f64> {
    let text = text.trim().trim_matches(['"', '[', ']']);
    if let Ok(number) = text.parse::<f64>() {
        return epoch(number);
    }
    if !text.as_bytes().first()?.is_ascii_digit() {
        return None;
    }
    let seconds = |moment: OffsetDateTime| moment.unix_timestamp_nanos() as f64 / 1e9;
    if let Ok(moment) = OffsetDateTime::parse(text, &Rfc3339) {
        return Some(seconds(moment));
    }
    if let Ok(moment) = OffsetDateTime::parse(text, COMMON) {
        return Some(seconds(moment));
    }
    // A fraction of a second, and an offset without a colon as in +0000, are taken off first.
    let (whole, fraction) = split_fraction(text);
    let moment = LOCAL.iter().find_map(|format| PrimitiveDateTime::parse(whole, format).ok())?;
    Some(seconds(moment.assume_utc()) + fraction)
}

/// As [`parse`], of a JSON value.
pub(super) fn of_json(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => epoch(number.as_f64()?),
        Value::String(text) => parse(text),
        _ => None,
    }
}

/// Seconds, milliseconds, microseconds or nanoseconds since 1970, by their size; between 2001 and 2100.
fn epoch(number: f64) -> Option<f64> {
    [1.0, 1e3, 1e6, 1e9]
        .into_iter()
        .map(|factor| number / factor)
        .find(|seconds| (1e9..4.1e9).contains(seconds))
}

fn split_fraction(text: &str) -> (&str, f64) {
    let text = text.strip_suffix('Z').unwrap_or(text).trim_end();
    let text = text.strip_suffix("UTC").unwrap_or(text).trim_end();
    let text = match text.rfind(['+', '-']) {
        // An offset follows the time of day, a date does not.
        Some(at) if at > 10 => &text[..at],
        _ => text,
    };
    match text.rfind(['.', ',']) {
        Some(at) if text[at + 1..].bytes().all(|byte| byte.is_ascii_digit()) => {
            (&text[..at], format!("0.{}", &text[at + 1..]).parse().unwrap_or(0.0))
        }
        _ => (text, 0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_moment_in_many_ways() {
        for text in [
            "2026-11-29T10:00:00Z",
            "2026-11-29T11:00:00+01:00",
            "2026-11-29T10:00:00.000Z",
            "2026-11-29T10:00:00.000000+0000",
            "2026-11-29 10:00:00",
            "2026-11-29 10:00",
            "2026/11/29 10:00:00",
            "29/Nov/2026:10:00:00 +0000",
            "[29/Nov/2026:11:00:00 +0100]",
            "1795946400",
            "1795946400000",
            "1795946400.0",
        ] {
            assert_eq!(parse(text), Some(1_795_946_400.0), "{text}");
        }
        for text in ["", "12", "GET", "0.0125", "2026", "99/Foo/2026:10:00:00 +0000"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
