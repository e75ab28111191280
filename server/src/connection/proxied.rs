//! The PROXY protocol: a proxy names its client before the first byte.

use std::io;
use std::net::IpAddr;

use anyhost_core::Scheme;
use ppp::{v1, v2};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{Client, Transport};
use crate::TrustedProxies;

/// The longest header of version 1, its line end with it.
const MAX_TEXT: usize = 107;

/// The longest header of version 2 that is read; the addresses take up to 232 bytes, the rest is what a
/// proxy wants to add.
const MAX_BINARY: usize = 4096;

/// What a header says.
#[derive(Debug, PartialEq, Eq)]
enum ProxyHeader {
    /// The proxy itself asks, such as for a health check, or does not know for whom.
    Own,
    /// This client asks, by TLS or not as far as the proxy says; none has an address by TCP.
    Client(Option<IpAddr>, Option<Scheme>),
}

/// Reads the header of a connection, and returns its client. Without one of a trusted proxy the connection is closed.
///
/// # Errors
/// If there is no header, a wrong one, or the peer is not trusted.
pub(super) async fn client(
    mut transport: Transport,
    (peer, scheme): Client,
    trust: &TrustedProxies,
) -> io::Result<(Transport, Client)> {
    let header = match trust.believes(peer) {
        true => read(&mut transport.stream).await,
        false => Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is not trusted")),
    };
    match header {
        Ok(ProxyHeader::Own) => Ok((transport, (peer, scheme))),
        Ok(ProxyHeader::Client(client, spoken)) => {
            let client = client.map(|address| address.to_canonical());
            Ok((transport, (client, spoken.unwrap_or(scheme))))
        }
        Err(error) => {
            let peer = peer.map_or_else(|| "unix".to_owned(), |peer| peer.to_string());
            tracing::warn!("a connection of {peer} without a PROXY header is closed: {error}");
            Err(error)
        }
    }
}

/// Reads the header, and no byte of what follows it.
///
/// # Errors
/// If there is none, or a wrong one.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<ProxyHeader> {
    let wrong = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why);
    let mut bytes = Vec::with_capacity(MAX_TEXT);
    loop {
        let missing = missing(&bytes).map_err(wrong)?;
        if missing == 0 {
            return if bytes.starts_with(b"P") { text(&bytes) } else { binary(&bytes) }
                .map_err(wrong);
        }
        if stream.take(missing as u64).read_buf(&mut bytes).await? == 0 {
            return Err(wrong("the connection ended before the header did"));
        }
    }
}

/// Returns how many bytes more are certain to belong to the header that begins like this; 0 if it is complete.
fn missing(bytes: &[u8]) -> Result<usize, &'static str> {
    const TEXT: &[u8] = b"PROXY ";
    let begins = |with: &[u8]| bytes.starts_with(with) || with.starts_with(bytes);
    if begins(v2::PROTOCOL_PREFIX) {
        let end = match bytes.get(14..16) {
            Some(length) => 16 + usize::from(u16::from_be_bytes([length[0], length[1]])),
            None if bytes.len() < v2::PROTOCOL_PREFIX.len() => v2::PROTOCOL_PREFIX.len(),
            None => 16,
        };
        if end > MAX_BINARY { Err("the header is too long") } else { Ok(end - bytes.len()) }
    } else if begins(TEXT) {
        match bytes {
            [.., b'\r', b'\n'] => Ok(0),
            _ if bytes.len() >= MAX_TEXT => Err("the header is too long"),
            // A line of unknown length: its end is looked for byte by byte.
            _ => Ok(TEXT.len().saturating_sub(bytes.len()).max(1)),
        }
    } else {
        Err("there is no header")
    }
}

fn text(line: &[u8]) -> Result<ProxyHeader, &'static str> {
    let header = v1::Header::try_from(line).map_err(|_| "the header of version 1 is not valid")?;
    Ok(match header.addresses {
        v1::Addresses::Tcp4(ip) => ProxyHeader::Client(Some(ip.source_address.into()), None),
        v1::Addresses::Tcp6(ip) => ProxyHeader::Client(Some(ip.source_address.into()), None),
        v1::Addresses::Unknown => ProxyHeader::Own,
    })
}

