//! A server that goes away, refuses and comes back.

use super::*;
use crate::db::driver::ConnectErrorKind::{Credentials, Full, Unreachable};

#[tokio::test(start_paused = true)]
async fn during_an_outage_one_attempt_is_made_at_once_and_callers_are_refused_in_time() {
    let server = Server::default();
    let pool = pool(&server, 5);
    for mut conn in all(&pool).await {
        conn.taint_with(Taint::Outdated);
    }
    settle().await;
    server.set(Behaviour::Fails(Unreachable));
    let begun = Instant::now();
    let waves = (0..16).map(|_| acquire(&pool));
    let waves = futures_util::future::join_all(waves).await;
    assert!(waves.iter().all(|caller| matches!(caller, Err(Error::Unreachable { .. }))));
    assert_eq!(begun.elapsed(), pool.plan().acquire_timeout());
    // During a known outage the error comes at once.
    tokio::time::sleep(100 * MS).await;
    let (begun, attempts) = (Instant::now(), server.attempts());
    assert!(matches!(acquire(&pool).await, Err(Error::Unreachable { .. })));
    assert_eq!(begun.elapsed(), Duration::ZERO);
    tokio::time::sleep(Duration::from_secs(10)).await;
    let made = server.attempts() - attempts;
    assert!((15..200).contains(&made), "{made} attempts in ten seconds");
    assert!(server.most_attempts_at_once() <= 5);
    server.set(Behaviour::Serves);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(acquire(&pool).await.is_ok(), "its return was noticed");
    assert!(pool.state().last_connect_error.is_none());
    settle().await;
    assert_whole(&pool, &server);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_costs_one_attempt_at_a_time() {
    let server = Server::default();
    let pool = pool(&server, 5);
    server.set(Behaviour::Silent);
    for _ in 0..3 {
        let callers = futures_util::future::join_all((0..9).map(|_| acquire(&pool))).await;
        assert!(callers.iter().all(Result::is_err));
    }
    let before = server.attempts();
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(server.attempts() - before <= 12, "{}", server.attempts() - before);
    server.set(Behaviour::Serves);
    settle().await;
    assert!(acquire(&pool).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_cannot_grow_serves_everybody_over_what_it_has() {
    for fault in [Full, Credentials, Unreachable] {
        let server = Server::default();
        let pool = pool(&server, 8);
        drop(futures_util::future::join_all((0..3).map(|_| acquire(&pool))).await);
        server.set(Behaviour::Fails(fault));
        let tasks = load(&pool, 12);
        tokio::time::sleep(Duration::from_secs(20)).await;
        let stats = pool.stats("test");
        assert_eq!((stats.timeouts, stats.refused), (0, 0), "{fault:?}: {stats:?}");
        assert!(stats.use_time.count() > 1000, "{stats:?}");
        assert!(pool.state().last_connect_error.is_some());
        drop(tasks);
        settle().await;
        let before = server.attempts();
        settle().await;
        let goes_on = server.attempts() > before;
        assert_eq!(
            goes_on,
            fault == Unreachable,
            "{fault:?}: what is refused is not needed any more"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn open_connections_that_do_not_answer_serve_no_caller_during_an_outage() {
    let server = Server::default();
    let pool = pool(&server, 2);
    let _held = acquire(&pool).await.expect("the server is up");
    server.set(Behaviour::Fails(Unreachable));
    assert!(acquire(&pool).await.is_err());
    settle().await;
    let begun = Instant::now();
    assert!(matches!(acquire(&pool).await, Err(Error::Unreachable { .. })));
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_password_that_rotates_is_told_at_once_when_nothing_is_open_and_recovered_from() {
    let server = Server::default();
    let pool = pool(&server, 2);
    let held = acquire(&pool).await.expect("the server is up");
    server.set(Behaviour::Fails(Credentials));
    let waiting = spawn_caller(&pool);
    settle_a_little().await;
    drop(held);
    assert!(waiting.await.expect("no panic").is_ok(), "what is open serves on");
    acquire(&pool).await.expect("it is idle").taint_with(Taint::Dirty);
    let begun = Instant::now();
    assert!(matches!(acquire(&pool).await, Err(Error::Credentials { .. })));
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    server.set(Behaviour::Serves);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(acquire(&pool).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn callers_that_wait_are_told_at_once_what_waiting_does_not_mend() {
    let server = Server::default();
    server.lock().connect_takes = 100 * MS;
    server.set(Behaviour::Fails(Credentials));
    let pool = pool(&server, 2);
    let begun = Instant::now();
    let callers = futures_util::future::join_all((0..5).map(|_| acquire(&pool))).await;
    assert!(callers.iter().all(|caller| matches!(caller, Err(Error::Credentials { .. }))));
    assert!(begun.elapsed() < pool.plan().acquire_timeout(), "{:?}", begun.elapsed());
    assert_eq!(pool.state().waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn a_busy_pool_is_ready_and_a_dead_one_is_not() {
    let server = Server::default();
    let pool = pool(&server, 2);
    let _held = all(&pool).await;
    let within = Duration::from_millis(800);
    assert!(matches!(pool.ready(within).await, Some(Ok(()))));
    assert_eq!((server.attempts(), server.pings()), (2, 0), "answers a moment ago are enough");
    tokio::time::sleep(Duration::from_secs(60)).await;
    // The last answer is too old: a new connection shows that the server is alive, and so does its refusal.
    assert!(matches!(pool.ready(within).await, Some(Ok(()))));
    assert_eq!((server.open(), pool.state().waiting), (2, 0));
    server.set(Behaviour::Fails(Full));
    assert!(matches!(pool.ready(within).await, Some(Ok(()))));
    server.set(Behaviour::Fails(Unreachable));
    assert!(matches!(pool.ready(within).await, Some(Err(Error::Unreachable { .. }))));
    server.set(Behaviour::Silent);
    assert!(pool.ready(within).await.is_none());
    pool.close(Duration::ZERO).await;
    assert!(matches!(pool.ready(within).await, Some(Err(Error::Closed))));
}

/// Runs callers, each of which comes again when it has been served, until all have been stopped.
fn load(pool: &TestPool, callers: usize) -> tokio::task::JoinSet<()> {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..callers {
        let pool = Arc::clone(pool);
        tasks.spawn(async move {
            loop {
                if let Ok(mut conn) = acquire(&pool).await {
                    tokio::time::sleep(50 * MS).await;
                    conn.work();
                }
                tokio::time::sleep(MS).await;
            }
        });
    }
    tasks
}

#[tokio::test(start_paused = true)]
async fn an_old_failure_refuses_no_caller() {
    let server = Server::default();
    let pool = pool(&server, 2);
    let held = acquire(&pool).await.expect("the server is up");
    server.set(Behaviour::Fails(Full));
    let waiting = spawn_caller(&pool);
    tokio::time::sleep(100 * MS).await;
    drop(held);
    waiting.await.expect("no panic").expect("the open connection serves it");
    // The open connection serves all callers, so no attempt goes on.
    settle().await;
    let mut last = acquire(&pool).await.expect("it is idle");
    last.taint_with(Taint::Lost);
    drop(last);
    server.set(Behaviour::Serves);
    settle().await;
    // The second caller comes while the attempt for the first is under way.
    drop(all(&pool).await);
}
