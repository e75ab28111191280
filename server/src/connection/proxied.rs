//! The PROXY protocol: a proxy says before the first byte who its client is.

use std::future::poll_fn;
use std::io;
use std::net::IpAddr;

use anyhost_core::Scheme;
use ppp::{v1, v2};

use super::Transport;

/// The longest header of version 1, its line end with it.
const MOST_TEXT: usize = 107;

/// The longest header of version 2 that is read; the addresses take up to 232 bytes, the rest is what a
/// proxy wants to add.
const MOST_BINARY: usize = 4096;

/// What a header says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// The proxy itself asks, such as for a health check, or does not know for whom.
    Nothing,
    /// This client asks, by TLS or not as far as the proxy says; none has an address by TCP.
    Client(Option<IpAddr>, Option<Scheme>),
}

/// Reads the header.
///
/// # Errors
/// If there is none, or a wrong one.
pub(super) async fn read(transport: &mut Transport) -> io::Result<Said> {
    let wrong = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why);
    loop {
        if let Some(parsed) = parse(transport.early()) {
            let (length, said) = parsed.map_err(wrong)?;
            transport.take_early(length);
            return Ok(said);
        }
        if poll_fn(|cx| transport.poll_more(cx)).await? == 0 {
            return Err(wrong("the connection ended before the header did"));
        }
    }
}

/// The header at the beginning of these bytes and its length; `None` where more must come.
fn parse(bytes: &[u8]) -> Option<Result<(usize, Said), &'static str>> {
    let begins = |with: &[u8]| bytes.starts_with(with) || with.starts_with(bytes);
    if begins(v2::PROTOCOL_PREFIX) {
        binary(bytes)
    } else if begins(b"PROXY ") {
        let line = &bytes[..bytes.len().min(MOST_TEXT)];
        match line.windows(2).position(|pair| pair == b"\r\n") {
            Some(end) => Some(text(&line[..end + 2])),
            None if bytes.len() >= MOST_TEXT => Some(Err("the header is too long")),
            None => None,
        }
    } else {
        Some(Err("there is no header"))
    }
}

fn text(line: &[u8]) -> Result<(usize, Said), &'static str> {
    let header = v1::Header::try_from(line).map_err(|_| "the header of version 1 is not valid")?;
    let said = match header.addresses {
        v1::Addresses::Tcp4(ip) => Said::Client(Some(ip.source_address.into()), None),
        v1::Addresses::Tcp6(ip) => Said::Client(Some(ip.source_address.into()), None),
        v1::Addresses::Unknown => Said::Nothing,
    };
    Ok((line.len(), said))
}

fn binary(bytes: &[u8]) -> Option<Result<(usize, Said), &'static str>> {
    if let Some(length) = bytes.get(14..16)
        && usize::from(u16::from_be_bytes([length[0], length[1]])) + 16 > MOST_BINARY
    {
        return Some(Err("the header is too long"));
    }
    let header = match v2::Header::try_from(bytes) {
        Ok(header) => header,
        Err(v2::ParseError::Incomplete(_) | v2::ParseError::Partial(..)) => return None,
        Err(_) => return Some(Err("the header of version 2 is not valid")),
    };
    // Behind the first byte's bit of this value stands what TLS it was.
    let tls = header.tlvs().filter_map(Result::ok).find(|tlv| tlv.kind == v2::Type::SSL as u8);
    let tls = tls.and_then(|tlv| tlv.value.first().map(|client| client & 1 == 1));
    let scheme = tls.map(|tls| if tls { Scheme::Https } else { Scheme::Http });
    let said = match (header.command, header.addresses) {
        (v2::Command::Local, _) | (_, v2::Addresses::Unspecified) => Said::Nothing,
        (v2::Command::Proxy, v2::Addresses::IPv4(ip)) => {
            Said::Client(Some(ip.source_address.into()), scheme)
        }
        (v2::Command::Proxy, v2::Addresses::IPv6(ip)) => {
            Said::Client(Some(ip.source_address.into()), scheme)
        }
        (v2::Command::Proxy, v2::Addresses::Unix(_)) => Said::Client(None, scheme),
    };
    Some(Ok((header.len(), said)))
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn addresses() -> (SocketAddr, SocketAddr) {
        (([192, 0, 2, 7], 4711).into(), ([10, 0, 0, 1], 80).into())
    }

    fn client() -> Said {
        Said::Client(Some([192, 0, 2, 7].into()), None)
    }

    /// The same however the bytes are cut, and what follows is left.
    #[track_caller]
    fn check(header: &[u8], expected: Said) {
        for end in 0..header.len() {
            assert_eq!(parse(&header[..end]), None, "cut at {end}");
        }
        let mut more = header.to_vec();
        more.extend_from_slice(b"GET / HTTP/1.1\r\n\r\n");
        assert_eq!(parse(&more), Some(Ok((header.len(), expected))));
    }

    #[test]
    fn both_versions_name_the_client() {
        let text = v1::Addresses::from(addresses()).to_string();
        check(text.as_bytes(), client());
        check(b"PROXY TCP6 2001:db8::1 ::1 4711 80\r\n", {
            Said::Client(Some("2001:db8::1".parse().expect("an address")), None)
        });
        let version = v2::Version::Two | v2::Command::Proxy;
        let header = v2::Builder::with_addresses(version, v2::Protocol::Stream, addresses());
        check(&header.build().expect("a header"), client());
    }

    #[test]
    fn a_proxy_says_whether_its_client_spoke_tls() {
        for (bits, scheme) in [(1, Scheme::Https), (0, Scheme::Http)] {
            let version = v2::Version::Two | v2::Command::Proxy;
            let header = v2::Builder::with_addresses(version, v2::Protocol::Stream, addresses())
                .write_tlv(v2::Type::SSL, &[bits, 0, 0, 0, 0])
                .and_then(v2::Builder::build)
                .expect("a header");
            check(&header, Said::Client(Some([192, 0, 2, 7].into()), Some(scheme)));
        }
    }

    #[test]
    fn a_proxy_may_ask_for_itself() {
        check(b"PROXY UNKNOWN\r\n", Said::Nothing);
        let version = v2::Version::Two | v2::Command::Local;
        let header = v2::Builder::with_addresses(
            version,
            v2::Protocol::Unspecified,
            v2::Addresses::Unspecified,
        );
        check(&header.build().expect("a header"), Said::Nothing);
    }

    #[test]
    fn anything_else_is_refused() {
        for wrong in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"PROXY TCP4 192.0.2.7 10.0.0.1 4711\r\n",
            b"PROXY TCP4 192.0.2.777 10.0.0.1 4711 80\r\n",
            b"PROXY UDP4 192.0.2.7 10.0.0.1 4711 80\r\n",
            b"proxy TCP4 192.0.2.7 10.0.0.1 4711 80\r\n",
            b"\x16\x03\x01\x02\x00",
            b"\r\n\r\n\0\r\nQUIT\n\x11\x11\0\x0c............",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
            &[b'P'; 200],
        ] {
            assert!(matches!(parse(wrong), Some(Err(_))), "{:?}", String::from_utf8_lossy(wrong));
        }
        let mut endless = b"PROXY TCP4 ".to_vec();
        endless.resize(MOST_TEXT, b'1');
        assert!(matches!(parse(&endless), Some(Err(_))));
    }
}
