//! An answer in one piece.

use http::header::CONTENT_ENCODING;
use http::response::Parts;

use super::json::push_text;
use super::{Shape, headers};

/// The error for an answer that is larger than its source accepts.
#[derive(Debug)]
pub(crate) struct TooLarge {
    /// Its size, encoded, in bytes.
    pub(crate) size: usize,
    /// The largest size that the source accepts, in bytes.
    pub(crate) limit: usize,
}

/// The answer, as the JSON its source understands.
///
/// The body is text if its bytes are UTF-8 and nothing encodes them, else base64: never by a list of
/// media types, and never transcoded.
///
/// # Errors
/// [`TooLarge`] if the source would refuse it.
pub(crate) fn buffered(shape: &Shape, response: &Parts, body: &[u8]) -> Result<Vec<u8>, TooLarge> {
    let text = match response.headers.contains_key(CONTENT_ENCODING) {
        true => None,
        false => std::str::from_utf8(body).ok(),
    };
    let too_large = |size| TooLarge { size, limit: shape.limit };
    if body.len() > shape.limit {
        // Escaping and base64 only enlarge the body, so it can be refused before it is encoded.
        return Err(too_large(text.map_or(body.len().div_ceil(3) * 4, str::len)));
    }
    let mut out =
        Vec::with_capacity(512 + body.len() + body.len() / if text.is_some() { 8 } else { 3 });
    push_status(&mut out, shape, response);
    headers::push(&mut out, &response.headers, shape);
    match text {
        Some(text) => {
            out.extend_from_slice(b",\"isBase64Encoded\":false,\"body\":");
            push_text(&mut out, text);
        }
        None => {
            out.extend_from_slice(b",\"isBase64Encoded\":true,\"body\":\"");
            base64_simd::STANDARD.encode_append(body, &mut out);
            out.push(b'"');
        }
    }
    out.push(b'}');
    if out.len() > shape.limit { Err(too_large(out.len())) } else { Ok(out) }
}

fn push_status(out: &mut Vec<u8>, shape: &Shape, response: &Parts) {
    out.extend_from_slice(b"{\"statusCode\":");
    out.extend_from_slice(response.status.as_str().as_bytes());
    if shape.describes_status {
        let reason = response.status.canonical_reason().unwrap_or("Unknown");
        out.extend_from_slice(b",\"statusDescription\":");
        push_text(out, &format!("{} {reason}", response.status.as_str()));
    }
}
