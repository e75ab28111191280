//! The pool without a server: a fake one, in paused time.

mod fake;
mod outages;
mod schedules;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use fake::{Behaviour, Server};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::{Pool, PooledConnection, Purpose};
use crate::Epoch;
use crate::db::Error;
use crate::db::connect::{Connect as _, Taint};
use crate::db::plan::tests::INPUTS;
use crate::db::plan::{Inputs, Plan};

const MS: Duration = Duration::from_millis(1);

type TestPool = Arc<Pool<Server>>;
type Acquired = Result<PooledConnection<Server>, Error>;

fn plan(size: usize) -> Plan {
    let unlimited = Inputs { cpus: 1, overlap: 1.0, max_connections: None, reserved: 0, ..INPUTS };
    Plan::new(&Inputs { pool_size: Some(size), ..unlimited }).expect("fits")
}

/// A pool of this size that has opened nothing yet.
fn pool(server: &Server, size: usize) -> TestPool {
    Pool::new(plan(size), Epoch::default(), false, server.clone(), "test".into())
}

/// A pool on a host that may freeze it.
fn freezing(server: &Server, size: usize) -> (TestPool, Epoch) {
    let epoch = Epoch::default();
    (Pool::new(plan(size), epoch.clone(), true, server.clone(), "test".into()), epoch)
}

async fn acquire(pool: &TestPool) -> Acquired {
    pool.acquire(Purpose::Line(std::panic::Location::caller())).await
}

/// A caller in a task of its own.
fn spawn_caller(pool: &TestPool) -> JoinHandle<Result<(), Error>> {
    let pool = Arc::clone(pool);
    tokio::spawn(async move { acquire(&pool).await.map(drop) })
}

/// Borrows all that the pool may have.
async fn all(pool: &TestPool) -> Vec<PooledConnection<Server>> {
    let all = futures_util::future::join_all((0..pool.size()).map(|_| acquire(pool))).await;
    all.into_iter().map(|conn| conn.expect("the server is up")).collect()
}

/// Lets everything happen that is under way.
async fn settle() {
    tokio::time::sleep(Duration::from_secs(5)).await;
}

