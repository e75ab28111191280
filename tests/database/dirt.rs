//! Unfinished work on a connection never reaches the next borrower.
//!
//! Long because each way to leave work unfinished is a test here, most of them with a control.

use std::time::Duration;

use anyhost_core::Paradigm;
use anyhost_core::db::Error;
use anyhost_tests::process::PATIENCE;
use anyhost_tests::servers::{MariaDb, Mode, Postgres, Proxy};
use futures_util::{FutureExt, TryStreamExt};
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, PgPool};
use tokio::time::timeout;

use crate::kit::{
    CLIENTS, abandon_at_work, backend, counted, direct, eventually, long_running, open,
};

const MS: Duration = Duration::from_millis(1);

/// How a connection is used here: BEGIN that is cancelled after a while, then an INSERT by the next one.
macro_rules! cancel_begins {
    ($pool:expr, $proxy:expr, $own:expr) => {{
        let mut lost = 0;
        for cancelled_after in (0..=30).step_by(3) {
            $proxy.set(Mode::Delay(5 * MS));
            let _ = timeout(cancelled_after * MS, $pool.begin()).await;
            $proxy.set(Mode::Pass);
            let key = i32::try_from(cancelled_after).unwrap();
            sqlx::query("INSERT INTO t VALUES ($1)").bind(key).execute(&$pool).await.unwrap();
            let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM t WHERE a = $1")
                .bind(key)
                .fetch_one(&mut $own)
                .await
                .unwrap();
            lost += 1 - rows;
        }
        lost
    }};
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_begin_never_swallows_the_work_of_the_next_borrower() {
    let url = Postgres::shared().database();
    let mut own = direct(&url).await;
    sqlx::raw_sql("CREATE TABLE t (a int)").execute(&mut own).await.unwrap();
    let proxy = Proxy::start(Postgres::shared().port());
    let db = long_running(&proxy.url(&url), 1).await;
    assert_eq!(cancel_begins!(db, proxy, own), 0);
    let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
         AND state = 'idle in transaction'";
    counted(&mut own, open, 0, PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn control_sqlx_swallows_work_after_a_cancelled_begin() {
    let url = Postgres::shared().database();
    let mut own = direct(&url).await;
    sqlx::raw_sql("CREATE TABLE t (a int)").execute(&mut own).await.unwrap();
    let proxy = Proxy::start(Postgres::shared().port());
    let pool = PgPoolOptions::new().max_connections(1).connect(&proxy.url(&url)).await.unwrap();
    assert!(cancel_begins!(pool, proxy, own) > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_transaction_frees_its_locks_at_once() {
    let url = Postgres::shared().database();
    let mut own = direct(&url).await;
    sqlx::raw_sql("CREATE TABLE t (a int); INSERT INTO t VALUES (1); SET lock_timeout = '60s'")
        .execute(&mut own)
        .await
        .unwrap();
    let db = long_running(&url, 1).await;
    let mut tx = db.begin().await.unwrap();
    sqlx::query("UPDATE t SET a = 2").execute(&mut *tx).await.unwrap();
    drop(tx);
    let kept: i32 =
        sqlx::query_scalar("SELECT a FROM t FOR UPDATE").fetch_one(&mut own).await.unwrap();
    assert_eq!(kept, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn control_a_transaction_of_sqlx_keeps_its_locks_until_its_connection_is_used_again() {
    let url = Postgres::shared().database();
    let (mut own, mut kept) = (direct(&url).await, direct(&url).await);
    sqlx::raw_sql("CREATE TABLE t (a int); INSERT INTO t VALUES (1); SET lock_timeout = '300ms'")
        .execute(&mut own)
        .await
        .unwrap();
    let mut tx = kept.begin().await.unwrap();
    sqlx::query("UPDATE t SET a = 2").execute(&mut *tx).await.unwrap();
    drop(tx);
    let locked = sqlx::query("SELECT a FROM t FOR UPDATE").fetch_one(&mut own).await;
    assert!(locked.unwrap_err().to_string().contains("lock timeout"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_error_of_a_cancelled_query_is_not_given_to_the_next_borrower() {
    const FAILS_LATE: &str = "SELECT 1 / (length(pg_sleep(5)::text))";
    // A statement that is only parsed is active too.
    const AT_WORK: &str = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' \
         AND datname = current_database() AND query LIKE 'SELECT 1 / %'";
    let url = Postgres::shared().database();
    let mut own = direct(&url).await;
    let db = long_running(&url, 1).await;
    abandon_at_work(&mut own, AT_WORK, sqlx::query(FAILS_LATE).execute(&db)).await;
    counted(&mut own, AT_WORK, 0, PATIENCE).await;
    let one: i32 = sqlx::query_scalar("SELECT 1").fetch_one(&db).await.unwrap();
    assert_eq!(one, 1);
    // The same on a bare connection: the next one gets the error.
    let mut bare = direct(&url).await;
    abandon_at_work(&mut own, AT_WORK, sqlx::query(FAILS_LATE).execute(&mut bare)).await;
    counted(&mut own, AT_WORK, 0, PATIENCE).await;
    let next = sqlx::query_scalar::<_, i32>("SELECT 1").fetch_one(&mut bare).await;
    assert!(next.unwrap_err().to_string().contains("division by zero"));
}

const SLEEPING: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
     AND wait_event = 'PgSleep' AND query LIKE 'SELECT pg_sleep%'";

#[tokio::test(flavor = "multi_thread")]
async fn a_query_whose_caller_has_gone_is_cancelled_on_postgresql() {
    let url = Postgres::shared().database();
    let mut own = direct(&url).await;
    let db = long_running(&url, 1).await;
    abandon_at_work(&mut own, SLEEPING, sqlx::query("SELECT pg_sleep(600)").execute(&db)).await;
    counted(&mut own, SLEEPING, 0, PATIENCE).await;
    // The control with sqlx's pool: its abandoned query still runs when ours has long ended.
    let pool = PgPool::connect(&url).await.unwrap();
    abandon_at_work(&mut own, SLEEPING, sqlx::query("SELECT pg_sleep(600)").execute(&pool)).await;
    let ours = sqlx::query("SELECT pg_sleep(600.5)").execute(&db);
    tokio::select! {
        _ = ours => panic!("the statement ended by itself"),
        () = counted(&mut own, SLEEPING, 2, PATIENCE) => {}
    }
    counted(&mut own, SLEEPING, 1, PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_whose_caller_has_gone_is_cancelled_on_mariadb() {
    let server = MariaDb::shared();
    let url = server.database();
    let (_host, db) = open::<sqlx::MySql>(Paradigm::LongRunning, &url, &[]).await.unwrap();
    let sleeping = || {
        let count = "SELECT COUNT(*) FROM information_schema.PROCESSLIST \
             WHERE INFO LIKE '%AS abandoned%' AND INFO NOT LIKE '%PROCESSLIST%'";
        server.sql(count) != "0"
    };
    tokio::select! {
        _ = sqlx::query("SELECT SLEEP(600) AS abandoned").execute(&db) => panic!("it ended"),
        () = eventually("it is at work", async || sleeping()) => {}
    }
    eventually("the server works for nobody no more", async || !sleeping()).await;
    // Nothing is open beyond the budget, and the pool serves on.
    let one: i32 = sqlx::query_scalar("SELECT 1").fetch_one(&db).await.unwrap();
    assert_eq!(one, 1);
    assert!(db.state().open <= db.plan().size());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_borrower_does_not_pay_for_rows_that_nobody_wants() {
    const ROWS: &str = "SELECT g, repeat('x', 100) FROM generate_series(1, 1000000) g";
    const MAKING: &str = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' \
         AND datname = current_database() AND query LIKE 'SELECT g, %'";
    let url = Postgres::shared().database();
    let db = long_running(&url, 1).await;
    let before = backend(&db).await;
    let mut rows = sqlx::query(ROWS).fetch(&db);
    assert!(rows.try_next().await.unwrap().is_some());
    drop(rows);
    // It is another connection: the remaining rows are not read, and the server stops producing them.
    assert_ne!(backend(&db).await, before);
    let mut own = direct(&url).await;
    counted(&mut own, MAKING, 0, PATIENCE).await;
    // The same on a bare connection, which reads on to the end.
    let mut bare = direct(&url).await;
    let same = "SELECT pg_backend_pid()";
    let before: i32 = sqlx::query_scalar(same).fetch_one(&mut bare).await.unwrap();
    let mut rows = sqlx::query(ROWS).fetch(&mut bare);
    assert!(rows.try_next().await.unwrap().is_some());
    drop(rows);
    counted(&mut own, MAKING, 1, PATIENCE).await;
    let after: i32 = sqlx::query_scalar(same).fetch_one(&mut bare).await.unwrap();
    assert_eq!(after, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commit_of_an_aborted_transaction_is_an_error() {
    let url = Postgres::shared().database();
    let db = long_running(&url, 1).await;
    let mut tx = db.begin().await.unwrap();
    sqlx::query("CREATE TABLE never (a int)").execute(&mut *tx).await.unwrap();
    sqlx::query("SELECT 1 / 0").execute(&mut *tx).await.unwrap_err();
    let error = tx.commit().await.unwrap_err();
    assert!(matches!(error, Error::Query(_)), "{error:?}");
    // Work that was rolled back to a savepoint can be committed.
    let mut tx = db.begin().await.unwrap();
    sqlx::raw_sql("CREATE TABLE saved (a int); SAVEPOINT s").execute(&mut *tx).await.unwrap();
    sqlx::query("SELECT 1 / 0").execute(&mut *tx).await.unwrap_err();
    sqlx::raw_sql("ROLLBACK TO SAVEPOINT s").execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    sqlx::query("SELECT * FROM saved").execute(&db).await.unwrap();
    // sqlx says that it has worked.
    let mut bare = direct(&url).await;
    let mut tx = bare.begin().await.unwrap();
    sqlx::query("SELECT 1 / 0").execute(&mut *tx).await.unwrap_err();
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deferred_constraint_that_does_not_hold_is_an_error_of_commit() {
    let db = long_running(&Postgres::shared().database(), 1).await;
    sqlx::raw_sql(
        "CREATE TABLE p (a int PRIMARY KEY); \
         CREATE TABLE c (a int REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
    )
    .execute(&db)
    .await
    .unwrap();
    let mut tx = db.begin().await.unwrap();
    sqlx::query("INSERT INTO c VALUES (1)").execute(&mut *tx).await.unwrap();
    let error = tx.commit().await.unwrap_err();
    assert!(matches!(error, Error::Query(_)), "{error:?}");
    assert_eq!(sqlx::query("SELECT * FROM c").fetch_all(&db).await.unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_while_a_connection_is_held_closes_it_and_frees_its_place() {
    let url = Postgres::shared().database();
    let db = long_running(&url, 1).await;
    let before = backend(&db).await;
    for _ in 0..5 {
        let panicked = tokio::spawn({
            let db = db.clone();
            async move {
                let mut tx = db.begin().await.unwrap();
                sqlx::query("SELECT 1").execute(&mut *tx).await.unwrap();
                std::panic::resume_unwind(Box::new("as a handler of an App would"));
            }
        });
        assert!(panicked.await.unwrap_err().is_panic());
    }
    assert_eq!(db.state().in_use, 0);
    assert_ne!(backend(&db).await, before);
    let mut own = direct(&url).await;
    counted(&mut own, CLIENTS, 1, PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_changed_is_not_handed_on() {
    let db = long_running(&Postgres::shared().database(), 1).await;
    for change in [
        "SET search_path = elsewhere",
        "BEGIN",
        "CREATE TEMP TABLE mine (a int)",
        "LISTEN news",
        "PREPARE mine AS SELECT 1",
        "SELECT pg_advisory_lock(1)",
        "SELECT PG_TRY_ADVISORY_LOCK_SHARED(2)",
        "SELECT set_config('search_path', 'elsewhere', false)",
        "/* a tool's name */ SET search_path = elsewhere",
        "CREATE LOCAL TEMP TABLE mine (a int)",
        "BEGIN; SELECT 1; COMMIT AND CHAIN",
    ] {
        let before = backend(&db).await;
        sqlx::raw_sql(change).execute(&db).await.unwrap();
        assert_ne!(backend(&db).await, before, "{change}");
    }
    let before = backend(&db).await;
    sqlx::raw_sql("BEGIN; SET LOCAL search_path = elsewhere; COMMIT").execute(&db).await.unwrap();
    assert_eq!(backend(&db).await, before, "a whole transaction leaves nothing behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_that_fails_frees_its_place() {
    let url = Postgres::shared().database();
    let proxy = Proxy::start(Postgres::shared().port());
    let db = long_running(&proxy.url(&url), 2).await;
    for _ in 0..50 {
        let mut tx = db.begin().await.unwrap();
        sqlx::query("SELECT 1").execute(&mut *tx).await.unwrap();
        proxy.set(Mode::Reset);
        tx.rollback().await.unwrap_err();
        proxy.set(Mode::Pass);
    }
    assert_eq!(db.state().in_use, 0);
    backend(&db).await;
}

#[test]
fn a_connection_that_is_dropped_outside_of_every_runtime_does_no_harm() {
    let url = Postgres::shared().database();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let db = runtime.block_on(long_running(&url, 2));
    let conn = runtime.block_on(db.conn()).unwrap();
    let tx = runtime.block_on(db.begin()).unwrap();
    std::thread::spawn(move || drop(tx)).join().unwrap();
    runtime.block_on(async {
        let mut rows = sqlx::query("SELECT generate_series(1, 10)").fetch(&db);
        // Polled once, it is under way; its end is a drop.
        rows.try_next().now_or_never();
    });
    drop(runtime);
    drop(conn);
    drop(db);
}
