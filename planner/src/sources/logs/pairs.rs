//! `name=value` lines: Heroku's router, lograge, and loggers of any kind.

use super::Request;
use super::columns::Header;
use crate::sources::moment;
use crate::sources::service::{TimeUnit, Took};

/// Names of durations with their unit; without one, the unit is found out from the values.
const DURATIONS: [(&str, Option<TimeUnit>); 19] = [
    ("duration_ms", Some(TimeUnit::Ms)),
    ("elapsed_ms", Some(TimeUnit::Ms)),
    ("latency_ms", Some(TimeUnit::Ms)),
    ("response_time_ms", Some(TimeUnit::Ms)),
    ("durationMs", Some(TimeUnit::Ms)),
    ("responseTime", Some(TimeUnit::Ms)),
    ("duration_us", Some(TimeUnit::Us)),
    ("duration_ns", Some(TimeUnit::Ns)),
    ("duration_s", Some(TimeUnit::S)),
    ("seconds", Some(TimeUnit::S)),
    ("request_time", Some(TimeUnit::S)),
    ("rt", Some(TimeUnit::S)),
    ("upstream_response_time", Some(TimeUnit::S)),
    ("urt", Some(TimeUnit::S)),
    ("duration", None),
    ("elapsed", None),
    ("latency", None),
    ("response_time", None),
    ("took", None),
];

/// The names of durations, for other formats.
pub(super) fn durations() -> impl Iterator<Item = (&'static str, Option<TimeUnit>)> {
    DURATIONS.into_iter()
}

/// `… heroku[router]: at=info method=GET path="/" … connect=1ms service=15ms status=200 bytes=512`
pub(super) fn heroku(line: &str, _: &mut Header) -> Option<Request> {
    if !line.contains("router]") || !line.contains("service=") {
        return None;
    }
    let milliseconds = |name: &str| {
        value(line, name).and_then(|text| text.strip_suffix("ms")?.parse::<f64>().ok())
    };
    let took = milliseconds("service")? + milliseconds("connect").unwrap_or(0.0);
    Some(Request { took: Some(Took::new(took, TimeUnit::Ms)), ..fields(line) })
}

/// Rails' lograge: `method=GET path=/ format=html controller=… status=200 duration=12.34 view=… db=…`, in milliseconds.
pub(super) fn lograge(line: &str, _: &mut Header) -> Option<Request> {
    if value(line, "controller").is_none() && value(line, "view").is_none() {
        return None;
    }
    let took = value(line, "duration")?.parse().ok()?;
    Some(Request { took: Some(Took::new(took, TimeUnit::Ms)), ..fields(line) })
}

/// Any line with a duration.
pub(super) fn any(line: &str, _: &mut Header) -> Option<Request> {
    Some(Request { took: Some(took(line)?), ..fields(line) })
}

/// The duration of a line.
pub(super) fn took(line: &str) -> Option<Took> {
    DURATIONS.iter().find_map(|(name, unit)| {
        let (text, rest) = value_and_rest(line, name)?;
        // latency=12 ms: the unit is the next word.
        let next = rest.split_whitespace().next().unwrap_or_default();
        let joined = with_unit(&format!("{text}{next}"), None).filter(|took| took.unit.is_some());
        joined.filter(|_| unit.is_none()).or_else(|| with_unit(text, *unit))
    })
}

/// A number with its unit, or with the one that its name says.
pub(super) fn with_unit(text: &str, unit: Option<TimeUnit>) -> Option<Took> {
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        return Some(Took { number, unit });
    }
    let split = text.find(|char: char| char.is_ascii_alphabetic() || char == 'µ' || char == 'μ')?;
    let (number, name) = text.split_at(split);
    let unit = match name {
        "s" | "sec" | "seconds" => TimeUnit::S,
        "ms" => TimeUnit::Ms,
        "us" | "µs" | "μs" => TimeUnit::Us,
        "ns" => TimeUnit::Ns,
        _ => return None,
    };
    Some(Took::new(number.trim().parse().ok()?, unit))
}

fn fields(line: &str) -> Request {
    let text = |name: &str| value(line, name);
    let first = line.split_whitespace().next().unwrap_or_default();
    let second = line.split_whitespace().nth(1).unwrap_or_default();
    let named =
        || ["time", "ts", "timestamp"].into_iter().find_map(|name| moment::parse(text(name)?));
    Request {
        at: moment::parse(first)
            .or_else(|| moment::parse(&format!("{first} {second}")))
            .or_else(named),
        took: None,
        bytes: text("bytes").and_then(|bytes| bytes.parse().ok()),
        status: text("status").and_then(|status| status.parse().ok()),
        path: text("path").map(str::to_owned),
    }
}

fn value<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    value_and_rest(line, name).map(|(value, _)| value)
}

/// The value of a name, without its quotes, and what follows it.
fn value_and_rest<'a>(line: &'a str, name: &str) -> Option<(&'a str, &'a str)> {
    let mut from = 0;
    loop {
        let at = from + line[from..].find(name)?;
        let end = at + name.len();
        let begins = at == 0 || matches!(line.as_bytes()[at - 1], b' ' | b'\t' | b',' | b'"');
        if begins && line.as_bytes().get(end) == Some(&b'=') {
            let rest = &line[end + 1..];
            return Some(match rest.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"')?,
                None => {
                    let stop = rest.find([' ', '\t', ',']).unwrap_or(rest.len());
                    (&rest[..stop], &rest[stop..])
                }
            });
        }
        from = end;
    }
}
