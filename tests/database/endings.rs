//! A transaction that ends otherwise than by its own COMMIT: nothing answers Ok for what did not happen.

use std::time::Duration;

use anyhost_core::Paradigm;
use anyhost_core::db::{Db, Error};
use anyhost_tests::servers::{MariaDb, Mode, PgBouncer, Postgres, Proxy};
use futures_util::FutureExt;
use sqlx::MySql;

use crate::kit::{long_running, open, rows, run};

async fn mariadb() -> Db<MySql> {
    let settings = [("DATABASE_POOL_SIZE", "2")];
    open(Paradigm::LongRunning, &MariaDb::shared().database(), &settings).await.unwrap().1
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_to_make_a_failed_transaction_permanent_is_an_error() {
    let server = Postgres::start(&["max_prepared_transactions=5"]);
    let db = long_running(&server.database(), 2).await;
    sqlx::raw_sql("CREATE TABLE t (a int)").execute(&db).await.unwrap();
    for ends in ["COMMIT", "end; SELECT 1", "COMMIT AND CHAIN", "PREPARE TRANSACTION 'a'"] {
        let mut tx = db.begin().await.unwrap();
        run!(tx, "INSERT INTO t VALUES (1)").unwrap();
        run!(tx, "SELECT 1 / 0").unwrap_err();
        run!(tx, ends).expect_err(ends);
        sqlx::query(ends.split(';').next().unwrap()).execute(&mut *tx).await.expect_err(ends);
        tx.commit().await.expect_err(ends);
        let mut conn = db.conn().await.unwrap();
        run!(conn, "BEGIN; INSERT INTO t VALUES (1)").unwrap();
        run!(conn, "SELECT 1 / 0").unwrap_err();
        run!(conn, ends).expect_err(ends);
    }
    assert_eq!(rows!(db), 0);
    // What is well again by a savepoint is made permanent.
    for (kept, ends) in [(1, "COMMIT"), (1, "PREPARE TRANSACTION 'a'"), (2, "COMMIT PREPARED 'a'")]
    {
        if ends == "COMMIT PREPARED 'a'" {
            sqlx::raw_sql(ends).execute(&db).await.unwrap();
        } else {
            let mut tx = db.begin().await.unwrap();
            run!(tx, "INSERT INTO t VALUES (1); SAVEPOINT s").unwrap();
            run!(tx, "SELECT 1 / 0").unwrap_err();
            run!(tx, "ROLLBACK TO s").unwrap();
            run!(tx, ends).expect(ends);
        }
        assert_eq!(rows!(db), kept, "{ends}");
    }
}

/// A file with statements often has a BEGIN and a COMMIT of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_text_with_its_own_transaction_ends_the_one_around_it() {
    macro_rules! ends {
        ($db:expr, $kept:expr) => {{
            sqlx::raw_sql("CREATE TABLE t (a int)").execute(&$db).await.unwrap();
            for (text, kept) in ["BEGIN; INSERT INTO t VALUES (2); COMMIT", "BEGIN; COMMIT; BEGIN"]
                .into_iter()
                .zip($kept)
            {
                let mut tx = $db.begin().await.unwrap();
                run!(tx, "INSERT INTO t VALUES (1)").unwrap();
                run!(tx, text).unwrap();
                // It would take effect by itself.
                run!(tx, "INSERT INTO t VALUES (3)").expect_err(text);
                let error = tx.commit().await.unwrap_err();
                assert!(matches!(error, Error::RolledBack { .. }), "{text}: {error:?}");
                assert_eq!(rows!($db), kept, "{text}");
            }
        }};
    }
    let db = long_running(&Postgres::shared().database(), 2).await;
    ends!(db, [2, 3]);
    let db = mariadb().await;
    ends!(db, [2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb_a_statement_that_commits_by_itself_ends_the_transaction() {
    let db = mariadb().await;
    let made =
        "CREATE TABLE t (a int); CREATE TABLE u (a int); CREATE PROCEDURE p() BEGIN COMMIT; END";
    sqlx::raw_sql(made).execute(&db).await.unwrap();
    for (kept, commits) in [
        "CREATE TABLE v (a int)",
        "create or replace view w as select 1",
        "ALTER TABLE u ADD b int",
        "TRUNCATE u",
        "RENAME TABLE u TO x",
        "DROP TABLE x",
        "START TRANSACTION",
        "LOCK TABLES t WRITE",
        "CALL p()",
        "OPTIMIZE TABLE v",
        // It fails, and has committed by then.
        "CREATE TABLE t (a int)",
    ]
    .into_iter()
    .enumerate()
    {
        let mut tx = db.begin().await.unwrap();
        run!(tx, "INSERT INTO t VALUES (1)").unwrap();
        let _ = run!(tx, commits);
        run!(tx, "INSERT INTO t VALUES (2)").expect_err(commits);
        let error = tx.commit().await.unwrap_err();
        assert!(matches!(error, Error::RolledBack { .. }), "{commits}: {error:?}");
        assert_eq!(rows!(db), i64::try_from(kept).unwrap() + 1, "{commits}");
    }
    // What does not commit.
    for (more, goes_on) in [
        "CREATE TEMPORARY TABLE mine (a int)",
        "CREATE TEMPORARY TABLE mine (a int); DROP TEMPORARY TABLE mine",
        "SET @who = 1",
    ]
    .into_iter()
    .enumerate()
    {
        let mut tx = db.begin().await.unwrap();
        run!(tx, goes_on).expect(goes_on);
        run!(tx, "INSERT INTO t VALUES (3)").expect(goes_on);
        tx.commit().await.expect(goes_on);
        assert_eq!(rows!(db), 12 + i64::try_from(more).unwrap(), "{goes_on}");
    }
}

/// If a pooler remembers no statements, each is in a transaction of its own; one that begins or ends a transaction
/// must not be.
#[tokio::test(flavor = "multi_thread")]
async fn behind_a_pooler_a_transaction_in_plain_text_is_one() {
    let server = Postgres::start(&[]);
    let bouncer = PgBouncer::start(&server, 2);
    let url = bouncer.url(&server.database());
    let settings = [("DATABASE_POOLER", "pgbouncer"), ("DATABASE_POOL_SIZE", "2")];
    let (_host, db) = open::<sqlx::Postgres>(Paradigm::LongRunning, &url, &settings).await.unwrap();
    let made = "CREATE TABLE t (a int); CREATE PROCEDURE p() LANGUAGE plpgsql AS \
         $$ BEGIN INSERT INTO t VALUES (7); COMMIT; ROLLBACK; END $$";
    sqlx::raw_sql(made).execute(&db).await.unwrap();
    let mut conn = db.conn().await.unwrap();
    for (ends, rows) in [("ROLLBACK", 0), ("COMMIT", 1), ("rollback;", 1), ("END", 2)] {
        sqlx::query("BEGIN").execute(&mut *conn).await.unwrap();
        let insert = sqlx::query("INSERT INTO t VALUES ($1)").bind(1);
        insert.execute(&mut *conn).await.unwrap();
        sqlx::query(ends).fetch_optional(&mut *conn).await.unwrap();
        assert_eq!(rows!(db), rows, "{ends}");
    }
    for outside in ["VACUUM t", "CREATE INDEX CONCURRENTLY ON t (a)", "CALL p()"] {
        sqlx::query(outside).execute(&mut *conn).await.expect(outside);
    }
    assert_eq!(rows!(db), 3);
    // Several statements are for raw_sql.
    sqlx::query("DELETE FROM t; DELETE FROM t").execute(&mut *conn).await.unwrap_err();
    assert_eq!(rows!(db), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_savepoint_that_is_given_up_while_it_is_set_fails_its_transaction() {
    let url = Postgres::shared().database();
    let proxy = Proxy::start(Postgres::shared().port());
    let db = long_running(&proxy.url(&url), 2).await;
    sqlx::raw_sql("CREATE TABLE t (a int)").execute(&db).await.unwrap();
    let slow = || proxy.set(Mode::Delay(Duration::from_millis(20)));
    // sqlx rolls the whole transaction back, and what follows would take effect by itself.
    for commits in [false, true] {
        let mut tx = db.begin().await.unwrap();
        run!(tx, "INSERT INTO t VALUES (1)").unwrap();
        slow();
        assert!(tx.savepoint().now_or_never().is_none());
        proxy.set(Mode::Pass);
        run!(tx, "INSERT INTO t VALUES (2)").unwrap_err();
        if commits {
            tx.commit().await.unwrap_err();
        } else {
            tx.rollback().await.unwrap();
        }
        assert_eq!(rows!(db), 0);
    }
    // The release of one around it would be COMMIT.
    for releases in [false, true] {
        let mut tx = db.begin().await.unwrap();
        run!(tx, "INSERT INTO t VALUES (1)").unwrap();
        let mut savepoint = tx.savepoint().await.unwrap();
        slow();
        assert!(savepoint.savepoint().now_or_never().is_none());
        proxy.set(Mode::Pass);
        if releases {
            savepoint.release().await.unwrap_err();
        } else {
            savepoint.rollback().await.unwrap();
        }
        tx.commit().await.unwrap_err();
        assert_eq!(rows!(db), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_begin_or_an_end_that_was_given_up_nothing_is_sent() {
    macro_rules! given_up {
        ($db:expr) => {{
            sqlx::raw_sql("CREATE TABLE t (a int)").execute(&$db).await.unwrap();
            for text in ["BEGIN", "COMMIT", "ROLLBACK; BEGIN"] {
                let mut conn = $db.conn().await.unwrap();
                run!(conn, if text == "BEGIN" { "SELECT 1" } else { "BEGIN" }).unwrap();
                assert!(sqlx::raw_sql(text).execute(&mut *conn).now_or_never().is_none());
                // It would be lost with the connection, or take effect by itself.
                run!(conn, "INSERT INTO t VALUES (1)").expect_err(text);
            }
            assert_eq!(rows!($db), 0);
        }};
    }
    let url = Postgres::shared().database();
    let proxy = Proxy::start(Postgres::shared().port());
    proxy.set(Mode::Delay(Duration::from_millis(5)));
    let db = long_running(&proxy.url(&url), 2).await;
    given_up!(db);
    let url = MariaDb::shared().database();
    let proxy = Proxy::start(MariaDb::shared().port());
    proxy.set(Mode::Delay(Duration::from_millis(5)));
    let settings = [("DATABASE_POOL_SIZE", "2")];
    let (_host, db) =
        open::<MySql>(Paradigm::LongRunning, &proxy.url(&url), &settings).await.unwrap();
    given_up!(db);
}

/// The server goes on without the transaction; what follows would take effect by itself, and COMMIT of MySQL be Ok.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_in_plain_text_that_the_server_has_rolled_back_takes_no_more_statements() {
    let db = mariadb().await;
    let made = "CREATE TABLE t (a int PRIMARY KEY, b int); INSERT INTO t VALUES (1, 0), (2, 0)";
    sqlx::raw_sql(made).execute(&db).await.unwrap();
    let (mut one, mut other) = (db.conn().await.unwrap(), db.conn().await.unwrap());
    run!(one, "BEGIN; INSERT INTO t VALUES (3, 0); UPDATE t SET b = 1 WHERE a = 1").unwrap();
    run!(other, "BEGIN; INSERT INTO t VALUES (4, 0); UPDATE t SET b = 2 WHERE a = 2").unwrap();
    let waits = tokio::spawn(async move {
        let outcome = run!(one, "UPDATE t SET b = 1 WHERE a = 2").is_ok();
        (one, outcome)
    });
    let second = run!(other, "UPDATE t SET b = 2 WHERE a = 1").is_ok();
    let (one, first) = waits.await.unwrap();
    assert_ne!(first, second, "one of them is given up");
    let (mut won, mut given_up) = if first { (one, other) } else { (other, one) };
    for text in ["INSERT INTO t VALUES (5, 0)", "COMMIT", "INSERT INTO t VALUES (6, 0)"] {
        run!(given_up, text).expect_err(text);
    }
    run!(given_up, "ROLLBACK").unwrap();
    run!(given_up, "BEGIN; INSERT INTO t VALUES (7, 0)").unwrap();
    // An error that was dealt with.
    run!(given_up, "SIGNAL SQLSTATE 'HY000'").unwrap_err();
    run!(given_up, "COMMIT").unwrap();
    run!(won, "COMMIT").unwrap();
    drop((won, given_up));
    assert_eq!(rows!(db), 4);
    let (_folder, db) = crate::transactions::sqlite().await;
    sqlx::raw_sql("CREATE TABLE t (a INTEGER PRIMARY KEY)").execute(&db).await.unwrap();
    let mut conn = db.conn().await.unwrap();
    run!(conn, "BEGIN; INSERT INTO t VALUES (1)").unwrap();
    run!(conn, "INSERT OR ROLLBACK INTO t VALUES (1)").unwrap_err();
    for text in ["INSERT INTO t VALUES (2)", "COMMIT", "INSERT INTO t VALUES (3)"] {
        run!(conn, text).expect_err(text);
    }
    run!(conn, "BEGIN; INSERT INTO t VALUES (4)").unwrap();
    run!(conn, "INSERT INTO t VALUES (4)").unwrap_err();
    run!(conn, "COMMIT").unwrap();
    drop(conn);
    assert_eq!(rows!(db), 1);
}
