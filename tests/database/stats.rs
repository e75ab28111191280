//! The numbers of a pool: they add up, and a server can read them without knowing the App.

use std::time::Duration;

use anyhost_core::Paradigm;
use anyhost_core::adapter::HostHandles as _;
use anyhost_core::db::{Db, Error, Metric, Reading};
use anyhost_tests::process::PATIENCE;
use anyhost_tests::servers::{MariaDb, Postgres};

use crate::kit::{backend, host, open};

const MS: Duration = Duration::from_millis(1);

#[tokio::test(flavor = "multi_thread")]
async fn what_a_pool_does_is_counted_and_adds_up() {
    let server = Postgres::start(&[]);
    let settings = [("DATABASE_POOL_SIZE", "2"), ("DATABASE_ACQUIRE_TIMEOUT", "3s")];
    let (_host, db) =
        open::<sqlx::Postgres>(Paradigm::LongRunning, &server.url(), &settings).await.unwrap();
    let stats = db.stats();
    assert_eq!(stats.pool, format!("127.0.0.1:{}/postgres", server.port()));
    assert_eq!((stats.open, stats.idle, stats.in_use, stats.max, stats.warm), (1, 1, 0, 2, 1));
    assert_eq!((stats.created, stats.create_time.count(), stats.pings), (1, 1, 0));

    for _ in 0..10 {
        backend(&db).await;
    }
    let stats = db.stats();
    assert_eq!((stats.wait_time.count(), stats.use_time.count()), (10, 10));
    assert!(stats.use_time.sum() > Duration::ZERO);

    // Both connections are held, so another caller times out.
    let held = futures_util::future::join_all([db.conn(), db.conn()]).await;
    let stats = db.stats();
    assert_eq!((stats.open, stats.idle, stats.in_use, stats.created), (2, 0, 2, 2));
    assert!(matches!(db.conn().await, Err(Error::TimedOut { .. })));
    assert_eq!(db.stats().timeouts, 1);
    drop(held);

    // A connection that is pinged, found dead and replaced.
    tokio::time::sleep(db.plan().validation_interval() + 50 * MS).await;
    server.terminate_all();
    backend(&db).await;
    let stats = db.stats();
    assert_eq!((stats.pings, stats.closed.silent), (1, 1));
    assert!(stats.closed.outdated <= 1, "{stats:?}");

    // A statement that a caller abandoned.
    drop(db.begin().await.unwrap());
    assert_eq!(db.stats().closed.dirty, 1);
    db.close(PATIENCE).await;
    let stats = db.stats();
    assert_eq!(stats.created, stats.closed.total(), "{stats:?}");
    assert!(stats.closed.drained <= 2, "{stats:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_database_of_a_host_has_numbers_of_its_own() {
    let (postgres, mariadb) = (Postgres::shared().database(), MariaDb::shared().database());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.db");
    let lite = format!("sqlite:{}?mode=rwc", file.display());
    let host = host(Paradigm::LongRunning, &[]);
    let _one = Db::<sqlx::Postgres>::builder(&host).url_or(&*postgres).open().await.unwrap();
    let _again = Db::<sqlx::Postgres>::builder(&host).url_or(&*postgres).open().await.unwrap();
    let _two = Db::<sqlx::MySql>::builder(&host).url_or(&*mariadb).open().await.unwrap();
    let _three = Db::<sqlx::Sqlite>::builder(&host).url_or(&*lite).open().await.unwrap();
    let all = host.databases().stats();
    let systems: Vec<_> = all.iter().map(|stats| stats.system).collect();
    assert_eq!(systems, ["postgresql", "postgresql", "mysql", "sqlite"]);
    assert_eq!(all[1].pool, format!("{} (2)", all[0].pool));
    assert_eq!(all[3].pool, file.display().to_string());
    let is_max = |metric: &Metric| metric.name == "db.client.connection.max";
    for stats in &all {
        let metrics = stats.metrics();
        let max = metrics.into_iter().find(is_max).unwrap();
        assert_eq!(max.reading, Reading::Level(stats.max as u64));
        assert!(stats.max > 0 && stats.created == 1, "{stats:?}");
    }
}
