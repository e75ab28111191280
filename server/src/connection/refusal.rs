//! What a client is told whose bytes never became a request: a problem, as for any other refusal.

use std::time::SystemTime;

/// Returns the whole response for one that begins with these bytes; `None` if it is no refusal.
pub(super) fn refusal(begin: &[u8]) -> Option<Vec<u8>> {
    let line = begin.strip_prefix(b"HTTP/1.1 4")?;
    let end = line.iter().position(|byte| *byte == b'\r')?;
    let (number, title) = std::str::from_utf8(&line[..end]).ok()?.split_once(' ')?;
    let date = httpdate::fmt_http_date(SystemTime::now());
    let problem =
        format!("{{\"type\":\"about:blank\",\"title\":\"{title}\",\"status\":4{number}}}");
    let length = problem.len();
    let response = format!(
        "HTTP/1.1 4{number} {title}\r\ncontent-type: application/problem+json\r\n\
         content-length: {length}\r\nconnection: close\r\ndate: {date}\r\n\r\n{problem}"
    );
    Some(response.into_bytes())
}
