//! The doors of a long-running host: a loopback socket of its server, in HTTP/1.1 or HTTP/2.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::http1::{self, all, one, written};
use crate::process::PATIENCE;
use crate::{Door, Facts, Request, Response, http2};

/// The socket of a server in this process.
pub(crate) struct Socket {
    pub(crate) address: SocketAddr,
    pub(crate) runtime: Handle,
    /// Whether HTTP/2 is spoken.
    pub(crate) http2: bool,
}

impl Socket {
    fn exchange(&self, bytes: &[u8], cut: bool) -> Result<Vec<Response>, String> {
        let chunks = http1::talk(self.address, bytes.to_vec(), cut).map_err(no_response)?;
        all(&chunks)
    }
}

impl Door for Socket {
    fn send(&self, request: &Request) -> Result<Response, String> {
        if self.http2 {
            let asking = async {
                let stream = TcpStream::connect(self.address).await?;
                http2::send(stream, request, self.facts()).await
            };
            return self
                .runtime
                .block_on(async { timeout(PATIENCE, asking).await? })
                .map_err(no_response);
        }
        let bytes = written(request, self.facts().host);
        one(&request.method, &http1::talk(self.address, bytes, false).map_err(no_response)?)
    }

    fn exchange(&self, bytes: &[u8]) -> Result<Vec<Response>, String> {
        self.exchange(bytes, false)
    }

    fn exchange_cut(&self, bytes: &[u8]) -> Result<Vec<Response>, String> {
        self.exchange(bytes, true)
    }

    fn facts(&self) -> Facts {
        Facts { client_ip: Some("127.0.0.1"), scheme: "http", host: "shop.example", adds: &[] }
    }
}

fn no_response(error: io::Error) -> String {
    format!("no response: {error}")
}
