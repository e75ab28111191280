//! HTTP/1.1 written and read byte by byte, without a client library, which would hide faults that a strict client
//! rejects.

mod parse;
mod write;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::Instant;

pub use parse::{all, one};
pub use write::written;

use crate::process::PATIENCE;
use crate::{Request, Response};

/// Bytes and the moment at which they came.
pub type Chunk = (Instant, Vec<u8>);

/// Sends a request to an address and reads the response as strictly as any door does.
///
/// # Errors
/// What was wrong with the connection or the response, in words.
pub fn send(address: SocketAddr, request: &Request) -> Result<Response, String> {
    let chunks = talk(address, written(request, &address.to_string()), false);
    one(&request.method, &chunks.map_err(|error| format!("no response: {error}"))?)
}

/// Writes bytes on a new connection and reads until its end; with the moments at which they came. `cut` ends the
/// client's half of the connection after the last byte.
///
/// # Errors
/// The socket's, if nothing was read before it.
pub fn talk(address: SocketAddr, bytes: Vec<u8>, cut: bool) -> io::Result<Vec<Chunk>> {
    let socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let (writer, half) = (socket.try_clone()?, socket.try_clone()?);
    let end = move || if cut { half.shutdown(Shutdown::Write) } else { Ok(()) };
    write_and_read(bytes, writer, end, socket)
}

/// Writes bytes on one side of a connection, ends that side by `end`, and reads the other until its end.
///
/// # Errors
/// The reader's, if nothing was read before it.
pub fn write_and_read(
    bytes: Vec<u8>,
    mut writer: impl Write + Send + 'static,
    end: impl FnOnce() -> io::Result<()> + Send + 'static,
    mut reader: impl Read,
) -> io::Result<Vec<Chunk>> {
    // A thread of its own writes: a server may answer, and close, before it has read everything.
    let writing = thread::spawn(move || writer.write_all(&bytes).and_then(|()| end()));
    let mut chunks = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    let end = loop {
        match reader.read(&mut buffer) {
            Ok(0) => break Ok(()),
            Ok(read) => chunks.push((Instant::now(), buffer[..read].to_vec())),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => break Err(error),
        }
    };
    drop(reader);
    drop(writing.join());
    match end {
        Err(error) if chunks.is_empty() => Err(error),
        // Keep what was read: the parser decides whether it is complete.
        _ => Ok(chunks),
    }
}
