//! JSON lines: our own access log, Envoy, Caddy, Traefik, pino, Google's load balancer, and loggers of any kind.

use serde_json::{Map, Value};

use super::columns::Header;
use super::{Request, pairs};
use crate::sources::moment;
use crate::sources::service::{TimeUnit, Took};

/// Names of moments, the more exact ones first.
const MOMENTS: [&str; 9] =
    ["timestamp", "@timestamp", "time", "ts", "start_time", "StartUTC", "datetime", "t", "date"];

/// Names of a response's size in bytes.
const SIZES: [&str; 7] = [
    "bytes_sent",
    "body_bytes_sent",
    "size",
    "bytes",
    "response_size",
    "DownstreamContentSize",
    "responseSize",
];

pub(super) fn parse(line: &str, _: &mut Header) -> Option<Request> {
    if !line.starts_with('{') {
        return None;
    }
    let json = serde_json::from_str::<Value>(line).ok()?;
    let json = json.as_object()?;
    // tracing puts what was said below `fields`, Google's load balancer below `httpRequest`.
    let inner =
        ["fields", "httpRequest", "req"].into_iter().find_map(|name| json.get(name)?.as_object());
    let get = |name: &str| json.get(name).or_else(|| inner.and_then(|inner| inner.get(name)));
    let at = MOMENTS.iter().find_map(|name| moment::of_json(get(name)?));
    let took = took(json, &get);
    let status = ["status", "response_code", "statusCode", "DownstreamStatus"]
        .into_iter()
        .find_map(|name| number(get(name)?));
    let status = status.or_else(|| number(json.get("res")?.get("statusCode")?));
    // A line of the App's own log is no request.
    if took.is_none() && status.is_none() {
        return None;
    }
    let path = ["path", "uri", "url", "RequestPath", "requestUrl"]
        .into_iter()
        .find_map(|name| get(name)?.as_str())
        .or_else(|| json.get("request")?.get("uri")?.as_str());
    Some(Request {
        at,
        took,
        bytes: SIZES.iter().find_map(|name| number(get(name)?)),
        // A status is a small whole number.
        status: status.map(|status| status as u64),
        path: path.map(str::to_owned),
    })
}

fn took<'a>(json: &Map<String, Value>, get: &impl Fn(&str) -> Option<&'a Value>) -> Option<Took> {
    let has = |name: &str| json.contains_key(name);
    // Traefik writes nanoseconds, Caddy seconds, Envoy milliseconds, all under the same name.
    if has("RouterName") || has("StartUTC") {
        return Some(Took::new(number(get("Duration")?)?, TimeUnit::Ns));
    }
    let own = match json.get("logger").and_then(Value::as_str) {
        Some(logger) if logger.starts_with("http.log") => Some(TimeUnit::S),
        _ if has("response_code") || has("upstream_service_time") || has("response_flags") => {
            Some(TimeUnit::Ms)
        }
        _ => None,
    };
    pairs::durations().find_map(|(name, unit)| match get(name)? {
        Value::String(text) => pairs::with_unit(text, unit.or(own)),
        value => number(value).map(|number| Took { number, unit: unit.or(own) }),
    })
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}
