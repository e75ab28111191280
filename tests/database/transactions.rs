//! A COMMIT that answers Ok has committed, whatever went wrong before it.

use anyhost_core::Paradigm;
use anyhost_core::db::{Db, Error};
use anyhost_tests::servers::{MariaDb, Mode, Postgres, Proxy};
use futures_util::TryStreamExt;
use sqlx::{MySql, Sqlite};

use crate::kit::{direct, long_running, open, rows, run};

const SIZE: &[(&str, &str)] = &[("DATABASE_POOL_SIZE", "3")];

async fn mariadb(server: &MariaDb) -> Db<MySql> {
    open(Paradigm::LongRunning, &server.database(), SIZE).await.unwrap().1
}

/// A database in a file, which lives as long as the folder.
pub(crate) async fn sqlite() -> (tempfile::TempDir, Db<Sqlite>) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}?mode=rwc", folder.path().join("test.db").display());
    let (_host, db) = open::<Sqlite>(Paradigm::LongRunning, &url, SIZE).await.unwrap();
    (folder, db)
}

#[tokio::test(flavor = "multi_thread")]
async fn any_error_of_a_statement_makes_commit_an_error() {
    let db = long_running(&Postgres::shared().database(), 2).await;
    sqlx::raw_sql("CREATE TABLE t (a int PRIMARY KEY)").execute(&db).await.unwrap();
    for fails in [
        "SELECT count(*) FROM t FOR UPDATE",
        "SET TRANSACTION READ ONLY; INSERT INTO t VALUES (2)",
        "SELECT 1 / 0",
        "INSERT INTO t VALUES (1)",
        "FROBNICATE",
        "DO $$ BEGIN RAISE 'made up' USING ERRCODE = '08000'; END $$",
        "DO $$ BEGIN RAISE 'made up' USING ERRCODE = '26000'; END $$",
        "DO $$ BEGIN RAISE 'made up' USING ERRCODE = '57P05'; END $$",
        "SET LOCAL statement_timeout = 1; SELECT pg_sleep(1)",
    ] {
        let mut tx = db.begin().await.unwrap();
        run!(tx, "INSERT INTO t VALUES (1)").unwrap();
        run!(tx, fails).unwrap_err();
        tx.commit().await.expect_err(fails);
        assert_eq!(rows!(db), 0, "{fails}");
        // Work that was rolled back to a savepoint is committed.
        let mut tx = db.begin().await.unwrap();
        run!(tx, "INSERT INTO t VALUES (1); SAVEPOINT s").unwrap();
        run!(tx, fails).unwrap_err();
        let committed = match run!(tx, "ROLLBACK TO s") {
            Ok(_) => tx.commit().await.is_ok(),
            Err(_) => tx.commit().await.is_ok(),
        };
        assert_eq!(rows!(db), i64::from(committed), "{fails}");
        sqlx::raw_sql("DELETE FROM t").execute(&db).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_in_plain_text_of_what_has_failed_is_an_error() {
    let db = long_running(&Postgres::shared().database(), 1).await;
    sqlx::raw_sql("CREATE TABLE t (a int)").execute(&db).await.unwrap();
    let mut conn = db.conn().await.unwrap();
    for commit in
        ["COMMIT", "end transaction", "COMMIT AND CHAIN", "/* a comment */ COMMIT; SELECT 1"]
    {
        run!(conn, "BEGIN").unwrap();
        run!(conn, "INSERT INTO t VALUES (1)").unwrap();
        run!(conn, "SELECT 1 / 0").unwrap_err();
        run!(conn, commit).expect_err(commit);
        run!(conn, "ROLLBACK").unwrap();
    }
    run!(conn, "BEGIN; INSERT INTO t VALUES (2); SAVEPOINT s").unwrap();
    run!(conn, "SELECT 1 / 0").unwrap_err();
    run!(conn, "ROLLBACK TO s").unwrap();
    sqlx::query("COMMIT").execute(&mut *conn).await.unwrap();
    // The next transaction has not failed.
    run!(conn, "BEGIN").unwrap();
    run!(conn, "COMMIT").unwrap();
    drop(conn);
    assert_eq!(rows!(db), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_plan_in_a_transaction_makes_commit_an_error() {
    let url = Postgres::shared().database();
    let db = long_running(&url, 1).await;
    let mut own = direct(&url).await;
    sqlx::raw_sql("CREATE TABLE t (a int); CREATE TABLE u (a int)").execute(&db).await.unwrap();
    sqlx::query("SELECT * FROM u").fetch_all(&db).await.unwrap();
    sqlx::raw_sql("ALTER TABLE u ADD b int").execute(&mut own).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    run!(tx, "INSERT INTO t VALUES (1)").unwrap();
    sqlx::query("SELECT * FROM u").fetch_all(&mut *tx).await.unwrap_err();
    tx.commit().await.unwrap_err();
    assert_eq!(rows!(db), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_broke_refuses_commit() {
    let url = Postgres::shared().database();
    let proxy = Proxy::start(Postgres::shared().port());
    let db = long_running(&proxy.url(&url), 1).await;
    sqlx::raw_sql("CREATE TABLE t (a int)").execute(&db).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    run!(tx, "INSERT INTO t VALUES (1)").unwrap();
    proxy.set(Mode::Reset);
    run!(tx, "INSERT INTO t VALUES (2)").unwrap_err();
    proxy.set(Mode::Pass);
    let error = tx.commit().await.unwrap_err();
    assert!(matches!(error, Error::Lost { .. }), "{error:?}");
    assert_eq!(rows!(db), 0);
}

/// A transaction that a statement has ended takes no more of them and is not committed.
macro_rules! ends_are_noticed {
    ($db:expr) => {{
        sqlx::raw_sql("CREATE TABLE t (a int)").execute(&$db).await.unwrap();
        for ends in ["ROLLBACK", "/* a comment */ rollback work", "COMMIT"] {
            let ends = if std::any::type_name_of_val(&$db).contains("Sqlite") {
                ends.trim_end_matches(" work")
            } else {
                ends
            };
            let mut tx = $db.begin().await.unwrap();
            run!(tx, "INSERT INTO t VALUES (1)").unwrap();
            run!(tx, ends).unwrap();
            // It would take effect by itself.
            run!(tx, "INSERT INTO t VALUES (2)").unwrap_err();
            let error = tx.commit().await.unwrap_err();
            assert!(matches!(error, Error::RolledBack { .. }), "{ends}: {error:?}");
        }
        assert_eq!(rows!($db), 1, "what COMMIT has committed");
        // One that is over can be given up in the ordinary way.
        let mut tx = $db.begin().await.unwrap();
        run!(tx, "ROLLBACK").unwrap();
        tx.rollback().await.unwrap();
        assert_eq!(rows!($db), 1);
    }};
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_a_statement_has_ended_is_not_committed() {
    let db = long_running(&Postgres::shared().database(), 1).await;
    ends_are_noticed!(db);
    let db = mariadb(MariaDb::shared()).await;
    ends_are_noticed!(db);
    let (_folder, db) = sqlite().await;
    ends_are_noticed!(db);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb_a_transaction_that_a_deadlock_has_ended_is_not_committed() {
    let db = mariadb(MariaDb::shared()).await;
    sqlx::raw_sql("CREATE TABLE t (a int PRIMARY KEY, b int); INSERT INTO t VALUES (1, 0), (2, 0)")
        .execute(&db)
        .await
        .unwrap();
    let (mut one, mut other) = (db.begin().await.unwrap(), db.begin().await.unwrap());
    run!(one, "INSERT INTO t VALUES (3, 0)").unwrap();
    run!(one, "UPDATE t SET b = 1 WHERE a = 1").unwrap();
    run!(other, "INSERT INTO t VALUES (4, 0)").unwrap();
    run!(other, "UPDATE t SET b = 2 WHERE a = 2").unwrap();
    let waits = tokio::spawn(async move {
        let outcome = run!(one, "UPDATE t SET b = 1 WHERE a = 2");
        (one, outcome.is_ok())
    });
    let outcome = run!(other, "UPDATE t SET b = 2 WHERE a = 1").is_ok();
    let (one, first) = waits.await.unwrap();
    assert_ne!(first, outcome, "one of them is given up");
    let (mut won, mut given_up) = if first { (one, other) } else { (other, one) };
    // It would take effect by itself: the server has rolled back what was before it.
    run!(given_up, "INSERT INTO t VALUES (5, 0)").unwrap_err();
    let error = given_up.commit().await.unwrap_err();
    assert!(matches!(error, Error::RolledBack { .. }), "{error:?}");
    run!(won, "INSERT INTO t VALUES (6, 0)").unwrap();
    won.commit().await.unwrap();
    assert_eq!(rows!(db), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb_and_sqlite_an_error_that_was_dealt_with_does_not_forbid_commit() {
    let db = mariadb(MariaDb::shared()).await;
    sqlx::raw_sql("CREATE TABLE t (a int PRIMARY KEY)").execute(&db).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    run!(tx, "INSERT INTO t VALUES (1)").unwrap();
    run!(tx, "INSERT INTO t VALUES (1)").unwrap_err();
    // An error of no known class.
    run!(tx, "SIGNAL SQLSTATE 'HY000'").unwrap_err();
    run!(tx, "SAVEPOINT s; INSERT INTO t VALUES (2)").unwrap();
    run!(tx, "INSERT INTO t VALUES (1)").unwrap_err();
    run!(tx, "ROLLBACK TO s").unwrap();
    tx.commit().await.unwrap();
    assert_eq!(rows!(db), 1);
    let (_folder, db) = sqlite().await;
    sqlx::raw_sql("CREATE TABLE t (a int PRIMARY KEY)").execute(&db).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    run!(tx, "INSERT INTO t VALUES (1)").unwrap();
    run!(tx, "INSERT INTO t VALUES (1)").unwrap_err();
    run!(tx, "SAVEPOINT s; INSERT INTO t VALUES (2)").unwrap();
    run!(tx, "FROBNICATE").unwrap_err();
    run!(tx, "ROLLBACK TO s").unwrap();
    tx.commit().await.unwrap();
    assert_eq!(rows!(db), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_a_conflict_that_rolls_back_ends_the_transaction() {
    let (_folder, db) = sqlite().await;
    sqlx::raw_sql("CREATE TABLE t (a int PRIMARY KEY)").execute(&db).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    run!(tx, "INSERT INTO t VALUES (1)").unwrap();
    run!(tx, "INSERT OR ROLLBACK INTO t VALUES (1)").unwrap_err();
    run!(tx, "INSERT INTO t VALUES (2)").unwrap_err();
    let error = tx.commit().await.unwrap_err();
    assert!(matches!(error, Error::RolledBack { .. }), "{error:?}");
    assert_eq!(rows!(db), 0);
    // The same without a statement in between.
    let mut tx = db.begin().await.unwrap();
    run!(tx, "INSERT INTO t VALUES (1)").unwrap();
    run!(tx, "INSERT OR ROLLBACK INTO t VALUES (1)").unwrap_err();
    tx.commit().await.unwrap_err();
    assert_eq!(rows!(db), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb_a_statement_that_was_given_up_makes_commit_an_error() {
    let db = mariadb(MariaDb::shared()).await;
    sqlx::raw_sql("CREATE TABLE t (a int)").execute(&db).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    run!(tx, "INSERT INTO t VALUES (1)").unwrap();
    let slow = sqlx::query("INSERT INTO t SELECT SLEEP(?)").bind(0.2);
    let _ = tokio::time::timeout(std::time::Duration::from_millis(20), slow.execute(&mut *tx))
        .await
        .unwrap_err();
    tx.commit().await.unwrap_err();
    // The next statement reads the rest of a stream of which only the first rows were read.
    let mut tx = db.begin().await.unwrap();
    run!(tx, "INSERT INTO t VALUES (1)").unwrap();
    let mut rows = sqlx::query("SELECT seq FROM seq_1_to_10000").fetch(&mut *tx);
    rows.try_next().await.unwrap().unwrap();
    drop(rows);
    tx.commit().await.unwrap();
    assert_eq!(rows!(db), 1);
}
