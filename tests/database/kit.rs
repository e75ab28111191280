//! Helpers of the tests: hosts, databases opened on them, and queries of the server's own views.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use anyhost_core::db::{Db, Driver, Error};
use anyhost_core::{Host, Paradigm, Settings};
use anyhost_tests::process::PATIENCE;
use anyhost_tests::servers::Postgres;
use sqlx::{Connection, PgConnection};
use tokio::task::JoinHandle;

/// Runs a text in a transaction or on a connection.
macro_rules! run {
    ($session:expr, $sql:expr) => {
        sqlx::raw_sql($sql).execute(&mut *$session).await
    };
}

/// The number of committed rows in `t`.
macro_rules! rows {
    ($db:expr) => {
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM t").fetch_one(&$db).await.unwrap()
    };
}

pub(crate) use {rows, run};

/// A host with these settings.
pub(crate) fn host(paradigm: Paradigm, settings: &[(&str, &str)]) -> Host {
    let settings = Settings::from_pairs(settings.iter().copied());
    Host::builder(paradigm, "test").settings(settings).build().unwrap()
}

/// A database as an App on a long-running host opens it, with this many connections.
pub(crate) async fn long_running(url: &str, size: usize) -> Db<sqlx::Postgres> {
    open(Paradigm::LongRunning, url, &[("DATABASE_POOL_SIZE", &size.to_string())]).await.unwrap().1
}

/// A database opened on a host with these settings.
pub(crate) async fn open<DB: Driver>(
    paradigm: Paradigm,
    url: &str,
    settings: &[(&str, &str)],
) -> Result<(Host, Db<DB>), Error> {
    let mut all = vec![("DATABASE_URL", url), ("APP_OVERLAP", "1")];
    all.extend(settings);
    let host = host(paradigm, &all);
    let db = Db::open(&host).await?;
    Ok((host, db))
}

/// A connection of the test's own, past every pool and proxy.
///
/// A small server may still count one that was closed a moment ago, such as the one that asked whether it is up.
pub(crate) async fn direct(url: &str) -> PgConnection {
    let until = Instant::now() + PATIENCE;
    loop {
        match PgConnection::connect(url).await {
            Err(sqlx::Error::Database(full))
                if full.code().as_deref() == Some("53300") && Instant::now() < until => {}
            connected => return connected.unwrap(),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until what a query of the server's own view counts has come to this.
pub(crate) async fn counted(
    own: &mut PgConnection,
    query: &'static str,
    wanted: i64,
    within: Duration,
) {
    let until = Instant::now() + within;
    loop {
        let count: i64 = sqlx::query_scalar(query).fetch_one(&mut *own).await.unwrap();
        if count == wanted {
            return;
        }
        assert!(Instant::now() < until, "{count} instead of {wanted} within {within:?}: {query}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Drops a statement that the server works on: waits until its view counts this many, then abandons them.
pub(crate) async fn abandon_at_work<T>(
    own: &mut PgConnection,
    at_work: &'static str,
    statement: impl Future<Output = T>,
) {
    tokio::select! {
        _ = statement => panic!("the statement ended by itself"),
        () = counted(own, at_work, 1, PATIENCE) => {}
    }
}

/// Runs a step until a run of it is over before a proof of life lapses, and returns what that one came to. On
/// a busy machine any pause may be longer, and a ping after it is right.
pub(crate) async fn undisturbed<T>(proof: Duration, mut step: impl AsyncFnMut() -> T) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        let begun = Instant::now();
        let outcome = step().await;
        if begun.elapsed() < proof {
            return outcome;
        }
        assert!(Instant::now() < until, "no run was over within {proof:?}");
    }
}

/// Polls until a condition holds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < until, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The clients of a database, without the one that asks.
pub(crate) const CLIENTS: &str = "SELECT count(*) FROM pg_stat_activity \
     WHERE datname = current_database() AND pid <> pg_backend_pid()";

/// The most clients of a database that were seen at once.
pub(crate) struct MostClients {
    over: Arc<AtomicBool>,
    watch: JoinHandle<i64>,
}

impl MostClients {
    /// Counts the clients again and again.
    pub(crate) async fn watch(url: &str) -> Self {
        let mut own = direct(url).await;
        let over = Arc::new(AtomicBool::new(false));
        let watch = tokio::spawn({
            let over = Arc::clone(&over);
            async move {
                let mut most = 0;
                while !over.load(Ordering::Relaxed) {
                    most = most.max(sqlx::query_scalar(CLIENTS).fetch_one(&mut own).await.unwrap());
                }
                most
            }
        });
        Self { over, watch }
    }

    pub(crate) async fn end(self) -> usize {
        self.over.store(true, Ordering::Relaxed);
        self.watch.await.unwrap().try_into().unwrap()
    }
}

/// The id of the backend that serves a statement.
pub(crate) async fn backend(db: &Db<sqlx::Postgres>) -> i32 {
    sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(db).await.unwrap()
}

/// An ordinary user of a server, without access to reserved connections.
pub(crate) fn ordinary(server: &Postgres) -> String {
    server.sql("CREATE ROLE app LOGIN");
    server.url().replace("//postgres@", "//app@")
}

/// Fills a pool: as many connections are open and idle as it may have.
pub(crate) async fn fill<DB: Driver>(db: &Db<DB>) {
    let all = futures_util::future::join_all((0..db.plan().size()).map(|_| db.conn())).await;
    assert!(all.iter().all(Result::is_ok));
}

/// The lines that a test has logged on its own thread.
#[derive(Clone, Default)]
pub(crate) struct Lines(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl Lines {
    /// Takes what this thread logs from now on, until the guard is dropped.
    pub(crate) fn capture(&self) -> tracing::subscriber::DefaultGuard {
        // With a single subscriber, `tracing` asks that of the thread which meets a place first whether anybody is
        // interested in it; a thread without one would answer for all.
        static OF_ALL_THREADS: Once = Once::new();
        OF_ALL_THREADS.call_once(|| {
            let silent = tracing_subscriber::fmt().with_writer(std::io::sink).finish();
            tracing::subscriber::set_global_default(silent).expect("nobody else sets it");
        });
        let writer = self.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone());
        tracing::subscriber::set_default(subscriber.with_ansi(false).finish())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
