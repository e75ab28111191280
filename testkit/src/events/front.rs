//! The changes that all of AWS's front ends make to a request before it becomes an event.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

use crate::Request;

/// The address of the client, from a block that is reserved for documentation.
pub(super) const CLIENT: &str = "203.0.113.7";

/// The id of the request in traces.
const TRACE: &str = "Root=1-5bdb40ca-556d8b0c50dc66f0511bf520";

/// The headers that a front end adds; it computes `content-length` if the client sent chunks.
pub(super) const ADDS: &[&str] = &[
    "x-forwarded-for",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-amzn-trace-id",
    "content-length",
];

/// The headers that a front end passes on: the client's and its own. It is not documented which headers
/// of the connection the real ones drop: here they drop none.
pub(super) fn headers(request: &Request, host: &str, scheme: &str) -> Vec<(String, String)> {
    let mut headers = vec![("Host".to_owned(), host.to_owned())];
    let mut forwarded = String::new();
    for (name, value) in &request.headers {
        let lower = name.to_ascii_lowercase();
        match lower.as_str() {
            "host" => headers[0].1 = text(value),
            // The client's own entries stay before the address that the front end saw.
            "x-forwarded-for" => forwarded = format!("{}, ", text(value)),
            "x-forwarded-proto" | "x-forwarded-port" => {}
            "transfer-encoding" | "expect" => {}
            _ => headers.push((name.clone(), text(value).trim().to_owned())),
        }
    }
    if request.says_its_length() || request.chunked {
        headers.push(("Content-Length".into(), request.body.len().to_string()));
    }
    let port = if scheme == "https" { "443" } else { "80" };
    headers.push(("X-Amzn-Trace-Id".into(), TRACE.into()));
    headers.push(("X-Forwarded-For".into(), format!("{forwarded}{CLIENT}")));
    headers.push(("X-Forwarded-Port".into(), port.into()));
    headers.push(("X-Forwarded-Proto".into(), scheme.into()));
    headers
}

/// The same headers with names in lower case, as the newer front ends send them.
pub(super) fn lowercased(headers: Vec<(String, String)>) -> Vec<(String, String)> {
    headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect()
}

/// A map from each name to its last value, in the order of first occurrence.
pub(super) fn last(pairs: &[(String, String)]) -> Vec<(String, String)> {
    let lists = all(pairs).into_iter();
    lists.map(|(name, mut values)| (name, values.pop().unwrap_or_default())).collect()
}

/// A map from each name to its values joined by commas.
pub(super) fn joined(pairs: &[(String, String)]) -> Vec<(String, String)> {
    all(pairs).into_iter().map(|(name, values)| (name, values.join(","))).collect()
}

/// A map from each name to all its values.
pub(super) fn all(pairs: &[(String, String)]) -> Vec<(String, Vec<String>)> {
    let mut map: Vec<(String, Vec<String>)> = Vec::new();
    for (name, value) in pairs {
        match map.iter_mut().find(|(own, _)| own == name) {
            Some((_, values)) => values.push(value.clone()),
            None => map.push((name.clone(), vec![value.clone()])),
        }
    }
    map
}

/// The names and values of the query as they stand in the target.
pub(super) fn query(request: &Request) -> Vec<(String, String)> {
    let query = request.query().unwrap_or_default();
    let fields = query.split('&').filter(|field| !field.is_empty());
    let split = fields.map(|field| field.split_once('=').unwrap_or((field, "")));
    split.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The names and values of the query, decoded.
pub(super) fn decoded_query(request: &Request) -> Vec<(String, String)> {
    pairs(request.query().unwrap_or_default())
}

/// The path, decoded.
pub(super) fn decoded_path(request: &Request) -> String {
    percent_decode_str(request.path()).decode_utf8_lossy().into_owned()
}

/// The body as text if its media type is textual and it has no content encoding, else as base64; with the flag
/// that tells them apart.
pub(super) fn text_or_base64(request: &Request) -> (String, bool) {
    let kind = request.first("content-type").map(text).unwrap_or_default().to_ascii_lowercase();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_owned();
    let texts = ["application/json", "application/javascript", "application/xml"];
    let is_text = kind.starts_with("text/") || texts.contains(&kind.as_str());
    match std::str::from_utf8(&request.body) {
        Ok(text) if is_text && request.first("content-encoding").is_none() => (text.into(), false),
        _ => base64(request),
    }
}

/// The body as base64.
pub(super) fn base64(request: &Request) -> (String, bool) {
    (STANDARD.encode(&request.body), true)
}

/// A header value as a JSON string can hold it.
pub(super) fn text(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(text) => text.to_owned(),
        Err(_) => value.iter().copied().map(char::from).collect(),
    }
}

/// The names and values of a query, decoded as a form, in order.
#[must_use]
pub fn pairs(query: &str) -> Vec<(String, String)> {
    let fields = query.split('&').filter(|field| !field.is_empty());
    let split = fields.map(|field| field.split_once('=').unwrap_or((field, "")));
    split.map(|(name, value)| (decoded(name), decoded(value))).collect()
}

fn decoded(text: &str) -> String {
    let spaces = text.replace('+', " ");
    percent_decode_str(&spaces).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_decoded_once_and_in_order() {
        let expected = [("a", "1 2"), ("b", ""), ("a", "+"), ("c", "%20")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(pairs("a=1+2&b&a=%2B&c=%2520"), expected);
    }
}
