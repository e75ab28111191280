//! The rows of one statement, and the state of its connection while they are read.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_core::stream::BoxStream;

use super::state::SessionState;
use crate::db::driver::{Driver, Step};
use crate::db::settings::Kind;
use crate::db::sql::SessionEffect;

/// A stream of rows: the connection is busy from its first poll until its end.
pub(super) struct Rows<'e, DB: Driver> {
    rows: BoxStream<'e, Result<Step<DB>, sqlx::Error>>,
    pub(super) state: &'e mut SessionState,
    effect: SessionEffect,
    begun: bool,
    /// The last step was the end of a statement.
    ended: bool,
}

impl<'e, DB: Driver> Rows<'e, DB> {
    pub(super) fn new(
        rows: BoxStream<'e, Result<Step<DB>, sqlx::Error>>,
        state: &'e mut SessionState,
        effect: SessionEffect,
    ) -> Self {
        Self { rows, state, effect, begun: false, ended: false }
    }
}

impl<DB: Driver> Stream for Rows<'_, DB> {
    type Item = Result<Step<DB>, sqlx::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { rows, state, effect, begun, ended } = &mut *self;
        if !std::mem::replace(begun, true) {
            state.begins(*effect);
        }
        let step = match rows.as_mut().poll_next(cx) {
            Poll::Ready(step) => step,
            Poll::Pending => Some(Err(ready!(
                state.pending_reply.poll_loss(cx).map_or(Poll::Pending, Poll::Ready)
            ))),
        };
        Poll::Ready(match step {
            Some(Ok(step)) => {
                *ended = step.is_left();
                state.answered = true;
                // While the caller does not read, no reply is pending.
                state.pending_reply.end_wait();
                Some(Ok(step))
            }
            Some(Err(error)) => Some(Err(state.failed::<DB>(error, *effect))),
            // The stream ends without an error also if the driver's thread has died.
            None if DB::KIND == Kind::Sqlite && !(*ended || effect.blank) => {
                Some(Err(state.failed::<DB>(sqlx::Error::WorkerCrashed, *effect)))
            }
            None => {
                state.succeeded(*effect);
                None
            }
        })
    }
}
