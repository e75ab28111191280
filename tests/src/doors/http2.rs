//! The doors of HTTP/2, with and without TLS, of the same processes.

use std::io;

use anyhost_test::http2;
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::time::timeout;

use super::tcp::Tcp;
use super::{Door, Example, Facts};
use crate::process::PATIENCE;
use crate::wire::{Request, Response};

/// A long-running process behind HTTP/2.
pub(super) struct Http2(Tcp);

impl Http2 {
    /// Without TLS, by prior knowledge.
    pub(super) fn plain(example: Example) -> Self {
        Self(Tcp::vm(example))
    }

    /// In TLS, by ALPN.
    pub(super) fn tls(example: Example) -> Self {
        Self(Tcp::vm_tls(example))
    }
}

impl Door for Http2 {
    fn send(&self, request: &Request) -> Result<Response, String> {
        let facts = self.facts();
        let runtime = Builder::new_current_thread().enable_all().build();
        let asking = async {
            let (address, certificate) = self.0.place();
            match certificate {
                Some(certificate) => {
                    http2::send(certificate.connect(address, b"h2").await?, request, facts).await
                }
                None => http2::send(TcpStream::connect(address).await?, request, facts).await,
            }
        };
        runtime
            .expect("a runtime needs threads and no more")
            .block_on(async { timeout(PATIENCE, asking).await? })
            .map_err(|error: io::Error| format!("no response: {error}"))
    }

    fn facts(&self) -> Facts {
        self.0.facts()
    }

    fn log(&self) -> String {
        self.0.log()
    }
}
