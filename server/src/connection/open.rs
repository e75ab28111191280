//! What is spoken on a connection, found out before its first request.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;

use anyhost_core::Scheme;

use super::io::Io;
use super::proxied::{self, Said};
use super::state::Connection;
use super::transport::Transport;
use crate::{Config, Tls};

/// A connection of which is known what is spoken on it.
pub(super) enum Opened {
    Http1(Io),
    #[cfg(feature = "http2")]
    Http2(Io),
}

/// Reads what the proxy says if the PROXY protocol is on, shakes hands if TLS is spoken, then finds
/// out which HTTP it is: inside TLS it was agreed, else the first bytes tell.
///
/// # Errors
/// If the client is gone, or does not speak what it should.
pub(super) async fn open(
    mut transport: Transport,
    config: &Config,
    tls: bool,
    connection: &Arc<Connection>,
) -> io::Result<Opened> {
    let (mut address, mut scheme) =
        (transport.peer(), if tls { Scheme::Https } else { Scheme::Http });
    if config.proxy_protocol {
        let said = match config.trust.believes(address) {
            true => proxied::read(&mut transport).await,
            false => Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is not trusted")),
        };
        match said {
            Ok(Said::Nothing) => {}
            Ok(Said::Client(client, spoken)) => {
                address = client.map(|address| address.to_canonical());
                scheme = spoken.unwrap_or(scheme);
            }
            Err(error) => {
                let peer = address.map_or_else(|| "unix".to_owned(), |peer| peer.to_string());
                tracing::warn!("a connection of {peer} without a PROXY header is closed: {error}");
                return Err(error);
            }
        }
    }
    connection.comes_from(address, scheme);
    let acceptor = config.tls.as_ref().filter(|_| tls).map(Tls::acceptor);
    let (io, http2) = match acceptor {
        Some(acceptor) => {
            let transport = transport.tls(acceptor).await?;
            let http2 = transport.agreed() == Some(b"h2");
            (Io::new(transport, Arc::clone(connection)), http2)
        }
        None => {
            let mut io = Io::new(transport, Arc::clone(connection));
            let http2 = cfg!(feature = "http2") && poll_fn(|cx| io.poll_preface(cx)).await?;
            (io, http2)
        }
    };
    Ok(match http2 {
        #[cfg(feature = "http2")]
        true => {
            let mut io = io;
            io.is_http2();
            Opened::Http2(io)
        }
        _ => Opened::Http1(io),
    })
}
