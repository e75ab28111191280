//! The client's side of TLS, with a certificate that is made for each run.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhost_test::http1::Chunk;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt, split};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::process::PATIENCE;

/// A new self-signed certificate for `shop.example`.
#[derive(Debug)]
pub struct Certificate(CertificateDer<'static>);

impl Certificate {
    /// Makes one and writes it as `certificate.pem`, with its key as `key.pem`, into a folder; each is
    /// put in the place of what was there, as a program that renews certificates does.
    ///
    /// # Panics
    /// If the folder is not writable.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        let made = generate_simple_self_signed(["shop.example".to_owned()]);
        let CertifiedKey { cert, signing_key } = made.expect("a certificate of one name");
        for (file, text) in
            [("certificate.pem", cert.pem()), ("key.pem", signing_key.serialize_pem())]
        {
            let beside = folder.join(format!("{file}.new"));
            fs::write(&beside, text).expect("the folder is ours");
            fs::rename(beside, folder.join(file)).expect("the folder is ours");
        }
        Self(cert.der().clone())
    }

    /// Connects to a server, accepts only this certificate, and offers this protocol by ALPN.
    ///
    /// # Errors
    /// If nothing listens there, or the server has another certificate.
    pub async fn connect(
        &self,
        address: SocketAddr,
        offer: &[u8],
    ) -> io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.clone()).map_err(io::Error::other)?;
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![offer.to_vec()];
        let name = ServerName::try_from("shop.example").expect("a name");
        let socket = TcpStream::connect(address).await?;
        let stream = TlsConnector::from(Arc::new(config)).connect(name, socket).await?;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(offer), "what was agreed");
        Ok(stream)
    }

    /// Writes bytes on a new connection and reads until its end, which TLS must announce.
    pub(super) fn talk(
        &self,
        address: SocketAddr,
        bytes: &[u8],
        cut: bool,
    ) -> io::Result<Vec<Chunk>> {
        Builder::new_current_thread().enable_all().build()?.block_on(async {
            let (mut reader, mut writer) = split(self.connect(address, b"http/1.1").await?);
            // Written concurrently with reading: a server may answer, and close, before it has read everything.
            let write = async {
                writer.write_all(bytes).await?;
                writer.flush().await?;
                if cut { writer.shutdown().await } else { Ok(()) }
            };
            let read = async {
                let mut chunks = Vec::new();
                let mut buffer = vec![0; 64 * 1024];
                loop {
                    match timeout(PATIENCE, reader.read(&mut buffer)).await? {
                        Ok(0) => return Ok(chunks),
                        Ok(read) => chunks.push((Instant::now(), buffer[..read].to_vec())),
                        Err(error) if chunks.is_empty() => return Err(error),
                        // Keep what was read: the parser decides whether it is complete.
                        Err(_) => return Ok(chunks),
                    }
                }
            };
            tokio::pin!(read);
            tokio::select! {
                read = &mut read => read,
                _ = write => read.await,
            }
        })
    }
}
