//! Several databases, other libraries' pools and parts of transactions, inside one budget.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhost_core::Paradigm;
use anyhost_core::adapter::HostHandles as _;
use anyhost_core::db::{Db, Driver, Error, Plan};
use anyhost_tests::process::PATIENCE;
use anyhost_tests::servers::{MariaDb, Postgres};
use sqlx::{IntoArguments, Row};
use tokio::time::timeout;

use crate::kit::{CLIENTS, MostClients, counted, direct, eventually, host, open};

type Pg = sqlx::Postgres;

#[tokio::test(flavor = "multi_thread")]
async fn databases_on_one_server_share_what_it_takes_and_a_sum_that_does_not_fit_is_refused() {
    let server = Postgres::start(&["max_connections=20"]);
    let (one, other) = (server.database(), server.database());
    let by_address = other.replace("127.0.0.1", "localhost");
    let with = |size: &'static str, second: &str| {
        host(
            Paradigm::LongRunning,
            &[
                ("DATABASE_URL", &one),
                ("ANALYTICS_DATABASE_URL", second),
                ("APP_OVERLAP", "1"),
                ("DATABASE_POOL_SIZE", "9"),
                ("ANALYTICS_DATABASE_POOL_SIZE", size),
            ],
        )
    };
    let host = with("5", &other);
    let first = Db::<Pg>::open(&host).await.unwrap();
    let second = Db::<Pg>::builder(&host).name("analytics").open().await.unwrap();
    assert_eq!((first.plan().size(), second.plan().size()), (9, 5));
    let name: String =
        sqlx::query_scalar("SELECT current_database()").fetch_one(&second).await.unwrap();
    assert!(other.ends_with(&format!("/{name}")));
    let plans = host.databases().plans();
    assert!(plans[1].starts_with("analytics: 5 connections"), "{plans:?}");
    assert!(plans[2].ends_with(": 9 + 5 = 14 connections of this process together"), "{plans:?}");
    // One more than fits, under the same name and under another.
    for url in [&other, &by_address] {
        let host = with("6", url);
        let _first = Db::<Pg>::open(&host).await.unwrap();
        let refused = Db::<Pg>::builder(&host).name("analytics").open().await.unwrap_err();
        let text = refused.to_string();
        let sum = "ANALYTICS_DATABASE_URL: 6 connections per process were set, but only 5 fit: (20 of the \
                   server − 3 reserved − 3 for administration) / (1 instance × 1 in a deploy) = 14, less 9 of \
                   this process's other databases = 5";
        assert!(text.starts_with(sum) && !text.contains('\n'), "{text}");
        assert!(text.contains("; set ANALYTICS_DATABASE_POOL_SIZE to 5 or less"), "{text}");
    }
    // A database that is closed gives back what it had, and a plan for another library takes it.
    let closed = with("6", &other);
    let first = Db::<Pg>::open(&closed).await.unwrap();
    first.close(Duration::from_secs(1)).await;
    Db::<Pg>::builder(&closed).name("analytics").open().await.unwrap();
    let planned = with("6", &other);
    assert_eq!(Plan::of(&planned, None).unwrap().size(), 9);
    let refused = Db::<Pg>::builder(&planned).name("analytics").open().await.unwrap_err();
    assert!(matches!(refused, Error::Plan(_)), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_setting_of_a_named_database_is_named_in_full() {
    let host = host(Paradigm::LongRunning, &[("REPLICA_DATABASE_POOL_SIZE", "none")]);
    let named = || Db::<Pg>::builder(&host).name("replica");
    let error = named().open().await.unwrap_err().to_string();
    assert!(error.starts_with("REPLICA_DATABASE_URL: is not set"), "{error}");
    let error = named().url_or("postgres://h/d").open().await.unwrap_err().to_string();
    assert!(error.starts_with("REPLICA_DATABASE_POOL_SIZE: expected"), "{error}");
    let error = named().url_or("mysql://h/d").open().await.unwrap_err().to_string();
    assert!(error.starts_with("REPLICA_DATABASE_"), "{error}");
    // Another setting of the same database is needed.
    let pooled = crate::kit::host(
        Paradigm::LongRunning,
        &[("REPLICA_DATABASE_POOLER", "pgbouncer"), ("REPLICA_DATABASE_URL", "postgres://u@h/d")],
    );
    let builder = Db::<Pg>::builder(&pooled).name("replica");
    let error = builder.migrate(&sqlx::migrate::Migrator::DEFAULT).await.unwrap_err().to_string();
    assert!(error.starts_with("REPLICA_DIRECT_DATABASE_URL: is not set"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leased_pool_stays_inside_the_budget_whatever_is_done_with_both() {
    const SIZE: usize = 6;
    let url = Postgres::shared().database();
    let (host, db) = open::<Pg>(
        Paradigm::LongRunning,
        &url,
        &[("DATABASE_POOL_SIZE", "6"), ("DATABASE_ACQUIRE_TIMEOUT", "60s")],
    )
    .await
    .unwrap();
    let leased = db.sqlx_pool(2).await.unwrap();
    assert_eq!(db.state().max, 4);
    let clients = MostClients::watch(&url).await;
    let callers = (0..24u64).map(|seed| {
        let (db, leased) = (db.clone(), leased.clone());
        tokio::spawn(async move {
            let mut random = fastrand::Rng::with_seed(seed);
            for _ in 0..60 {
                let patience = Duration::from_millis(random.u64(0..8));
                let statement = sqlx::query("SELECT pg_sleep(0.002)");
                if random.bool() {
                    let _ = timeout(patience, statement.execute(&db)).await;
                } else {
                    let _ = timeout(10 * patience, statement.execute(&leased)).await;
                }
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    let most = clients.end().await;
    assert!(most <= SIZE, "{most} connections were open on the server");
    // A library that needs an `sqlx::Pool` gets one.
    let mut tx = leased.begin().await.unwrap();
    sqlx::query("SELECT 1").execute(&mut *tx).await.unwrap();
    let stats = host.databases().stats();
    let numbers = stats.iter().find(|stats| stats.pool.ends_with(" (leased)"));
    let numbers = numbers.expect("a leased pool has numbers of its own");
    assert_eq!((numbers.max, numbers.system), (2, "postgresql"), "{numbers:?}");
    assert!(numbers.in_use >= 1 && numbers.open == numbers.in_use + numbers.idle, "{numbers:?}");
    tx.commit().await.unwrap();
    let refused = db.sqlx_pool(4).await.unwrap_err();
    assert!(matches!(refused, Error::Plan(_)));
    assert!(refused.to_string().contains("DATABASE_POOL_SIZE"), "{refused}");
    let plans = host.databases().plans();
    assert!(plans.iter().any(|plan| plan.contains("in a pool of sqlx's")), "{plans:?}");
    let open = leased.size() as usize;
    let reports = host.databases().close(PATIENCE).await;
    assert!(leased.is_closed());
    let report = reports.iter().find(|report| report.pool.ends_with(" (leased)")).unwrap();
    assert_eq!((report.closed, report.aborted), (open, 0), "{report}");
    assert_eq!(host.databases().stats().iter().map(|stats| stats.open).sum::<usize>(), 0);
    counted(&mut direct(&url).await, CLIENTS, 0, PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leased_pool_asks_an_idle_connection_and_takes_the_password_of_the_moment() {
    let server = Postgres::start(&[]);
    let url = server.url();
    let (_host, db) =
        open::<Pg>(Paradigm::LongRunning, &url, &[("DATABASE_POOL_SIZE", "2")]).await.unwrap();
    let leased = db.sqlx_pool(1).await.unwrap();
    let pid = || sqlx::query_scalar::<_, i32>("SELECT pg_backend_pid()").fetch_one(&leased);
    let before = pid().await.unwrap();
    tokio::time::sleep(db.plan().validation_interval() + Duration::from_millis(50)).await;
    server.terminate_all();
    assert_ne!(pid().await.unwrap(), before, "the dead connection was handed on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_takes_one_place_and_hears_again_after_its_connection_was_lost() {
    let server = Postgres::start(&[]);
    let url = server.url();
    let (_host, db) =
        open::<Pg>(Paradigm::LongRunning, &url, &[("DATABASE_POOL_SIZE", "3")]).await.unwrap();
    let mut listener = db.listener().await.unwrap();
    assert_eq!(db.state().max, 2);
    listener.listen("news").await.unwrap();
    let heard = tokio::spawn(async move {
        let mut all = Vec::new();
        while all.len() < 2 {
            all.push(listener.recv().await.unwrap().payload().to_owned());
            all.dedup();
        }
        all
    });
    server.sql("NOTIFY news, 'before'");
    // Once it was heard the connection goes.
    const LISTENS: &str = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%LISTEN%' AND pid <> pg_backend_pid()";
    counted(&mut direct(&url).await, LISTENS, 1, PATIENCE).await;
    server.terminate_all();
    eventually("it hears again", async || {
        server.sql("NOTIFY news, 'after'");
        heard.is_finished()
    })
    .await;
    assert_eq!(heard.await.unwrap(), ["before", "after"]);
    // The pool's own connection was ended too, which may cost one statement.
    eventually("the pool serves", async || sqlx::query("SELECT 1").execute(&db).await.is_ok())
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adopted_pool_counts_for_readiness_and_is_closed_with_the_others() {
    let host = host(Paradigm::LongRunning, &[]);
    let (answers, closed) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
    let (asked, told) = (Arc::clone(&answers), Arc::clone(&closed));
    host.adopt(
        "cache",
        move || {
            let answers = asked.load(Ordering::Relaxed);
            Box::pin(async move { if answers { Ok(()) } else { Err("gone") } })
        },
        move || {
            let told = Arc::clone(&told);
            Box::pin(async move { told.store(true, Ordering::Relaxed) })
        },
    );
    host.databases().ready(PATIENCE).await.unwrap();
    assert!(host.databases().plans()[0].starts_with("cache: "));
    answers.store(false, Ordering::Relaxed);
    let error = host.databases().ready(PATIENCE).await.unwrap_err();
    assert_eq!(error.to_string(), "cache does not answer: gone");
    host.adopt(
        "slow",
        || Box::pin(std::future::pending::<Result<(), Error>>()),
        || Box::pin(async {}),
    );
    answers.store(true, Ordering::Relaxed);
    let error = host.databases().ready(Duration::from_millis(10)).await.unwrap_err();
    assert!(error.to_string().starts_with("slow does not answer: no answer within"), "{error}");
    let drained = host.databases().close(PATIENCE).await;
    assert!(closed.load(Ordering::Relaxed) && drained.iter().all(|drained| drained.aborted == 0));
}

/// A savepoint is undone alone, kept with its transaction, and fails it if it is forgotten.
async fn savepoints<DB: Driver>(db: &Db<DB>)
where
    for<'c> &'c Db<DB>: sqlx::Executor<'c, Database = DB>,
    for<'c> &'c mut anyhost_core::db::Session<DB>: sqlx::Executor<'c, Database = DB>,
    DB::Arguments: IntoArguments<DB>,
    i64: for<'r> sqlx::Decode<'r, DB> + sqlx::Type<DB>,
    usize: sqlx::ColumnIndex<DB::Row>,
{
    use sqlx::Executor;
    let insert = |number: u32| sqlx::AssertSqlSafe(format!("INSERT INTO t VALUES ({number})"));
    db.execute("CREATE TABLE t (a BIGINT NOT NULL)").await.unwrap();
    let mut tx = db.begin().await.unwrap();
    tx.execute(insert(1)).await.unwrap();
    let mut kept = tx.savepoint().await.unwrap();
    kept.execute(insert(2)).await.unwrap();
    let mut undone = kept.savepoint().await.unwrap();
    undone.execute(insert(3)).await.unwrap();
    assert!(undone.execute("INSERT INTO t VALUES (NULL)").await.is_err());
    undone.rollback().await.unwrap();
    kept.execute(insert(4)).await.unwrap();
    kept.release().await.unwrap();
    tx.commit().await.unwrap();
    let rows = db.fetch_all("SELECT a FROM t ORDER BY a").await.unwrap();
    let rows: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(rows, [1, 2, 4]);
    let mut tx = db.begin().await.unwrap();
    tx.execute(insert(5)).await.unwrap();
    drop(tx.savepoint().await.unwrap());
    tx.commit().await.unwrap_err();
    let rows = db.fetch_all("SELECT a FROM t WHERE a = 5").await.unwrap();
    assert!(rows.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_savepoint_is_undone_alone_on_every_kind_of_database() {
    let settings = [("DATABASE_POOL_SIZE", "2")];
    let url = Postgres::shared().database();
    let (_host, db) = open::<Pg>(Paradigm::LongRunning, &url, &settings).await.unwrap();
    savepoints(&db).await;
    let url = MariaDb::shared().database();
    let (_host, db) = open::<sqlx::MySql>(Paradigm::LongRunning, &url, &settings).await.unwrap();
    savepoints(&db).await;
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}?mode=rwc", folder.path().join("test.db").display());
    let (_host, db) = open::<sqlx::Sqlite>(Paradigm::LongRunning, &url, &settings).await.unwrap();
    savepoints(&db).await;
}
