//! Callers that wait: in order, whatever others do, and with nothing lost when they give up.

use super::super::queue::Joined;
use super::*;

#[tokio::test(start_paused = true)]
async fn callers_are_served_in_the_order_in_which_they_came() {
    let server = Server::default();
    let pool = pool(&server, 3);
    let mut held = all(&pool).await;
    let (served, mut order) = tokio::sync::mpsc::unbounded_channel();
    for number in 0..100 {
        let (pool, served) = (Arc::clone(&pool), served.clone());
        tokio::spawn(async move {
            let conn = acquire(&pool).await.expect("the server is up");
            let _ = served.send(number);
            tokio::time::sleep(MS).await;
            drop(conn);
        });
        tokio::task::yield_now().await;
    }
    held.pop();
    for number in 0..100 {
        assert_eq!(order.recv().await, Some(number));
    }
    drop(held);
    settle().await;
    assert_whole(&pool, &server);
}

#[tokio::test(start_paused = true)]
async fn a_returned_connection_serves_a_caller_whose_own_is_still_being_made() {
    let server = Server::default();
    let pool = pool(&server, 2);
    let held = acquire(&pool).await.expect("the server is up");
    server.lock().connect_takes = 500 * MS;
    tokio::spawn(async move {
        tokio::time::sleep(20 * MS).await;
        drop(held);
    });
    let begun = Instant::now();
    acquire(&pool).await.expect("it came back");
    assert_eq!(begun.elapsed(), 20 * MS);
    assert_eq!(pool.stats("test").wait_time.sum(), 20 * MS);
}

#[tokio::test(start_paused = true)]
async fn callers_that_give_up_leave_their_handshakes_to_the_next() {
    let server = Server::default();
    server.lock().connect_takes = 500 * MS;
    let pool = pool(&server, 8);
    let wave = (0..200).map(|_| timeout(100 * MS, acquire(&pool)));
    let wave = futures_util::future::join_all(wave).await;
    assert!(wave.iter().all(Result::is_err));
    settle().await;
    assert_eq!((pool.state().idle, server.attempts()), (8, 8));
    assert_whole(&pool, &server);
}

#[tokio::test(start_paused = true)]
async fn a_caller_may_give_up_at_every_point_and_nothing_is_lost() {
    // A connection that is idle and needs a ping, then a new one, then one that comes back.
    for millis in 0..40 {
        let server = Server::default();
        server.lock().connect_takes = 10 * MS;
        server.lock().release_takes = 5 * MS;
        let pool = pool(&server, 2);
        drop(acquire(&pool).await.expect("the server is up"));
        tokio::time::sleep(600 * MS).await;
        if millis % 2 == 0 {
            server.forget_all();
        }
        let patience = Duration::from_micros(millis * 700);
        let callers = (0..6).map(|_| timeout(patience, acquire(&pool)));
        let callers = futures_util::future::join_all(callers).await;
        drop(callers);
        settle().await;
        assert_whole(&pool, &server);
        drop(all(&pool).await);
        settle().await;
        assert_whole(&pool, &server);
    }
}

