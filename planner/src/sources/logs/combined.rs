//! The combined log format of nginx and Apache, with whatever follows it.

use super::columns::Header;
use super::{Request, pairs};
use crate::sources::moment;
use crate::sources::service::{TimeUnit, Took};

/// `client - user [time] "request" status bytes "referer" "agent"`, then times: ingress-nginx's columns, `name=value`,
/// nginx's `$request_time` (seconds with a point), Apache's `%D` (a whole number of microseconds).
pub(super) fn parse(line: &str, _: &mut Header) -> Option<Request> {
    let open = line.find('[')?;
    let close = open + line[open..].find(']')?;
    let at = moment::parse(&line[open..=close])?;
    let rest = line[close + 1..].trim_start();
    let (request, rest) = quoted(rest)?;
    let path = request.split(' ').nth(1).map(str::to_owned);
    let mut words = rest.split_whitespace();
    let status = words.next()?.parse().ok()?;
    let bytes = words.next().and_then(|word| word.parse().ok());
    // What follows the last quote is neither referer nor agent.
    let tail = rest.rfind('"').map_or_else(
        || rest.split_whitespace().skip(2).collect::<Vec<_>>().join(" "),
        |quote| {
            let tail = rest[quote + 1..].trim();
            // request_time="0.012": the quotes belong to a value.
            if tail.is_empty() { rest.to_owned() } else { tail.to_owned() }
        },
    );
    Some(Request { at: Some(at), took: took(rest, &tail), bytes, status: Some(status), path })
}

fn took(rest: &str, tail: &str) -> Option<Took> {
    if let Some(took) = pairs::took(rest) {
        return Some(took);
    }
    let words = tail.split_whitespace().collect::<Vec<_>>();
    // ingress-nginx: request length, request time, [upstream], …
    if let [length, time, upstream, ..] = words.as_slice()
        && upstream.starts_with('[')
        && length.parse::<u64>().is_ok()
    {
        return time.parse().ok().map(|time| Took::new(time, TimeUnit::S));
    }
    let last = words.last()?.trim_matches('"');
    let number = last.parse::<f64>().ok()?;
    if last.contains('.') {
        return Some(Took::new(number, TimeUnit::S));
    }
    // A whole number is Apache's %D or something else: its size decides.
    Some(Took { number, unit: None })
}

/// The text in quotes at the beginning, and what follows.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('"')?;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'\\' => escaped = !escaped,
            b'"' if !escaped => return Some((&text[..at], text[at + 1..].trim_start())),
            _ => escaped = false,
        }
    }
    None
}
