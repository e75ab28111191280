//! The few pieces of JSON that an answer is made of, written straight into its bytes.

/// Adds a text with its quotes.
pub(super) fn push_text(out: &mut Vec<u8>, text: &str) {
    // A vector takes every byte, and a text has no key that could not be written.
    let _ = serde_json::to_writer(out, text);
}

/// Adds a comma unless a list or object has just begun.
pub(super) fn push_comma(out: &mut Vec<u8>) {
    if !matches!(out.last(), Some(b'{' | b'[')) {
        out.push(b',');
    }
}
