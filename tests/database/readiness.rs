//! A busy pool is ready; a pool whose database does not answer is not.

use std::time::Duration;

use anyhost_core::Paradigm;
use anyhost_core::adapter::HostHandles as _;
use anyhost_core::db::{Db, Error};
use anyhost_tests::servers::{MariaDb, Mode, Postgres, Proxy};

use crate::kit::{direct, eventually, fill, open, ordinary};

/// As long as a server asks when it is probed.
const PROBE: Duration = Duration::from_millis(800);

/// Keeps a pool busy with statements that take longer than an answer counts.
fn keep_busy(db: &Db<sqlx::Postgres>, callers: usize) -> tokio::task::JoinSet<()> {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..callers {
        let db = db.clone();
        tasks.spawn(async move {
            loop {
                let _ = sqlx::query("SELECT pg_sleep(1.5)").execute(&db).await;
                // A closed pool answers at once.
                tokio::task::yield_now().await;
            }
        });
    }
    tasks
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_pool_is_ready_and_the_probe_stands_in_no_queue() {
    let url = Postgres::shared().database();
    let (host, db) =
        open(Paradigm::LongRunning, &url, &[("DATABASE_POOL_SIZE", "2")]).await.unwrap();
    let _load = keep_busy(&db, 12);
    eventually("callers wait", async || db.state().waiting == 10).await;
    for _ in 0..7 {
        let waiting = db.state().waiting;
        host.databases().ready(PROBE).await.unwrap();
        assert!(db.state().waiting <= waiting + 1, "{}", db.state());
        // Time passes: from one probe to the next.
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_whose_connections_are_all_held_is_ready_also_when_the_server_is_full() {
    let server = Postgres::start(&["max_connections=10", "superuser_reserved_connections=3"]);
    let url = ordinary(&server);
    let settings = [("DATABASE_POOL_SIZE", "3"), ("DATABASE_MAX_CONNECTIONS", "100")];
    let (host, db) = open::<sqlx::Postgres>(Paradigm::LongRunning, &url, &settings).await.unwrap();
    fill(&db).await;
    let held = futures_util::future::join_all((0..3).map(|_| db.conn())).await;
    let others = futures_util::future::join_all((0..4).map(|_| direct(&url))).await;
    // Time passes: until no answer counts any more.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    host.databases().ready(PROBE).await.unwrap();
    drop((held, others));
}

#[tokio::test(flavor = "multi_thread")]
async fn pools_of_mariadb_and_sqlite_are_ready_while_they_are_busy() {
    let url = MariaDb::shared().database();
    let (host, db) =
        open::<sqlx::MySql>(Paradigm::LongRunning, &url, &[("DATABASE_POOL_SIZE", "1")])
            .await
            .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}?mode=rwc", folder.path().join("test.db").display());
    let (file_host, file) =
        open::<sqlx::Sqlite>(Paradigm::LongRunning, &url, &[("DATABASE_POOL_SIZE", "1")])
            .await
            .unwrap();
    let _held = (db.conn().await.unwrap(), file.begin().await.unwrap());
    // Time passes: until no answer counts any more.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    host.databases().ready(PROBE).await.unwrap();
    file_host.databases().ready(PROBE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_sign_of_life_a_database_is_not_ready_and_the_numbers_are_true() {
    let url = Postgres::shared().database();
    let proxy = Proxy::start(Postgres::shared().port());
    let settings = [("DATABASE_POOL_SIZE", "2")];
    let (host, db) = open(Paradigm::LongRunning, &proxy.url(&url), &settings).await.unwrap();
    let _load = keep_busy(&db, 3);
    eventually("both are in use", async || db.state().in_use == 2).await;
    proxy.set(Mode::Blackhole);
    let mut told = None;
    eventually("it is not ready", async || {
        told = host.databases().ready(PROBE).await.err();
        told.is_some()
    })
    .await;
    let error = told.unwrap();
    let kind = error.downcast_ref::<Error>();
    assert!(matches!(kind, Some(Error::Unreachable { .. })), "{error}");
    assert!(!error.to_string().contains("open=0/0"), "{error}");
    if error.to_string().contains("no answer") {
        assert!(error.to_string().contains("open=2/2"), "{error}");
    }
    proxy.set(Mode::Pass);
    eventually("it is ready", async || host.databases().ready(PROBE).await.is_ok()).await;
    db.close(Duration::ZERO).await;
    let error = host.databases().ready(PROBE).await.expect_err("it is closed");
    assert!(matches!(error.downcast_ref::<Error>(), Some(Error::Closed)), "{error}");
}
