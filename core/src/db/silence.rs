//! Statements that get no answer: whether the server is still at work on them, or what was said has been lost on
//! the way.
//!
//! A network can forget a connection without a word: a router that restarts, a host that dies and is replaced. What
//! waits on it then waits for as long as its caller does, and a pool whose connections all do serves nobody. Only
//! the server can tell it from a statement that takes long, so it is asked.

use std::collections::HashMap;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;

use super::conn::Conn;
use super::driver::Driver;
use super::pool::Pool;
use super::slot::Card;

/// How often it is looked who waits for an answer: no I/O.
const LOOK: Duration = Duration::from_secs(1);

/// How long a statement may be without an answer before the server is asked; each time that it is at work, twice as
/// long.
const SILENT: Duration = Duration::from_secs(2);

/// The longest time between two questions about one statement.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);

/// What a connection waits for, shared by whoever runs statements on it and who watches over it.
#[derive(Clone, Debug, Default)]
pub(super) struct Pulse(Arc<Beat>);

#[derive(Debug, Default)]
struct Beat {
    /// Odd while an answer is waited for. Written by the borrower alone.
    turn: AtomicU64,
    /// The turn whose answer will not come.
    lost: AtomicU64,
    borrower: AtomicWaker,
}

impl Pulse {
    /// Notes that an answer is waited for. A borrower that does something else in between, as the reader of a
    /// stream may, does not wait.
    fn waits_now(&self) {
        let turn = self.0.turn.load(Ordering::Relaxed);
        if turn.is_multiple_of(2) {
            self.0.turn.store(turn + 1, Ordering::Release);
        }
    }

    /// Notes that nothing is waited for: an answer has come, or work begins after some that was dropped half-way.
    pub(super) fn rests(&self) {
        let turn = self.0.turn.load(Ordering::Relaxed);
        if !turn.is_multiple_of(2) {
            self.0.turn.store(turn + 1, Ordering::Release);
        }
    }

    /// The error where the answer that is waited for will not come; where it may, the task is woken once it will not.
    ///
    /// To be asked when there is none yet: one that has arrived counts.
    pub(super) fn loss(&self, cx: &Context<'_>) -> Option<sqlx::Error> {
        self.waits_now();
        // Registered first: what is declared afterwards wakes the task.
        self.0.borrower.register(cx.waker());
        let turn = self.0.turn.load(Ordering::Relaxed);
        (self.0.lost.load(Ordering::Acquire) == turn).then(|| {
            tracing::warn!(
                "the server reports this connection idle while a query is pending: \
                 the query or its reply was lost; closing it"
            );
            let text = "the server has nothing to do for it: a statement or its answer was lost on the way";
            sqlx::Error::Io(io::Error::new(io::ErrorKind::ConnectionAborted, text))
        })
    }

    /// The outcome of work on the connection, or the error that there will be none.
    pub(super) async fn answer<T>(
        &self,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        let mut work = pin!(work);
        std::future::poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Pending => self.loss(cx).map_or(Poll::Pending, |error| Poll::Ready(Err(error))),
            outcome => {
                self.rests();
                outcome
            }
        })
        .await
    }

    /// The turn that is waited for.
    fn waits(&self) -> Option<u64> {
        Some(self.0.turn.load(Ordering::Acquire)).filter(|turn| turn % 2 == 1)
    }

    /// Declares that the answer of a turn will not come.
    fn lose(&self, turn: u64) {
        self.0.lost.store(turn, Ordering::Release);
        self.0.borrower.wake();
    }
}

/// Watches over the statements of a pool until it is dropped or closed.
pub(super) fn watch<DB: Driver>(pool: &Arc<Pool<DB>>) {
    let weak: Weak<Pool<DB>> = Arc::downgrade(pool);
    pool.connector.home().spawn(async move {
        let mut waiting = HashMap::new();
        loop {
            tokio::time::sleep(LOOK).await;
            let Some(pool) = weak.upgrade() else { return };
            if pool.is_closed() {
                return;
            }
            look(&pool, &mut waiting).await;
        }
    });
}

