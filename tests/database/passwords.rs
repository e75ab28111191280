//! Passwords that change while connections are open.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use anyhost_core::db::{Db, Error, Password, PasswordProvider};
use anyhost_core::{Host, Paradigm, async_trait};
use anyhost_tests::servers::Postgres;

use crate::kit::{eventually, host, open};

fn locked(server: &Postgres) -> String {
    server.sql("CREATE ROLE locked LOGIN PASSWORD 'one'");
    server.url().replace("//postgres@", "//locked@")
}

/// A database whose password, "one", is in a file. All of it lives as long as the value.
struct WithFile {
    server: Postgres,
    folder: tempfile::TempDir,
    db: Db<sqlx::Postgres>,
    _host: Host,
}

impl WithFile {
    async fn open(pool_size: &str) -> Self {
        let server = Postgres::start(&[]);
        let url = locked(&server);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "one\n").unwrap();
        let settings =
            [("DATABASE_PASSWORD_FILE", file.to_str().unwrap()), ("DATABASE_POOL_SIZE", pool_size)];
        let (host, db) = open(Paradigm::LongRunning, &url, &settings).await.unwrap();
        Self { server, folder, db, _host: host }
    }

    fn write(&self, password: &str) {
        std::fs::write(self.folder.path().join("password"), password).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_in_a_file_may_change_while_connections_are_open() {
    let database = WithFile::open("3").await;
    let _first = database.db.conn().await.unwrap();
    database.server.sql("ALTER ROLE locked PASSWORD 'two'");
    database.write("two\n");
    let _second = database.db.conn().await.unwrap();
    // Wrong for good, it is an error at once.
    database.write("three\n");
    assert!(matches!(database.db.conn().await, Err(Error::Credentials { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leased_pool_connects_with_a_password_that_was_changed() {
    let database = WithFile::open("2").await;
    let leased = database.db.sqlx_pool(1).await.unwrap();
    let asks = async || sqlx::query("SELECT 1").execute(&leased).await.is_ok();
    assert!(asks().await);
    database.server.sql("ALTER ROLE locked PASSWORD 'two'");
    database.server.terminate_all();
    // Its own connection is lost, and the old password opens no other.
    eventually("the lost connection is noticed", async || !asks().await).await;
    database.write("two\n");
    eventually("the leased pool connects with the new password", asks).await;
}

/// Gives "one", then "two", and counts how often it was asked.
struct Tokens {
    asked: Arc<AtomicUsize>,
    valid: Duration,
}

#[async_trait]
impl PasswordProvider for Tokens {
    async fn password(&self) -> Result<Password, Box<dyn std::error::Error + Send + Sync>> {
        // Time passes: all concurrent connects ask before the first gets its answer.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let first = self.asked.fetch_add(1, Ordering::SeqCst) == 0;
        let password = Password::new(if first { "one" } else { "two" });
        Ok(password.expires(SystemTime::now() + self.valid))
    }
}

async fn with_tokens(url: &str, valid: Duration) -> (Db<sqlx::Postgres>, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let settings = [
        ("DATABASE_URL", url),
        ("DATABASE_POOL_SIZE", "30"),
        ("DATABASE_ACQUIRE_TIMEOUT", "60s"),
        ("APP_OVERLAP", "1"),
    ];
    let host = host(Paradigm::LongRunning, &settings);
    let db = Db::builder(&host)
        .passwords(Tokens { asked: Arc::clone(&asked), valid })
        .open()
        .await
        .unwrap();
    (db, asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_asked_for_once_for_all_who_connect_and_again_when_it_is_refused() {
    let server = Postgres::start(&[]);
    let url = locked(&server);
    let (db, asked) = with_tokens(&url, Duration::from_secs(900)).await;
    let some = futures_util::future::join_all((0..4).map(|_| db.conn())).await;
    assert!(some.iter().all(Result::is_ok), "{some:?}");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    server.sql("ALTER ROLE locked PASSWORD 'two'");
    let more = futures_util::future::join_all((0..4).map(|_| db.conn())).await;
    assert!(more.iter().all(Result::is_ok), "{more:?}");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_about_to_expire_is_renewed_before_it_is_used() {
    let server = Postgres::start(&[]);
    let url = locked(&server);
    let (db, asked) = with_tokens(&url, Duration::from_secs(30)).await;
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    server.sql("ALTER ROLE locked PASSWORD 'two'");
    let both = futures_util::future::join_all([db.conn(), db.conn()]).await;
    assert!(both.iter().all(Result::is_ok));
    assert!(asked.load(Ordering::SeqCst) >= 2);
}
