//! Logins of MySQL that need more than a password: in clear text through TLS, or by RSA without it.
//!
//! A server of the test's own speaks as much of the protocol as a login takes: MariaDB knows neither way.

use std::sync::{Arc, Mutex};

use anyhost_core::db::{Db, Error, Password, PasswordProvider};
use anyhost_core::{Paradigm, async_trait};
use anyhost_tests::process::PATIENCE;
use anyhost_tests::servers::Certificates;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::kit::{host, open};

/// How a server asks for the password.
#[derive(Clone, Copy, PartialEq)]
enum AuthRequest {
    /// `mysql_clear_password`.
    InClear,
    /// `caching_sha2_password`, without the user in its cache.
    ByRsa,
    /// An unknown plugin.
    Strangely,
}

/// The passwords that were sent to a server, and its port. It accepts none: "two" is told that there is no such
/// database.
struct Server {
    port: u16,
    received: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(asks: AuthRequest, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let received = Arc::new(Mutex::new(Vec::new()));
        tokio::spawn({
            let received = Arc::clone(&received);
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    let (tls, received) = (tls.clone(), Arc::clone(&received));
                    // A client that is refused goes away in the middle.
                    tokio::spawn(async move { serve(client, asks, tls, &received).await });
                }
            }
        });
        Self { port, received }
    }

    fn url(&self, parameters: &str) -> String {
        format!("mysql://app:one@127.0.0.1:{}/shop{parameters}", self.port)
    }

    fn received(&self) -> Vec<String> {
        self.received.lock().unwrap().clone()
    }
}

async fn serve(
    mut client: TcpStream,
    asks: AuthRequest,
    tls: Option<TlsAcceptor>,
    received: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    const LONG_PASSWORD: u32 = 1;
    const CONNECT_WITH_DB: u32 = 1 << 3;
    const PROTOCOL_41: u32 = 1 << 9;
    const SSL: u32 = 1 << 11;
    const SECURE_CONNECTION: u32 = 1 << 15;
    const PLUGIN_AUTH: u32 = 1 << 19;
    let mut can = LONG_PASSWORD | CONNECT_WITH_DB | PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH;
    if tls.is_some() {
        can |= SSL;
    }
    let mut greeting = b"\x0a8.4.0\0\x01\0\0\0nonsense\0".to_vec();
    let [one, two, three, four] = can.to_le_bytes();
    greeting.extend([one, two, 33, 2, 0, three, four, 21]);
    greeting.extend([0; 10]);
    greeting.extend(b"and_nonsense\0caching_sha2_password\0");
    write(&mut client, 0, &greeting).await?;
    match tls {
        None => log_in(&mut client, asks, received).await,
        Some(tls) => {
            let (_, demand) = read(&mut client).await?;
            assert_eq!(demand.len(), 32, "the client begins with TLS");
            log_in(&mut tls.accept(client).await?, asks, received).await
        }
    }
}

async fn log_in(
    client: &mut (impl AsyncRead + AsyncWrite + Unpin),
    asks: AuthRequest,
    received: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let (number, _answer) = read(client).await?;
    let question: &[u8] = match asks {
        AuthRequest::InClear => b"\xfemysql_clear_password\0",
        AuthRequest::ByRsa => b"\x01\x04",
        AuthRequest::Strangely => b"\xfeauth_of_somebody\0nonsense_nonsense___\0",
    };
    write(client, number + 1, question).await?;
    let (number, password) = read(client).await?;
    if password == [2] {
        // The client has no TLS, and asks for the key to encrypt the password with.
        return write(client, number + 1, b"\x01a key").await;
    }
    let password = String::from_utf8_lossy(&password).trim_end_matches('\0').to_owned();
    let refusal = if password == "two" {
        b"\xff\x19\x04#42000Unknown database 'shop'".to_vec()
    } else {
        b"\xff\x15\x04#28000Access denied for user 'app'".to_vec()
    };
    received.lock().unwrap().push(password);
    write(client, number + 1, &refusal).await
}