/// Asserts that the pool has all of its places, and that no caller holds or waits for one.
#[track_caller]
fn assert_whole(pool: &TestPool, server: &Server) {
    let state = pool.state();
    assert_eq!((state.in_use, state.waiting), (0, 0), "{state}");
    assert_eq!(state.open, state.idle, "a place is lost: {state}");
    assert_eq!(server.open(), state.open, "the server counts other connections: {state}");
    assert!(server.most_open() <= pool.size(), "{} were open", server.most_open());
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_pinged_only_after_the_validation_interval() {
    let server = Server::default();
    let pool = pool(&server, 1);
    drop(acquire(&pool).await);
    for (pause, pings) in [(100, 0), (499, 0), (501, 1), (400, 1)] {
        tokio::time::sleep(pause * MS).await;
        let mut conn = acquire(&pool).await.expect("it is alive");
        conn.work();
        drop(conn);
        assert_eq!(server.pings(), pings, "after {pause} ms");
    }
    assert_eq!(server.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_not_finished_is_closed_and_its_place_comes_back() {
    let server = Server::default();
    let pool = pool(&server, 2);
    for taint in [Taint::Dirty, Taint::Lost, Taint::Outdated] {
        let mut conn = acquire(&pool).await.expect("the server is up");
        let id = conn.id();
        conn.taint_with(taint);
        drop(conn);
        assert_ne!(acquire(&pool).await.expect("another").id(), id);
        settle().await;
        assert_whole(&pool, &server);
    }
    let closed = pool.stats("test").closed;
    assert_eq!((closed.dirty, closed.lost, closed.outdated), (1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_has_its_siblings_pinged_and_an_outdated_one_has_them_closed() {
    let server = Server::default();
    let pool = pool(&server, 3);
    drop(all(&pool).await);
    let mut lost = acquire(&pool).await.expect("one is idle");
    lost.taint_with(Taint::Lost);
    drop(lost);
    drop(acquire(&pool).await.expect("one is idle"));
    assert_eq!(server.pings(), 1, "it was validated before the other broke");
    let mut outdated = acquire(&pool).await.expect("one is idle");
    outdated.taint_with(Taint::Outdated);
    drop(outdated);
    drop(acquire(&pool).await.expect("a new one"));
    assert_eq!(pool.stats("test").closed.outdated, 2);
}

#[tokio::test(start_paused = true)]
async fn idle_connections_that_died_cost_one_ping_together() {
    let server = Server::default();
    let pool = pool(&server, 10);
    drop(all(&pool).await);
    tokio::time::sleep(600 * MS).await;
    server.forget_all();
    let begun = Instant::now();
    drop(acquire(&pool).await.expect("a new one"));
    assert_eq!(server.pings(), 1);
    assert!(begun.elapsed() < pool.plan().ping_timeout() + 100 * MS, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn upkeep_retires_what_is_old_or_unused_and_keeps_the_rest_alive() {
    let server = Server::default();
    let pool = pool(&server, 3);
    pool.start_upkeep();
    drop(all(&pool).await);
    let idle = pool.plan().idle_timeout();
    tokio::time::sleep(idle - Duration::from_secs(30)).await;
    assert_eq!(pool.state().idle, 3);
    assert!(server.pings() >= 9, "{} pings", server.pings());
    tokio::time::sleep(Duration::from_secs(90)).await;
    assert_eq!(pool.state().idle, 1, "what is not used is given up but for one");
    assert_eq!(pool.stats("test").closed.idle, 2);
    tokio::time::sleep(pool.plan().max_lifetime()).await;
    assert_eq!((pool.state().idle, pool.stats("test").closed.lifetime), (1, 1));
    assert_whole(&pool, &server);
}

#[test]
fn lifetimes_are_spread_over_their_last_quarter() {
    let longest = Duration::from_secs(400);
    let mut seconds: Vec<_> = (0..1000).map(|_| super::spread(longest).as_secs()).collect();
    assert!(seconds.iter().all(|second| (300..=400).contains(second)));
    seconds.sort_unstable();
    seconds.dedup();
    assert!(seconds.len() > 90, "they end in {} seconds of a hundred", seconds.len());
}

#[tokio::test(start_paused = true)]
async fn after_a_freeze_a_connection_is_pinged_once_and_replaced_if_it_died() {
    let server = Server::default();
    let (pool, epoch) = freezing(&server, 1);
    drop(acquire(&pool).await.expect("the server is up"));
    for _ in 0..20 {
        epoch.advance();
        drop(acquire(&pool).await.expect("it survived"));
    }
    assert_eq!((server.attempts(), server.pings()), (1, 20));
    for _ in 0..20 {
        server.forget_all();
        epoch.advance();
        drop(acquire(&pool).await.expect("it is replaced"));
    }
    assert_eq!((server.attempts(), server.pings()), (21, 40));
    assert_whole(&pool, &server);
}

#[tokio::test(start_paused = true)]
async fn before_a_freeze_only_connections_of_a_crowded_server_are_closed() {
    let server = Server::default();
    let (pool, _epoch) = freezing(&server, 1);
    drop(acquire(&pool).await.expect("the server is up"));
    pool.rest();
    assert_eq!(pool.state().idle, 1);
    server.lock().crowded = true;
    pool.try_idle().expect("it is idle").taint_with(Taint::Dirty);
    drop(acquire(&pool).await.expect("the server is up"));
    pool.rest();
    assert_eq!((pool.state().idle, pool.stats("test").closed.crowded), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn closing_refuses_callers_that_wait_and_waits_for_holders() {
    let server = Server::default();
    let pool = pool(&server, 2);
    let mut held = all(&pool).await;
    let waiting = spawn_caller(&pool);
    settle_a_little().await;
    let first = held.pop();
    tokio::spawn(async move {
        tokio::time::sleep(100 * MS).await;
        drop(first);
    });
    let begun = Instant::now();
    let drained = pool.close(Duration::from_secs(1)).await;
    assert!(matches!(waiting.await.expect("no panic"), Err(Error::Closed)));
    assert_eq!((drained.closed, drained.aborted), (1, 1), "{drained}");
    assert!(drained.holders[0].0.contains("tests.rs"), "{drained}");
    assert_eq!(begun.elapsed(), Duration::from_secs(1));
    drop(held);
    assert!(matches!(acquire(&pool).await, Err(Error::Closed)));
    settle().await;
    assert_eq!((server.open(), pool.stats("test").closed.total()), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn readers_serve_on_until_there_is_a_writer() {
    let server = Server::default();
    server.lock().read_only = true;
    let pool = pool(&server, 2);
    drop(all(&pool).await);
    let mut conn = acquire(&pool).await.expect("it reads");
    let reader = conn.id();
    conn.refuse_write();
    drop(conn);
    settle().await;
    assert_eq!(acquire(&pool).await.expect("it reads").id(), reader);
    server.lock().read_only = false;
    acquire(&pool).await.expect("it reads").refuse_write();
    settle().await;
    assert_ne!(acquire(&pool).await.expect("it writes").id(), reader);
    assert_eq!(pool.stats("test").closed.outdated, 2);
}

async fn settle_a_little() {
    tokio::time::sleep(50 * MS).await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_takes_places_out_of_the_budget() {
    let server = Server::default();
    let pool = pool(&server, 3);
    drop(all(&pool).await);
    let lease = pool.lease(2).await;
    assert_eq!((pool.size(), pool.state().idle, lease.num_permits()), (1, 1, 2));
    let held = acquire(&pool).await.expect("one is left");
    assert!(timeout(MS, acquire(&pool)).await.is_err());
    drop(held);
    assert_eq!(pool.close(Duration::from_secs(1)).await.aborted, 0);
    assert!(server.connect(None).await.is_ok(), "the lease's places are not the pool's");
}
