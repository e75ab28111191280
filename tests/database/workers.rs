//! Workers with runtimes of their own open connections on themselves, and nobody depends on one of them.

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::time::Duration;

use anyhost_core::db::{Conn, Db, Error};
use futures_util::future::{join_all, try_join_all};
use sqlx::Postgres as Pg;
use tokio::time::{sleep, timeout};

use crate::crew::Crew;
use crate::kit::{CLIENTS, backend, counted, direct};

const MS: Duration = Duration::from_millis(1);

/// So many at once.
async fn some(db: &Db<Pg>, count: usize) -> Result<Vec<Conn<Pg>>, Error> {
    try_join_all((0..count).map(|_| db.conn())).await
}

/// So many at once, each asked who it is.
async fn all_at_once(db: Db<Pg>, count: usize) -> Result<BTreeSet<i32>, Error> {
    let mut conns = some(&db, count).await?;
    let mut pids = BTreeSet::new();
    for conn in &mut conns {
        let pid = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut **conn).await;
        pids.insert(pid.unwrap());
    }
    Ok(pids)
}

/// Who serves so many queries one after the other.
async fn one_by_one(db: Db<Pg>, count: usize) -> BTreeSet<i32> {
    let mut pids = BTreeSet::new();
    for _ in 0..count {
        pids.insert(backend(&db).await);
    }
    pids
}

#[test]
fn workers_use_the_connections_that_they_opened_themselves() {
    let crew = Crew::of(2, 5);
    // The process has opened one, which the first of these takes; each worker opens its share.
    let held = [(0, 3), (1, 2)].map(|(worker, count)| {
        let conns = move |db: Db<Pg>| async move { some(&db, count).await.unwrap() };
        crew.run(worker, conns)
    });
    drop(held);
    let first = crew.run(0, |db| one_by_one(db, 20));
    let second = crew.run(1, |db| one_by_one(db, 20));
    assert_eq!(first.intersection(&second).count(), 0, "{first:?} and {second:?}");
    // What lies idle anywhere can be had anywhere.
    assert_eq!(crew.run(0, |db| all_at_once(db, 5)).unwrap().len(), 5);
    assert_eq!(crew.run(1, |db| all_at_once(db, 5)).unwrap().len(), 5);
    assert_eq!(crew.home.block_on(all_at_once(crew.db.clone(), 5)).unwrap().len(), 5);
}

#[test]
fn a_worker_that_is_busy_holds_up_nobody_else() {
    let crew = Crew::of(2, 4);
    assert_eq!(crew.run(0, |db| all_at_once(db, 4)).unwrap().len(), 4);
    let held_up = crew.hold_up(0);
    // Being busy is a matter of time.
    crew.home.block_on(async { sleep(100 * MS).await });
    assert_eq!(crew.run(1, |db| all_at_once(db, 4)).unwrap().len(), 4);
    assert_eq!(crew.home.block_on(all_at_once(crew.db.clone(), 4)).unwrap().len(), 4);
    held_up.release(&crew);
    crew.home
        .block_on(async { counted(&mut direct(&crew.url).await, CLIENTS, 4, 5_000 * MS).await });
}

#[test]
fn a_worker_that_was_busy_for_a_moment_lends_again() {
    let crew = Crew::of(1, 2);
    let first = crew.home.block_on(crew.db.conn()).unwrap();
    // The worker opens the second, and it lies there.
    assert_eq!(crew.run(0, |db| all_at_once(db, 1)).unwrap().len(), 1);
    let held_up = crew.hold_up(0);
    // Being busy is a matter of time.
    crew.home.block_on(async { sleep(50 * MS).await });
    let mut wanted = Box::pin(crew.db.conn());
    crew.home.block_on(async { begin_to_wait(&mut wanted) });
    held_up.release(&crew);
    let served = crew.home.block_on(async { timeout(5_000 * MS, wanted).await });
    assert!(served.is_ok(), "nobody looked for it");
    drop(first);
}

/// Who waits on a worker that stands still cannot take what is given to it.
#[test]
fn what_comes_back_goes_past_those_who_wait_on_a_worker_that_stands_still() {
    // It comes back before it shows that the worker stands still, and after.
    for before_it_shows in [true, false] {
        let crew = Crew::of(2, 2);
        let held = crew.home.block_on(some(&crew.db, 2)).unwrap();
        let (waits, waiting) = mpsc::channel();
        let behind: Vec<_> = (0..3)
            .map(|_| {
                let waits = waits.clone();
                crew.on(0, |db| async move {
                    let mut wanted = Box::pin(db.conn());
                    begin_to_wait(&mut wanted);
                    waits.send(()).unwrap();
                    wanted.await.map(drop)
                })
            })
            .collect();
        (0..3).for_each(|_| waiting.recv().unwrap());
        let held_up = crew.hold_up(0);
        if before_it_shows {
            drop(held);
            crew.run(1, |db| async move { drop(db.conn().await.unwrap()) });
        } else {
            // Standing still is a matter of time.
            crew.home.block_on(async { sleep(300 * MS).await });
            let elsewhere = crew.on(1, |db| async move { drop(db.conn().await.unwrap()) });
            drop(held);
            let served = crew.home.block_on(async { timeout(5_000 * MS, elsewhere).await });
            served.expect("it is passed over").unwrap();
        }
        held_up.release(&crew);
        crew.home.block_on(async {
            for served in join_all(behind).await {
                served.unwrap().unwrap();
            }
        });
        assert_eq!(crew.home.block_on(all_at_once(crew.db.clone(), 2)).unwrap().len(), 2);
    }
}