async fn read(client: &mut (impl AsyncRead + Unpin)) -> std::io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 4];
    client.read_exact(&mut head).await?;
    let [one, two, three, number] = head;
    let mut packet = vec![0; u32::from_le_bytes([one, two, three, 0]) as usize];
    client.read_exact(&mut packet).await?;
    Ok((number, packet))
}

async fn write(
    client: &mut (impl AsyncWrite + Unpin),
    number: u8,
    packet: &[u8],
) -> std::io::Result<()> {
    let [one, two, three, _] = u32::try_from(packet.len()).unwrap().to_le_bytes();
    let mut all = vec![one, two, three, number];
    all.extend(packet);
    client.write_all(&all).await?;
    client.flush().await
}

fn acceptor() -> TlsAcceptor {
    let files = Certificates::make("mysql");
    let certificate = CertificateDer::from_pem_file(files.file("localhost.crt")).unwrap();
    let key = PrivateKeyDer::from_pem_file(files.file("localhost.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// Gives "one", then "two".
#[derive(Default)]
struct Tokens(Mutex<usize>);

#[async_trait]
impl PasswordProvider for Tokens {
    async fn password(&self) -> Result<Password, Box<dyn std::error::Error + Send + Sync>> {
        let mut asked = self.0.lock().unwrap();
        *asked += 1;
        Ok(Password::new(if *asked == 1 { "one" } else { "two" }))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mysql_a_token_is_sent_in_clear_text_through_tls_alone() {
    let with_tokens = async |url: &str| {
        let host = host(Paradigm::LongRunning, &[("DATABASE_URL", url)]);
        Db::<sqlx::MySql>::builder(&host).passwords(Tokens::default()).open().await.unwrap_err()
    };
    let encrypted = Server::start(AuthRequest::InClear, Some(acceptor())).await;
    // With TLS and a provider, which is asked again for the token that was refused.
    let error = with_tokens(&encrypted.url("?ssl-mode=REQUIRED")).await;
    assert!(matches!(error, Error::NoDatabase { .. }), "{error}");
    assert_eq!(encrypted.received(), ["one", "two"]);
    // Without a provider, without TLS, or without required TLS, nothing is sent and the error comes at once.
    let plain = Server::start(AuthRequest::InClear, None).await;
    let opens = [
        open::<sqlx::MySql>(Paradigm::LongRunning, &encrypted.url("?ssl-mode=REQUIRED"), &[])
            .await
            .unwrap_err(),
        with_tokens(&encrypted.url("")).await,
        with_tokens(&plain.url("")).await,
        with_tokens(&plain.url("?ssl-mode=DISABLED")).await,
    ];
    for error in opens {
        assert!(matches!(error, Error::Setting(_)), "{error}");
        let text = error.to_string();
        assert!(
            text.starts_with("DATABASE_URL: the server asks for the password in clear"),
            "{text}"
        );
        assert!(error.driver().is_some());
    }
    assert_eq!(encrypted.received(), ["one", "two"]);
    assert!(plain.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mysql_a_login_that_the_settings_forbid_is_told_at_once() {
    for (asks, expected) in [
        (AuthRequest::ByRsa, "set ssl-mode=REQUIRED if the server offers TLS"),
        (AuthRequest::Strangely, "by auth_of_somebody, which the driver does not know"),
    ] {
        let server = Server::start(asks, None).await;
        let url = server.url("");
        let opens = open::<sqlx::MySql>(Paradigm::LongRunning, &url, &[]);
        let error = tokio::time::timeout(PATIENCE, opens).await.unwrap();
        let error = error.unwrap_err();
        assert!(matches!(error, Error::Setting(_)), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
    // Through TLS the same login needs no RSA: the password goes as it is.
    let server = Server::start(AuthRequest::ByRsa, Some(acceptor())).await;
    let error = open::<sqlx::MySql>(Paradigm::LongRunning, &server.url(""), &[]).await.unwrap_err();
    assert!(matches!(error, Error::Credentials { .. }), "{error}");
    assert!(server.received().iter().all(|password| password == "one"), "{:?}", server.received());
}
