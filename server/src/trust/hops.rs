//! What the proxies before this process wrote about the client, the nearest first.

use std::net::{IpAddr, SocketAddr};

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName};

use super::FOR;

/// One step towards the client: what the proxy that is one nearer to us said about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hop {
    /// `None` if it is hidden, unknown or nonsense.
    pub(super) address: Option<IpAddr>,
    pub(super) scheme: Option<String>,
    pub(super) host: Option<String>,
}

/// The values of a header that is a list, over all its lines, the last first.
pub(super) fn from_the_right<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'h str> {
    let lines = headers.get_all(name).iter().rev();
    // A line that is no text is one value that means nothing.
    lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(',')).map(str::trim)
}

/// The hops of `X-Forwarded-For`.
pub(super) fn forwarded_for(headers: &HeaderMap) -> impl Iterator<Item = Hop> {
    from_the_right(headers, &FOR).map(|text| Hop { address: address(text), ..Hop::default() })
}

/// The hops of `Forwarded` (RFC 7239). Of a line that does not parse nothing is believed, nor of those
/// before it: what a client wrote may have swallowed what a proxy added.
pub(super) fn forwarded(headers: &HeaderMap) -> impl Iterator<Item = Hop> {
    let lines = headers.get_all(FORWARDED).iter().rev();
    let lines = lines.map_while(|line| elements(line.to_str().ok()?));
    lines.flat_map(|hops| hops.into_iter().rev())
}

/// The elements of one line, in order; `None` if it is not well formed.
fn elements(line: &str) -> Option<Vec<Hop>> {
    let mut hops = Vec::new();
    let mut hop = Hop::default();
    let mut rest = line.trim();
    loop {
        if !rest.is_empty() && !rest.starts_with([';', ',']) {
            let (name, after) = rest.split_once('=')?;
            if name.is_empty() || !name.bytes().all(is_token) {
                return None;
            }
            let (value, after) = value(after)?;
            if name.eq_ignore_ascii_case("for") {
                hop.address = address(&value);
            } else if name.eq_ignore_ascii_case("proto") {
                hop.scheme = Some(value);
            } else if name.eq_ignore_ascii_case("host") {
                hop.host = Some(value);
            }
            rest = after.trim_start();
        }
        match rest.bytes().next() {
            None => {
                hops.push(hop);
                return Some(hops);
            }
            Some(b',') => hops.push(std::mem::take(&mut hop)),
            Some(b';') => {}
            Some(_) => return None,
        }
        rest = rest[1..].trim_start();
    }
}

/// A token or a quoted string, and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ',', ' ', '\t']).unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        // More than a token: people leave the quotes out if a port or IPv6 wants them.
        let fits = |byte| is_token(byte) || b"[]:".contains(&byte);
        return (!value.is_empty() && value.bytes().all(fits)).then(|| (value.to_owned(), rest));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// An address with or without a port and brackets.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok();
    let address = address.or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}