#[tokio::test(start_paused = true)]
async fn callers_that_give_up_take_no_turn_with_them() {
    let server = Server::default();
    let pool = pool(&server, 1);
    let held = acquire(&pool).await.expect("the server is up");
    let quitters = (0..50).map(|number| {
        let pool = Arc::clone(&pool);
        tokio::spawn(async move {
            let _ = timeout(Duration::from_millis(100 + number % 3), acquire(&pool)).await;
        })
    });
    let quitters: Vec<_> = quitters.collect();
    tokio::task::yield_now().await;
    let last = spawn_caller(&pool);
    tokio::task::yield_now().await;
    assert_eq!(pool.state().waiting, 51);
    // At the same time as the last callers give up.
    tokio::time::sleep(101 * MS).await;
    assert!(pool.state().waiting <= 34, "{}", pool.state());
    drop(held);
    assert!(last.await.expect("no panic").is_ok());
    for quitter in quitters {
        quitter.await.expect("no panic");
    }
    assert_whole(&pool, &server);
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_the_plan_or_with_the_callers_deadline_and_says_which() {
    let server = Server::default();
    let pool = pool(&server, 1);
    let _held = acquire(&pool).await.expect("the server is up");
    let begun = Instant::now();
    let error = acquire(&pool).await.err();
    assert!(matches!(error, Some(Error::TimedOut { .. })), "{error:?}");
    assert_eq!(begun.elapsed(), pool.plan().acquire_timeout());
    let soon = (Instant::now() + 300 * MS).into_std();
    let error = crate::within(soon, acquire(&pool)).await.err();
    let Some(Error::Deadline { state }) = error else { panic!("{error:?}") };
    assert!(state.longest_holder.is_some_and(|(place, _)| place.contains("tests.rs")));
    assert_eq!(pool.stats("test").timeouts, 2);
}

#[tokio::test(start_paused = true)]
async fn no_connection_is_opened_for_a_caller_whose_time_is_over_already() {
    let server = Server::default();
    let pool = pool(&server, 1);
    let over = Instant::now().into_std();
    let error = crate::within(over, acquire(&pool)).await.err();
    assert!(matches!(error, Some(Error::Deadline { .. })), "{error:?}");
    settle().await;
    assert_eq!(server.attempts(), 0);
}

#[tokio::test(start_paused = true)]
async fn each_wait_ends_at_its_own_time_whatever_the_order_of_the_deadlines() {
    let server = Server::default();
    let pool = pool(&server, 1);
    let held = acquire(&pool).await.expect("the server is up");
    let begun = Instant::now();
    let callers = [900, 300, 5000, 300, 100, 1700].map(|millis| {
        let pool = Arc::clone(&pool);
        async move {
            let until = (begun + millis * MS).into_std();
            let outcome = crate::within(until, acquire(&pool)).await.map(drop);
            (millis, outcome.is_err(), begun.elapsed())
        }
    });
    let by_plan = pool.plan().acquire_timeout();
    for (millis, failed, took) in futures_util::future::join_all(callers).await {
        assert!(failed);
        assert_eq!(took, by_plan.min(millis * MS));
    }
    assert_eq!(pool.state().waiting, 0);
    drop(held);
    // The timer of waits starts again after a time without any wait.
    let _held = acquire(&pool).await.expect("it is idle");
    let begun = Instant::now();
    assert!(acquire(&pool).await.is_err());
    assert_eq!(begun.elapsed(), by_plan);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_handed_over_before_a_freeze_is_pinged_after_it() {
    let server = Server::default();
    let (pool, epoch) = freezing(&server, 1);
    for (frozen, pings) in [(false, 0), (true, 1)] {
        let mut held = acquire(&pool).await.expect("the server is up");
        let waiting = spawn_caller(&pool);
        settle_a_little().await;
        held.work();
        drop(held);
        if frozen {
            epoch.advance();
        }
        assert!(waiting.await.expect("no panic").is_ok());
        assert_eq!(server.pings(), pings);
    }
    assert_whole(&pool, &server);
}

#[tokio::test(start_paused = true)]
async fn more_callers_than_could_be_served_are_refused_at_once() {
    let server = Server::default();
    let pool = pool(&server, 1);
    let _held = acquire(&pool).await.expect("the server is up");
    let callers = futures_util::future::join_all((0..1025).map(|_| acquire(&pool))).await;
    let refused = |error: &&Acquired| matches!(error, Err(Error::QueueFull { .. }));
    assert_eq!(callers.iter().filter(refused).count(), 1);
    assert_eq!(pool.stats("test").refused, 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_in_a_hurry_does_not_cost_others_a_connection_that_lives() {
    let server = Server::default();
    let pool = pool(&server, 1);
    drop(acquire(&pool).await.expect("the server is up"));
    tokio::time::sleep(600 * MS).await;
    server.lock().ping_takes = 100 * MS;
    let soon = (Instant::now() + 50 * MS).into_std();
    let error = crate::within(soon, acquire(&pool)).await.err();
    assert!(matches!(error, Some(Error::Deadline { .. })), "{error:?}");
    // The ping goes on without its caller, and its answer makes the connection idle again.
    tokio::time::sleep(60 * MS).await;
    assert_eq!((pool.state().idle, server.pings()), (1, 1));
    drop(acquire(&pool).await.expect("it is alive"));
    assert_eq!((server.attempts(), server.pings()), (1, 1));
    assert_eq!(pool.stats("test").closed.total(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_connection_whose_ping_was_cancelled_is_closed() {
    let server = Server::default();
    let pool = pool(&server, 1);
    let first = acquire(&pool).await.expect("the server is up").id();
    tokio::time::sleep(600 * MS).await;
    server.lock().ping_takes = 100 * MS;
    assert!(timeout(50 * MS, acquire(&pool)).await.is_err());
    // The answer to that ping would be taken for that of the next statement.
    assert_ne!(acquire(&pool).await.expect("another").id(), first);
    assert_eq!(pool.stats("test").closed.dirty, 1);
    settle().await;
    assert_whole(&pool, &server);
}

#[tokio::test(start_paused = true)]
async fn a_connection_for_a_caller_that_gives_up_at_that_moment_goes_to_the_next() {
    let server = Server::default();
    let pool = pool(&server, 1);
    for waits_on in [false, true] {
        let held = acquire(&pool).await.expect("the server is up");
        let until = Instant::now() + 500 * MS;
        let Joined::Waits(wait) = pool.join(until, 1) else { panic!("one is held") };
        let next = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move { if waits_on { acquire(&pool).await.map(drop) } else { Ok(()) } }
        });
        settle_a_little().await;
        wait.give_up_late();
        drop(held);
        assert!(next.await.expect("no panic").is_ok());
        assert_whole(&pool, &server);
    }
    assert_eq!(pool.stats("test").created, 1);
}
