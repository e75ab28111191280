//! The certificate of the TLS doors: read from two files, and read again while connections go on.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use anyhost_core::{ConfigError, Settings};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

const CERTIFICATE: &str = "TLS_CERTIFICATE";
const KEY: &str = "TLS_KEY";

/// The interval between checks of the two files for a change.
const LOOK: Duration = Duration::from_secs(5);

/// A certificate and its key, which can change while the server runs.
///
/// A clone is the same certificate: what one reads, all have. TLS 1.2 and 1.3 are spoken; HTTP/2 and
/// HTTP/1.1 are offered by ALPN.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    files: Files,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// What the next handshake gets.
struct Current {
    /// When the files that were looked at last had been written.
    written: Written,
    chain: Vec<CertificateDer<'static>>,
    server: Arc<ServerConfig>,
}

type Written = [Option<SystemTime>; 2];

impl Tls {
    /// What `TLS_CERTIFICATE` and `TLS_KEY` name; `None` if neither is set.
    ///
    /// # Errors
    /// [`ConfigError`] if one is set without the other, and as [`Tls::load`].
    pub fn from_settings(settings: &Settings) -> Result<Option<Self>, ConfigError> {
        let missing = |name, other| {
            let problem = format!("is not set, but {other} is; TLS needs both");
            Err(ConfigError::new(name, problem))
        };
        match (settings.text(CERTIFICATE), settings.text(KEY)) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => Self::load(certificate, key).map(Some),
            (None, Some(_)) => missing(CERTIFICATE, KEY),
            (Some(_), None) => missing(KEY, CERTIFICATE),
        }
    }

    /// The certificate in one PEM file, the server's own first and the chain behind it, and the private
    /// key in another.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable and the file that cannot be used.
    pub fn load(
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Result<Self, ConfigError> {
        let files = Files { certificate: certificate.into(), key: key.into() };
        let current = Mutex::new(files.read()?);
        Ok(Self(Arc::new(Inner { files, current })))
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        // Nothing panics while the lock is held.
        self.0.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the files again. New connections get what they hold; open ones go on with what they have.
    /// Files that cannot be used change nothing, and one log line says why.
    ///
    /// Returns whether the files could be used.
    pub fn reload(&self) -> bool {
        let files = &self.0.files;
        self.current().written = files.written();
        match files.read() {
            Ok(fresh) => {
                let mut current = self.current();
                if fresh.chain != current.chain {
                    tracing::info!("a new certificate from {}", files.certificate.display());
                }
                *current = fresh;
                true
            }
            Err(error) => {
                tracing::error!("the certificate stays as it was: {error}");
                false
            }
        }
    }

    /// Reads the files again whenever they have changed; never ends.
    pub(crate) async fn follow(self) {
        loop {
            tokio::time::sleep(LOOK).await;
            if self.changed() {
                self.reload();
            }
        }
    }

    fn changed(&self) -> bool {
        self.0.files.written() != self.current().written
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.current().server))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.0.files).finish()
    }
}

impl Files {
    /// When each was written last; links are followed, so that one put in another's place shows.
    fn written(&self) -> Written {
        [&self.certificate, &self.key].map(|file| std::fs::metadata(file).ok()?.modified().ok())
    }

    fn read(&self) -> Result<Current, ConfigError> {
        // Looked at before they are read: what is written in between is seen at the next look.
        let written = self.written();
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&bytes(CERTIFICATE, &self.certificate)?)
            .collect::<Result<_, _>>()
            .map_err(|_| wrong(CERTIFICATE, &self.certificate, "is not a certificate in PEM"))?;
        if chain.is_empty() {
            return Err(wrong(CERTIFICATE, &self.certificate, "holds no certificate in PEM"));
        }
        // Nothing of what is in the file is printed.
        let key = PrivateKeyDer::from_pem_slice(&bytes(KEY, &self.key)?)
            .map_err(|_| wrong(KEY, &self.key, "holds no private key in PEM"))?;
        let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map(|builder| builder.with_no_client_auth())
            .and_then(|builder| builder.with_single_cert(chain.clone(), key));
        let mut server = server.map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                let problem =
                    format!("is not the key of the certificate in {}", self.certificate.display());
                wrong(KEY, &self.key, &problem)
            }
            rustls::Error::InvalidCertificate(error) => {
                wrong(CERTIFICATE, &self.certificate, &format!("is not usable: {error}"))
            }
            _ => wrong(KEY, &self.key, "is no private key that TLS can use here"),
        })?;
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        // Without tickets a client that comes back begins from nothing; rustls works on all the same.
        if let Ok(ticketer) = ring::Ticketer::new() {
            server.ticketer = ticketer;
        }
        Ok(Current { written, chain, server: Arc::new(server) })
    }
}

fn bytes(variable: &'static str, file: &Path) -> Result<Vec<u8>, ConfigError> {
    // To open a pipe waits for a writer, and a device may have no end.
    if std::fs::metadata(file).is_ok_and(|file| !file.is_file()) {
        return Err(wrong(variable, file, "is not a regular file"));
    }
    std::fs::read(file).map_err(|error| wrong(variable, file, &format!("cannot be read: {error}")))
}

fn wrong(variable: &'static str, file: &Path, problem: &str) -> ConfigError {
    ConfigError::new(variable, format!("{} {problem}", file.display()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rcgen::{CertifiedKey as Made, generate_simple_self_signed};

    use super::*;

    fn write(folder: &Path) -> CertificateDer<'static> {
        let Made { cert, signing_key } =
            generate_simple_self_signed(["shop.example".to_owned()]).expect("a certificate");
        fs::write(folder.join("c.pem"), cert.pem()).expect("a file");
        fs::write(folder.join("k.pem"), signing_key.serialize_pem()).expect("a file");
        cert.der().clone()
    }

    fn load(folder: &Path) -> Result<Tls, ConfigError> {
        Tls::load(folder.join("c.pem"), folder.join("k.pem"))
    }

    fn now(tls: &Tls) -> CertificateDer<'static> {
        tls.current().chain[0].clone()
    }

    #[test]
    fn a_wrong_new_certificate_changes_nothing_and_a_right_one_is_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = write(folder.path());
        let tls = load(folder.path()).expect("a certificate and its key");
        assert!(!tls.changed());
        assert_eq!(now(&tls), first);

        fs::write(folder.path().join("c.pem"), "half a cert").expect("a file");
        assert!(tls.changed());
        assert!(!tls.reload());
        assert!(!tls.changed(), "it complains once");
        assert_eq!(now(&tls), first);

        let second = write(folder.path());
        assert!(tls.reload());
        assert_eq!(now(&tls), second);
    }
}
