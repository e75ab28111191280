//! Measures the warm single-row query through `Db` against its peers: `sqlx::Pool` with its defaults and
//! deadpool-postgres with cached statements, at the same number of connections.
//!
//! The three take turns within every round, so that whatever else the machine does meets all of them, and
//! what counts is the median over the rounds of the ratio within a round. Build it in release:
//! `cargo run --release -p anyhost-tests --example throughput -- [rounds] [connections]`.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot be made ends")]
#![expect(clippy::print_stdout, reason = "the table is what this program is run for")]

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhost_core::db::Db;
use anyhost_core::{Host, Paradigm, Settings};
use anyhost_tests::servers::Postgres;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

const QUERY: &str = "SELECT title FROM notes WHERE id = $1";
const TASKS: [usize; 3] = [1, 16, 128];
const TURN: Duration = Duration::from_millis(400);

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1).map(|number| number.parse::<usize>().unwrap());
    let rounds = arguments.next().unwrap_or(15);
    let size = arguments.next().unwrap_or(5);

    let server = Postgres::start(&["max_connections=100"]);
    server.sql("CREATE TABLE notes (id bigint PRIMARY KEY, title text NOT NULL)");
    server.sql("INSERT INTO notes SELECT g, 'note ' || g FROM generate_series(1, 1000) g");
    server.sql("VACUUM ANALYZE notes");
    let url = server.url();

    let settings = Settings::from_pairs([
        ("DATABASE_URL", url.clone()),
        ("DATABASE_POOL_SIZE", size.to_string()),
    ]);
    let host = Host::builder(Paradigm::LongRunning, "bench").settings(settings).build().unwrap();
    let ours = Db::<sqlx::Postgres>::open(&host).await.unwrap();
    let most = u32::try_from(size).unwrap();
    let sqlx = PgPoolOptions::new().max_connections(most).connect(&url).await.unwrap();
    let deadpool = deadpool(&url, size);

    println!("{size} connections, {rounds} rounds, median queries per second and ratios");
    println!(
        "{:>5} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "tasks", "ours", "sqlx", "deadpool", "/ sqlx", "/ deadpool"
    );
    for tasks in TASKS {
        // Every connection of every pool is open and has its statement before anything counts.
        for _ in 0..2 {
            turn(&ours, tasks, by_ours).await;
            turn(&sqlx, tasks, by_sqlx).await;
            turn(&deadpool, tasks, by_deadpool).await;
        }
        let mut results = Vec::new();
        for _ in 0..rounds {
            let ours = turn(&ours, tasks, by_ours).await;
            let sqlx = turn(&sqlx, tasks, by_sqlx).await;
            let deadpool = turn(&deadpool, tasks, by_deadpool).await;
            results.push([ours, sqlx, deadpool, ours / sqlx, ours / deadpool]);
        }
        let [ours, sqlx, deadpool, to_sqlx, to_deadpool] =
            [0, 1, 2, 3, 4].map(|column| median(results.iter().map(|result| result[column])));
        println!(
            "{tasks:>5} {ours:>9.0} {sqlx:>9.0} {deadpool:>9.0} {to_sqlx:>9.2} {to_deadpool:>9.2}"
        );
    }
}

async fn by_ours(db: Db<sqlx::Postgres>, id: i64) -> String {
    sqlx::query_scalar(QUERY).bind(id).fetch_one(&db).await.unwrap()
}

async fn by_sqlx(pool: PgPool, id: i64) -> String {
    sqlx::query_scalar(QUERY).bind(id).fetch_one(&pool).await.unwrap()
}

async fn by_deadpool(pool: deadpool_postgres::Pool, id: i64) -> String {
    let client = pool.get().await.unwrap();
    let statement = client.prepare_cached(QUERY).await.unwrap();
    client.query_one(&statement, &[&id]).await.unwrap().get(0)
}

fn deadpool(url: &str, size: usize) -> deadpool_postgres::Pool {
    let config: tokio_postgres::Config = url.parse().unwrap();
    let manager = deadpool_postgres::Manager::new(config, tokio_postgres::NoTls);
    deadpool_postgres::Pool::builder(manager).max_size(size).build().unwrap()
}

/// Queries per second of this many tasks over one turn.
async fn turn<P, F>(pool: &P, tasks: usize, query: fn(P, i64) -> F) -> f64
where
    P: Clone + Send + Sync + 'static,
    F: Future<Output = String> + Send + 'static,
{
    let over = Arc::new(AtomicBool::new(false));
    let done = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let workers: Vec<_> = (0..tasks)
        .map(|worker| {
            let (pool, over, done) = (pool.clone(), Arc::clone(&over), Arc::clone(&done));
            tokio::spawn(async move {
                let mut id = i64::try_from(worker).unwrap();
                let mut own = 0;
                while !over.load(Ordering::Relaxed) {
                    id = id % 1000 + 1;
                    let title = query(pool.clone(), id).await;
                    assert!(title.len() > 5);
                    own += 1;
                }
                done.fetch_add(own, Ordering::Relaxed);
            })
        })
        .collect();
    tokio::time::sleep(TURN).await;
    over.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.await.unwrap();
    }
    done.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64()
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
