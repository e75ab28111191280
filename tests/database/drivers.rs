//! The same strategy on MariaDB and on SQLite, if the rule applies there.

use std::time::{Duration, Instant};

use anyhost_core::Paradigm;
use anyhost_core::adapter::within;
use anyhost_core::db::{Db, Error};
use anyhost_tests::process::PATIENCE;
use anyhost_tests::servers::{MariaDb, Mode, Proxy};
use sqlx::{MySql, Sqlite};
use tokio::time::timeout;

use crate::kit::{eventually, open, undisturbed};

const MS: Duration = Duration::from_millis(1);

async fn mariadb(url: &str, size: &str) -> Db<MySql> {
    open(Paradigm::LongRunning, url, &[("DATABASE_POOL_SIZE", size)]).await.unwrap().1
}

async fn connection(db: &Db<MySql>) -> u64 {
    sqlx::query_scalar("SELECT CONNECTION_ID()").fetch_one(db).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb_a_cancelled_begin_or_query_is_not_handed_on() {
    let server = MariaDb::shared();
    let url = server.database();
    let proxy = Proxy::start(server.port());
    let db = mariadb(&proxy.url(&url), "1").await;
    sqlx::raw_sql("CREATE TABLE t (a int)").execute(&db).await.unwrap();
    for cancelled_after in (0..=30u32).step_by(5) {
        proxy.set(Mode::Delay(5 * MS));
        let _ = timeout(cancelled_after * MS, db.begin()).await;
        proxy.set(Mode::Pass);
        sqlx::query("INSERT INTO t VALUES (?)").bind(cancelled_after).execute(&db).await.unwrap();
        let name = url.rsplit_once('/').unwrap().1;
        let rows =
            server.sql(&format!("SELECT COUNT(*) FROM {name}.t WHERE a = {cancelled_after}"));
        assert_eq!(rows, "1", "cancelled after {cancelled_after} ms");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb_a_dropped_transaction_frees_its_locks_at_once() {
    let server = MariaDb::shared();
    let url = server.database();
    let db = mariadb(&url, "2").await;
    sqlx::raw_sql("CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (1)")
        .execute(&db)
        .await
        .unwrap();
    let mut tx = db.begin().await.unwrap();
    sqlx::query("UPDATE t SET a = 2").execute(&mut *tx).await.unwrap();
    drop(tx);
    let mut next = db.begin().await.unwrap();
    let freed = timeout(
        PATIENCE,
        sqlx::query_scalar::<_, i32>("SELECT a FROM t FOR UPDATE").fetch_one(&mut *next),
    );
    assert_eq!(freed.await.unwrap().unwrap(), 1);
    next.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb_a_connection_that_was_killed_while_idle_costs_no_error() {
    let server = MariaDb::shared();
    let db = mariadb(&server.database(), "1").await;
    let before = connection(&db).await;
    tokio::time::sleep(db.plan().validation_interval() + 50 * MS).await;
    server.sql(&format!("KILL {before}"));
    assert_ne!(connection(&db).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb_a_ping_that_was_cancelled_answers_nobodys_question() {
    let server = MariaDb::shared();
    let proxy = Proxy::start(server.port());
    let db = mariadb(&proxy.url(&server.database()), "1").await;
    for _ in 0..5 {
        tokio::time::sleep(db.plan().validation_interval() + 20 * MS).await;
        proxy.set(Mode::Delay(20 * MS));
        let _ = timeout(10 * MS, db.conn()).await;
        let _ = within(Instant::now() + 10 * MS, db.conn()).await;
        proxy.set(Mode::Pass);
        let two: i32 = sqlx::query_scalar("SELECT 2").fetch_one(&db).await.unwrap();
        assert_eq!(two, 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb_a_server_that_takes_no_writes_is_read() {
    let server = MariaDb::start(&[]);
    let url = server.database();
    let db = mariadb(&url, "2").await;
    sqlx::raw_sql("CREATE TABLE t (a int)").execute(&db).await.unwrap();
    let before = connection(&db).await;
    server.sql("SET GLOBAL read_only = 1");
    let fresh = mariadb(&url, "1").await;
    for db in [&db, &fresh] {
        for _ in 0..3 {
            let error = sqlx::query("INSERT INTO t VALUES (1)").execute(db).await.unwrap_err();
            assert!(error.to_string().contains("1290"), "{error}");
            sqlx::query("SELECT * FROM t").fetch_all(db).await.unwrap();
        }
    }
    server.sql("SET GLOBAL read_only = 0");
    sqlx::query("INSERT INTO t VALUES (1)").execute(&db).await.unwrap();
    assert_eq!(connection(&db).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_sixteen_writers_take_turns_and_readers_are_not_held_up() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}?mode=rwc", folder.path().join("test.db").display());
    let settings = [("DATABASE_POOL_SIZE", "20"), ("DATABASE_ACQUIRE_TIMEOUT", "60s")];
    let (_host, db) = open::<Sqlite>(Paradigm::LongRunning, &url, &settings).await.unwrap();
    sqlx::raw_sql("CREATE TABLE t (a INTEGER)").execute(&db).await.unwrap();
    let writers: Vec<_> = (0..16)
        .map(|writer| {
            let db = db.clone();
            tokio::spawn(async move {
                for _ in 0..25 {
                    let mut tx = db.begin().await.unwrap();
                    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM t")
                        .fetch_one(&mut *tx)
                        .await
                        .unwrap();
                    sqlx::query("INSERT INTO t VALUES (?)")
                        .bind(count * 100 + writer)
                        .execute(&mut *tx)
                        .await
                        .unwrap();
                    tx.commit().await.unwrap();
                    // A statement outside a transaction waits for the lock as well.
                    sqlx::query("UPDATE t SET a = a WHERE a = -1").execute(&db).await.unwrap();
                }
            })
        })
        .collect();
    let count = || sqlx::query_scalar::<_, i64>("SELECT count(*) FROM t").fetch_one(&db);
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        count().await.unwrap();
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(count().await.unwrap(), 16 * 25);
    // A reader ends while a writer is in the middle, and sees what was there before it.
    let mut tx = db.begin().await.unwrap();
    sqlx::query("INSERT INTO t VALUES (-1)").execute(&mut *tx).await.unwrap();
    assert_eq!(timeout(PATIENCE, count()).await.unwrap().unwrap(), 16 * 25);
    tx.rollback().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb_a_session_that_was_changed_is_not_handed_on() {
    let db = mariadb(&MariaDb::shared().database(), "1").await;
    for change in [
        "SET @tenant = 1",
        "/* a tool's name */ SET time_zone = '+01:00'",
        "BEGIN",
        "CREATE TEMPORARY TABLE mine (a int)",
        "SELECT 1, get_lock('mine', 0)",
        "USE information_schema",
    ] {
        let before = connection(&db).await;
        sqlx::raw_sql(change).execute(&db).await.unwrap();
        assert_ne!(connection(&db).await, before, "{change}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb_a_warm_checkout_costs_no_round_trip_and_an_idle_one_a_ping() {
    let server = MariaDb::shared();
    let proxy = Proxy::start(server.port());
    let db = mariadb(&proxy.url(&server.database()), "1").await;
    let twenty = undisturbed(db.plan().validation_interval(), async || {
        connection(&db).await;
        let before = proxy.round_trips();
        for _ in 0..20 {
            connection(&db).await;
        }
        proxy.round_trips() - before
    });
    assert_eq!(twenty.await, 20);
    tokio::time::sleep(db.plan().validation_interval() + 50 * MS).await;
    let before = proxy.round_trips();
    connection(&db).await;
    assert_eq!(proxy.round_trips() - before, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb_a_crash_is_refused_in_time_and_recovered_from() {
    let server = std::sync::Arc::new(MariaDb::start(&[]));
    let db = mariadb(&server.database(), "2").await;
    connection(&db).await;
    let on_thread = async |act: fn(&MariaDb)| {
        let server = std::sync::Arc::clone(&server);
        tokio::task::spawn_blocking(move || act(&server)).await.unwrap();
    };
    on_thread(MariaDb::crash).await;
    timeout(PATIENCE, sqlx::query("SELECT 1").execute(&db)).await.unwrap().unwrap_err();
    on_thread(MariaDb::restart).await;
    eventually("it recovers", async || sqlx::query("SELECT 1").execute(&db).await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_a_dropped_or_cancelled_transaction_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}?mode=rwc", folder.path().join("test.db").display());
    let settings = [("DATABASE_POOL_SIZE", "1"), ("DATABASE_ACQUIRE_TIMEOUT", "2s")];
    let (_host, db) = open::<Sqlite>(Paradigm::LongRunning, &url, &settings).await.unwrap();
    sqlx::raw_sql("CREATE TABLE t (a INTEGER)").execute(&db).await.unwrap();
    let insert = |number: i64| sqlx::query("INSERT INTO t VALUES (?)").bind(number);
    for number in 0_i64..20 {
        let mut tx = db.begin().await.unwrap();
        insert(-1).execute(&mut *tx).await.unwrap();
        drop(tx);
        let _ = timeout(Duration::from_micros(20 * number.unsigned_abs()), db.begin()).await;
        insert(number).execute(&db).await.unwrap();
    }
    // The row is visible to another connection.
    let (_host, other) = open::<Sqlite>(Paradigm::LongRunning, &url, &settings).await.unwrap();
    let rows: Vec<i64> =
        sqlx::query_scalar("SELECT a FROM t ORDER BY a").fetch_all(&other).await.unwrap();
    assert_eq!(rows, (0..20).collect::<Vec<i64>>());
    let drained = db.close(PATIENCE).await;
    assert_eq!(drained.aborted, 0, "{drained}");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_a_transaction_inside_another_is_an_error_and_not_a_deadlock() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}?mode=rwc", folder.path().join("test.db").display());
    let settings = [("DATABASE_POOL_SIZE", "3"), ("DATABASE_ACQUIRE_TIMEOUT", "300ms")];
    let (_host, db) = open::<Sqlite>(Paradigm::LongRunning, &url, &settings).await.unwrap();
    let outer = db.begin().await.unwrap();
    let line = line!() - 1;
    let error = timeout(PATIENCE, db.begin()).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }), "{error}");
    assert!(error.to_string().contains(&format!("drivers.rs:{line}")), "{error}");
    let soon = Instant::now() + 50 * MS;
    let error = timeout(PATIENCE, within(soon, db.begin())).await.unwrap();
    assert!(matches!(error, Err(Error::Deadline { .. })), "{error:?}");
    assert_eq!(db.stats().timeouts, 2);
    // A caller that waits to write gets an error when the pool closes.
    let waiting = tokio::spawn({
        let db = db.clone();
        async move { db.begin().await.map(drop) }
    });
    while db.stats().waiting_to_write == 0 {
        tokio::task::yield_now().await;
    }
    // No connection would help: two of three could be opened.
    let stats = db.stats();
    assert_eq!((stats.waiting, stats.waiting_to_write, stats.open), (0, 1, 1), "{stats:?}");
    let closing = tokio::spawn({
        let db = db.clone();
        async move { db.close(PATIENCE).await }
    });
    assert!(matches!(waiting.await.unwrap(), Err(Error::Closed)));
    outer.rollback().await.unwrap();
    assert_eq!(closing.await.unwrap().aborted, 0);
}

/// A file of statements is run as a whole; each of them may meet the lock.
#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_each_of_several_statements_waits_for_the_lock() {
    let (folder, db) = crate::transactions::sqlite().await;
    let url = format!("sqlite:{}", folder.path().join("test.db").display());
    let (_host, other) = open::<sqlx::Sqlite>(Paradigm::LongRunning, &url, &[]).await.unwrap();
    let made = "CREATE TABLE t (a INTEGER); \
         CREATE TEMP TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; SELECT 2; END; INSERT INTO t VALUES (0)";
    sqlx::raw_sql(made).execute(&db).await.unwrap();
    for text in [
        "BEGIN; INSERT INTO t VALUES (1); COMMIT",
        "SELECT 1; INSERT INTO t VALUES (2)",
        "SELECT 1; INSERT INTO t VALUES ('a;b') RETURNING a",
        "INSERT INTO t VALUES ('a;b') RETURNING a",
    ] {
        let holder = other.begin().await.unwrap();
        let (one, other) = (db.clone(), db.clone());
        let written =
            tokio::spawn(async move { sqlx::raw_sql(text).fetch_optional(&one).await.map(drop) });
        let executed =
            tokio::spawn(async move { sqlx::raw_sql(text).execute(&other).await.map(drop) });
        while db.state().in_use < 2 {
            assert!(!(written.is_finished() || executed.is_finished()), "{text}: it did not wait");
            tokio::task::yield_now().await;
        }
        // Time passes: both have met the lock by then.
        tokio::time::sleep(20 * MS).await;
        holder.rollback().await.unwrap();
        written.await.unwrap().expect(text);
        executed.await.unwrap().expect(text);
    }
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM t").fetch_one(&db).await.unwrap();
    assert_eq!(rows, 9);
}
