//! The request target: a path and a query that are valid in a URI and equal to what the client sent.

use std::borrow::Cow;

use super::json::{Event, Pairs, Scalar};

/// Bytes that are not encoded in a path that the source gives as the client sent it: all that a URI of
/// the `http` crate accepts, except those that would end the path.
const PATH: Set = Set::printable().without(b"\"<>`#?");

/// Bytes that are not encoded in a query that the source gives as the client sent it.
const QUERY: Set = Set::printable().without(b"\"<>#");

/// Bytes that are not encoded in a path that the source has decoded: `pchar` of RFC 3986 and the slash, no percent.
const DECODED_PATH: Set = Set::unreserved().with(b"!$&'()*+,;=:@/");

/// Bytes that are not encoded in a name or value of a query that the source has decoded.
const DECODED_VALUE: Set = Set::unreserved();

/// Adds a path as the client sent it; only bytes that no URI may contain are percent-encoded.
pub(super) fn push_path(target: &mut String, path: &str) {
    push_rooted(target, path, &PATH);
}

/// Percent-encodes and adds a path that the source has decoded.
pub(super) fn push_decoded_path(target: &mut String, path: &str) {
    push_rooted(target, path, &DECODED_PATH);
}

/// The query of an event, from both of its maps.
pub(super) fn query<'e, 'a>(event: &'e Event<'a>) -> Cow<'e, Pairs<'a>> {
    event.multi_value_query.with_missing(&event.query, str::to_owned)
}

/// Adds a query as the client sent it.
pub(super) fn push_query(target: &mut String, query: &str) {
    if !query.is_empty() {
        begin_query(target);
        push(target, query, &QUERY);
    }
}

/// Adds a query that the source has split into a map and not decoded.
pub(super) fn push_pairs(target: &mut String, pairs: &Pairs<'_>) {
    push_each(target, pairs, &QUERY.without(b"&"));
}

/// Adds a query that the source has split into a map and decoded.
pub(super) fn push_decoded_pairs(target: &mut String, pairs: &Pairs<'_>) {
    push_each(target, pairs, &DECODED_VALUE);
}

/// Returns whether a map of a query must have been decoded: it has a space or another byte
/// that no query may contain, or a percent sign that begins no escape.
pub(super) fn must_be_decoded(pairs: &Pairs<'_>) -> bool {
    let texts = pairs.0.iter().flatten().flat_map(|(name, value)| match value {
        Scalar::Text(value) => [name.as_bytes(), value.as_bytes()],
        Scalar::Other(_) | Scalar::Nothing => [name.as_bytes(), b""],
    });
    let mut texts = texts.into_iter();
    texts.any(|text| {
        let escape = |at: usize| {
            text.get(at + 1..at + 3).is_some_and(|it| it.iter().all(u8::is_ascii_hexdigit))
        };
        let mut bytes = text.iter().enumerate();
        bytes.any(|(at, byte)| match byte {
            b'%' => !escape(at),
            b'&' => true,
            _ => !QUERY.has(*byte),
        })
    })
}

/// Splits the stage off a path: `/prod/notes` is `/prod` and `/notes`,
/// `/prod` alone is `/prod` and `/`, `/production` is no stage.
pub(super) fn split_stage<'a>(path: &'a str, stage: &str) -> Option<(&'a str, &'a str)> {
    let rest = path.strip_prefix('/')?.strip_prefix(stage)?;
    let mount = &path[..path.len() - rest.len()];
    match rest {
        "" => Some((mount, "/")),
        _ if rest.starts_with('/') => Some((mount, rest)),
        _ => None,
    }
}

fn push_rooted(target: &mut String, path: &str, keep: &Set) {
    // `*` alone is the target of OPTIONS for a whole server.
    if !path.starts_with('/') && path != "*" {
        target.push('/');
    }
    push(target, path, keep);
}

fn push_each(target: &mut String, pairs: &Pairs<'_>, keep: &Set) {
    for (index, (name, value)) in pairs.0.iter().flatten().enumerate() {
        let value: Cow<'_, str> = match value {
            Scalar::Text(text) => Cow::Borrowed(text),
            Scalar::Other(text) => Cow::Borrowed(text),
            Scalar::Nothing => Cow::Borrowed(""),
        };
        match index {
            0 => begin_query(target),
            _ => target.push('&'),
        }
        push(target, name, &keep.without(b"="));
        target.push('=');
        push(target, &value, keep);
    }
}

fn begin_query(target: &mut String) {
    if target == "*" {
        target.insert(0, '/');
    }
    target.push('?');
}

