//! Writes the parts of an answer's JSON directly into its buffer.

/// Appends a JSON string, quoted and escaped.
pub(super) fn push_text(out: &mut Vec<u8>, text: &str) {
    // Cannot fail: writing to a `Vec` is infallible, and a string has no keys.
    let _ = serde_json::to_writer(out, text);
}

/// Adds a comma unless a list or object has just begun.
pub(super) fn push_comma(out: &mut Vec<u8>) {
    if !matches!(out.last(), Some(b'{' | b'[')) {
        out.push(b',');
    }
}