/// A statement without an answer.
struct Silent {
    turn: u64,
    since: Instant,
    /// How long it is silent when it is asked after.
    patience: Duration,
}

async fn look<DB: Driver>(pool: &Arc<Pool<DB>>, waiting: &mut HashMap<i64, Silent>) {
    let cards: HashMap<i64, (Card, u64)> = pool
        .cards()
        .into_iter()
        .filter_map(|card| {
            let (id, turn) = (card.id?, card.pulse.waits()?);
            Some((id, (card, turn)))
        })
        .collect();
    waiting.retain(|id, silent| cards.get(id).is_some_and(|(_, turn)| *turn == silent.turn));
    let now = Instant::now();
    for (id, (_, turn)) in &cards {
        let new = || Silent { turn: *turn, since: now, patience: SILENT };
        waiting.entry(*id).or_insert_with(new);
    }
    let is_silent = |silent: &Silent| now.duration_since(silent.since) >= silent.patience;
    let asked: Vec<i64> =
        waiting.iter().filter(|(_, silent)| is_silent(silent)).map(|(id, _)| *id).collect();
    if asked.is_empty() {
        return;
    }
    // Where the server cannot be asked nothing is known, and everything may be at work.
    let at_work = pool.at_work(&asked).await.unwrap_or_else(|| asked.clone());
    for id in asked {
        let (Some((card, turn)), Some(silent)) = (cards.get(&id), waiting.get_mut(&id)) else {
            continue;
        };
        silent.patience = (silent.patience * 2).min(silent.patience + LONGEST_SILENCE);
        if !at_work.contains(&id) && card.pulse.waits() == Some(*turn) {
            card.pulse.lose(*turn);
        }
    }
}

impl<DB: Driver> Pool<DB> {
    /// Which of these connections the server is at work for, by its ids; `None` where it cannot be asked.
    ///
    /// By a connection that lies ready; where none does, by one of those that the plan leaves for administration,
    /// as a migration is.
    async fn at_work(self: &Arc<Self>, ids: &[i64]) -> Option<Vec<i64>> {
        let asked = async {
            if let Some(lent) = self.idle() {
                let until = Instant::now() + self.plan.connect();
                let (lent, _) = self.proven(lent, Some(until)).await?;
                let mut conn = Conn::new(lent);
                return conn.at_work(ids).await.ok();
            }
            let mut opened = self.connector.attempt(&self.plan, None).await.ok()?;
            let at_work = DB::at_work(&mut opened.connection, ids).await.ok();
            let _ = sqlx::Connection::close(opened.connection).await;
            at_work
        };
        tokio::time::timeout(self.plan.connect(), asked).await.ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_turn_that_was_declared_lost_is() {
        let pulse = Pulse::default();
        assert_eq!(pulse.waits(), None);
        pulse.waits_now();
        let first = pulse.waits().expect("it waits");
        pulse.lose(first);
        let answer = pulse.answer::<()>(std::future::pending()).await;
        assert!(matches!(answer, Err(sqlx::Error::Io(_))), "{answer:?}");
        // Dropped half-way, begun again.
        pulse.rests();
        pulse.waits_now();
        let second = pulse.waits().expect("it waits");
        assert_ne!(first, second);
        pulse.lose(first);
        assert!(matches!(pulse.answer(std::future::ready(Ok(7))).await, Ok(7)));
        assert_eq!(pulse.waits(), None);
    }

    #[tokio::test]
    async fn an_answer_that_has_come_counts() {
        let pulse = Pulse::default();
        pulse.waits_now();
        pulse.lose(pulse.waits().expect("it waits"));
        assert!(matches!(pulse.answer(std::future::ready(Ok(7))).await, Ok(7)));
    }

    #[tokio::test]
    async fn who_waits_is_woken() {
        let pulse = Pulse::default();
        let waiting = tokio::spawn({
            let pulse = pulse.clone();
            async move { pulse.answer::<()>(std::future::pending()).await }
        });
        while pulse.waits().is_none() {
            tokio::task::yield_now().await;
        }
        pulse.lose(pulse.waits().expect("it waits"));
        assert!(waiting.await.expect("it does not panic").is_err());
    }
}
