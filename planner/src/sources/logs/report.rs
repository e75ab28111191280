//! Lambda's own lines on each invocation, as text and as JSON.

use serde_json::Value;

use super::Request;
use super::columns::Header;
use crate::sources::moment;
use crate::sources::service::{TimeUnit, Took};

/// `REPORT RequestId: … Duration: 12.34 ms Billed Duration: 13 ms …`, or `{"type":"platform.report", …}`.
pub(super) fn parse(line: &str, _: &mut Header) -> Option<Request> {
    if line.starts_with('{') {
        let json = serde_json::from_str::<Value>(line).ok()?;
        if json.get("type")?.as_str()? != "platform.report" {
            return None;
        }
        let took = json.get("record")?.get("metrics")?.get("durationMs")?.as_f64()?;
        let at = json.get("time").and_then(moment::of_json);
        return Some(request(at, took));
    }
    let start = line.find("REPORT RequestId:")?;
    let rest = &line[start..];
    let took = rest.split("Duration:").nth(1)?.split_whitespace().next()?.parse().ok()?;
    let first = line[..start].split_whitespace().find_map(moment::parse);
    Some(request(first, took))
}

fn request(at: Option<f64>, milliseconds: f64) -> Request {
    Request { at, took: Some(Took::new(milliseconds, TimeUnit::Ms)), ..Request::default() }
}
