//! The body of an event: text as it stands, or base64.

use std::borrow::Cow;

use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{DecodeError, Engine};
use bytes::Bytes;

use super::shared;

/// Strict about characters, so that plain text is not decoded by mistake; padding may be missing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Returns the bytes of a body, empty if there is no body.
///
/// # Errors
/// If the body is marked as base64 and is not.
pub(super) fn read(
    body: Option<Cow<'_, str>>,
    is_base64: bool,
    event: &Bytes,
) -> Result<Bytes, DecodeError> {
    let Some(body) = body else { return Ok(Bytes::new()) };
    if !is_base64 {
        return Ok(match body {
            Cow::Borrowed(text) => shared(event, text),
            Cow::Owned(text) => Bytes::from(text),
        });
    }
    match base64_simd::STANDARD.decode_to_vec(body.as_bytes()) {
        Ok(decoded) => Ok(decoded.into()),
        // Another base64 alphabet, or not base64.
        Err(_) => {
            let text: Vec<u8> = body.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
            BASE64.decode(text).map(Bytes::from)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &'static str, expected: Option<&[u8]>) {
        for body in [Cow::Borrowed(text), Cow::Owned(text.to_owned())] {
            let event = Bytes::from_static(text.as_bytes());
            let decoded = read(Some(body), true, &event).ok();
            assert_eq!(decoded.as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn base64_is_strict_in_content_and_lenient_in_form() {
        check("iVD/AA==", Some(b"\x89\x50\xff\x00"));
        check("iVD/AA", Some(b"\x89\x50\xff\x00"));
        check("", Some(b""));
        check("iVD_AA==", None);
        check("not base64!", None);
        check("iVD/A", None);
        check("é", None);
        let broken = Cow::Owned("iVD/\r\nAA==\n".to_owned());
        assert_eq!(
            read(Some(broken), true, &Bytes::new()).expect("base64"),
            &b"\x89\x50\xff\x00"[..]
        );
    }
}
