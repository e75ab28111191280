//! Whether a connection waits for the server, and the end of a wait for a reply that will not come.

use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;

use crate::db::driver::BackendId;

/// Whether a connection waits for a reply; shared by its borrower and the watchdog.
#[derive(Debug, Default)]
pub(in crate::db) struct PendingReply {
    /// The server's id of the connection, by which the server is asked.
    pub(in crate::db) backend: Option<BackendId>,
    /// Odd while a reply is pending. Only the borrower changes it.
    turn: AtomicU64,
    /// The number of the reply that was declared lost.
    lost: AtomicU64,
    borrower: AtomicWaker,
}

impl PendingReply {
    pub(super) fn new(backend: Option<BackendId>) -> Self {
        Self { backend, ..Self::default() }
    }

    /// Marks a reply as pending, unless one is already.
    fn begin_wait(&self) {
        let turn = self.turn.load(Ordering::Relaxed);
        if turn.is_multiple_of(2) {
            self.turn.store(turn + 1, Ordering::Release);
        }
    }

    /// Marks that no reply is pending: it has come, or new work begins after work that was dropped half-way, or the
    /// reader of a stream does something else.
    pub(in crate::db) fn end_wait(&self) {
        let turn = self.turn.load(Ordering::Relaxed);
        if !turn.is_multiple_of(2) {
            self.turn.store(turn + 1, Ordering::Release);
        }
    }

    /// Returns an error if the pending reply was declared lost. Otherwise the task is woken when it is.
    ///
    /// Call it after polling for the reply: a reply that has arrived counts.
    pub(in crate::db) fn poll_loss(&self, cx: &Context<'_>) -> Option<sqlx::Error> {
        self.begin_wait();
        // Register before the check: a loss declared in between would wake nothing (lost wakeup).
        self.borrower.register(cx.waker());
        let turn = self.turn.load(Ordering::Relaxed);
        (self.lost.load(Ordering::Acquire) == turn).then(|| {
            tracing::warn!(
                "the server reports this connection idle while a query is pending: \
                 the query or its reply was lost; closing it"
            );
            let text = "the server has nothing to do for it: a statement or its answer was lost on the way";
            sqlx::Error::Io(io::Error::new(io::ErrorKind::ConnectionAborted, text))
        })
    }

    /// Runs work on the connection; an error if its reply is declared lost.
    pub(in crate::db) async fn answer<T>(
        &self,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        let mut work = pin!(work);
        std::future::poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Pending => {
                self.poll_loss(cx).map_or(Poll::Pending, |error| Poll::Ready(Err(error)))
            }
            outcome => {
                self.end_wait();
                outcome
            }
        })
        .await
    }

    /// The number of the pending reply; `None` if none is pending.
    pub(in crate::db) fn pending_turn(&self) -> Option<u64> {
        Some(self.turn.load(Ordering::Acquire)).filter(|turn| turn % 2 == 1)
    }

    /// Declares that the reply of this number will not come.
    pub(in crate::db) fn declare_lost(&self, turn: u64) {
        self.lost.store(turn, Ordering::Release);
        self.borrower.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn only_the_turn_that_was_declared_lost_is() {
        let reply = PendingReply::default();
        assert_eq!(reply.pending_turn(), None);
        reply.begin_wait();
        let first = reply.pending_turn().expect("it waits");
        reply.declare_lost(first);
        let answer = reply.answer::<()>(std::future::pending()).await;
        assert!(matches!(answer, Err(sqlx::Error::Io(_))), "{answer:?}");
        // Dropped half-way, begun again.
        reply.end_wait();
        reply.begin_wait();
        let second = reply.pending_turn().expect("it waits");
        assert_ne!(first, second);
        reply.declare_lost(first);
        assert!(matches!(reply.answer(std::future::ready(Ok(7))).await, Ok(7)));
        assert_eq!(reply.pending_turn(), None);
    }

    #[tokio::test]
    async fn an_answer_that_has_come_counts() {
        let reply = PendingReply::default();
        reply.begin_wait();
        reply.declare_lost(reply.pending_turn().expect("it waits"));
        assert!(matches!(reply.answer(std::future::ready(Ok(7))).await, Ok(7)));
    }

    #[tokio::test]
    async fn a_task_that_waits_for_a_lost_reply_is_woken() {
        let reply = Arc::new(PendingReply::default());
        let waiting = tokio::spawn({
            let reply = Arc::clone(&reply);
            async move { reply.answer::<()>(std::future::pending()).await }
        });
        while reply.pending_turn().is_none() {
            tokio::task::yield_now().await;
        }
        reply.declare_lost(reply.pending_turn().expect("it waits"));
        assert!(waiting.await.expect("it does not panic").is_err());
    }
}
