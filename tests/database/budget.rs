//! At no instant are more connections open than planned, whatever callers do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhost_core::Paradigm;
use anyhost_core::adapter::{HostHandles as _, within};
use anyhost_core::db::{Db, Error, Inputs, Kind, Plan, Pooler};
use anyhost_tests::process::PATIENCE;
use anyhost_tests::servers::{MariaDb, Mode, Postgres, Proxy};
use sqlx::mysql::MySqlPoolOptions;
use tokio::time::timeout;

use crate::kit::{CLIENTS, backend, counted, direct, eventually, long_running, open, ordinary};

const MS: Duration = Duration::from_millis(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_borrowing_cancelling_and_panicking_never_opens_more_than_the_budget() {
    const SIZE: usize = 4;
    let url = Postgres::shared().database();
    let mut own = direct(&url).await;
    let db = long_running(&url, SIZE).await;
    let over = Arc::new(AtomicBool::new(false));
    // The server's count and the process's own are sampled all the time.
    let watch = tokio::spawn({
        let (db, over) = (db.clone(), Arc::clone(&over));
        async move {
            let (mut most, mut looks) = (0, 0);
            while !over.load(Ordering::Relaxed) {
                let state = db.state();
                assert!(state.open <= SIZE && state.in_use <= SIZE, "{state}");
                most = most.max(server_side(&mut own).await);
                looks += 1;
            }
            (most, looks)
        }
    });
    let workers: Vec<_> = (0..24).map(|seed| tokio::spawn(misbehave(db.clone(), seed))).collect();
    for worker in workers {
        worker.await.unwrap();
    }
    over.store(true, Ordering::Relaxed);
    let (most, looks) = watch.await.unwrap();
    assert!(looks > 50, "looked only {looks} times");
    assert!(most <= SIZE, "{most} connections were open on the server");
    assert_eq!(db.state().in_use, 0);
    assert_eq!(db.state().waiting, 0);
    backend(&db).await;
}

/// The backends of the database as the server counts them: one whose socket was closed counts
/// until it has looked.
async fn server_side(own: &mut sqlx::PgConnection) -> usize {
    const LIVING: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
         AND pid <> pg_backend_pid() AND application_name LIKE 'anyhost/%' AND state <> ''";
    let count: i64 = sqlx::query_scalar(LIVING).fetch_one(own).await.unwrap();
    usize::try_from(count).unwrap()
}

async fn misbehave(db: Db<sqlx::Postgres>, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..120 {
        let (db, choice, wait) = (db.clone(), random.u8(..10), random.u32(0..6));
        match choice {
            0..=3 => {
                let _ = sqlx::query("SELECT 1").execute(&db).await;
            }
            4..=6 => {
                let _ =
                    timeout(wait * MS, sqlx::query("SELECT pg_sleep(0.004)").execute(&db)).await;
            }
            7 => {
                let _ = timeout(wait * MS, db.begin()).await;
            }
            8 => {
                if let Ok(Ok(mut conn)) = timeout(wait * MS, db.conn()).await {
                    let _ = timeout(wait * MS, sqlx::query("SELECT 1").execute(&mut *conn)).await;
                }
            }
            _ => {
                let panicked = tokio::spawn(async move {
                    let _conn = db.conn().await;
                    std::panic::resume_unwind(Box::new("as a handler of an App would"));
                });
                assert!(panicked.await.is_err());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_that_died_cost_one_ping_and_one_connect_together() {
    let url = Postgres::shared().database();
    let proxy = Proxy::start(Postgres::shared().port());
    let db = long_running(&proxy.url(&url), 10).await;
    let conns = futures_util::future::join_all((0..10).map(|_| db.conn())).await;
    assert!(conns.iter().all(Result::is_ok));
    drop(conns);
    assert_eq!(db.state().idle, 10);
    tokio::time::sleep(db.plan().validation_interval() + 50 * MS).await;
    proxy.forget();
    let (pings, failed) = (db.stats().pings, db.stats().closed.silent);
    backend(&db).await;
    let stats = db.stats();
    assert_eq!((stats.pings - pings, stats.closed.silent - failed), (1, 1), "{stats:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_that_give_up_leave_their_connections_to_the_next() {
    let url = Postgres::shared().database();
    let proxy = Proxy::start(Postgres::shared().port());
    let db = long_running(&proxy.url(&url), 8).await;
    let held = db.conn().await.unwrap();
    let before = proxy.accepted();
    // Connecting takes longer than any caller waits.
    proxy.set(Mode::Delay(40 * MS));
    let wave = (0..200).map(|_| timeout(100 * MS, db.conn()));
    let wave = futures_util::future::join_all(wave).await;
    assert!(wave.iter().all(Result::is_err), "connecting was quicker than it should be");
    eventually("all are connected", async || db.state().idle >= 7).await;
    proxy.set(Mode::Pass);
    let wave = (0..7).map(|_| timeout(PATIENCE, db.conn()));
    let wave = futures_util::future::join_all(wave).await;
    assert!(wave.iter().all(|conn| matches!(conn, Ok(Ok(_)))));
    assert_eq!(proxy.accepted() - before, 7, "no handshake was thrown away");
    drop(held);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_processes_than_the_server_takes_wait_their_turn() {
    let server = Postgres::start(&["max_connections=10"]);
    let url = ordinary(&server);
    let budget = 10 - 3;
    // Each process believes that it may have two: together they may not have a fifth of that.
    let settings = [
        ("DATABASE_MAX_CONNECTIONS", "100"),
        ("DATABASE_POOL_SIZE", "2"),
        ("DATABASE_ACQUIRE_TIMEOUT", "60s"),
    ];
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let url = url.clone();
        clients.spawn(async move {
            let (host, db) = open::<sqlx::Postgres>(Paradigm::LongRunning, &url, &settings).await?;
            sqlx::query("SELECT pg_sleep(0.01)").execute(&db).await.map_err(Error::Query)?;
            host.databases().close(Duration::from_secs(1)).await;
            Ok::<_, Error>(())
        });
    }
    let mut own = direct(&server.url()).await;
    let mut most = 0;
    while let Some(client) = clients.join_next().await {
        client.unwrap().unwrap();
        let open: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app' AND backend_type = 'client backend'",
        )
        .fetch_one(&mut own)
        .await
        .unwrap();
        most = most.max(open);
    }
    assert!(most <= budget, "{most}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_refusing_connections_is_waited_out() {
    let server = MariaDb::start(&["max_connections=10"]);
    let url = server.database();
    // Everything is taken: nine by us, and the tenth follows.
    let taken = MySqlPoolOptions::new().max_connections(10).min_connections(10);
    let taken = taken.connect(&url).await.unwrap();
    let held = futures_util::future::join_all((0..10).map(|_| taken.acquire())).await;
    assert!(held.iter().all(Result::is_ok));
    let control = MySqlPoolOptions::new().max_connections(1).connect(&url).await;
    assert!(control.unwrap_err().to_string().contains("Too many connections"));
    let proxy = Proxy::start(server.port());
    let patient = [("DATABASE_POOL_SIZE", "1"), ("DATABASE_ACQUIRE_TIMEOUT", "60s")];
    let url = proxy.url(&url);
    let mut waiting = std::pin::pin!(open::<sqlx::MySql>(Paradigm::LongRunning, &url, &patient));
    tokio::select! {
        early = &mut waiting => panic!("there is no place: {early:?}"),
        () = eventually("it is refused and tries again", async || proxy.accepted() >= 2) => {}
    }
    drop(held);
    taken.close().await;
    let (_host, db) = waiting.await.unwrap();
    let one: i32 = sqlx::query_scalar("SELECT 1").fetch_one(&db).await.unwrap();
    assert_eq!(one, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_is_an_error_of_our_own_at_the_deadline() {
    let server = Postgres::start(&["max_connections=5", "superuser_reserved_connections=1"]);
    let url = ordinary(&server);
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(direct(&url).await);
    }
    let soon = Instant::now() + Duration::from_secs(2);
    let settings = [("DATABASE_MAX_CONNECTIONS", "100")];
    // The plan alone would allow more than patience has.
    let more = [settings[0], ("DATABASE_ACQUIRE_TIMEOUT", "10m")];
    let refused = within(soon, open::<sqlx::Postgres>(Paradigm::Serverless, &url, &more));
    let refused = timeout(PATIENCE, refused).await.expect("it ends at its deadline");
    assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");
    drop(held);
}

#[test]
fn no_plan_lets_a_deploy_open_more_than_the_server_takes() {
    let mut random = fastrand::Rng::with_seed(58);
    let (mut fitting, mut refused) = (0, 0);
    for _ in 0..100_000 {
        let serverless = random.bool();
        let paradigm = if serverless { Paradigm::Serverless } else { Paradigm::LongRunning };
        let inputs = Inputs {
            paradigm,
            kind: if random.bool() { Kind::Postgres } else { Kind::MySql },
            cpus: random.usize(1..130),
            concurrency: random.usize(1..100),
            instances: Some(random.usize(1..1200)),
            overlap: 1.0 + random.f64() * 9.0,
            max_connections: Some(random.usize(0..6000)),
            reserved: random.usize(0..40),
            account_limit: random.bool().then(|| random.usize(0..500)),
            database_limit: random.bool().then(|| random.usize(0..500)),
            taken: 0,
            pool_size: random.bool().then(|| random.usize(1..200)),
            pooler: Pooler::None,
            acquire_timeout: None,
            connect_timeout: None,
        };
        let Ok(plan) = Plan::new(&inputs) else {
            refused += 1;
            continue;
        };
        fitting += 1;
        let processes = inputs.instances.unwrap() as f64 * inputs.overlap;
        let open = plan.size() as f64 * processes;
        let usable = inputs.max_connections.unwrap().saturating_sub(inputs.reserved);
        let limits = [Some(usable), inputs.account_limit, inputs.database_limit];
        let usable = limits.into_iter().flatten().min().unwrap() as f64;
        assert!(plan.size() >= 1, "{inputs:?}");
        assert!(open <= usable, "{open} of {usable}: {inputs:?}");
    }
    assert!(fitting > 1000 && refused > 1000, "{fitting} and {refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_with_many_requests_at_once_has_a_connection_for_each() {
    let url = Postgres::shared().database();
    let settings = anyhost_core::Settings::from_pairs([("DATABASE_URL", url.as_str())]);
    let host = anyhost_core::Host::builder(Paradigm::Serverless, "test").settings(settings);
    let host = host.concurrency(32).build().unwrap();
    let db = Db::<sqlx::Postgres>::open(&host).await.unwrap();
    assert_eq!(db.plan().size(), 32);
    let all = futures_util::future::join_all((0..32).map(|_| db.conn())).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(db.state().in_use, 32);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_callers_drop_are_gone_from_the_server() {
    let url = Postgres::shared().database();
    let mut own = direct(&url).await;
    let db = long_running(&url, 3).await;
    db.close(PATIENCE).await;
    counted(&mut own, CLIENTS, 0, PATIENCE).await;
}
