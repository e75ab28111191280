//! TLS to a database: as far as the URL says, never less in silence, and every refusal in one line.

use std::path::Path;

use anyhost_core::db::{Db, Error};
use anyhost_core::{Host, Paradigm, Settings};
use anyhost_tests::process::{PATIENCE, Process, binary};
use anyhost_tests::servers::{Certificates, MariaDb, Postgres};

use crate::kit::open;

/// The files a server with TLS starts with, and their folder.
pub(crate) fn encrypted() -> (Certificates, Postgres) {
    let certificates = Certificates::make("postgres");
    let file = |name| certificates.file(name).display().to_string();
    let settings = [
        "ssl=on".to_owned(),
        format!("ssl_cert_file={}", file("localhost.crt")),
        format!("ssl_key_file={}", file("localhost.key")),
        format!("ssl_ca_file={}", file("root.crt")),
    ];
    let server = Postgres::start(&settings.each_ref().map(String::as_str));
    (certificates, server)
}

/// Whether a connection that is opened by this URL is encrypted.
async fn is_encrypted(url: &str) -> Result<bool, Error> {
    let (_host, db) = open::<sqlx::Postgres>(Paradigm::LongRunning, url, &[]).await?;
    let ssl = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    Ok(sqlx::query_scalar(ssl).fetch_one(&db).await.unwrap())
}

