//! What is spoken on a connection, found out before its first request.

use std::io;
use std::rc::Rc;

use futures_util::future::poll_fn;
use tokio_rustls::TlsAcceptor;

use super::{Conn, Io, Transport};

/// A connection of which is known what is spoken on it.
pub(crate) enum Opened {
    Http1(Io),
    Http2(Io),
}

/// Shakes hands where TLS is spoken, then finds out which HTTP it is: inside TLS it was agreed, else the
/// first bytes tell.
///
/// # Errors
/// Where the client is gone, or does not speak TLS where it should.
pub(crate) async fn open(
    transport: Transport,
    acceptor: Option<TlsAcceptor>,
    conn: &Rc<Conn>,
) -> io::Result<Opened> {
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
