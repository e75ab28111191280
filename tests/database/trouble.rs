//! Servers go away, come back, refuse, change their role: what callers see of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhost_core::Paradigm;
use anyhost_core::db::{Db, Error};
use anyhost_tests::process::PATIENCE;
use anyhost_tests::servers::{Mode, Postgres, Proxy};
use tokio::time::timeout;

use crate::kit::{backend, counted, direct, eventually, long_running, open};

const MS: Duration = Duration::from_millis(1);
const SIZE: usize = 5;

/// The outcome and the time of one statement of the load.
struct Met {
    begun: Instant,
    error: Option<sqlx::Error>,
}

/// Runs statements from 16 tasks until the test ends the load.
struct Load {
    over: Arc<AtomicBool>,
    served: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
    tasks: Vec<tokio::task::JoinHandle<Vec<Met>>>,
}

impl Load {
    fn start(db: &Db<sqlx::Postgres>) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (served, refused) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let tasks = (0..16).map(|_| {
            let (db, over) = (db.clone(), Arc::clone(&over));
            let (served, refused) = (Arc::clone(&served), Arc::clone(&refused));
            tokio::spawn(async move {
                let mut all = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    let outcome = sqlx::query("SELECT pg_sleep(0.002)").execute(&db).await;
                    let error = outcome.err();
                    let count = if error.is_none() { &served } else { &refused };
                    count.fetch_add(1, Ordering::Relaxed);
                    if error.is_some() {
                        // Time passes: clients come again a little later.
                        tokio::time::sleep(10 * MS).await;
                    }
                    all.push(Met { begun, error });
                }
                all
            })
        });
        let tasks = tasks.collect();
        Self { over, served, refused, tasks }
    }

    /// Waits until this many more have been served.
    async fn serves(&self, more: usize) {
        let before = self.served.load(Ordering::Relaxed);
        let served = || self.served.load(Ordering::Relaxed) - before;
        eventually("statements are served", async || served() >= more).await;
    }

    /// Waits until this many more have been refused.
    async fn refuses(&self, more: usize) {
        let before = self.refused.load(Ordering::Relaxed);
        let refused = || self.refused.load(Ordering::Relaxed) - before;
        eventually("statements are refused", async || refused() >= more).await;
    }

    async fn stop(self) -> Vec<Met> {
        self.over.store(true, Ordering::Relaxed);
        let all = futures_util::future::join_all(self.tasks).await;
        all.into_iter().flat_map(Result::unwrap).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_crashes_under_load_costs_one_error_per_connection() {
    let server = Arc::new(Postgres::start(&[]));
    let settings =
        [("DATABASE_POOL_SIZE", &*SIZE.to_string()), ("DATABASE_ACQUIRE_TIMEOUT", "60s")];
    let url = server.url();
    let (_host, db) = open::<sqlx::Postgres>(Paradigm::LongRunning, &url, &settings).await.unwrap();
    let load = Load::start(&db);
    load.serves(100).await;
    // Restarted before the waiters time out: only the running statements are lost.
    let crashed = on_thread(&server, |server| {
        server.crash();
        let crashed = Instant::now();
        server.restart();
        crashed
    })
    .await;
    load.serves(100).await;
    let met = load.stop().await;
    let errors: Vec<_> = met.iter().filter(|met| met.error.is_some()).collect();
    assert!(
        errors.len() <= SIZE,
        "{} errors, the last: {:?}",
        errors.len(),
        errors.last().unwrap().error
    );
    let late = errors.iter().find(|met| met.begun > crashed);
    assert!(late.is_none(), "a statement that began later: {:?}", late.unwrap().error);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_server_is_down_requests_are_refused_in_time_and_one_attempt_is_made_at_once() {
    let server = Arc::new(Postgres::start(&[]));
    let proxy = Proxy::start(server.port());
    let db = long_running(&proxy.url(&server.url()), SIZE).await;
    let load = Load::start(&db);
    load.serves(100).await;
    on_thread(&server, Postgres::crash).await;
    // When the waiters have been refused, the outage is known.
    load.refuses(64).await;
    let attempts = proxy.accepted();
    load.refuses(1000).await;
    let attempts = proxy.accepted() - attempts;
    // Known to be down, a statement is refused without an attempt of its own.
    assert!(attempts <= 100, "{attempts} attempts for a thousand statements");
    on_thread(&server, |server| server.restart()).await;
    load.serves(200).await;
    let met = load.stop().await;
    let back = met.iter().filter(|met| met.error.is_none()).map(|met| met.begun).max().unwrap();
    let late = met.iter().find(|met| met.error.is_some() && met.begun > back);
    assert!(late.is_none(), "{:?}", late.unwrap().error);
}

async fn on_thread<T: Send + 'static>(
    server: &Arc<Postgres>,
    work: impl FnOnce(&Postgres) -> T + Send + 'static,
) -> T {
    let server = Arc::clone(server);
    tokio::task::spawn_blocking(move || work(&server)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_was_terminated_while_idle_costs_no_error_and_one_connect() {
    let server = Postgres::start(&[]);
    let proxy = Proxy::start(server.port());
    let db = long_running(&proxy.url(&server.url()), 1).await;
    let before = backend(&db).await;
    tokio::time::sleep(db.plan().validation_interval() + 50 * MS).await;
    server.sql(&format!("SELECT pg_terminate_backend({before}, 2000)"));
    let accepted = proxy.accepted();
    assert_ne!(backend(&db).await, before);
    assert_eq!(proxy.accepted() - accepted, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_fate_is_unknown_is_not_tried_again() {
    const AT_WORK: &str = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' \
         AND datname = current_database() AND query LIKE 'WITH slow%'";
    let url = Postgres::shared().database();
    let mut own = direct(&url).await;
    let proxy = Proxy::start(Postgres::shared().port());
    let db = long_running(&proxy.url(&url), 2).await;
    sqlx::raw_sql("CREATE TABLE t (a int)").execute(&db).await.unwrap();
    let write = tokio::spawn({
        let db = db.clone();
        async move {
            let insert = "WITH slow AS (SELECT pg_sleep(1)) INSERT INTO t SELECT 1 FROM slow";
            sqlx::query(insert).execute(&db).await
        }
    });
    counted(&mut own, AT_WORK, 1, PATIENCE).await;
    proxy.set(Mode::Reset);
    write.await.unwrap().unwrap_err();
    proxy.set(Mode::Pass);
    counted(&mut own, AT_WORK, 0, PATIENCE).await;
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM t").fetch_one(&db).await.unwrap();
    assert!(rows <= 1, "{rows} rows of one statement");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_are_an_error_at_once_and_print_no_secret() {
    let server = Postgres::start(&[]);
    server.sql("CREATE ROLE locked LOGIN PASSWORD 'right'");
    let proxy = Proxy::start(server.port());
    let url = proxy.url(&server.url()).replace("//postgres@", "//locked:hunter2secret@");
    let error = open::<sqlx::Postgres>(Paradigm::LongRunning, &url, &[]).await.unwrap_err();
    assert!(matches!(error, Error::Credentials { .. }), "{error}");
    // Perhaps with TLS and once more without, as `sslmode=prefer` wants it, and not again.
    assert!(proxy.accepted() <= 2, "{} attempts", proxy.accepted());
    assert!(!format!("{error} {error:?}").contains("hunter2secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_stops_working_is_told_at_once_when_no_connection_is_left() {
    let server = Postgres::start(&[]);
    server.sql("CREATE ROLE locked LOGIN PASSWORD 'right'");
    let url = server.url().replace("//postgres@", "//locked:right@");
    let settings = [("DATABASE_POOL_SIZE", "2"), ("DATABASE_ACQUIRE_TIMEOUT", "60s")];
    let (_host, db) = open::<sqlx::Postgres>(Paradigm::LongRunning, &url, &settings).await.unwrap();
    server.sql("ALTER ROLE locked PASSWORD 'other'");
    // The connection that is open serves on.
    let held = db.conn().await.unwrap();
    let waiting = tokio::spawn({
        let db = db.clone();
        async move { backend(&db).await }
    });
    let failed = async || db.state().last_connect_error.is_some();
    eventually("connecting fails", failed).await;
    assert!(!waiting.is_finished());
    drop(held);
    waiting.await.unwrap();
    db.conn().await.unwrap().close();
    let told = timeout(PATIENCE, db.conn()).await;
    let error = told.expect("nobody waits for the acquire timeout").unwrap_err();
    assert!(matches!(error, Error::Credentials { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_the_server_that_forbids_the_plan_refuses_the_start() {
    let server = Postgres::start(&["max_connections=20"]);
    let settings = [("APP_INSTANCES", "30")];
    let error = open::<sqlx::Postgres>(Paradigm::LongRunning, &server.url(), &settings).await;
    let text = error.unwrap_err().to_string();
    assert!(text.contains("20 of the server") && text.contains("30 instances"), "{text}");
    let settings = [("DATABASE_POOL_SIZE", "15")];
    let error = open::<sqlx::Postgres>(Paradigm::LongRunning, &server.url(), &settings).await;
    let text = error.unwrap_err().to_string();
    assert!(text.contains("only 14 fit") && text.contains("DATABASE_POOL_SIZE"), "{text}");
}
