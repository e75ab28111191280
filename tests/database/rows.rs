//! Rows and errors stay with the statement that caused them.

use std::time::{Duration, Instant};

use anyhost_core::Paradigm;
use anyhost_core::db::{Db, Error};
use anyhost_tests::process::PATIENCE;
use anyhost_tests::servers::{MariaDb, Postgres};
use anyhost_tests::wait::pause;
use futures_util::TryStreamExt;
use sqlx::{Connection, MySql, MySqlConnection};
use tokio::time::timeout;

use crate::kit::{backend, long_running, open};
use crate::transactions::sqlite;

/// Its error comes with row 3,001.
const FAILS_LATE: &str =
    "SELECT 18446744073709551615 + (seq > 3000) FROM seq_1_to_1000000 /* late */";

/// Its error comes with row 101.
const FAILS_SOON: &str = "SELECT 18446744073709551615 + (seq > 100) FROM seq_1_to_1000000";

async fn mariadb(url: &str) -> Db<MySql> {
    open(Paradigm::LongRunning, url, &[("DATABASE_POOL_SIZE", "1")]).await.unwrap().1
}

async fn connection(db: &Db<MySql>) -> u64 {
    sqlx::query_scalar("SELECT CONNECTION_ID()").fetch_one(db).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb_the_rows_that_nobody_reads_are_not_the_next_borrowers() {
    let server = MariaDb::shared();
    let url = server.database();
    let db = mariadb(&url).await;
    for rows in [
        "SELECT seq FROM seq_1_to_50000000 /* unread */",
        "SELECT a.seq FROM seq_1_to_50000000 a LEFT JOIN seq_1_to_3 b ON a.seq = b.seq /* unread */",
        "SELECT seq FROM seq_1_to_50000000 /* unread */ UNION ALL SELECT 1",
    ] {
        let before = connection(&db).await;
        sqlx::query(rows).fetch_one(&db).await.unwrap();
        assert_ne!(connection(&db).await, before, "{rows}");
        // The server ends it.
        let until = Instant::now() + PATIENCE;
        let running = "SELECT COUNT(*) FROM information_schema.PROCESSLIST \
             WHERE INFO LIKE '%unread%' AND INFO NOT LIKE '%PROCESSLIST%'";
        while server.sql(running) != "0" {
            assert!(Instant::now() < until, "the server is still at work for nobody");
        }
    }
    // A short rest is read, and the connection is kept.
    let before = connection(&db).await;
    for rows in ["SELECT 1", "SELECT seq FROM seq_1_to_100", "SELECT 1 FROM dual WHERE 1 = 0"] {
        sqlx::query(rows).fetch_optional(&db).await.unwrap();
        assert_eq!(connection(&db).await, before, "{rows}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb_an_error_that_comes_late_is_not_the_next_borrowers() {
    let url = MariaDb::shared().database();
    let db = mariadb(&url).await;
    for _ in 0..5 {
        // Whether it is met in time depends on how soon the rows come.
        let _ = sqlx::query(FAILS_LATE).fetch_one(&db).await;
        let seven: i64 = sqlx::query_scalar("SELECT 7").fetch_one(&db).await.unwrap();
        assert_eq!(seven, 7);
    }
    let mut rows = sqlx::query(FAILS_LATE).fetch(&db);
    rows.try_next().await.unwrap().unwrap();
    drop(rows);
    assert_eq!(sqlx::query_scalar::<_, i64>("SELECT 8").fetch_one(&db).await.unwrap(), 8);
    // Within a transaction it is met by the statement that caused it, and the next goes on.
    let mut tx = db.begin().await.unwrap();
    for statement in [FAILS_LATE, FAILS_SOON] {
        let error = sqlx::query(statement).fetch_one(&mut *tx).await.unwrap_err();
        assert_eq!(error.as_database_error().unwrap().code().unwrap(), "22003");
        let nine: i64 = sqlx::query_scalar("SELECT 9").fetch_one(&mut *tx).await.unwrap();
        assert_eq!(nine, 9);
    }
    tx.commit().await.unwrap();
    // A bare connection returns it to the next statement.
    let mut bare = MySqlConnection::connect(&url).await.unwrap();
    sqlx::query(FAILS_LATE).fetch_one(&mut bare).await.unwrap();
    sqlx::query("SELECT 7").fetch_one(&mut bare).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_is_slow_keeps_its_rows_and_its_connection() {
    let db = long_running(&Postgres::shared().database(), 1).await;
    let before = backend(&db).await;
    {
        let mut rows = sqlx::query_scalar::<_, i32>("SELECT generate_series(1, 20)").fetch(&db);
        for number in 1..=20 {
            assert_eq!(rows.try_next().await.unwrap(), Some(number));
            if number == 3 {
                // Longer than a statement may be without an answer; the rows have all been sent.
                pause(Duration::from_millis(4500));
            }
        }
        assert_eq!(rows.try_next().await.unwrap(), None);
    }
    assert_eq!(backend(&db).await, before);
    assert_eq!(db.stats().closed.lost, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_first_row_is_wanted_is_done_as_a_whole_or_is_an_error() {
    let (_folder, db) = sqlite().await;
    let made = "CREATE TABLE p (a INTEGER PRIMARY KEY); CREATE TABLE n (a INTEGER); \
         CREATE TABLE t (a INTEGER REFERENCES p DEFERRABLE INITIALLY DEFERRED)";
    sqlx::raw_sql(made).execute(&db).await.unwrap();
    // The constraint is looked at when the statement ends.
    for text in [
        "INSERT INTO t VALUES (?) RETURNING a",
        "REPLACE INTO t VALUES (?) RETURNING a",
        "WITH x AS (SELECT ? AS a) INSERT INTO t SELECT a FROM x RETURNING a",
    ] {
        sqlx::query(text).bind(99).fetch_one(&db).await.expect_err(text);
        let mut conn = db.conn().await.unwrap();
        sqlx::query(text).bind(99).fetch_optional(&mut *conn).await.expect_err(text);
    }
    for text in
        ["SELECT 1; INSERT INTO t VALUES (99)", "SELECT 1; INSERT INTO t VALUES (99); SELECT 2"]
    {
        sqlx::raw_sql(text).fetch_one(&db).await.expect_err(text);
    }
    let count =
        async |sql: &'static str| -> i64 { sqlx::query_scalar(sql).fetch_one(&db).await.unwrap() };
    assert_eq!(count("SELECT count(*) FROM t").await, 0);
    sqlx::raw_sql("SELECT 1; INSERT INTO n VALUES (1)").fetch_one(&db).await.unwrap();
    // More rows than are read of a query of which the first is wanted.
    let many = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 5000) \
         INSERT INTO n SELECT x FROM c RETURNING a";
    sqlx::query(many).fetch_one(&db).await.unwrap();
    assert_eq!(count("SELECT count(*) FROM n").await, 5001);
    // A query need not end.
    let endless =
        "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c";
    let mut conn = db.conn().await.unwrap();
    sqlx::query(endless).fetch_one(&mut *conn).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb_a_write_whose_first_row_is_wanted_is_done_as_a_whole() {
    let db = mariadb(&MariaDb::shared().database()).await;
    let made = "CREATE TABLE t (a int); \
         CREATE PROCEDURE p() BEGIN SELECT seq FROM seq_1_to_5000; INSERT INTO t VALUES (1); END";
    sqlx::raw_sql(made).execute(&db).await.unwrap();
    for (written, text) in [
        (100_000, "INSERT INTO t SELECT seq FROM seq_1_to_100000 RETURNING a"),
        (100_001, "CALL p()"),
        (100_002, "SELECT seq FROM seq_1_to_5000; INSERT INTO t VALUES (1)"),
        (0, "DELETE FROM t RETURNING a"),
    ] {
        sqlx::raw_sql(text).fetch_one(&db).await.expect(text);
        let rows: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM t").fetch_one(&db).await.unwrap();
        assert_eq!(rows, written, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_error_of_a_statement_that_was_given_up_is_not_the_next_ones() {
    const FAILS: &str = "SELECT 1 / (5000 - g) FROM generate_series(1, 100000) g";
    let db = long_running(&Postgres::shared().database(), 1).await;
    let mut conn = db.conn().await.unwrap();
    for _ in 0..3 {
        let mut rows = sqlx::query(FAILS).fetch(&mut *conn);
        rows.try_next().await.unwrap().unwrap();
        drop(rows);
        let seven: i32 = sqlx::query_scalar("SELECT 7").fetch_one(&mut *conn).await.unwrap();
        assert_eq!(seven, 7);
    }
    drop(conn);
    // It has failed the transaction that it was in.
    let mut tx = db.begin().await.unwrap();
    let mut rows = sqlx::query(FAILS).fetch(&mut *tx);
    rows.try_next().await.unwrap().unwrap();
    drop(rows);
    tx.commit().await.unwrap_err();
    let mut conn = db.conn().await.unwrap();
    sqlx::raw_sql("BEGIN").execute(&mut *conn).await.unwrap();
    let mut rows = sqlx::query(FAILS).fetch(&mut *conn);
    rows.try_next().await.unwrap().unwrap();
    drop(rows);
    sqlx::raw_sql("COMMIT").execute(&mut *conn).await.unwrap_err();
}

/// The driver waits for ever for an answer to something that it has not sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_after_one_that_broke_the_connection_is_refused_at_once() {
    let url = MariaDb::shared().database();
    // On a host that freezes, nothing looks after statements that wait.
    let (_host, db) = open::<MySql>(Paradigm::Serverless, &url, &[]).await.unwrap();
    let mut conn = db.conn().await.unwrap();
    // A parameter too few.
    sqlx::query("SELECT ? + ?").bind(1).execute(&mut *conn).await.unwrap_err();
    let next = sqlx::query("SELECT 7").fetch_one(&mut *conn);
    timeout(PATIENCE, next).await.expect("it hangs").unwrap_err();
    drop(conn);
    let mut tx = db.begin().await.unwrap();
    sqlx::query("SELECT ? + ?").bind(1).execute(&mut *tx).await.unwrap_err();
    let error = timeout(PATIENCE, tx.rollback()).await.expect("it hangs").unwrap_err();
    assert!(matches!(error, Error::Lost { .. }), "{error:?}");
    let (_host, db) =
        open::<sqlx::Postgres>(Paradigm::Serverless, &Postgres::shared().database(), &[])
            .await
            .unwrap();
    sqlx::raw_sql("CREATE TABLE t (a int)").execute(&db).await.unwrap();
    for copies in ["COPY t FROM STDIN", "COPY t TO STDOUT"] {
        let mut tx = db.begin().await.unwrap();
        sqlx::raw_sql(copies).execute(&mut *tx).await.expect_err(copies);
        let next = sqlx::query("SELECT 7").fetch_one(&mut *tx);
        timeout(PATIENCE, next).await.expect("it hangs").expect_err(copies);
        let error = timeout(PATIENCE, tx.commit()).await.expect("it hangs").unwrap_err();
        assert!(matches!(error, Error::Lost { .. }), "{error:?}");
    }
}