/// Adds a text; every byte that is not in `keep` is percent-encoded.
fn push(target: &mut String, text: &str, keep: &Set) {
    let mut kept = 0;
    for (at, byte) in text.bytes().enumerate() {
        if keep.has(byte) {
            continue;
        }
        // Only ASCII is kept, so a slice between encoded bytes begins and ends at a border of
        // characters; if it did not, it would be dropped instead of causing a panic.
        target.push_str(text.get(kept..at).unwrap_or_default());
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        target.push('%');
        target.push(char::from(DIGITS[usize::from(byte >> 4)]));
        target.push(char::from(DIGITS[usize::from(byte & 15)]));
        kept = at + 1;
    }
    target.push_str(text.get(kept..).unwrap_or_default());
}

/// A set of ASCII bytes.
#[derive(Clone, Copy)]
struct Set(u128);

impl Set {
    /// Every printable character except the space.
    const fn printable() -> Self {
        let mut set = Self(0);
        let mut byte = b'!';
        while byte <= b'~' {
            set.0 |= 1 << byte;
            byte += 1;
        }
        set
    }

    /// The unreserved characters of RFC 3986.
    const fn unreserved() -> Self {
        Self(0).with(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")
    }

    const fn with(mut self, bytes: &[u8]) -> Self {
        let mut index = 0;
        while index < bytes.len() {
            self.0 |= 1 << bytes[index];
            index += 1;
        }
        self
    }

    const fn without(mut self, bytes: &[u8]) -> Self {
        let mut index = 0;
        while index < bytes.len() {
            self.0 &= !(1 << bytes[index]);
            index += 1;
        }
        self
    }

    const fn has(&self, byte: u8) -> bool {
        byte < 128 && self.0 >> byte & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(push: fn(&mut String, &str), text: &str, expected: &str) {
        let mut target = String::new();
        push(&mut target, text);
        assert_eq!(target, expected);
        http::uri::PathAndQuery::try_from(target).expect("legal in a URI");
    }

    #[test]
    fn a_path_as_sent_stays_as_sent() {
        check(push_path, "/a%20b//c/../d\\e|^+;=%2F%zz", "/a%20b//c/../d\\e|^+;=%2F%zz");
        check(push_path, "/{a}", "/{a}");
        check(push_path, "", "/");
        check(push_path, "no-slash", "/no-slash");
    }

    #[test]
    fn what_no_uri_may_hold_is_encoded() {
        check(push_path, "/a b\"<>`#?\u{7f}\né", "/a%20b%22%3C%3E%60%23%3F%7F%0A%C3%A9");
        check(push_query, "q=a b\"<>#é&x=%2B+", "?q=a%20b%22%3C%3E%23%C3%A9&x=%2B+");
    }

    #[test]
    fn a_decoded_path_is_encoded_again_and_never_twice_decoded() {
        check(push_decoded_path, "/tall glass/100%/a%20b+c", "/tall%20glass/100%25/a%2520b+c");
        check(push_decoded_path, "/é?#[]", "/%C3%A9%3F%23%5B%5D");
    }

    #[test]
    fn a_stage_ends_at_a_slash() {
        assert_eq!(split_stage("/prod/x", "prod"), Some(("/prod", "/x")));
        assert_eq!(split_stage("/prod", "prod"), Some(("/prod", "/")));
        assert_eq!(split_stage("/production", "prod"), None);
        assert_eq!(split_stage("/x/prod", "prod"), None);
    }

    #[test]
    fn pairs_keep_their_order_and_each_source_its_encoding() {
        let pairs = |name: &'static str, value: &'static str| {
            Pairs(Some(vec![
                ("z".into(), Scalar::Text("1".into())),
                (name.into(), Scalar::Text(value.into())),
                ("n".into(), Scalar::Other("2".into())),
                ("e".into(), Scalar::Nothing),
            ]))
        };
        let mut target = String::new();
        push_pairs(&mut target, &pairs("a%20=b", "c+d%2B=é&"));
        assert_eq!(target, "?z=1&a%20%3Db=c+d%2B=%C3%A9%26&n=2&e=");
        assert!(!must_be_decoded(&pairs("a%20b", "c+d/e%2B")));
        for value in ["a b", "100%", "%4", "a&b", "é", "\""] {
            assert!(must_be_decoded(&pairs("a", value)), "{value}");
        }
        let mut target = String::new();
        push_decoded_pairs(&mut target, &pairs("a b", "c+d/e&%"));
        assert_eq!(target, "?z=1&a%20b=c%2Bd%2Fe%26%25&n=2&e=");
    }
}
