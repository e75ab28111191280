//! The tasks of one connection of HTTP/2: each request has its own, and time of its own.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::Executor;

use super::Deadline;

thread_local! {
    /// When the stream that is polled now offered bytes of its response, if it has not been asked for more.
    static OFFERED: Cell<Option<Instant>> = const { Cell::new(None) };
    /// What lives as long as the upgraded stream that is spawned next.
    static KEPT: Cell<Option<Box<dyn Send>>> = const { Cell::new(None) };
}

/// Says that the stream that is polled now has offered bytes of its response; `None` if it is asked for more of them.
pub(crate) fn set_offered(since: Option<Instant>) {
    OFFERED.set(since);
}

/// Keeps a value alive as long as the upgraded stream that the stream that is polled now becomes at once.
pub(crate) fn keep_with_upgrade(value: impl Send + 'static) {
    KEPT.set(Some(Box::new(value)));
}

/// Runs the tasks of a connection. A stream of which the client takes nothing for the timeout is dropped, which
/// resets it; the others go on.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    pub(super) send_timeout: Duration,
}

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        tokio::spawn(StreamTask {
            inner: Box::pin(stream),
            // hyper spawns an upgraded stream while it polls the stream of the request.
            _kept: KEPT.take(),
            offered: None,
            deadline: Deadline::default(),
            send_timeout: self.send_timeout,
        });
    }
}

/// The task of one stream.
struct StreamTask<F> {
    inner: Pin<Box<F>>,
    _kept: Option<Box<dyn Send>>,
    offered: Option<Instant>,
    deadline: Deadline,
    send_timeout: Duration,
}

impl<F: Future<Output = ()>> Future for StreamTask<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        OFFERED.set(this.offered);
        let outcome = this.inner.as_mut().poll(cx);
        this.offered = OFFERED.take();
        drop(KEPT.take());
        if outcome.is_ready() {
            return Poll::Ready(());
        }
        let Some(since) = this.offered else { return Poll::Pending };
        ready!(this.deadline.poll(since + this.send_timeout, cx));
        tracing::debug!("a stream ended: the client takes nothing of its response");
        Poll::Ready(())
    }
}
