//! Logs in columns: CloudFront's standard log and the load balancer's.

use super::Request;
use crate::sources::moment;
use crate::sources::service::{TimeUnit, Took};

/// The columns that a log's own header names.
#[derive(Debug, Default)]
pub(super) struct Header {
    columns: Vec<String>,
}

impl Header {
    fn place(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }
}

/// CloudFront: `#Fields:` names the columns, which are separated by tabs; `time-taken` is in seconds.
pub(super) fn cloudfront(line: &str, header: &mut Header) -> Option<Request> {
    if let Some(fields) = line.strip_prefix("#Fields:") {
        header.columns = fields.split_whitespace().map(str::to_owned).collect();
        return None;
    }
    if line.starts_with('#') || header.columns.is_empty() {
        return None;
    }
    let cells = line.split('\t').collect::<Vec<_>>();
    let cell = |name: &str| header.place(name).and_then(|place| cells.get(place)).copied();
    let at = moment::parse(&format!("{} {}", cell("date")?, cell("time")?));
    Some(Request {
        at,
        took: Some(Took::new(cell("time-taken")?.parse().ok()?, TimeUnit::S)),
        bytes: cell("sc-bytes").and_then(|bytes| bytes.parse().ok()),
        status: cell("sc-status").and_then(|status| status.parse().ok()),
        path: cell("cs-uri-stem").map(str::to_owned),
    })
}

/// An application load balancer: type, time, balancer, client, target, three times in seconds, two statuses, bytes
/// received, bytes sent, the request in quotes. A time of -1 means that there was no answer.
pub(super) fn alb(line: &str, _: &mut Header) -> Option<Request> {
    let mut words = line.split(' ');
    let kind = words.next()?;
    if !matches!(kind, "http" | "https" | "h2" | "grpcs" | "ws" | "wss") {
        return None;
    }
    let at = moment::parse(words.next()?)?;
    let words = words.skip(3).collect::<Vec<_>>();
    let times = words.get(..3)?.iter().map(|word| word.parse::<f64>().ok());
    let times = times.collect::<Option<Vec<_>>>()?;
    let answered = times.iter().all(|time| *time >= 0.0);
    let status = words.get(3)?.parse().ok();
    let request = line.split('"').nth(1).unwrap_or_default();
    let url = request.split(' ').nth(1).unwrap_or_default();
    // https://host:443/path
    let path = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = path.find('/').map(|slash| path[slash..].to_owned());
    Some(Request {
        at: Some(at),
        took: answered.then(|| Took::new(times.iter().sum(), TimeUnit::S)),
        bytes: words.get(6).and_then(|bytes| bytes.parse().ok()),
        status: if matches!(kind, "ws" | "wss") { Some(101) } else { status },
        path,
    })
}
