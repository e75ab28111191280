//! What is spoken on a connection, found out before its first request.

use std::io;
use std::rc::Rc;

use futures_util::future::poll_fn;

use super::{Conn, Io, Transport, proxied};
use crate::{Config, Tls};

/// A connection of which is known what is spoken on it.
pub(crate) enum Opened {
    Http1(Io),
    Http2(Io),
}

/// Reads what the proxy says where the PROXY protocol is on, shakes hands where TLS is spoken, then finds
/// out which HTTP it is: inside TLS it was agreed, else the first bytes tell.
///
/// # Errors
/// Where the client is gone, or does not speak what it should.
pub(crate) async fn open(
    mut transport: Transport,
    config: &Config,
    tls: bool,
    conn: &Rc<Conn>,
) -> io::Result<Opened> {
    if config.proxy_protocol {
        let said = match config.trust.believes(conn.peer()) {
            true => proxied::read(&mut transport, conn).await,
            false => Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is not trusted")),
        };
        if let Err(error) = said {
            let peer = conn.peer().map_or_else(|| "unix".to_owned(), |peer| peer.to_string());
            tracing::warn!("a connection of {peer} without a PROXY header is closed: {error}");
            return Err(error);
        }
    }
    let acceptor = config.tls.as_ref().filter(|_| tls).map(Tls::acceptor);
    let (mut io, http2) = match acceptor {
        Some(acceptor) => {
            let transport = transport.tls(acceptor).await?;
            let http2 = transport.agreed() == Some(b"h2");
            (Io::new(transport, Rc::clone(conn)), http2)
        }
        None => {
            let mut io = Io::new(transport, Rc::clone(conn));
            let http2 = poll_fn(|cx| io.poll_preface(cx)).await?;
            (io, http2)
        }
    };
    Ok(if http2 {
        io.is_http2();
        Opened::Http2(io)
    } else {
        Opened::Http1(io)
    })
}
