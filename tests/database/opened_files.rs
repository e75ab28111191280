//! SQLite: files that cannot be written to, opened or created.

use std::path::Path;
use std::time::Duration;

use anyhost_core::adapter::{Exit, Factory, Failure, check};
use anyhost_core::db::Db;
use anyhost_core::{App, Host, Paradigm, Request, Response, async_trait};
use anyhost_tests::process::PATIENCE;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Executor, Sqlite};
use tokio::time::timeout;

use crate::files::{stored, url};
use crate::kit::{host, open};

/// A file with one row, in this mode.
async fn file_in(mode: &str, file: &Path) {
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
    let mut own = options.connect().await.unwrap();
    let mode = format!("PRAGMA journal_mode = {mode}");
    own.execute(sqlx::AssertSqlSafe(mode)).await.unwrap();
    own.execute("CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1)").await.unwrap();
    sqlx::Connection::close(own).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_only_read_is_opened_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    for (mode, parameters) in [
        ("DELETE", "mode=ro"),
        ("DELETE", "immutable=1"),
        ("DELETE", "mode=ro&immutable=true"),
        ("WAL", "mode=ro"),
    ] {
        let file = folder.path().join(format!("{mode}-{parameters}.db"));
        file_in(mode, &file).await;
        let before = std::fs::read(&file).unwrap();
        // Spaces and signs of a path are written as in any URL.
        let url = format!("sqlite:{}?{parameters}", file.display());
        let (_host, db) = open::<Sqlite>(Paradigm::Serverless, &url, &[]).await.unwrap();
        assert_eq!(stored(&db).await, 1, "{url}");
        let mut tx = db.begin().await.unwrap();
        let one: i64 =
            sqlx::query_scalar("SELECT count(*) FROM t").fetch_one(&mut *tx).await.unwrap();
        assert_eq!(one, 1);
        tx.commit().await.unwrap();
        let error = db.execute("INSERT INTO t VALUES (2)").await.unwrap_err();
        assert!(error.to_string().contains("readonly database"), "{error}");
        db.close(Duration::from_secs(5)).await;
        assert!(std::fs::read(&file).unwrap() == before, "{url}: the file has changed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_opened_is_named_with_its_variable_and_the_change_to_make() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("garbage.db"), "this is not a database, and long enough to be read")
        .unwrap();
    std::fs::write(path("a-file"), "").unwrap();
    for (name, parameters, expected) in [
        ("none/app.db", "mode=rwc", "the folder"),
        (
            "missing.db",
            "mode=rw",
            "created only if the URL has mode=rwc and this user may write to the folder ",
        ),
        (
            "missing.db",
            "mode=ro",
            "created only if the URL has mode=rwc and this user may write to the folder ",
        ),
        ("", "mode=rwc", "it is a folder"),
        ("garbage.db", "mode=rw", "it is no SQLite database"),
        ("a-file/app.db", "mode=rwc", "the folder"),
    ] {
        let url = format!("sqlite:{}?{parameters}", path(name).display());
        for paradigm in [Paradigm::LongRunning, Paradigm::Serverless] {
            let host: Host = host(paradigm, &[("DATABASE_URL", &url)]);
            let opens = timeout(PATIENCE, Db::<Sqlite>::open(&host)).await;
            let error = opens.expect("it is told at once").unwrap_err();
            let text = error.to_string();
            let names = format!("DATABASE_URL: {} cannot be opened: ", path(name).display());
            assert!(text.starts_with(&names) && text.contains(expected), "{text}");
            assert!(!text.contains("SQLSTATE") && text.contains("(SQLite error "), "{text}");
            assert!(error.driver().unwrap().as_database_error().is_some(), "{text}");
            let failure = Failure::from_error(Exit::Start, &error.into());
            assert_eq!(failure.exit(), Exit::Config);
        }
    }
}

struct Writes;

#[async_trait]
impl App for Writes {
    async fn start(host: &Host) -> Result<Self, anyhost_core::Error> {
        let db = Db::<Sqlite>::open(host).await?;
        db.execute("CREATE TABLE IF NOT EXISTS t (a INTEGER)").await?;
        db.execute("INSERT INTO t VALUES (1)").await?;
        Ok(Self)
    }

    async fn call(&self, _: Request) -> Result<Response, anyhost_core::Error> {
        Ok(Response::default())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn check_creates_no_file_and_says_where_none_could_be_created() {
    let folder = tempfile::tempdir().unwrap();
    let begin = |name: &str| {
        let url = url(&folder.path().join(name));
        let host = host(Paradigm::LongRunning, &[("DATABASE_URL", &url)]);
        async move { check(Factory::<Writes>::app(), &host).await }
    };
    let report = begin("app 1%20.db").await.unwrap();
    assert!(report.contains("database:"), "{report}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let failure = begin("none/app.db").await.unwrap_err();
    assert_eq!(failure.exit(), Exit::Config, "{failure}");

    // The control: a start creates it.
    let url = url(&folder.path().join("app.db"));
    Writes::start(&host(Paradigm::LongRunning, &[("DATABASE_URL", &url)])).await.unwrap();
    assert!(folder.path().join("app.db").exists());
}
