//! A request body on its way from the connection to the App, one chunk at a time.
//!
//! actix's payload stays on its thread and core's body may move between threads, so a chunk is handed over.
//! No task does it: whoever waits for the App or sends its response moves the body along.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use anyhost_core::BodyError;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::Sleep;

use super::incoming::Incoming;

/// The connection's end of a request body.
pub(super) struct Upload {
    incoming: Option<Incoming>,
    slot: Arc<Slot>,
    patience: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    timed_out: bool,
}

/// The App's end of a request body.
pub(super) struct Reader {
    slot: Arc<Slot>,
    left: Option<u64>,
}

/// Room for one chunk: a full slot is the backpressure.
#[derive(Default)]
struct Slot(Mutex<Held>);

#[derive(Default)]
struct Held {
    chunk: Option<Result<Bytes, BodyError>>,
    ended: bool,
    abandoned: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Held> {
        // Nothing in here panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Upload {
    pub(super) fn new(
        incoming: Incoming,
        announced: Option<u64>,
        patience: Duration,
    ) -> (Self, Reader) {
        let slot = Arc::new(Slot::default());
        let reader = Reader { slot: Arc::clone(&slot), left: announced };
        (Self { incoming: Some(incoming), slot, patience, timer: None, timed_out: false }, reader)
    }

    /// Whether there is no more to hand over, or nobody to take it.
    pub(super) fn done(&self) -> bool {
        self.incoming.is_none() || self.slot.lock().abandoned
    }

    /// Whether the client stopped sending while the App waited.
    pub(super) fn timed_out(&self) -> bool {
        self.timed_out
    }

    /// Hands over what has come, and has the task woken when more can be. Returns whether there is
    /// something new for the App.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let mut moved = false;
        while let Some(incoming) = &mut self.incoming {
            {
                let mut held = self.slot.lock();
                if held.abandoned {
                    self.incoming = None;
                    return moved;
                }
                held.writer.get_or_insert_with(|| cx.waker().clone()).clone_from(cx.waker());
                if held.chunk.is_some() {
                    // The client is not what is waited for.
                    self.timer = None;
                    return moved;
                }
            }
            let chunk = match incoming.poll_chunk(cx) {
                Poll::Ready(Some(Ok(chunk))) if chunk.is_empty() => continue,
                Poll::Ready(Some(Ok(chunk))) => Some(Ok(chunk)),
                Poll::Ready(Some(Err(error))) => Some(Err(error)),
                Poll::Ready(None) => None,
                Poll::Pending if self.over(cx) => {
                    self.timed_out = true;
                    Some(Err(BodyError::broken("the client stopped sending it")))
                }
                Poll::Pending => return moved,
            };
            self.timer = None;
            if !matches!(chunk, Some(Ok(_))) {
                self.incoming = None;
            }
            let mut held = self.slot.lock();
            held.ended = chunk.is_none();
            held.chunk = chunk;
            moved = true;
            let reader = held.reader.take();
            drop(held);
            if let Some(reader) = reader {
                reader.wake();
            }
        }
        moved
    }

    fn over(&mut self, cx: &mut Context<'_>) -> bool {
        let patience = self.patience;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        timer.as_mut().poll(cx).is_ready()
    }
}

/// A connection that ends takes its body with it: the App's end must not wait for it.
impl Drop for Upload {
    fn drop(&mut self) {
        let mut held = self.slot.lock();
        if !held.ended && held.chunk.is_none() {
            held.chunk = Some(Err(BodyError::broken("the request is over")));
        }
        let reader = held.reader.take();
        drop(held);
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut held = self.slot.lock();
        held.abandoned = true;
        held.chunk = None;
        let writer = held.writer.take();
        drop(held);
        if let Some(writer) = writer {
            writer.wake();
        }
    }
}

impl http_body::Body for Reader {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut held = self.slot.lock();
        let Some(chunk) = held.chunk.take() else {
            if held.ended {
                return Poll::Ready(None);
            }
            held.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        // After an error there is nothing: it was the last chunk.
        held.ended |= chunk.is_err();
        let writer = held.writer.take();
        drop(held);
        if let Some(writer) = writer {
            writer.wake();
        }
        if let (Some(left), Ok(bytes)) = (&mut self.left, &chunk) {
            *left = left.saturating_sub(bytes.len() as u64);
        }
        Poll::Ready(Some(chunk.map(Frame::data)))
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
