//! SQLite: how long a lock is waited for, and what lives in memory.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhost_core::Paradigm;
use anyhost_core::adapter::within;
use anyhost_core::db::{Db, Error};
use anyhost_tests::process::PATIENCE;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Executor, Sqlite, SqliteConnection};
use tokio::time::timeout;

use crate::kit::{eventually, host, open};

const MS: Duration = Duration::from_millis(1);

/// A statement that runs for minutes.
const LONG: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000000000) SELECT count(*) FROM n";

pub(crate) fn url(file: &Path) -> String {
    format!("sqlite:{}?mode=rwc", file.display())
}

/// A database with an empty table, whose callers wait for this long.
async fn database(file: &Path, size: &str, acquire: &str) -> Db<Sqlite> {
    let settings = [("DATABASE_POOL_SIZE", size), ("DATABASE_ACQUIRE_TIMEOUT", acquire)];
    let (_host, db) = open::<Sqlite>(Paradigm::LongRunning, &url(file), &settings).await.unwrap();
    db.execute("CREATE TABLE IF NOT EXISTS t (a INTEGER)").await.unwrap();
    db
}

/// Another process's connection.
async fn other(file: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(file).busy_timeout(60_000 * MS).connect().await.unwrap()
}

async fn rows(connection: &mut SqliteConnection) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM t").fetch_one(connection).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_waits_for_the_lock_waits_by_one_rule() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.db");
    let db = database(&file, "4", "300ms").await;
    let insert = || sqlx::query("INSERT INTO t VALUES (?)").bind(1);
    let mut holder = other(&file).await;
    holder.execute("BEGIN IMMEDIATE").await.unwrap();
    let locked = |error: Error| {
        assert!(matches!(error, Error::Locked { .. }), "{error}");
        let code = error.driver().unwrap().as_database_error().unwrap().code();
        assert_eq!(code.as_deref(), Some("5"), "{error}");
    };
    let from_sqlx = |error: sqlx::Error| {
        let error = Error::find(&error).unwrap_or_else(|| panic!("{error}"));
        assert!(matches!(error, Error::Locked { .. }), "{error}");
    };
    timeout(PATIENCE, async {
        locked(db.begin().await.unwrap_err());
        locked(db.conn().await.unwrap().begin().await.unwrap_err());
        from_sqlx(insert().execute(&db).await.unwrap_err());
        from_sqlx(insert().fetch_optional(&db).await.unwrap_err());
        from_sqlx(db.execute("INSERT INTO t VALUES (1)").await.unwrap_err());
        let mut conn = db.conn().await.unwrap();
        from_sqlx(insert().execute(&mut *conn).await.unwrap_err());
        from_sqlx(conn.execute("BEGIN IMMEDIATE").await.unwrap_err());
        // The deadline of a request is heeded, which is long before the plan's.
        drop(conn);
        let db = database(&folder.path().join("b.db"), "2", "60s").await;
        let mut holder = other(&folder.path().join("b.db")).await;
        holder.execute("BEGIN IMMEDIATE").await.unwrap();
        let soon = || Instant::now() + 100 * MS;
        locked(within(soon(), db.begin()).await.unwrap_err());
        from_sqlx(within(soon(), insert().execute(&db)).await.unwrap_err());
        // Readers do not wait.
        let none: i64 = sqlx::query_scalar("SELECT count(*) FROM t").fetch_one(&db).await.unwrap();
        assert_eq!(none, 0);
    })
    .await
    .expect("every wait has the same end");
    holder.execute("COMMIT").await.unwrap();
    insert().execute(&db).await.unwrap();
    // A transaction of this process holds the lock.
    let tx = db.begin().await.unwrap();
    let error = db.conn().await.unwrap().begin().await.unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }), "{error}");
    from_sqlx(insert().execute(&db).await.unwrap_err());
    tx.rollback().await.unwrap();
    insert().execute(&db).await.unwrap();
    // A lock that is let go in time is waited for.
    holder.execute("BEGIN IMMEDIATE").await.unwrap();
    let (written, ()) = tokio::join!(insert().execute(&db), async {
        // Time passes: the write has met the lock by then.
        tokio::time::sleep(50 * MS).await;
        holder.execute("COMMIT").await.unwrap();
    });
    written.unwrap();
    assert_eq!(rows(&mut holder).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_was_given_up_does_not_happen_later() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.db");
    let db = database(&file, "4", "30s").await;
    let mut holder = other(&file).await;
    holder.execute("BEGIN IMMEDIATE").await.unwrap();
    let insert = || sqlx::query("INSERT INTO t VALUES (?)").bind(1);
    for _ in 0..3 {
        timeout(50 * MS, insert().execute(&db)).await.unwrap_err();
        timeout(50 * MS, db.execute("INSERT INTO t VALUES (1)")).await.unwrap_err();
        timeout(50 * MS, insert().fetch_optional(&db)).await.unwrap_err();
        let mut conn = db.conn().await.unwrap();
        timeout(50 * MS, insert().execute(&mut *conn)).await.unwrap_err();
        let begun = timeout(50 * MS, async {
            let mut tx = db.begin().await?;
            insert().execute(&mut *tx).await.map(drop).unwrap();
            tx.commit().await
        });
        begun.await.unwrap_err();
    }
    // By SQLite's own wait it happens as soon as the lock is free.
    let mut control = other(&file).await;
    timeout(50 * MS, insert().execute(&mut control)).await.unwrap_err();
    holder.execute("COMMIT").await.unwrap();
    eventually("the control writes", async || rows(&mut holder).await > 0).await;
    // All earlier waiters have had their turn.
    for _ in 0..4 {
        insert().execute(&db).await.unwrap();
    }
    assert_eq!(rows(&mut holder).await, 5);
}

