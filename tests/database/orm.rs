//! SeaORM on a leased pool: it works as on a pool of its own, inside the budget.

use std::time::Duration;

use anyhost_core::Paradigm;
use anyhost_core::adapter::HostHandles as _;
use anyhost_tests::process::PATIENCE;
use anyhost_tests::servers::Postgres;
use sea_orm::{
    ConnectionTrait, DbBackend, SqlxPostgresConnector, Statement, TransactionTrait, Value,
};
use tokio::time::timeout;

use crate::kit::{CLIENTS, MostClients, counted, direct, open};

fn statement(sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
    Statement::from_sql_and_values(DbBackend::Postgres, sql, values)
}

#[tokio::test(flavor = "multi_thread")]
async fn seaorm_works_on_a_leased_pool_and_the_budget_holds() {
    const SIZE: usize = 4;
    let url = Postgres::shared().database();
    let settings = [("DATABASE_POOL_SIZE", "4"), ("DATABASE_ACQUIRE_TIMEOUT", "60s")];
    let (host, db) = open::<sqlx::Postgres>(Paradigm::LongRunning, &url, &settings).await.unwrap();
    let orm = SqlxPostgresConnector::from_sqlx_postgres_pool(db.sqlx_pool(2).await.unwrap());
    orm.execute_unprepared("CREATE TABLE t (a bigint PRIMARY KEY)").await.unwrap();
    let clients = MostClients::watch(&url).await;
    let callers = (0..12u64).map(|seed| {
        let (db, orm) = (db.clone(), orm.clone());
        tokio::spawn(async move {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut committed = 0;
            for round in 0..20 {
                let tx = orm.begin().await.unwrap();
                let number = i64::try_from(seed * 100 + round).unwrap();
                let insert = statement("INSERT INTO t VALUES ($1)", [number.into()]);
                tx.execute_raw(insert).await.unwrap();
                if random.bool() {
                    tx.commit().await.unwrap();
                    committed += 1;
                }
                // Some give up: what they had begun ends with their connection.
                let patience = Duration::from_millis(random.u64(1..10));
                let _ = timeout(patience, sqlx::query("SELECT pg_sleep(0.003)").execute(&db)).await;
            }
            committed
        })
    });
    let mut committed: i64 = 0;
    for caller in callers.collect::<Vec<_>>() {
        committed += caller.await.unwrap();
    }
    let most = clients.end().await;
    assert!(most <= SIZE, "{most} connections were open on the server");
    let count = statement("SELECT count(*) AS rows FROM t", []);
    let row = orm.query_one_raw(count).await.unwrap().expect("a row");
    assert_eq!(row.try_get::<i64>("", "rows").unwrap(), committed);
    // A connection that died while it was idle is not handed on.
    tokio::time::sleep(db.plan().validation_interval() + Duration::from_millis(50)).await;
    let others = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                  WHERE datname = current_database() AND pid <> pg_backend_pid()";
    sqlx::query(others).execute(&mut direct(&url).await).await.unwrap();
    orm.execute_unprepared("SELECT 1").await.unwrap();
    // The drain closes it with everything else.
    host.databases().close(PATIENCE).await;
    assert!(orm.execute_unprepared("SELECT 1").await.is_err());
    counted(&mut direct(&url).await, CLIENTS, 0, PATIENCE).await;
}