fn binary(bytes: &[u8]) -> Result<ProxyHeader, &'static str> {
    let header = v2::Header::try_from(bytes).map_err(|_| "the header of version 2 is not valid")?;
    // The lowest bit of the first byte says that the client spoke TLS.
    let tls = header.tlvs().filter_map(Result::ok).find(|tlv| tlv.kind == v2::Type::SSL as u8);
    let tls = tls.and_then(|tlv| tlv.value.first().map(|client| client & 1 == 1));
    let scheme = tls.map(|tls| if tls { Scheme::Https } else { Scheme::Http });
    Ok(match (header.command, header.addresses) {
        (v2::Command::Local, _) | (_, v2::Addresses::Unspecified) => ProxyHeader::Own,
        (v2::Command::Proxy, v2::Addresses::IPv4(ip)) => {
            ProxyHeader::Client(Some(ip.source_address.into()), scheme)
        }
        (v2::Command::Proxy, v2::Addresses::IPv6(ip)) => {
            ProxyHeader::Client(Some(ip.source_address.into()), scheme)
        }
        (v2::Command::Proxy, v2::Addresses::Unix(_)) => ProxyHeader::Client(None, scheme),
    })
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use futures_util::FutureExt;

    use super::*;

    fn parse(mut bytes: &[u8]) -> (io::Result<ProxyHeader>, &[u8]) {
        (read(&mut bytes).now_or_never().expect("all is here"), bytes)
    }

    fn binary(command: v2::Command, tls: Option<u8>) -> Vec<u8> {
        let from: SocketAddr = ([192, 0, 2, 7], 4711).into();
        let to: SocketAddr = ([10, 0, 0, 1], 80).into();
        let version = v2::Version::Two | command;
        let mut builder = v2::Builder::with_addresses(version, v2::Protocol::Stream, (from, to));
        if let Some(bits) = tls {
            builder = builder.write_tlv(v2::Type::SSL, &[bits, 0, 0, 0, 0]).expect("it fits");
        }
        builder.build().expect("a header")
    }

    /// What follows is left, and a header that is cut is none.
    #[test]
    fn a_header_names_the_client_or_the_proxy_itself() {
        let client = |tls| ProxyHeader::Client(Some([192, 0, 2, 7].into()), tls);
        let six = ProxyHeader::Client("2001:db8::1".parse().ok(), None);
        for (header, expected) in [
            (b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 80\r\n".to_vec(), client(None)),
            (b"PROXY TCP6 2001:db8::1 ::1 4711 80\r\n".to_vec(), six),
            (b"PROXY UNKNOWN\r\n".to_vec(), ProxyHeader::Own),
            (binary(v2::Command::Proxy, None), client(None)),
            (binary(v2::Command::Proxy, Some(1)), client(Some(Scheme::Https))),
            (binary(v2::Command::Proxy, Some(0)), client(Some(Scheme::Http))),
            (binary(v2::Command::Local, None), ProxyHeader::Own),
        ] {
            let follows = b"GET / HTTP/1.1\r\n\r\n";
            let bytes = [&header, &follows[..]].concat();
            let (found, rest) = parse(&bytes);
            assert_eq!((found.expect("a header"), rest), (expected, &follows[..]));
            for end in 0..header.len() {
                assert!(parse(&header[..end]).0.is_err(), "cut at {end}");
            }
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for wrong in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"PROXY TCP4 192.0.2.777 10.0.0.1 4711 80\r\n",
            b"proxy TCP4 192.0.2.7 10.0.0.1 4711 80\r\n",
            b"\r\n\r\n\0\r\nQUIT\n\x11\x11\0\x0c............",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
            &[b"PROXY TCP4 ", &[b'1'; MAX_TEXT][..]].concat(),
        ] {
            assert!(parse(wrong).0.is_err(), "{:?}", String::from_utf8_lossy(wrong));
        }
    }
}