/// How many connections this process has to a file: each has it open once.
fn opened(file: &Path) -> usize {
    let files = std::fs::read_dir("/proc/self/fd").unwrap();
    let links = files.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    links.filter(|link| link == file).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_is_free_when_its_thread_is_and_an_abandoned_statement_ends() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().canonicalize().unwrap().join("a.db");
    let db = database(&file, "2", "20s").await;
    for round in 0..10 {
        timeout(20 * MS, sqlx::query(LONG).fetch_one(&db)).await.unwrap_err();
        timeout(20 * MS, sqlx::raw_sql(LONG).execute(&db)).await.unwrap_err();
        let mut tx = db.begin().await.unwrap();
        sqlx::query("INSERT INTO t VALUES (1)").execute(&mut *tx).await.unwrap();
        timeout(20 * MS, sqlx::query(LONG).fetch_all(&mut *tx)).await.unwrap_err();
        drop(tx);
        // The next one gets a place, which the thread of an abandoned one has left.
        let none: i64 = sqlx::query_scalar("SELECT count(*) FROM t").fetch_one(&db).await.unwrap();
        assert_eq!(none, 0, "round {round}");
        assert!(opened(&file) <= 2, "round {round}: {} are open", opened(&file));
    }
    db.close(PATIENCE).await;
    eventually("none is open", async || opened(&file) == 0).await;
    // A connection of sqlx's that is dropped goes on to the end.
    let mut control = other(&file).await;
    // Ended after the test, or it would keep a processor busy until all tests have ended.
    let ends = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&ends);
    let goes_on = move || !flag.load(Ordering::Relaxed);
    control.lock_handle().await.unwrap().set_progress_handler(1000, goes_on);
    timeout(20 * MS, sqlx::query(LONG).fetch_one(&mut control)).await.unwrap_err();
    drop(control);
    assert_eq!(opened(&file), 1);
    ends.store(true, Ordering::Relaxed);
    eventually("the control ends", async || opened(&file) == 0).await;
}

pub(crate) async fn stored(db: &Db<Sqlite>) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM t").fetch_one(db).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_in_memory_lives_as_long_as_its_host() {
    let steps = sqlx::migrate::Migrator::with_migrations(vec![sqlx::migrate::Migration::new(
        1,
        "a step".into(),
        sqlx::migrate::MigrationType::Simple,
        sqlx::SqlStr::from_static("CREATE TABLE t (a INTEGER)"),
        false,
    )]);
    for url in [
        "sqlite::memory:",
        "sqlite://:memory:",
        "sqlite:shop?mode=memory",
        "sqlite:file::memory:?cache=shared",
    ] {
        for size in [None, Some(("DATABASE_POOL_SIZE", "8"))] {
            let mut settings = vec![("DATABASE_URL", url)];
            settings.extend(size);
            let host = host(Paradigm::LongRunning, &settings);
            let another = crate::kit::host(Paradigm::LongRunning, &settings);
            Db::<Sqlite>::migrate(&host, &steps).await.unwrap();
            let db = Db::<Sqlite>::open(&host).await.unwrap();
            db.check_schema(&steps).await.unwrap();
            assert_eq!(db.plan().size(), 1, "{url}");
            let insert = || sqlx::query("INSERT INTO t VALUES (?)").bind(1);
            insert().execute(&db).await.unwrap();
            // Each way of closing a connection.
            let mut tx = db.begin().await.unwrap();
            insert().execute(&mut *tx).await.unwrap();
            drop(tx);
            assert_eq!(stored(&db).await, 1, "{url}");
            timeout(20 * MS, sqlx::query(LONG).fetch_one(&db)).await.unwrap_err();
            assert_eq!(stored(&db).await, 1, "{url}");
            db.conn().await.unwrap().close();
            let held = db.clone();
            let panics = tokio::spawn(async move {
                let _conn = held.conn().await.unwrap();
                panic!("on purpose");
            });
            panics.await.unwrap_err();
            insert().execute(&db).await.unwrap();
            assert_eq!(stored(&db).await, 2, "{url}");
            // Opened again it is the same one; another host has one of its own.
            db.close(Duration::from_secs(5)).await;
            assert_eq!(stored(&Db::open(&host).await.unwrap()).await, 2, "{url}");
            let error = Db::<Sqlite>::open(&another).await.unwrap().check_schema(&steps).await;
            assert!(matches!(error, Err(Error::Schema(_))), "{url}: {error:?}");
        }
    }
}
