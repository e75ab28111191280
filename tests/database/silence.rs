//! Networks that drop what is sent, and servers that are slow to accept a login.

use std::time::{Duration, Instant};

use anyhost_core::Paradigm;
use anyhost_core::db::Error;
use anyhost_tests::process::PATIENCE;
use anyhost_tests::servers::{MariaDb, Mode, Postgres, Proxy};
use sqlx::postgres::PgPoolOptions;
use tokio::time::timeout;

use crate::kit::{backend, direct, eventually, long_running, open, ordinary};

const MS: Duration = Duration::from_millis(1);

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_fall_silent_while_held_give_their_places_back() {
    let url = Postgres::shared().database();
    let proxy = Proxy::start(Postgres::shared().port());
    let db = long_running(&proxy.url(&url), 3).await;
    let mut held = futures_util::future::join_all((0..3).map(|_| db.conn())).await;
    proxy.set(Mode::Blackhole);
    for conn in &mut held {
        let conn = conn.as_mut().unwrap();
        timeout(50 * MS, sqlx::query("SELECT 1").execute(&mut **conn)).await.unwrap_err();
    }
    drop(held);
    proxy.set(Mode::Pass);
    let again = futures_util::future::join_all((0..3).map(|_| db.conn())).await;
    assert!(again.iter().all(Result::is_ok), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb_connections_that_fall_silent_while_held_give_their_places_back() {
    let server = MariaDb::shared();
    let proxy = Proxy::start(server.port());
    let settings = [("DATABASE_POOL_SIZE", "2")];
    let url = proxy.url(&server.database());
    let (_host, db) = open::<sqlx::MySql>(Paradigm::LongRunning, &url, &settings).await.unwrap();
    let mut held = futures_util::future::join_all((0..2).map(|_| db.conn())).await;
    proxy.set(Mode::Blackhole);
    for conn in &mut held {
        let conn = conn.as_mut().unwrap();
        timeout(50 * MS, sqlx::query("SELECT 1").execute(&mut **conn)).await.unwrap_err();
    }
    drop(held);
    proxy.set(Mode::Pass);
    let again = futures_util::future::join_all((0..2).map(|_| db.conn())).await;
    assert!(again.iter().all(Result::is_ok), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_the_network_swallowed_costs_its_caller_alone() {
    let url = Postgres::shared().database();
    let proxy = Proxy::start(Postgres::shared().port());
    let db = long_running(&proxy.url(&url), 1).await;
    for _ in 0..3 {
        backend(&db).await;
        let lost = tokio::spawn({
            let db = db.clone();
            async move {
                let statement = sqlx::query("SELECT pg_sleep(5)").execute(&db);
                timeout(400 * MS, statement).await.map(drop)
            }
        });
        while db.state().in_use == 0 {
            tokio::task::yield_now().await;
        }
        let accepted = proxy.accepted();
        proxy.forget();
        lost.await.unwrap().unwrap_err();
        // The next caller is served by a new connection, and later callers do not wait.
        let next = backend(&db).await;
        assert_eq!(backend(&db).await, next);
        assert_eq!(proxy.accepted() - accepted, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_in_a_hurry_do_not_make_a_slow_server_open_more_and_more() {
    let url = Postgres::shared().database();
    let proxy = Proxy::start(Postgres::shared().port());
    let slow = proxy.url(&url);
    let db = long_running(&slow, 10).await;
    proxy.set(Mode::Delay(20 * MS));
    let before = proxy.accepted();
    let mut served = 0;
    let until = Instant::now() + PATIENCE;
    for waves in 1.. {
        let wave = (0..50).map(|_| timeout(50 * MS, db.conn()));
        let wave = futures_util::future::join_all(wave).await;
        served += wave.iter().filter(|conn| matches!(conn, Ok(Ok(_)))).count();
        if waves >= 10 && served > 0 {
            break;
        }
        assert!(Instant::now() < until, "nobody was served in {waves} waves");
    }
    assert!(proxy.accepted() - before <= 9, "{} for {served}", proxy.accepted() - before);
    // sqlx opens a connection within the caller's timeout, and drops it if the caller gives up.
    let control = PgPoolOptions::new().max_connections(10).acquire_timeout(50 * MS);
    let control = control.connect_lazy(&slow).unwrap();
    let before = proxy.accepted();
    eventually("more are opened than it may have", async || {
        let wave = (0..50).map(|_| control.acquire());
        let wave = futures_util::future::join_all(wave).await;
        assert!(wave.iter().all(Result::is_err));
        proxy.accepted() - before > 10
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_carries_what_connecting_said_last_and_its_code() {
    let server = Postgres::start(&["max_connections=5", "superuser_reserved_connections=1"]);
    let url = ordinary(&server);
    let settings = [
        ("DATABASE_POOL_SIZE", "2"),
        ("DATABASE_MAX_CONNECTIONS", "100"),
        ("DATABASE_ACQUIRE_TIMEOUT", "3s"),
    ];
    let (_host, db) = open::<sqlx::Postgres>(Paradigm::LongRunning, &url, &settings).await.unwrap();
    let _held = db.conn().await.unwrap();
    let mut others = Vec::new();
    for _ in 0..3 {
        others.push(direct(&url).await);
    }
    let error = db.conn().await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("SQLSTATE 53300"), "{text}");
    assert!(db.state().to_string().contains("last connect error: "), "{}", db.state());
    // In the same case sqlx's pool only reports a timeout.
    let control = PgPoolOptions::new().max_connections(1).acquire_timeout(300 * MS);
    let control = control.connect_lazy(&url).unwrap();
    let silent = control.acquire().await.unwrap_err();
    assert!(matches!(silent, sqlx::Error::PoolTimedOut), "{silent}");
}