/// The one line with which this URL is refused.
async fn refusal(url: &str) -> String {
    let error = is_encrypted(url).await.unwrap_err();
    assert!(matches!(error, Error::Setting(_)), "{error:?}");
    let line = error.to_string();
    assert!(line.starts_with("DATABASE_URL: ") && !line.contains('\n'), "{line}");
    line
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mode_of_libpq_means_what_it_means_there() {
    let (certificates, server) = encrypted();
    let root = certificates.file("root.crt").display().to_string();
    let stranger = Certificates::make("postgres").file("root.crt").display().to_string();
    let address = server.url();
    let name = address.replace("127.0.0.1", "localhost");

    assert!(!is_encrypted(&format!("{address}?sslmode=disable")).await.unwrap());
    assert!(!is_encrypted(&format!("{address}?sslmode=allow")).await.unwrap());
    assert!(is_encrypted(&address).await.unwrap());
    assert!(is_encrypted(&format!("{address}?sslmode=prefer")).await.unwrap());
    assert!(is_encrypted(&format!("{address}?sslmode=require")).await.unwrap());
    let by_root =
        |url: &str, mode: &str, root: &str| format!("{url}?sslmode={mode}&sslrootcert={root}");
    assert!(is_encrypted(&by_root(&address, "verify-ca", &root)).await.unwrap());
    assert!(is_encrypted(&by_root(&name, "verify-full", &root)).await.unwrap());

    // An authority that did not issue it, or none: which parameter to set.
    for url in [
        by_root(&address, "verify-ca", &stranger),
        by_root(&name, "verify-full", &stranger),
        by_root(&address, "require", &stranger),
        format!("{name}?sslmode=verify-full"),
        format!("{name}?sslrootcert=system"),
    ] {
        let line = refusal(&url).await;
        assert!(line.contains("set sslrootcert to a file"), "{url}: {line}");
    }
    // The right authority, and another name.
    let line = refusal(&by_root(&address, "verify-full", &root)).await;
    assert!(line.contains("for another host") && line.contains("127.0.0.1"), "{line}");

    // A user that requires TLS connects by TLS if the mode allows it.
    server.sql("CREATE ROLE encrypted LOGIN");
    let url = address.replace("//postgres@", "//encrypted@");
    assert!(is_encrypted(&format!("{url}?sslmode=allow")).await.unwrap());
    let refused = is_encrypted(&format!("{url}?sslmode=disable")).await.unwrap_err();
    assert!(matches!(refused, Error::Credentials { .. }), "{refused}");
    let host = crate::kit::host(Paradigm::LongRunning, &[]);
    let migrate = async |mode: &str| {
        let url = format!("{url}?sslmode={mode}");
        Db::<sqlx::Postgres>::builder(&host)
            .url_or(&*url)
            .migrate(&sqlx::migrate::Migrator::DEFAULT)
            .await
    };
    server.sql("GRANT CREATE ON SCHEMA public TO encrypted");
    migrate("allow").await.unwrap();
    assert!(matches!(migrate("disable").await, Err(Error::Credentials { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_is_refused_where_tls_is_demanded() {
    let url = Postgres::shared().database();
    for mode in ["require", "verify-ca", "verify-full"] {
        let line = refusal(&format!("{url}?sslmode={mode}")).await;
        assert!(line.contains("does not offer TLS, which sslmode demands"), "{line}");
    }
    for mode in ["disable", "allow", "prefer"] {
        assert!(!is_encrypted(&format!("{url}?sslmode={mode}")).await.unwrap(), "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_whose_urls_do_not_speak_of_tls_demands_it() {
    let (_certificates, server) = encrypted();
    let open = async |url: &str| {
        let settings = Settings::from_pairs([("DATABASE_URL", url)]);
        let host = Host::builder(Paradigm::LongRunning, "test").settings(settings);
        let host = host.demand_database_tls(true).build().unwrap();
        Db::<sqlx::Postgres>::open(&host).await
    };
    open(&server.url()).await.unwrap();
    let plain = Postgres::shared().database();
    let line = open(&plain).await.unwrap_err().to_string();
    assert!(line.contains("does not offer TLS"), "{line}");
    // The URL's mode wins.
    open(&format!("{plain}?sslmode=disable")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_shows_its_certificate() {
    let (certificates, server) = encrypted();
    server.sql("CREATE ROLE certified LOGIN");
    let url = server.url().replace("//postgres@", "//certified@");
    let (certificate, key) =
        (certificates.file("certified.crt"), certificates.file("certified.key"));
    let shown = format!("sslcert={}&sslkey={}", certificate.display(), key.display());
    assert!(is_encrypted(&format!("{url}?sslmode=require&{shown}")).await.unwrap());
    let refused = is_encrypted(&format!("{url}?sslmode=require")).await.unwrap_err();
    assert!(matches!(refused, Error::Credentials { .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb_every_mode_means_what_it_means_there() {
    let certificates = Certificates::make("mysql");
    let root = certificates.file("root.crt").display().to_string();
    let stranger = Certificates::make("mysql").file("root.crt").display().to_string();
    let file = |name| certificates.file(name).display().to_string();
    let settings = [
        format!("ssl-cert={}", file("localhost.crt")),
        format!("ssl-key={}", file("localhost.key")),
    ];
    let server = MariaDb::start(&settings.each_ref().map(String::as_str));
    let address = server.database();
    let name = address.replace("127.0.0.1", "localhost");
    let cipher = async |url: String| {
        let (_host, db) = open::<sqlx::MySql>(Paradigm::LongRunning, &url, &[]).await?;
        let (_, cipher): (String, String) =
            sqlx::query_as("SHOW STATUS LIKE 'Ssl_cipher'").fetch_one(&db).await.unwrap();
        Ok::<_, Error>(cipher)
    };
    assert_eq!(cipher(format!("{address}?ssl-mode=DISABLED")).await.unwrap(), "");
    for mode in ["", "?ssl-mode=PREFERRED", "?ssl-mode=REQUIRED"] {
        assert_ne!(cipher(format!("{address}{mode}")).await.unwrap(), "", "{mode}");
    }
    let by_root =
        |url: &str, mode: &str, root: &str| format!("{url}?ssl-mode={mode}&ssl-ca={root}");
    assert_ne!(cipher(by_root(&address, "VERIFY_CA", &root)).await.unwrap(), "");
    assert_ne!(cipher(by_root(&name, "VERIFY_IDENTITY", &root)).await.unwrap(), "");
    let line = cipher(by_root(&name, "VERIFY_CA", &stranger)).await.unwrap_err().to_string();
    assert!(line.starts_with("DATABASE_URL: ") && line.contains("set ssl-ca to a file"), "{line}");
    let line = cipher(by_root(&address, "VERIFY_IDENTITY", &root)).await.unwrap_err().to_string();
    assert!(line.contains("for another host"), "{line}");
    // One without TLS.
    let plain = MariaDb::shared().database();
    let line = cipher(format!("{plain}?ssl-mode=REQUIRED")).await.unwrap_err().to_string();
    assert!(line.contains("does not offer TLS, which ssl-mode demands"), "{line}");
    assert_eq!(cipher(format!("{plain}?ssl-mode=PREFERRED")).await.unwrap(), "");
}

#[test]
fn on_heroku_a_url_without_a_mode_demands_tls() {
    let check = |variables: &[(&str, &str)]| {
        let program = binary("notes-paas");
        let process = Process::start(&program, &["check"], Path::new("/"), variables);
        (process.wait_for_exit(PATIENCE).code(), process.log().text())
    };
    let plain = Postgres::shared().database();
    let (code, said) = check(&[("DYNO", "web.1"), ("DATABASE_URL", &plain)]);
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("DATABASE_URL: the server does not offer TLS"), "{said}");
    // Anywhere else it goes on to the schema, which is not there, and over TLS it does on Heroku too.
    let (_certificates, server) = encrypted();
    for variables in [
        [("PLATFORM", "generic"), ("DATABASE_URL", &plain)],
        [("DYNO", "web.1"), ("DATABASE_URL", &server.url())],
    ] {
        let (_, said) = check(&variables);
        assert!(said.contains("schema is not up to date"), "{said}");
    }
}
