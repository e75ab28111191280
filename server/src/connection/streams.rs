//! The tasks of one connection of HTTP/2: each request has its own, and time of its own.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::Executor;

use super::Deadline;

/// What is kept alive as long as the stream of a WebSocket is.
type Handover = Box<dyn Send>;

thread_local! {
    /// When the stream that is polled now handed out bytes of its response and has not been asked for more.
    static HANDED_OUT: Cell<Option<Instant>> = const { Cell::new(None) };
    /// What the stream that is polled now hands over to the one that it becomes.
    static HANDOVER: Cell<Option<Handover>> = const { Cell::new(None) };
}

/// Says that the stream that is polled now has handed out bytes of its response, or is asked for more of them.
pub(crate) fn handed_out(since: Option<Instant>) {
    HANDED_OUT.set(since);
}

/// Keeps something alive as long as the stream lives that the one polled now becomes at once.
pub(crate) fn hand_over(kept: impl Send + 'static) {
    HANDOVER.set(Some(Box::new(kept)));
}

/// Runs the tasks of a connection. A stream of which the client takes nothing for the timeout is dropped, which
/// resets it; the others go on.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    send_timeout: Duration,
}

impl Streams {
    pub(super) fn new(send_timeout: Duration) -> Self {
        Self { send_timeout }
    }
}

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        tokio::spawn(Stream {
            inner: Box::pin(stream),
            // An upgraded stream is run by the task of the request that it was, so this is that request's.
            _kept: HANDOVER.take(),
            handed_out: None,
            deadline: Deadline::default(),
            send_timeout: self.send_timeout,
        });
    }
}

struct Stream<F> {
    inner: Pin<Box<F>>,
    _kept: Option<Handover>,
    handed_out: Option<Instant>,
    deadline: Deadline,
    send_timeout: Duration,
}

impl<F: Future<Output = ()>> Future for Stream<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        HANDED_OUT.set(this.handed_out);
        let outcome = this.inner.as_mut().poll(cx);
        this.handed_out = HANDED_OUT.take();
        drop(HANDOVER.take());
        if outcome.is_ready() {
            return Poll::Ready(());
        }
        let Some(since) = this.handed_out else { return Poll::Pending };
        ready!(this.deadline.poll(since + this.send_timeout, cx));
        tracing::debug!("a stream ended: the client takes nothing of its response");
        Poll::Ready(())
    }
}