#[test]
fn what_a_worker_opened_is_opened_again_when_it_has_ended() {
    let mut crew = Crew::of(2, 4);
    assert_eq!(crew.run(0, |db| all_at_once(db, 4)).unwrap().len(), 4);
    crew.end(0);
    let pids = crew.home.block_on(all_at_once(crew.db.clone(), 4)).unwrap();
    assert_eq!(pids.len(), 4);
    crew.end(0);
    assert_eq!(crew.home.block_on(all_at_once(crew.db.clone(), 4)).unwrap().len(), 4);
    crew.home
        .block_on(async { counted(&mut direct(&crew.url).await, CLIENTS, 4, 5_000 * MS).await });
}

#[test]
fn a_worker_that_ends_while_it_connects_leaves_its_place_to_others() {
    for _ in 0..20 {
        let mut crew = Crew::of(1, 2);
        let held = crew.home.block_on(crew.db.conn()).unwrap();
        // It begins to connect and is gone.
        let (began, beginning) = mpsc::channel();
        let _never = crew.on(0, |db| async move {
            let mut wanted = std::pin::pin!(db.conn());
            assert!(futures_util::poll!(&mut wanted).is_pending());
            began.send(()).unwrap();
            wanted.await.map(drop)
        });
        beginning.recv().unwrap();
        crew.end(0);
        drop(held);
        assert_eq!(crew.home.block_on(all_at_once(crew.db.clone(), 2)).unwrap().len(), 2);
    }
}

#[test]
fn nobody_is_forgotten_whoever_gives_up_and_wherever_they_wait() {
    let crew = Crew::of(3, 7);
    // One task on the first worker, many on the second, those of the third give up all the time.
    let misbehave = |seed: u64, patience: Option<Duration>| {
        let mut random = fastrand::Rng::with_seed(seed);
        move |db: Db<Pg>| async move {
            for _ in 0..150 {
                let hold = Duration::from_micros(random.u64(0..300));
                let work = async {
                    let _conn = db.conn().await?;
                    sleep(hold).await;
                    Ok::<_, Error>(())
                };
                match patience {
                    Some(patience) => match timeout(patience.mul_f64(random.f64()), work).await {
                        Ok(outcome) => outcome?,
                        Err(_) => tokio::task::yield_now().await,
                    },
                    None => work.await?,
                }
            }
            Ok::<_, Error>(())
        }
    };
    let mut all = vec![crew.on(0, misbehave(0, None))];
    all.extend((0..40).map(|seed| crew.on(1, misbehave(seed, None))));
    all.extend((0..40).map(|seed| crew.on(2, misbehave(seed, Some(2 * MS)))));
    let outside: Vec<_> =
        (0..10).map(|seed| crew.home.spawn(misbehave(seed, None)(crew.db.clone()))).collect();
    crew.home.block_on(async {
        for outcome in join_all(all).await {
            outcome.unwrap().unwrap();
        }
        for outcome in join_all(outside).await {
            outcome.unwrap().unwrap();
        }
        // None was lost, none is too many.
        assert_eq!(all_at_once(crew.db.clone(), 7).await.unwrap().len(), 7);
        counted(&mut direct(&crew.url).await, CLIENTS, 7, 5_000 * MS).await;
    });
}

/// Polls a future once, as its task does when it begins.
fn begin_to_wait<T>(wanted: &mut std::pin::Pin<Box<impl Future<Output = T> + ?Sized>>) {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(wanted.as_mut().poll(&mut context).is_pending());
}

/// A waiter that has been given a connection and is gone before it learns of it.
#[test]
fn a_connection_that_lay_ready_for_somebody_who_has_gone_is_handed_to_who_waits_elsewhere() {
    let crew = Crew::of(1, 2);
    // The process has opened the first of them, the worker the second.
    let (second, first) = crew.run(0, |db| async move {
        let mut two = some(&db, 2).await.unwrap();
        (two.pop().unwrap(), two.pop().unwrap())
    });
    let mut elsewhere = Box::pin(crew.db.conn());
    crew.home.block_on(async {
        begin_to_wait(&mut elsewhere);
    });
    crew.run(0, |db| async move {
        let mut here = Box::pin(db.conn());
        begin_to_wait(&mut here);
        // It is laid down for who waits here, and nobody picks it up.
        drop(second);
        drop(here);
    });
    let served = crew.home.block_on(async { timeout(5_000 * MS, elsewhere).await });
    assert!(served.is_ok(), "nobody told it");
    drop(first);
}
