//! A statement whose answer was lost is distinguished from a slow one.

use std::time::Duration;

use anyhost_core::Paradigm;
use anyhost_core::db::Db;
use anyhost_tests::process::PATIENCE;
use anyhost_tests::servers::{MariaDb, Postgres, Proxy};
use sqlx::mysql::MySqlPoolOptions;
use sqlx::postgres::PgPoolOptions;
use tokio::time::timeout;

use crate::kit::{backend, counted, direct, long_running, open};

const SIZE: usize = 3;

/// The statements of this database that sleep.
const AT_WORK: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
     AND wait_event = 'PgSleep' AND query LIKE 'SELECT pg_sleep%'";

#[tokio::test(flavor = "multi_thread")]
async fn statements_whose_answers_are_lost_end_and_the_pool_serves_again() {
    let url = Postgres::shared().database();
    let proxy = Proxy::start(Postgres::shared().port());
    let db = long_running(&proxy.url(&url), SIZE).await;
    let mut own = direct(&url).await;
    // Every connection is busy when the network drops them; their answers are lost.
    let lost: Vec<_> = (0..SIZE).map(|_| tokio::spawn(work(db.clone(), 5))).collect();
    counted(&mut own, AT_WORK, SIZE as i64, PATIENCE).await;
    proxy.forget();
    for answer in lost {
        let answer = timeout(PATIENCE, answer).await.expect("it does not wait for ever").unwrap();
        assert!(matches!(&answer, Err(sqlx::Error::Io(_))), "{answer:?}");
    }
    timeout(PATIENCE, backend(&db)).await.expect("the pool serves");
    assert_eq!(db.stats().closed.lost, SIZE as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn control_sqlx_waits_for_answers_that_are_lost() {
    let url = Postgres::shared().database();
    let proxy = Proxy::start(Postgres::shared().port());
    let pool = PgPoolOptions::new().max_connections(1).connect(&proxy.url(&url)).await.unwrap();
    let mut own = direct(&url).await;
    let lost = tokio::spawn({
        let pool = pool.clone();
        async move { sqlx::query("SELECT pg_sleep(5)").execute(&pool).await }
    });
    counted(&mut own, AT_WORK, 1, PATIENCE).await;
    proxy.forget();
    assert!(timeout(Duration::from_secs(15), lost).await.is_err(), "it got an answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_that_take_long_are_let_alone() {
    let url = Postgres::shared().database();
    let db = long_running(&url, SIZE).await;
    // Longer than it takes until the server is asked a second time; one connection is left to ask by, then none.
    for statements in [SIZE - 1, SIZE] {
        let long: Vec<_> = (0..statements).map(|_| tokio::spawn(work(db.clone(), 6))).collect();
        for answer in long {
            answer.await.unwrap().unwrap();
        }
    }
    assert_eq!(db.stats().closed.lost, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_nobody_waits_for_is_not_asked_after() {
    let url = Postgres::shared().database();
    let proxy = Proxy::start(Postgres::shared().port());
    let db = long_running(&proxy.url(&url), 1).await;
    timeout(Duration::from_millis(50), work(db.clone(), 60)).await.unwrap_err();
    // Longer than a statement may be silent. To ask, another connection would have to be opened: none lies ready.
    let mut own = direct(&url).await;
    sqlx::query("SELECT pg_sleep(5)").execute(&mut own).await.unwrap();
    assert_eq!(proxy.accepted(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb_statements_whose_answers_are_lost_end() {
    let server = MariaDb::shared();
    let url = server.database();
    let proxy = Proxy::start(server.port());
    let (_host, db) = open::<sqlx::MySql>(
        Paradigm::LongRunning,
        &proxy.url(&url),
        &[("DATABASE_POOL_SIZE", "1")],
    )
    .await
    .unwrap();
    let own = MySqlPoolOptions::new().connect(&url).await.unwrap();
    let lost = tokio::spawn({
        let db = db.clone();
        async move { sqlx::query("SELECT SLEEP(5)").fetch_one(&db).await.map(drop) }
    });
    const AT_WORK: &str = "SELECT COUNT(*) FROM information_schema.PROCESSLIST \
         WHERE DB = DATABASE() AND INFO LIKE 'SELECT SLEEP%'";
    let at_work = async {
        while sqlx::query_scalar::<_, i64>(AT_WORK).fetch_one(&own).await.unwrap() != 1 {}
    };
    timeout(PATIENCE, at_work).await.expect("the statement is at work");
    proxy.forget();
    let answer = timeout(PATIENCE, lost).await.expect("it does not wait for ever").unwrap();
    assert!(matches!(&answer, Err(sqlx::Error::Io(_))), "{answer:?}");
    timeout(PATIENCE, sqlx::query("SELECT 1").execute(&db))
        .await
        .expect("the pool serves")
        .unwrap();
}

async fn work(db: Db<sqlx::Postgres>, seconds: u32) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_sleep($1)").bind(f64::from(seconds)).execute(&db).await.map(drop)
}
