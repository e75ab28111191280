//! MySQL's rows and errors stay with the statement that caused them.

use std::time::{Duration, Instant};

use anyhost_core::Paradigm;
use anyhost_core::db::Db;
use anyhost_tests::process::PATIENCE;
use anyhost_tests::servers::{MariaDb, Postgres};
use anyhost_tests::wait::pause;
use futures_util::TryStreamExt;
use sqlx::{Connection, MySql, MySqlConnection};

use crate::kit::{backend, long_running, open};

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
